"""How well photos are found again, as the library of the service finds them: by embedding, by words, by both."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from tqdm import tqdm

from model.retrieval import (
    CANDIDATES,
    FTS5_TOKENIZER,
    MARK,
    all_then_any,
    fts5_query,
    fuse,
    holds_enough,
    keywords,
    least_cosine,
    marked_words,
)
from training.metrics import recall, recall_of

QUERIES = 500  # of each kind, photo there and not there


@dataclass(frozen=True)
class Library:
    """`embeddings` (N, D) of photos, length 1, and the `captions` that a captioner gave them."""

    embeddings: np.ndarray
    captions: Sequence[str]

    def part(self, photos: np.ndarray) -> "Library":
        return Library(self.embeddings[photos], [self.captions[i] for i in photos])


class Words:
    """SQLite's full-text search over captions."""

    def __init__(self, captions: Sequence[str]):
        self._database = sqlite3.connect(":memory:")
        self._database.execute(f"CREATE VIRTUAL TABLE captions USING fts5(words, tokenize='{FTS5_TOKENIZER}')")
        rows = list(enumerate(captions))
        self._database.executemany("INSERT INTO captions(rowid, words) VALUES (?, ?)", rows)

    def ranking(self, query: str) -> list[int]:
        """Photos whose captions hold enough of the query's words, best first (BM25)."""
        wanted = keywords(query)
        if not wanted:
            return []
        return all_then_any(partial(self._holding, wanted), len(wanted), CANDIDATES)

    def _holding(self, wanted: list[str], every: bool) -> list[int]:
        rows = self._database.execute(
            "SELECT rowid, highlight(captions, 0, ?, ?) FROM captions WHERE captions MATCH ? ORDER BY rank LIMIT ?",
            (MARK, MARK, fts5_query(wanted, every), CANDIDATES),
        )
        return [i for i, marked in rows if holds_enough(marked_words(marked), wanted)]


def measure_retrieval(library: Library, queries: Sequence[str], vectors: np.ndarray, photo_of: np.ndarray) -> dict:
    """-> sections of scores: "retrieval" by embeddings alone, both ways; "by words" and "fused" (without a cut-off),
    text to image; "no good match". `vectors` (M, D): the queries'; `photo_of` (M,): the row of each query's photo."""
    words = Words(library.captions)
    cosines = vectors @ library.embeddings.T  # (M, N)
    ranks: dict[str, list[int]] = {"by words": [], "fused": []}
    for query, own, photo in tqdm(zip(queries, cosines, photo_of), total=len(queries), desc="search", mininterval=2):
        said = words.ranking(query)
        near = np.argsort(-own, kind="stable")[:CANDIDATES].tolist()
        scores = fuse((near, said))
        both = sorted(scores, key=lambda i: -scores[i])
        for name, ranking in (("by words", said), ("fused", both)):
            # A photo that is not among the results comes after them all.
            ranks[name].append(ranking.index(photo) if photo in ranking else len(library.captions))
    found = {name: recall_of("text_to_image", np.array(own)) for name, own in ranks.items()}
    return {"retrieval": recall(library.embeddings, vectors, photo_of), **found} | {
        "no good match": measure_rule(library, queries, vectors, photo_of)
    }


def measure_rule(library: Library, queries: Sequence[str], vectors: np.ndarray, photo_of: np.ndarray) -> dict:
    """How often "no good match" is said rightly: half of the photos are the library, and QUERIES ask for one of them,
    as many for one of the others; in per cent."""
    rng = np.random.default_rng(0)
    order = rng.permutation(len(library.captions))
    there, elsewhere = np.array_split(order, 2)
    half = library.part(there)
    words = Words(half.captions)
    answered = {}
    for name, photos in (("there", there), ("not_there", elsewhere)):
        asked = rng.permutation(np.flatnonzero(np.isin(photo_of, photos)))[:QUERIES]
        counts = []
        for i in asked:
            cosines = half.embeddings @ vectors[i]
            looks = (cosines >= least_cosine(float(cosines.mean()), float(cosines.std()), len(cosines))).any()
            counts.append(bool(looks or words.ranking(queries[i])))
        answered[name] = 100 * float(np.mean(counts))
    return {
        "answered_when_there": answered["there"],
        "no_good_match_when_not_there": 100 - answered["not_there"],
    }
