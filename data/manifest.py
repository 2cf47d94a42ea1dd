"""What is known about the photos of a set, kept between commands, so that no photo is decoded twice.

One JSON file a set in the user's cache folder (`platformdirs`: ~/.cache/sightline on Linux). A photo is known by its
path, size and modification time in nanoseconds; a photo that changed is read again. The file is only ever replaced
whole, so that two processes may read the same set, and a manifest that is damaged or cannot be written costs nothing
but time.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs

from data.photos import PhotoCheck, check_photo

FORMAT = 1
FOLDER = "photos"  # inside the cache folder


class Manifest:
    """The photo checks of one set, from `file`. `save` writes those that were asked for since it was opened."""

    def __init__(self, file: Path):
        self.file = file
        self._known = _read(file)
        self._asked: dict[str, list] = {}

    def check(self, path: Path, decode: bool = True) -> PhotoCheck:
        """As `data.photos.check_photo`, without opening the photo if it is known. Raises OSError."""
        status, key = path.stat(), os.path.abspath(path)
        row = self._known.get(key)
        if row is not None and row[:2] == [status.st_size, status.st_mtime_ns]:
            found = PhotoCheck(row[2], row[3])
            if not decode or found.unreadable is not None:
                self._asked[key] = row
                return found
        found = check_photo(path, decode)  # after its time: a photo that changes meanwhile is read again
        self._asked[key] = [status.st_size, status.st_mtime_ns, found.sha256, found.unreadable]
        return found

    def save(self) -> None:
        """Replace the file, if there is anything new; photos that were not asked for are forgotten."""
        if not self._asked or self._asked == self._known:
            return
        with suppress(OSError):  # a full disk, a home that is read-only: the photos are read again next time
            self.file.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=self.file.parent, prefix=self.file.stem, suffix=".tmp")
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    json.dump({"format": FORMAT, "photos": self._asked}, file)
                os.replace(name, self.file)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise


@contextmanager
def manifest_of(dataset: Path) -> Iterator[Manifest]:
    """The manifest of the set at `dataset`, saved at the end, however that comes."""
    name = hashlib.sha256(os.fsencode(dataset.resolve())).hexdigest()[:32]
    manifest = Manifest(platformdirs.user_cache_path("sightline") / FOLDER / f"{name}.json")
    try:
        yield manifest
    finally:
        manifest.save()


def _read(file: Path) -> dict[str, list]:
    """Absolute path -> [size, modification time in ns, SHA-256, why it cannot be decoded]; {} for a damaged file."""
    try:
        content = json.loads(file.read_bytes())
        if content["format"] != FORMAT or not all(_is_row(row) for row in content["photos"].values()):
            return {}
        return content["photos"]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}


def _is_row(row: object) -> bool:
    if not isinstance(row, list) or [type(value) for value in row[:3]] != [int, int, str] or len(row) != 4:
        return False
    return len(row[2]) == 64 and (row[3] is None or isinstance(row[3], str))
