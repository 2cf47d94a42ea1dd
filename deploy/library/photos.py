"""Photos and sounds as files of one folder."""

import os
import secrets
import time
from collections.abc import Iterator, Mapping
from pathlib import Path


class Files:
    """Bytes by name. A name is either whole or not there, whenever the process or the machine stops."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, contents: Mapping[str, bytes]) -> None:
        """Write each under a temporary name, to the disk, then rename all. Raises OSError and leaves nothing."""
        temporary = {name: self.folder / f".{name}.{secrets.token_hex(4)}" for name in contents}
        try:
            for name, data in contents.items():
                with open(temporary[name], "xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
            for name, path in temporary.items():
                path.replace(self.folder / name)
            self._sync()
        except OSError:
            for path in temporary.values():
                path.unlink(missing_ok=True)
            self.delete(*contents)
            raise

    def path(self, name: str) -> Path:
        return self.folder / name

    def delete(self, *names: str) -> None:
        for name in names:
            (self.folder / name).unlink(missing_ok=True)

    def older_than(self, seconds: float) -> Iterator[str]:
        """Names, temporary ones too, that were written at least so long ago."""
        before = time.time() - seconds
        for entry in os.scandir(self.folder):
            try:
                if entry.stat().st_mtime <= before:
                    yield entry.name
            except FileNotFoundError:  # deleted beside us
                continue

    def _sync(self) -> None:
        """A rename is on the disk only when its folder is."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
