"""Photos and sounds as bytes by name: files of a folder, or objects of a store that fsspec knows, such as S3.

A name is either whole or not there, whenever the process or the machine stops.
"""

import os
import secrets
import time
from collections.abc import Container, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path


def photos_at(place: str) -> "Files | Objects":
    """A folder, or the objects below a URL. Raises OSError if it cannot be used."""
    return Objects(place) if "://" in place else Files(Path(place))


class Files:
    """Files of one folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, contents: Mapping[str, bytes], there: Container[str] = ()) -> None:
        """Write each under a temporary name, to the disk, then rename all. Raises OSError and leaves nothing of it, but
        those that were `there` before."""
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
            self.delete(*(name for name in contents if name not in there))
            raise

    def read(self, name: str) -> bytes:
        """Raises FileNotFoundError."""
        return (self.folder / name).read_bytes()

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


class Objects:
    """Objects below a URL such as `s3://bucket/photos`; a store puts each of them whole. Its keys and its address are
    in the environment, as its own tools want them (for S3: AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL and so on)."""

    def __init__(self, url: str):
        from fsspec.core import url_to_fs  # not where a folder does

        # An instance of its own: one that a parent process used does not outlive a fork.
        self._store, self._root = url_to_fs(url, skip_instance_cache=True)
        self._names()

    def write(self, contents: Mapping[str, bytes], there: Container[str] = ()) -> None:
        """Raises OSError and leaves nothing of it, but those that were `there` before."""
        try:
            for name, data in contents.items():
                self._store.pipe_file(self._at(name), data)
        except Exception as error:
            self.delete(*(name for name in contents if name not in there))
            raise _as_os_error(error) from error

    def read(self, name: str) -> bytes:
        """Raises FileNotFoundError."""
        return self._store.cat_file(self._at(name))

    def delete(self, *names: str) -> None:
        for name in names:
            try:
                self._store.rm_file(self._at(name))
            except FileNotFoundError:
                continue

    def older_than(self, seconds: float) -> Iterator[str]:
        """Names that were written at least so long ago."""
        before = datetime.now(UTC) - timedelta(seconds=seconds)
        for each in self._names():
            if self._store.modified(each) <= before:
                yield each.rsplit("/", 1)[-1]

    def _names(self) -> list[str]:
        """Paths of all objects; a bucket without any is not missing. Raises OSError."""
        try:
            return self._store.find(self._root, refresh=True)
        except Exception as error:
            raise _as_os_error(error) from error

    def _at(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"


def _as_os_error(error: Exception) -> OSError:
    """Clients of stores have errors of their own."""
    return error if isinstance(error, OSError) else OSError(str(error))
