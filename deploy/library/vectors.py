"""The owners' embeddings in memory, by FAISS, each owner's for each model in an index of its own.

The database is what counts: an index reads what was added to it, by whichever process, before it answers; what was
deleted the caller finds missing in the database. Nothing is kept on disk that could be damaged or out of step.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

import faiss
import numpy as np

from deploy.library.records import Records

MOST_INDEXES = 256  # of the owners who searched last
SAMPLE = 1000  # photos whose cosines tell how a query's are spread


@dataclass(frozen=True)
class Nearest:
    """Record `numbers` (K,) int64 and `cosines` (K,) float32, nearest first; deleted records may be among them. `mean`
    and `deviation` of the cosines of all the owner's photos, or of the first SAMPLE of them, `count`."""

    numbers: np.ndarray
    cosines: np.ndarray
    mean: float = 0.0
    deviation: float = 0.0
    count: int = 0


@dataclass
class Index:
    """One owner's photos. `last`: the highest record number in it."""

    last: int = 0
    vectors: faiss.Index | None = None
    sample: np.ndarray | None = None  # (up to SAMPLE, D)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, rows: list[tuple[int, bytes]]) -> None:
        """Add number and embedding of each row."""
        if not rows:
            return
        added = np.frombuffer(b"".join(data for _, data in rows), "<f4").reshape(len(rows), -1)
        if self.vectors is None:
            self.vectors = faiss.IndexIDMap(faiss.IndexFlatIP(added.shape[1]))
            self.sample = added[:0]
        self.vectors.add_with_ids(added, np.array([number for number, _ in rows], dtype=np.int64))
        self.sample = np.concatenate([self.sample, added[: SAMPLE - len(self.sample)]])
        self.last = rows[-1][0]

    def nearest(self, vector: np.ndarray, most: int) -> Nearest:
        if self.vectors is None:
            return Nearest(np.empty(0, np.int64), np.empty(0, np.float32))
        cosines, numbers = self.vectors.search(vector[None], min(most, self.vectors.ntotal))
        spread = self.sample @ vector
        return Nearest(numbers[0], cosines[0], float(spread.mean()), float(spread.std()), len(spread))


class Vectors:
    """Safe to use from many threads."""

    def __init__(self, records: Records):
        self._records = records
        self._indexes: OrderedDict[tuple[str, str], Index] = OrderedDict()
        self._lock = threading.Lock()

    def nearest(self, owner: str, model: str, vector: np.ndarray, most: int) -> Nearest:
        """The owner's photos, embedded by `model`, that are nearest to `vector`, (D,) float32 of length 1."""
        with self._lock:
            index = self._indexes.setdefault((owner, model), Index())
            self._indexes.move_to_end((owner, model))
            while len(self._indexes) > MOST_INDEXES:
                self._indexes.popitem(last=False)
        with index.lock:
            index.read(self._records.embeddings(owner, model, index.last))
            return index.nearest(vector, most)

    def forget(self, owner: str) -> None:
        """Free what is held of an owner; what is still in the database is read again when it is asked for."""
        with self._lock:
            for key in [key for key in self._indexes if key[0] == owner]:
                del self._indexes[key]
