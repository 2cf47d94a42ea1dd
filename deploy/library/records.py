"""Descriptions as rows of a database."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

import numpy as np
from pgvector.sqlalchemy import VECTOR
from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    String,
    Table,
    Text,
    TextClause,
    TypeDecorator,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    update,
)

from deploy.library.database import writing
from model.certainty import Certainty
from model.languages.words import index_terms, words_held
from model.telling import USUAL, Telling

VISITOR, KEY = "visitor:", "key:"  # how owners' names start


class Embedding(TypeDecorator):
    """Little-endian float32 bytes; in PostgreSQL pgvector's type, of any size."""

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect):
        return dialect.type_descriptor(VECTOR() if dialect.name == "postgresql" else LargeBinary())

    def process_bind_param(self, value: bytes | None, dialect: Dialect):
        return value if value is None or dialect.name != "postgresql" else np.frombuffer(value, "<f4")

    def process_result_value(self, value, dialect: Dialect) -> bytes | None:
        return value if value is None or dialect.name != "postgresql" else np.asarray(value, "<f4").tobytes()


metadata = MetaData()
table = Table(  # migrations/ makes it
    "records",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String(22), nullable=False, unique=True),
    Column("owner", String(64), nullable=False),
    Column("created", DateTime, nullable=False, index=True),
    Column("sha256", String(64), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("description", Text, nullable=False),
    Column("certainty", String(8), nullable=False),
    Column("caption", Text),
    Column("confidence", Float),
    Column("alternatives", JSON, nullable=False),
    Column("language", String(8), nullable=False),
    Column("style", String(16), nullable=False),
    Column("rate", Integer),
    Column("model", String(200), nullable=False),
    Column("audio_error", Text),
    Column("timings_ms", JSON, nullable=False),
    Column("user_description", Text),
    Column("text", Text),
    Column("findings", JSON),
    Column("unverified", JSON, nullable=False),
    Column("claims", JSON, nullable=False),
    Column("telling", String(16), nullable=False),
    Column("machine_words", Text, nullable=False),
    Column("people_words", Text, nullable=False, server_default=""),
    Column("space", String(200)),
    Column("embedding", Embedding),
    Index("ix_records_owner_number", "owner", "number"),
    Index("ix_records_owner_sha256", "owner", "sha256"),
    Index("ix_records_owner_space", "owner", "space"),
    sqlite_autoincrement=True,
)
AT_ONCE = 500  # databases bound the number of parameters


def new_id() -> str:
    """128 random bits in 22 characters that need no quoting in a URL: who has it may read that record."""
    return secrets.token_urlsafe(16)


@dataclass(frozen=True)
class Record:
    """One described photo. `width` and `height` are the stored photo's; `created` is UTC without a zone."""

    sha256: str
    width: int
    height: int
    description: str
    certainty: Certainty
    caption: str | None  # None: the certainty is none
    confidence: float | None  # 0 to 1; None: the captioner has none, or there is no caption
    alternatives: list[dict]  # of {text, confidence}
    language: str
    style: str
    rate: int | None  # words a minute; None: the voice's own
    model: str  # name of the captioner
    audio_error: str | None  # None: there is sound
    timings_ms: dict[str, float]
    owner: str = ""  # "": nobody
    user_description: str | None = None  # the owner's own words for it
    text: str | None = None  # found in the photo
    findings: dict | None = None  # beside the scene, as model.senses.senses.Findings has them
    unverified: list[str] = field(default_factory=list)  # kinds of claims that were taken out
    claims: list[dict] = field(default_factory=list)  # of {text, support}
    telling: Telling = USUAL  # how the sound tells it
    space: str | None = None  # id of the embedding's space, see model.protocols.EmbeddingSpace
    embedding: bytes | None = field(default=None, repr=False)  # float32, length 1
    id: str = field(default_factory=new_id)
    created: datetime = field(default_factory=lambda: datetime.now(UTC).replace(tzinfo=None))
    number: int | None = field(default=None, compare=False)  # in the order of keeping; given by the database

    def __post_init__(self):
        object.__setattr__(self, "certainty", Certainty(self.certainty))  # the database has its text
        if isinstance(self.telling, str):
            object.__setattr__(self, "telling", Telling(*self.telling.split("/")))

    @property
    def display_text(self) -> str:
        """The owner's words, else the machine's."""
        return self.user_description or self.description

    @property
    def people_text(self) -> str:
        """What people wrote: the owner's own words and those in the photo."""
        return "\n".join(part for part in (self.user_description, self.text) if part)

    @property
    def people_words(self) -> str:
        """Terms of that, by which a search by words finds it."""
        return index_terms(self.people_text)

    @property
    def machine_words(self) -> str:
        """Terms of the machine's description, unless the owner's words are in its place."""
        return "" if self.user_description else index_terms(self.description)

    def words_held(self, wanted: list[str]) -> tuple[str, ...]:
        """The words of it that are wanted, as it has them."""
        return words_held(f"{self.display_text}\n{self.text or ''}", wanted)

    def by_captioner(self, model: str, space: str | None) -> bool:
        """Whether the captioner of that name and space described it."""
        return (self.model, self.space) == (model, space)

    @property
    def vector(self) -> np.ndarray | None:
        """The embedding, (D,) float32."""
        return None if self.embedding is None else np.frombuffer(self.embedding, "<f4")


