"""Search by likeness and by words at once, with a word on why, and none where nothing fits."""

from dataclasses import dataclass

import numpy as np

from deploy.library.records import ALWAYS, Period, Record, Records
from deploy.library.vectors import vectors_of
from deploy.library.words import by_words, words_held
from model.retrieval import CANDIDATES, MACHINES_WORDS, cut_off, fuse

DUPLICATE_COSINE = 0.97


@dataclass(frozen=True)
class Found:
    """A record with its `score` (fused reciprocal ranks, or the cosine of two photos), whether it `looks` like what was
    asked, and which `words` of it the query holds; `duplicate`: nearly the same photo."""

    record: Record
    score: float
    looks: bool = False
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
        model: str,
        period: Period = ALWAYS,
        least_cosine: float = -1.0,
        first: int = 0,
        most: int = CANDIDATES,
    ) -> list[Found]:
        """The owner's records that fit `query`, best first, `most` of them from the place `first` on; none if there is
        no good match.

        `vector`: the query's embedding by `model`, (D,) float32 of length 1; None searches by words alone.
        `least_cosine`: of a photo that can answer, as the model's pair has it.
        """
        looks = self._looks(owner, vector, model, least_cosine, period) if vector is not None else []
        said = by_words(self._records.engine, owner, query, CANDIDATES, period)
        scores = fuse(
            (
                (looks, 1),
                ([number for number, by_people in said if by_people], 1),
                ([number for number, by_people in said if not by_people], MACHINES_WORDS),
            )
        )
        shown = sorted(scores, key=lambda number: (-scores[number], -number))[first : first + most]
        records = self._records.numbered(owner, shown)
        words, alike = words_held(self._records.engine, shown, query), set(looks)
        return [
            Found(records[number], scores[number], number in alike, words.get(number, ()))
            for number in shown
            if number in records
        ]

    def similar(self, record: Record, most: int) -> list[Found]:
        """The other photos of the record's owner, nearest first."""
        if record.vector is None:
            return []
        nearest = self._vectors.nearest(record.owner, record.model, record.vector, most + 1)
        records = self._records.numbered(record.owner, nearest.numbers.tolist())
        return [
            Found(records[number], cosine, looks=True, duplicate=cosine >= DUPLICATE_COSINE)
            for number, cosine in zip(nearest.numbers.tolist(), nearest.cosines.tolist())
            if number in records and number != record.number
        ][:most]

    def forget(self, owner: str) -> None:
        self._vectors.forget(owner)

    def _looks(self, owner: str, vector: np.ndarray, model: str, least_cosine: float, period: Period) -> list[int]:
        """Numbers of the photos that look like it, the nearest first."""
        nearest = self._vectors.nearest(owner, model, vector, CANDIDATES, period)
        mean = self._vectors.mean_cosine(owner, model, vector)
        least = cut_off(nearest.cosines.max(initial=-1), mean, least_cosine)
        return nearest.numbers[nearest.cosines >= least].tolist()
