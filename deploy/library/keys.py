"""Keys of API clients: shown once, kept as a hash."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Column, DateTime, Engine, String, Table, insert, select, update
from sqlalchemy.exc import IntegrityError

from deploy.library.database import writing
from deploy.library.records import metadata
from model.errors import SightlineError

PREFIX = "sightline_"  # so that people and scanners see what it is
table = Table(  # migrations/ makes it
    "keys",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("hash", String(64), nullable=False, unique=True),
    Column("rate", String(32)),
    Column("created", DateTime, nullable=False),
    Column("revoked", DateTime),
)


class NameTaken(SightlineError):
    """There is a key of that name; the message is one sentence."""


@dataclass(frozen=True)
class ApiKey:
    """`rate`: how often it may ask, as deploy.limits reads it; None: as often as anybody. Times are UTC."""

    name: str
    rate: str | None
    created: datetime
    revoked: datetime | None


class Keys:
    """The table. A revoked key keeps its name, so that nobody inherits its photos."""

    def __init__(self, engine: Engine):
        self._engine, self._writing = engine, writing(engine)

    def create(self, name: str, rate: str | None = None) -> str:
        """-> the key itself, 256 random bits, which nobody can see again. Raises NameTaken."""
        key = PREFIX + secrets.token_urlsafe(32)
        try:
            with self._writing.begin() as connection:
                connection.execute(insert(table).values(name=name, hash=_hash(key), rate=rate, created=_now()))
        except IntegrityError:
            raise NameTaken(f"There is a key {name!r} already; choose another name.") from None
        return key

    def find(self, key: str) -> ApiKey | None:
        """The key, if it is one and not revoked."""
        wanted = select(table).where(table.c.hash == _hash(key), table.c.revoked.is_(None))
        return next(iter(self._read(wanted)), None)

    def all(self) -> list[ApiKey]:
        return self._read(select(table).order_by(table.c.created))

    def revoke(self, name: str) -> bool:
        """From now on; False if no key of that name is in use."""
        with self._writing.begin() as connection:
            wanted = update(table).where(table.c.name == name, table.c.revoked.is_(None)).values(revoked=_now())
            return connection.execute(wanted).rowcount > 0

    def _read(self, wanted) -> list[ApiKey]:
        with self._engine.connect() as connection:
            return [ApiKey(row.name, row.rate, row.created, row.revoked) for row in connection.execute(wanted)]


def _hash(key: str) -> str:
    """Of 256 random bits a plain hash cannot be searched through; it needs no salt and no time."""
    return hashlib.sha256(key.encode()).hexdigest()


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