INDEXED = ("people_words", "machine_words")  # terms by which a search by words finds a record
COLUMNS = [column for column in table.columns if column.name not in INDEXED]
# What a photo's own record keeps when another captioner describes it again.
LASTING = {"id", "number", "owner", "created", "sha256", "width", "height", "language", "style", "user_description"}
OWNERS = ("user_description", "audio_error", "rate", "telling", *INDEXED)  # what editing changes
DESCRIBED = tuple(column.name for column in table.columns if column.name not in LASTING)


IN_PERIOD = "(:since IS NULL OR created >= :since) AND (:until IS NULL OR created < :until)"


@dataclass(frozen=True)
class Period:
    """From `since` on and before `until`, UTC without a zone; None is open."""

    since: datetime | None = None
    until: datetime | None = None

    def holds(self) -> TextClause:
        return in_period(IN_PERIOD).bindparams(**vars(self))


ALWAYS = Period()


def in_period(statement: str) -> TextClause:
    """SQL in which IN_PERIOD stands, for the two moments of a Period."""
    return text(statement).bindparams(bindparam("since", type_=DateTime), bindparam("until", type_=DateTime))


class Records:
    """The table. Safe to use from many threads and processes."""

    def __init__(self, engine: Engine):
        self.engine, self._writing = engine, writing(engine)

    def add(self, record: Record) -> Record:
        """Keep `record`, unless its owner has that photo in that language and style, -> what is kept."""
        values = _values(record)
        del values["number"]  # the database gives it
        with self._writing.begin() as connection:
            if connection.dialect.name == "postgresql":  # SQLite has one writer at a time
                connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(record.owner))))
            known = _one(connection, _same(record.owner, record.sha256, record.language, record.style))
            if known is None:
                connection.execute(insert(table).values(**values))
        return known or record

    def get(self, id: str) -> Record | None:
        with self.engine.connect() as connection:
            return _one(connection, table.c.id == id)

    def same(self, owner: str, sha256: str, language: str, style: str) -> Record | None:
        """The owner's record of that photo in that language and style, whoever described it; of several, the newest."""
        with self.engine.connect() as connection:
            return _one(connection, _same(owner, sha256, language, style))

    def all_in_space(self, owner: str, space: str) -> bool:
        """Whether every photo of the owner lies in that space."""
        with self.engine.connect() as connection:
            # Not "is distinct from", for which no index helps.
            elsewhere = or_(table.c.space < space, table.c.space > space, table.c.space.is_(None))
            others = select(table.c.number).where(table.c.owner == owner, elsewhere)
            return connection.scalar(others.limit(1)) is None

    def count_in_space(self, owner: str, space: str) -> int:
        """How many photos of the owner lie in that space."""
        wanted = select(func.count()).select_from(table).where(table.c.owner == owner, table.c.space == space)
        with self.engine.connect() as connection:
            return connection.scalar(wanted) or 0

    def outside_space(self, space: str, after: int, limit: int) -> list[Record]:
        """Anybody's records that do not lie in that space, with a number above `after`, in order."""
        outside = (table.c.number > after, table.c.space.is_distinct_from(space))
        return self._many(select(*COLUMNS).where(*outside).order_by(table.c.number).limit(limit))

    def move_to_space(self, id: str, space: str, embedding: bytes) -> bool:
        """Give a record its embedding in another space; False if the record is gone."""
        with self._writing.begin() as connection:
            moved = update(table).where(table.c.id == id).values(space=space, embedding=embedding)
            return connection.execute(moved).rowcount > 0

    def adopt_space(self, model: str, space: str) -> int:
        """Give photos that version 0.1 embedded with the captioner called `model` the id of its space, -> how many."""
        if model == space:
            return 0
        with self.engine.connect() as connection:
            if connection.scalar(select(table.c.number).where(table.c.space == model).limit(1)) is None:
                return 0
        with self._writing.begin() as connection:
            return connection.execute(update(table).where(table.c.space == model).values(space=space)).rowcount

    def newest(self, owner: str, limit: int, before: int | None = None, period: Period = ALWAYS) -> list[Record]:
        """The owner's records, newest first, those with a number below `before`."""
        below = [table.c.number < before] if before is not None else []
        return self._many(
            select(*COLUMNS)
            .where(table.c.owner == owner, *below, period.holds())
            .order_by(table.c.number.desc())
            .limit(limit)
        )

    def showing(self, owner: str, symbols: str, limit: int, period: Period = ALWAYS) -> list[int]:
        """Numbers of the owner's records of that period in whose owner's words or text these characters stand, newest
        first."""
        there = or_(*(column.contains(symbols, autoescape=True) for column in (table.c.user_description, table.c.text)))
        wanted = select(table.c.number).where(table.c.owner == owner, there, period.holds())
        with self.engine.connect() as connection:
            return list(connection.scalars(wanted.order_by(table.c.number.desc()).limit(limit)))

    def numbered(self, owner: str, numbers: Sequence[int]) -> dict[int, Record]:
        """Those of `numbers`, AT_ONCE at most, that are the owner's."""
        records = self._many(select(*COLUMNS).where(_among(owner, numbers)))
        return {record.number: record for record in records if record.number is not None}

    def present(self, owner: str, numbers: Sequence[int]) -> set[int]:
        """Those of `numbers`, AT_ONCE at most, that are the owner's."""
        with self.engine.connect() as connection:
            return set(connection.scalars(select(table.c.number).where(_among(owner, numbers))))

    def of_period(self, owner: str, period: Period) -> list[int]:
        """Numbers of the owner's records of that period."""
        with self.engine.connect() as connection:
            return list(connection.scalars(select(table.c.number).where(table.c.owner == owner, period.holds())))

    def embeddings(self, owner: str, space: str, after: int) -> list[tuple[int, bytes]]:
        """Number and embedding of the owner's records in that space with a number above `after`, in order."""
        wanted = select(table.c.number, table.c.embedding).where(
            table.c.owner == owner,
            table.c.number > after,
            table.c.space == space,
            table.c.embedding.is_not(None),
        )
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(wanted.order_by(table.c.number))]

    def change(self, record: Record, columns: Sequence[str]) -> bool:
        """Keep these columns of a record as they now are; False if it is gone."""
        changed = {name: value for name, value in _values(record).items() if name in columns}
        with self._writing.begin() as connection:
            found = connection.execute(update(table).where(table.c.id == record.id).values(**changed))
            return found.rowcount > 0

    def delete(self, id: str) -> bool:
        """True if there was such a record."""
        with self._writing.begin() as connection:
            return connection.execute(delete(table).where(table.c.id == id)).rowcount > 0

    def ids(self, owner: str) -> list[str]:
        """Of all the owner's records."""
        with self.engine.connect() as connection:
            return list(connection.scalars(select(table.c.id).where(table.c.owner == owner)))

    def made_before(self, moment: datetime, owners: str) -> list[str]:
        """Ids of the records made before then by owners whose name starts like that."""
        wanted = select(table.c.id).where(table.c.created < moment, table.c.owner.startswith(owners, autoescape=True))
        with self.engine.connect() as connection:
            return list(connection.scalars(wanted))

    def known(self, ids: Iterable[str]) -> set[str]:
        """Those of `ids` that have a record."""
        ids, found = list(ids), set[str]()
        with self.engine.connect() as connection:
            for start in range(0, len(ids), AT_ONCE):
                found.update(connection.scalars(select(table.c.id).where(table.c.id.in_(ids[start : start + AT_ONCE]))))
        return found

    def _many(self, wanted: Select) -> list[Record]:
        with self.engine.connect() as connection:
            return [Record(**row) for row in connection.execute(wanted).mappings()]


def _values(record: Record) -> dict:
    """A record as the table has it."""
    telling = f"{record.telling.order}/{record.telling.detail}"
    terms = {name: getattr(record, name) for name in INDEXED}
    return asdict(record) | terms | {"certainty": record.certainty.value, "telling": telling}


def _one(connection: Connection, condition: ColumnElement[bool]) -> Record | None:
    wanted = select(*COLUMNS).where(condition).order_by(table.c.number.desc()).limit(1)
    row = connection.execute(wanted).mappings().first()
    return None if row is None else Record(**row)


def _among(owner: str, numbers: Sequence[int]) -> ColumnElement[bool]:
    return and_(table.c.owner == owner, table.c.number.in_(numbers))


def _same(owner: str, sha256: str, language: str, style: str) -> ColumnElement[bool]:
    return and_(table.c.owner == owner, table.c.sha256 == sha256, table.c.language == language, table.c.style == style)
