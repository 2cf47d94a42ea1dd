"""Descriptions as rows of a database."""

import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    delete,
    event,
    insert,
    select,
)
from sqlalchemy.schema import CreateTable

metadata = MetaData()
table = Table(
    "records",
    metadata,
    Column("id", String(22), primary_key=True),
    Column("created", DateTime, nullable=False, index=True),
    Column("sha256", String(64), nullable=False, index=True),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("description", Text, nullable=False),
    Column("caption", Text, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("alternatives", JSON, nullable=False),
    Column("language", String(8), nullable=False),
    Column("style", String(16), nullable=False),
    Column("rate", Integer),
    Column("model", String(200), nullable=False),
    Column("audio_error", Text),
    Column("timings_ms", JSON, nullable=False),
)


def new_id() -> str:
    """128 random bits in 22 characters that need no quoting in a URL: whoever has it may read that one record."""
    return secrets.token_urlsafe(16)


@dataclass(frozen=True)
class Record:
    """One described photo. `width` and `height` are the stored photo's; `created` is UTC without a zone."""

    sha256: str
    width: int
    height: int
    description: str
    caption: str
    confidence: float  # 0 to 1
    alternatives: list[dict]  # of {text, confidence}
    language: str
    style: str
    rate: int | None  # words a minute; None: the voice's own
    model: str
    audio_error: str | None  # None: there is sound
    timings_ms: dict[str, float]
    id: str = field(default_factory=new_id)
    created: datetime = field(default_factory=lambda: datetime.now(UTC).replace(tzinfo=None))


class Records:
    """The table, in the database at `url`. Safe to use from many threads and processes."""

    def __init__(self, url: str):
        self.engine = create_engine(url, connect_args={"timeout": 10} if url.startswith("sqlite") else {})
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", _prepare_sqlite)
        with self.engine.begin() as connection:
            connection.execute(CreateTable(table, if_not_exists=True))
            for index in table.indexes:
                index.create(connection, checkfirst=True)

    def add(self, record: Record) -> None:
        with self.engine.begin() as connection:
            connection.execute(insert(table).values(**asdict(record)))

    def get(self, id: str) -> Record | None:
        with self.engine.connect() as connection:
            row = connection.execute(select(table).where(table.c.id == id)).mappings().first()
        return Record(**row) if row else None

    def delete(self, id: str) -> bool:
        """True if there was such a record."""
        with self.engine.begin() as connection:
            return connection.execute(delete(table).where(table.c.id == id)).rowcount > 0

    def known(self, ids: Iterable[str]) -> set[str]:
        """Those of `ids` that have a record."""
        ids, found = list(ids), set()
        with self.engine.connect() as connection:
            for start in range(0, len(ids), 500):  # databases bound the number of parameters
                found.update(connection.scalars(select(table.c.id).where(table.c.id.in_(ids[start : start + 500]))))
        return found

    def close(self) -> None:
        self.engine.dispose()


def _prepare_sqlite(connection, _) -> None:
    """Readers beside one writer (WAL), and a commit that is on the disk when it returns."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
