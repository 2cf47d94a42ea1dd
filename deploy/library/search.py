"""Search by similarity and by words at once, with what matched, and no hit where nothing fits."""

from dataclasses import dataclass

import numpy as np

from deploy.library.records import ALWAYS, Period, Record, Records
from deploy.library.vectors import vectors_of
from deploy.library.words import by_words, words_held
from model.retrieval import CANDIDATES, MACHINES_WORDS, cut_off, fuse

DUPLICATE_COSINE = 0.97


@dataclass(frozen=True)
class Hit:
    """A record with its `score` (fused reciprocal ranks, or the cosine of two photos), whether it was found
    `by_similarity`, and which `words` of it the query holds; `duplicate`: nearly the same photo."""

    record: Record
    score: float
    by_similarity: bool = False
    words: tuple[str, ...] = ()
    duplicate: bool = False


class Search:
    def __init__(self, records: Records):
        self._records, self._vectors = records, vectors_of(records)

    def find(
        self,
        owner: str,
        query: str,
        vector: np.ndarray | None,
        space: str | None,
        period: Period = ALWAYS,
        least_cosine: float = -1.0,
        first: int = 0,
        most: int = CANDIDATES,
    ) -> list[Hit]:
        """The owner's records that fit `query`, best first, `most` of them from the place `first` on; none if there is
        no good match.

        `vector`: the query's embedding in `space`, (D,) float32 of length 1; None searches by words alone.
        `least_cosine`: of a photo that can answer, as the space has it.
        """
        similar = self._similar(owner, vector, space, least_cosine, period) if vector is not None and space else []
        named = by_words(self._records.engine, owner, query, CANDIDATES, period)
        scores = fuse(
            (
                (similar, 1),
                ([number for number, by_people in named if by_people], 1),
                ([number for number, by_people in named if not by_people], MACHINES_WORDS),
            )
        )
        shown = sorted(scores, key=lambda number: (-scores[number], -number))[first : first + most]
        records = self._records.numbered(owner, shown)
        words, alike = words_held(self._records.engine, shown, query), set(similar)
        return [
            Hit(records[number], scores[number], number in alike, words.get(number, ()))
            for number in shown
            if number in records
        ]

    def similar(self, record: Record, most: int) -> list[Hit]:
        """The other photos of the record's owner, nearest first."""
        if record.vector is None or record.space is None:
            return []
        nearest = self._vectors.nearest(record.owner, record.space, record.vector, most + 1)
        records = self._records.numbered(record.owner, nearest.numbers.tolist())
        return [
            Hit(records[number], cosine, by_similarity=True, duplicate=cosine >= DUPLICATE_COSINE)
            for number, cosine in zip(nearest.numbers.tolist(), nearest.cosines.tolist())
            if number in records and number != record.number
        ][:most]

    def forget(self, owner: str) -> None:
        self._vectors.forget(owner)

    def prepare(self, dimension: int) -> None:
        """See that embeddings of so many numbers are searched by an index."""
        self._vectors.prepare(dimension)

    def _similar(self, owner: str, vector: np.ndarray, space: str, least_cosine: float, period: Period) -> list[int]:
        """Numbers of the photos that are similar to it, the nearest first."""
        nearest = self._vectors.nearest(owner, space, vector, CANDIDATES, period)
        mean = self._vectors.mean_cosine(owner, space, vector)
        least = cut_off(nearest.cosines.max(initial=-1), mean, least_cosine)
        return nearest.numbers[nearest.cosines >= least].tolist()
