"""Records and their files together, in an order that survives a crash at any moment.

Adding writes the files first and the row last; deleting takes the row first and the files last. So a row always has
its files, and a file without a row is never served, for serving goes through the row. `sweep` removes such files.
"""

import csv
import errno
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from sqlalchemy.exc import OperationalError, SQLAlchemyError

from deploy.library.database import open_database
from deploy.library.keys import Keys
from deploy.library.photos import photos_at
from deploy.library.records import DESCRIBED, INDEXED, OWNERS, Record, Records
from deploy.library.search import Search
from model.errors import SightlineError

KINDS = ("jpg", "mp3", "wav")
HOUR_S = 3600.0
CSV_COLUMNS = ("description", "certainty", "spoken_text", "confidence", "language")  # of the JSON of a record


NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class LibraryError(SightlineError):
    """The library cannot be opened; the message is one sentence."""


class NoRoom(SightlineError):
    """There is no room for more; nothing was kept."""


class Library:
    """What was described: photos and sound in `photos`, a folder or a URL of fsspec, by default `folder`/photos;
    records in the `database` at that URL, by default `folder`/sightline.db. Raises LibraryError."""

    def __init__(self, folder: Path, database: str | None = None, photos: str | None = None):
        folder = folder.resolve()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.files = photos_at(photos or str(folder / "photos"))
        except (OSError, ImportError, ValueError) as error:
            if not photos:
                raise LibraryError(_no_folder(folder, error)) from error
            advice = _advice(error, "s3", "see that it is there and lets you in")
            raise LibraryError(f"SIGHTLINE_PHOTOS cannot be used ({error}); {advice}.") from error
        try:
            self._engine = open_database(database or f"sqlite:///{folder / 'sightline.db'}")
        except (OSError, SQLAlchemyError, ImportError) as error:
            if not database:
                raise LibraryError(_no_folder(folder, error)) from error
            reason = str(getattr(error, "orig", None) or error).splitlines()[0]
            advice = _advice(error, "postgres", "see that it runs and lets you in")
            raise LibraryError(f"SIGHTLINE_DATABASE cannot be used ({reason}); {advice}.") from error
        self.records = Records(self._engine)
        self.keys = Keys(self._engine)
        self.search = Search(self.records)

    def add(self, record: Record, contents: Mapping[str, bytes]) -> Record:
        """Keep `record` and its files, `contents` by kind, -> what is kept. Where its owner has that photo in that
        language and style, that is the record which is there; made by another captioner, it is given this description.
        Raises NoRoom, OSError or SQLAlchemyError and leaves all as it was."""
        known = self.records.same(record.owner, record.sha256, record.language, record.style)
        if known is not None:
            same_captioner = known.by_captioner(record.model, record.space)
            return known if same_captioner else self._redescribe(known, record, contents)
        names = {f"{record.id}.{kind}": data for kind, data in contents.items()}
        with _room():
            self.files.write(names)
            try:
                kept = self.records.add(record)
            except SQLAlchemyError:
                self.files.delete(*names)
                raise
        if kept.id != record.id:
            self.files.delete(*names)
        return kept

    def get(self, id: str) -> Record | None:
        return self.records.get(id)

    def read(self, record: Record, kind: str) -> bytes:
        """The file of a record that `get` gave. Raises FileNotFoundError if it was deleted since."""
        return self.files.read(f"{record.id}.{kind}")

    def edit(
        self, record: Record, user_description: str | None, audio_error: str | None, sound: Mapping[str, bytes]
    ) -> Record:
        """Give the record its owner's words, or the machine's again for None, and the `sound` by kind that speaks them.
        -> the record as it now is. Raises NoRoom, OSError or SQLAlchemyError and leaves all as it was."""
        edited = replace(record, user_description=user_description, audio_error=audio_error)
        self._change(edited, OWNERS, sound)
        return edited

    def _redescribe(self, known: Record, record: Record, contents: Mapping[str, bytes]) -> Record:
        """Put the description of `record` in the place of that of `known`, which stays the owner's own photo: its id,
        when it was sent, its owner's words and the sound of these."""
        described = replace(known, **{name: getattr(record, name) for name in DESCRIBED if name not in INDEXED})
        sound = {kind: data for kind, data in contents.items() if kind != "jpg"}
        if known.user_description:
            described, sound = replace(described, audio_error=known.audio_error, rate=known.rate), {}
        self._change(described, DESCRIBED, sound)
        return described

    def _change(self, changed: Record, columns: Sequence[str], sound: Mapping[str, bytes]) -> None:
        """Keep these columns and the `sound` by kind of a record. Raises as `edit` does."""
        names = {f"{changed.id}.{kind}": data for kind, data in sound.items()}
        with _room():
            before = self._there(names)
            self.files.write(names, there=before)
            try:
                known = self.records.change(changed, columns)
            except SQLAlchemyError:
                self.files.write(before, there=before)
                raise
            if not known:  # deleted since we looked
                self.files.delete(*names)

    def _there(self, names: Iterable[str]) -> dict[str, bytes]:
        """Those of the files that are there."""
        found = {}
        for name in names:
            with suppress(FileNotFoundError):
                found[name] = self.files.read(name)
        return found

    def delete(self, id: str) -> bool:
        """Remove all of a record; False if there is none. Raises NoRoom or SQLAlchemyError."""
        names = [f"{id}.{kind}" for kind in KINDS]
        try:
            with _room():
                found = self.records.delete(id)
        except NoRoom:  # a database needs room to forget: that of the files
            self.files.delete(*names)
            with _room():
                found = self.records.delete(id)
        if found:
            self.files.delete(*names)
        return found

    def delete_all(self, owner: str) -> int:
        """Remove all of all the owner's records, -> how many."""
        count = sum(self.delete(id) for id in self.records.ids(owner))
        self.search.forget(owner)
        return count

    def purge(self, days: int, owners: str) -> int:
        """Remove records older than so many days of owners whose name starts like that, -> how many."""
        before = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=days)
        return sum(self.delete(id) for id in self.records.made_before(before, owners))

    def export(self, owner: str, file: BinaryIO, as_json: Callable[[Record], dict]) -> None:
        """Write all the owner's photos, `captions.json` (each record by `as_json`) and `captions.csv` into a ZIP."""
        table, exported = io.StringIO(), []
        rows = csv.writer(table)
        rows.writerow(["image", *CSV_COLUMNS])
        with zipfile.ZipFile(file, "w") as archive:
            for id in self.records.ids(owner):
                record = self.get(id)
                if record is None:
                    continue
                name = f"photos/{id}.jpg"
                try:
                    archive.writestr(name, self.read(record, "jpg"))
                except FileNotFoundError:  # deleted since we looked
                    continue
                exported.append(as_json(record))
                rows.writerow([name, *(exported[-1][column] for column in CSV_COLUMNS)])
            archive.writestr("captions.json", json.dumps(exported, ensure_ascii=False, indent=1))
            archive.writestr("captions.csv", table.getvalue())

    def sweep(self, older_than_s: float = HOUR_S) -> int:
        """Remove files that no record owns, -> how many. Younger ones may belong to a request that is still running."""
        names = list(self.files.older_than(older_than_s))
        known = self.records.known({name.split(".")[0] for name in names} - {""})
        orphans = [name for name in names if name.startswith(".") or name.split(".")[0] not in known]
        self.files.delete(*orphans)
        return len(orphans)

    def close(self) -> None:
        self._engine.dispose()


@contextmanager
def _room() -> Iterator[None]:
    """Turns what a full disk or database says into NoRoom."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise _no_room() from error
        raise
    except OperationalError as error:
        # SQLite says "database or disk is full" and, at a limit of the process, "disk I/O error"; PostgreSQL 53100.
        if getattr(error.orig, "sqlite_errorname", "")[:11] in ("SQLITE_FULL", "SQLITE_IOER") or (
            getattr(error.orig, "sqlstate", "") == "53100"
        ):
            raise _no_room() from error
        raise


def _no_room() -> NoRoom:
    return NoRoom("There is no room for more photos here; delete some, or ask who runs this service for room.")


def _advice(error: Exception, extra: str, otherwise: str) -> str:
    return f"install sightline[{extra}]" if isinstance(error, ImportError) else otherwise


def _no_folder(folder: Path, error: Exception) -> str:
    reason = getattr(error, "orig", None) or getattr(error, "strerror", None) or error
    return f"Records cannot be kept in {folder} ({reason}); set SIGHTLINE_INSTANCE to a folder you may write to."
