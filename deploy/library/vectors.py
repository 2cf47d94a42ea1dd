"""The photos of an owner that are nearest to an embedding: by FAISS beside SQLite, by pgvector in PostgreSQL."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import Engine, text

from deploy.library.database import writing
from deploy.library.records import ALWAYS, IN_PERIOD, Period, Records, in_period

MOST_INDEXES = 256  # of the owners who searched last
MAX_VECTOR, MAX_HALFVEC = 2_000, 4_000  # numbers of which pgvector can index a vector, and a halfvec
EXPLORED = 400  # photos that HNSW looks at on its way; fewer miss some of the nearest
SAMPLE = 400  # photos whose cosines tell the mean of a query's


@dataclass(frozen=True)
class Nearest:
    """Record `numbers` (K,) int64 and `cosines` (K,) float32, nearest first."""

    numbers: np.ndarray
    cosines: np.ndarray


def vectors_of(records: Records) -> "FaissVectors | PgVectors":
    return FaissVectors(records) if records.engine.dialect.name == "sqlite" else PgVectors(records.engine)


@dataclass
class Index:
    """One owner's photos. `last`: the highest record number in it."""

    last: int = 0
    vectors: Any = None  # a faiss.IndexIDMap, whose types do not say what it takes
    sum: np.ndarray | None = None  # of all vectors, (D,)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def size(self) -> int:
        """How many photos are in it, deleted ones too."""
        return 0 if self.vectors is None else self.vectors.ntotal

    def add(self, rows: list[tuple[int, bytes]]) -> None:
        """Add number and embedding of each row."""
        import faiss  # not where PostgreSQL searches

        if not rows:
            return
        added = np.frombuffer(b"".join(data for _, data in rows), "<f4").reshape(len(rows), -1)
        if self.vectors is None:
            self.vectors = faiss.IndexIDMap(faiss.IndexFlatIP(added.shape[1]))
            self.sum = np.zeros(added.shape[1])
        self.vectors.add_with_ids(added, np.array([number for number, _ in rows], dtype=np.int64))
        self.sum += added.sum(0)
        self.last = rows[-1][0]

    def remove(self, numbers: np.ndarray) -> None:
        """Forget these, if they are there."""
        import faiss

        for place in np.flatnonzero(np.isin(faiss.vector_to_array(self.vectors.id_map), numbers)).tolist():
            self.sum -= self.vectors.index.reconstruct(place)
        self.vectors.remove_ids(numbers)

    def nearest(self, vector: np.ndarray, most: int, among: np.ndarray | None) -> Nearest:
        """Of the numbers `among` alone, unless None; deleted records too."""
        import faiss

        if self.vectors is None or (among is not None and not among.size):
            return Nearest(np.empty(0, np.int64), np.empty(0, np.float32))
        only = None if among is None else faiss.SearchParameters(sel=faiss.IDSelectorBatch(among))  # type: ignore[call-arg]
        (cosines,), (numbers,) = self.vectors.search(vector[None], min(most, self.size), params=only)
        found = numbers >= 0  # FAISS fills up with -1
        return Nearest(numbers[found], cosines[found])


class FaissVectors:
    """The owners' embeddings in memory, each owner's for each space in an index of its own. Safe for many threads.

    The database is what counts: an index reads what was added to it, by whichever process, before it answers, and what
    was deleted is left out. Nothing is kept on disk that could be damaged or out of step.
    """

    def __init__(self, records: Records):
        self._records = records
        self._indexes: OrderedDict[tuple[str, str], Index] = OrderedDict()
        self._lock = threading.Lock()

    def nearest(self, owner: str, space: str, vector: np.ndarray, most: int, period: Period = ALWAYS) -> Nearest:
        """The owner's photos of that period, in that space, that are nearest to `vector`, (D,) float32 of
        length 1."""
        among = None if period == ALWAYS else np.array(self._records.of_period(owner, period), np.int64)
        reread = False
        while True:
            index = self._index(owner, space)
            with index.lock:
                index.add(self._records.embeddings(owner, space, index.last))
                missed = index.size < self._records.count_in_space(owner, space)
                found = index.nearest(vector, most, among)
            if missed and not reread:  # older photos were moved to this space: read everything again, once
                self.forget(owner)
                reread = True
                continue
            there = np.isin(found.numbers, list(self._records.present(owner, found.numbers.tolist())))
            if there.all():
                return found
            if 2 * there.sum() < len(there):
                self.forget(owner)  # most of what was found is deleted: read everything again
            else:
                with index.lock:
                    index.remove(found.numbers[~there])

    def mean_cosine(self, owner: str, space: str, vector: np.ndarray) -> float:
        """Of all the owner's photos, as `nearest` has last read them."""
        index = self._index(owner, space)
        with index.lock:
            return 0.0 if index.vectors is None else float(index.sum @ vector) / index.size

    def prepare(self, dimension: int) -> None:
        """Nothing: an index in memory takes any dimension."""

    def _index(self, owner: str, space: str) -> Index:
        with self._lock:
            index = self._indexes.setdefault((owner, space), Index())
            self._indexes.move_to_end((owner, space))
            while len(self._indexes) > MOST_INDEXES:
                self._indexes.popitem(last=False)
            return index

    def forget(self, owner: str) -> None:
        """Free what is held of an owner; what is still in the database is read again when it is asked for."""
        with self._lock:
            for key in [key for key in self._indexes if key[0] == owner]:
                del self._indexes[key]


