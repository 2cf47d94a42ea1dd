"""What of a library fits a query: how many of its words, the cut-off of likeness, and the fusion of rankings.

Served by deploy.library and measured by training.evaluate.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from model.languages.words import is_held, terms_of

T = TypeVar("T")

FTS5_TOKENIZER = "unicode61 remove_diacritics 0"  # of SQLite's full-text index, which is given terms
RANK_CONSTANT = 60  # of reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009)
ROUNDING = 1e-5  # of cosines of float32 vectors: the best and the mean of equal ones differ by as much
CANDIDATES = 100  # photos of each ranking that are looked at
# Weight of people's words that hold all of a query's: their last is before the first by likeness.
ALL_OF_PEOPLES = 6.0
MACHINES_WORDS = 0.02  # weight beside likeness and people's words: a caption knows less of a photo than its embedding


def fts5_query(words: Sequence[str], every: bool = False) -> str:
    """Every or any of the words, each by any of its terms, for SQLite's MATCH."""
    either = (" OR ".join(f'"{term}"' for term in terms_of(word)) for word in words)
    return (" AND " if every else " OR ").join(f"({terms})" for terms in either)


def all_then_any(holding: Callable[[bool], Iterable[T]], words: int, most: int) -> list[T]:
    """What holds all of so many words, `holding(True)`, then what holds any, each once. Where many hold all, the many
    more that hold but one are never ranked."""
    found = dict.fromkeys(holding(True))
    if words > 1 and len(found) < most:
        found |= dict.fromkeys(holding(False))
    return list(found)[:most]


def count_held(terms: str, wanted: Sequence[str]) -> int:
    """How many of the wanted words a text of these indexed terms holds."""
    there = set(terms.split())
    return sum(is_held(word, there) for word in wanted)


def holds_enough(held: int, wanted: int) -> bool:
    """Whether a text that holds so many of the wanted words can be meant: half of them at least."""
    return held > 0 and 2 * held >= wanted


def cut_off(best: float, mean: float, least: float) -> float:
    """The cosine from which a photo looks like a query: nearer to the best than to the mean of this query's cosines,
    and no less than `least`, which tells whether any of them fits (`PairConfig.least_cosine`)."""
    return max(least, (best + mean) / 2 - ROUNDING)


def fuse(rankings: Iterable[tuple[Sequence[int], float]]) -> dict[int, float]:
    """Reciprocal rank fusion: each item's sum of weight / (RANK_CONSTANT + rank) over the rankings that have it."""
    scores: dict[int, float] = {}
    for ranking, weight in rankings:
        for rank, item in enumerate(ranking, 1):
            scores[item] = scores.get(item, 0.0) + weight / (RANK_CONSTANT + rank)
    return scores
