"""Records and their files together, in an order that survives a crash at any moment.

Adding writes the files first and the row last; deleting takes the row first and the files last. So a row always has
its files, and a file without a row is never served, for serving goes through the row. `sweep` removes such files.
"""

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from deploy.library.photos import Files
from deploy.library.records import Record, Records

KINDS = ("jpg", "mp3", "wav")
HOUR_S = 3600.0


class LibraryError(Exception):
    """The library cannot be opened; the message is one sentence."""


class Library:
    """What was described, under one folder: `sightline.db` and `photos/`."""

    def __init__(self, folder: Path):
        folder = folder.resolve()
        try:
            self.files = Files(folder / "photos")
            self.records = Records(f"sqlite:///{folder / 'sightline.db'}")
        except (OSError, SQLAlchemyError) as error:
            reason = getattr(error, "orig", None) or getattr(error, "strerror", None) or error
            raise LibraryError(
                f"Records cannot be kept in {folder} ({reason}); set SIGHTLINE_INSTANCE to a folder you may write to."
            ) from error

    def add(self, record: Record, contents: Mapping[str, bytes]) -> None:
        """Keep `record` and its files, `contents` by kind. Raises OSError or SQLAlchemyError, and keeps nothing."""
        names = {f"{record.id}.{kind}": data for kind, data in contents.items()}
        self.files.write(names)
        try:
            self.records.add(record)
        except SQLAlchemyError:
            self.files.delete(*names)
            raise

    def get(self, id: str) -> Record | None:
        return self.records.get(id)

    def path(self, record: Record, kind: str) -> Path:
        """Where the file of a record that `get` gave is."""
        return self.files.path(f"{record.id}.{kind}")

    def delete(self, id: str) -> bool:
        """Remove all of a record; False if there is none."""
        found = self.records.delete(id)
        if found:
            self.files.delete(*(f"{id}.{kind}" for kind in KINDS))
        return found

    def sweep(self, older_than_s: float = HOUR_S) -> int:
        """Remove files that no record owns, -> how many. Younger ones may belong to a request that is still running."""
        names = list(self.files.older_than(older_than_s))
        known = self.records.known({name.split(".")[0] for name in names} - {""})
        orphans = [name for name in names if name.startswith(".") or name.split(".")[0] not in known]
        self.files.delete(*orphans)
        return len(orphans)

    def close(self) -> None:
        self.records.close()