class PgVectors:
    """The database's own search: HNSW by cosine, filtered by owner."""

    def __init__(self, engine: Engine):
        self._engine = engine

    def nearest(self, owner: str, space: str, vector: np.ndarray, most: int, period: Period = ALWAYS) -> Nearest:
        """The owner's photos of that period, in that space, that are nearest to `vector`, (D,) float32 of
        length 1."""
        near, mine, asked = _in_sql(owner, space, vector)
        statement = f"SELECT number, 1 - ({near}) FROM records WHERE {mine} AND {IN_PERIOD} ORDER BY {near} LIMIT :most"
        with self._engine.connect() as connection:
            # Goes on until enough are the owner's.
            connection.execute(text("SET LOCAL hnsw.iterative_scan = strict_order"))
            connection.execute(text(f"SET LOCAL hnsw.ef_search = {max(EXPLORED, most)}"))
            rows = connection.execute(in_period(statement), asked | vars(period) | {"most": most}).all()
        numbers, cosines = zip(*rows, strict=True) if rows else ((), ())
        return Nearest(np.array(numbers, np.int64), np.array(cosines, np.float32))

    def mean_cosine(self, owner: str, space: str, vector: np.ndarray) -> float:
        """Of the owner's first SAMPLE photos."""
        near, mine, asked = _in_sql(owner, space, vector)
        cosines = f"SELECT 1 - ({near}) AS cosine FROM records WHERE {mine} ORDER BY number LIMIT {SAMPLE}"
        with self._engine.connect() as connection:
            return connection.scalar(text(f"SELECT avg(cosine) FROM ({cosines}) AS sample"), asked) or 0.0

    def forget(self, owner: str) -> None:
        """The database forgets by itself."""

    def prepare(self, dimension: int) -> None:
        """See that embeddings of so many numbers have an index. Beyond MAX_HALFVEC numbers pgvector has none, and
        compares one by one."""
        if dimension > MAX_HALFVEC:
            return
        kind = _pg_type(dimension)
        operators = kind.partition("(")[0] + "_cosine_ops"
        with writing(self._engine).begin() as connection:
            connection.execute(
                text(
                    f"CREATE INDEX IF NOT EXISTS ix_records_embedding_{dimension} ON records USING hnsw "
                    f"(CAST(embedding AS {kind}) {operators}) WHERE vector_dims(embedding) = {dimension}"
                )
            )


def _in_sql(owner: str, space: str, vector: np.ndarray) -> tuple[str, str, dict]:
    """-> pgvector's distance to `vector`, which of the rows it is asked of, and what both are asked with."""
    kind = _pg_type(len(vector))
    near = f"CAST(embedding AS {kind}) <=> CAST(:vector AS {kind})"
    mine = f"owner = :owner AND space = :space AND vector_dims(embedding) = {len(vector)}"
    return near, mine, {"owner": owner, "space": space, "vector": str(vector.tolist())}


def _pg_type(dimension: int) -> str:
    """As which pgvector compares embeddings; their dimension stands in the statement, as it does in the index."""
    return f"{'vector' if dimension <= MAX_VECTOR else 'halfvec'}({dimension})"
