"""What of a library fits a query: words that count, the cut-off of likeness, and the fusion of rankings.

Served by deploy.library and measured by training.evaluate.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")

# Words that say nothing of a photo, in English and Indonesian.
ENGLISH = """
a an and are at by did do does find for from get has have i in is it its me my of on or our photo photos picture
pictures show that the there these this to was we were what when where which who with you your
"""
INDONESIAN = """
ada adalah aku atau cari dan dari dengan di foto gambar ini itu ke mana oleh pada saya sebuah seorang untuk yang
"""
STOPWORDS = frozenset((ENGLISH + INDONESIAN).split())
MARK = "\x1f"  # around the words that a full-text index found; no text holds it
FTS5_TOKENIZER = "porter unicode61 remove_diacritics 2"  # of SQLite's full-text index
RANK_CONSTANT = 60  # of reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009)
ROUNDING = 1e-5  # of cosines of float32 vectors: the best and the mean of equal ones differ by as much
CANDIDATES = 100  # photos of each ranking that are looked at
MACHINES_WORDS = 0.02  # weight beside likeness and people's words: a caption knows less of a photo than its embedding


def keywords(query: str) -> list[str]:
    """The words of a query that count, in lower case, each once; all of them where only stopwords are there."""
    every = list(dict.fromkeys(re.findall(r"\w+", query.lower())))
    return [word for word in every if word not in STOPWORDS] or every


def fts5_query(words: Sequence[str], every: bool = False) -> str:
    """Every or any of the words, for SQLite's MATCH."""
    return (" AND " if every else " OR ").join(f'"{word}"' for word in words)


def all_then_any(holding: Callable[[bool], Iterable[T]], words: int, most: int) -> list[T]:
    """What holds all of so many words, `holding(True)`, then what holds any, each once. Where many hold all, the many
    more that hold but one are never ranked."""
    found = dict.fromkeys(holding(True))
    if words > 1 and len(found) < most:
        found |= dict.fromkeys(holding(False))
    return list(found)[:most]


def marked_words(marked: str) -> tuple[str, ...]:
    """The words between marks, in lower case, each once."""
    return tuple(dict.fromkeys(marked.lower().split(MARK)[1::2]))


def holds_enough(held: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether a text that holds these of the wanted words can be meant: half of them at least."""
    return 2 * len(held) >= len(wanted)


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
