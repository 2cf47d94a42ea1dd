"""Search by similarity and by words at once, with what matched, and no hit where nothing fits."""

from dataclasses import dataclass

import numpy as np

from deploy.library.records import ALWAYS, Period, Record, Records
from deploy.library.vectors import vectors_of
from deploy.library.words import by_words
from model.languages.words import keywords, split_words
from model.retrieval import ALL_OF_PEOPLES, CANDIDATES, MACHINES_WORDS, RANK_CONSTANT, cut_off, fuse

DUPLICATE_COSINE = 0.97
VARIATION = "\ufe0e\ufe0f"  # say how the symbol before them is drawn; not every keyboard writes them


@dataclass(frozen=True)
class Hit:
    """A record with its `score` (fused reciprocal ranks, or the cosine of two photos), whether it was found
    `by_similarity`, and which `words` of it the query holds, as it has them; `duplicate`: nearly the same photo."""

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
        `least_cosine`: of a photo that can answer, as the space has it. A query without a letter or digit is looked up
        in people's words as it is, and one of stop words alone finds nothing: of neither an embedding means anything.
        """
        wanted = keywords(query)
        if not wanted:
            return [] if split_words(query) else self._showing(owner, query, period)[first : first + most]
        similar = self._similar(owner, vector, space, least_cosine, period) if vector is not None and space else []
        named = by_words(self._records.engine, owner, query, CANDIDATES, period)
        scores = fuse(
            (
                (named.all_by_people, ALL_OF_PEOPLES),
                (similar, 1),
                (named.by_people, 1),
                (named.by_machine, MACHINES_WORDS),
            )
        )
        shown = sorted(scores, key=lambda number: (-scores[number], -number))[first : first + most]
        records, alike = self._records.numbered(owner, shown), set(similar)
        return [
            Hit(records[number], scores[number], number in alike, records[number].words_held(wanted))
            for number in shown
            if number in records
        ]

    def similar(self, record: Record, most: int, least_photo_cosine: float = -1.0) -> list[Hit]:
        """The other photos of the record's owner that look like it, nearest first. `least_photo_cosine`: of two photos
        that look alike, as their space has it."""
        if record.vector is None or record.space is None:
            return []
        nearest = self._vectors.nearest(record.owner, record.space, record.vector, most + 1)
        alike = nearest.cosines >= least_photo_cosine
        cosines = dict(zip(nearest.numbers[alike].tolist(), nearest.cosines[alike].tolist(), strict=True))
        records = self._records.numbered(record.owner, list(cosines))
        return [
            Hit(records[number], cosine, by_similarity=True, duplicate=cosine >= DUPLICATE_COSINE)
            for number, cosine in cosines.items()
            if number in records and number != record.number
        ][:most]

    def forget(self, owner: str) -> None:
        self._vectors.forget(owner)

    def prepare(self, dimension: int) -> None:
        """See that embeddings of so many numbers are searched by an index."""
        self._vectors.prepare(dimension)

    def _showing(self, owner: str, query: str, period: Period) -> list[Hit]:
        """Records in which these characters stand, whether as symbols or as little pictures (emoji), newest first."""
        symbols = query.strip().rstrip(VARIATION)
        if not symbols:
            return []
        shown = self._records.showing(owner, symbols, CANDIDATES, period)
        records = self._records.numbered(owner, shown)
        return [
            Hit(records[number], 1 / (RANK_CONSTANT + rank), words=(symbols,))
            for rank, number in enumerate(shown, 1)
            if number in records
        ]

    def _similar(self, owner: str, vector: np.ndarray, space: str, least_cosine: float, period: Period) -> list[int]:
        """Numbers of the photos that are similar to it, the nearest first."""
        nearest = self._vectors.nearest(owner, space, vector, CANDIDATES, period)
        mean = self._vectors.mean_cosine(owner, space, vector)
        least = cut_off(nearest.cosines.max(initial=-1), mean, least_cosine)
        return nearest.numbers[nearest.cosines >= least].tolist()
