"""How well photos are found again, by the same rules as in the service: by embedding, by words, by both."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from tqdm import tqdm

from model.languages.words import index_terms, keywords
from model.retrieval import (
    CANDIDATES,
    FTS5_TOKENIZER,
    MACHINES_WORDS,
    all_then_any,
    count_held,
    cut_off,
    fts5_query,
    fuse,
    holds_enough,
)
from training.metrics import recall, recall_of

TIMES = 500
SMALL = 20  # photos, as a visitor may have


@dataclass(frozen=True)
class CaptionedPhotos:
    """`embeddings` (N, D) of photos, length 1, and the `captions` that a captioner gave them."""

    embeddings: np.ndarray
    captions: Sequence[str]

    def select(self, photos: np.ndarray) -> "CaptionedPhotos":
        return CaptionedPhotos(self.embeddings[photos], [self.captions[i] for i in photos])


class Words:
    """SQLite's full-text search over captions."""

    def __init__(self, captions: Sequence[str]):
        self._database = sqlite3.connect(":memory:")
        self._database.execute(f"CREATE VIRTUAL TABLE captions USING fts5(words, tokenize='{FTS5_TOKENIZER}')")
        rows = [(i, index_terms(caption)) for i, caption in enumerate(captions)]
        self._database.executemany("INSERT INTO captions(rowid, words) VALUES (?, ?)", rows)

    def ranking(self, query: str) -> list[int]:
        """Photos whose captions hold enough of the query's words, best first (BM25)."""
        wanted = keywords(query)
        if not wanted:
            return []
        return all_then_any(partial(self._holding, wanted), len(wanted), CANDIDATES)

    def _holding(self, wanted: list[str], every: bool) -> list[int]:
        rows = self._database.execute(
            "SELECT rowid, words FROM captions WHERE captions MATCH ? ORDER BY rank LIMIT ?",
            (fts5_query(wanted, every), CANDIDATES),
        )
        return [i for i, terms in rows if holds_enough(count_held(terms, wanted), len(wanted))]


@dataclass(frozen=True)
class Queries:
    """`texts`, their `vectors` (M, D) of length 1, and the row of each one's photo (M,), -1 where there is none."""

    texts: Sequence[str]
    vectors: np.ndarray
    photo_of: np.ndarray


def measure_retrieval(
    photos: CaptionedPhotos, queries: Queries, least_cosine: float, out_of_domain: Queries | None = None
) -> dict:
    """-> sections of scores: "retrieval" by embeddings alone, text to image and back; "by words" and "fused", both
    without a cut-off, text to image; "no good match", see `measure_rule`."""
    words, half = Words(photos.captions), len(photos.captions) // 2
    cosines = queries.vectors @ photos.embeddings.T  # (M, N)
    ranks: dict[str, list[int]] = {"by words": [], "fused": []}
    each = zip(queries.texts, cosines, queries.photo_of)
    for query, own, photo in tqdm(each, total=len(queries.texts), desc="search", mininterval=2):
        by_words = words.ranking(query)
        near = np.argsort(-own, kind="stable")[:CANDIDATES].tolist()
        scores = fuse(((near, 1), (by_words, MACHINES_WORDS)))
        both = sorted(scores, key=lambda i: -scores[i])
        for name, ranking in (("by words", by_words), ("fused", both)):
            # A photo that is not among the results comes after them all.
            ranks[name].append(ranking.index(photo) if photo in ranking else len(photos.captions))
    found = {name: recall_of("text_to_image", np.array(own)) for name, own in ranks.items()}
    return {"retrieval": recall(photos.embeddings, queries.vectors, queries.photo_of), **found} | {
        f"no good match, {size} photos": measure_rule(photos, size, queries, least_cosine, out_of_domain)
        for size in sorted({min(SMALL, half), half} - {0})
    }


def measure_rule(
    photos: CaptionedPhotos, size: int, queries: Queries, least_cosine: float, out_of_domain: Queries | None
) -> dict:
    """How often a search of `size` photos, sampled anew for each of TIMES queries of a kind, answers correctly, in per
    cent. The queries: for a photo that is there; for one of the same data set that is not; `out_of_domain` ones, of
    another data set."""
    rng = np.random.default_rng(0)

    def answers(asked: Queries, there: bool) -> tuple[list[bool], list[bool]]:
        """Whether there was an answer, and whether it had the photo that was asked for."""
        some, right = [], []
        for _ in range(TIMES):
            members = rng.permutation(len(photos.captions))[:size]
            chosen = rng.choice(np.flatnonzero(np.isin(asked.photo_of, members) == there))
            part = photos.select(members)
            cosines = part.embeddings @ asked.vectors[chosen]
            found = set(np.flatnonzero(cosines >= cut_off(cosines.max(), cosines.mean(), least_cosine)).tolist())
            found |= set(Words(part.captions).ranking(asked.texts[chosen]))
            some.append(bool(found))
            right.append(asked.photo_of[chosen] in members[list(found)])
        return some, right

    (some, right), (others, _) = answers(queries, True), answers(queries, False)
    scores = {
        "answered_when_there": 100 * float(np.mean(some)),
        "and_the_photo_in_it": 100 * float(np.mean(right)),
        "refused_when_not_there": 100 - 100 * float(np.mean(others)),
    }
    if out_of_domain:
        scores["refused_when_out_of_domain"] = 100 - 100 * float(np.mean(answers(out_of_domain, False)[0]))
    return scores
