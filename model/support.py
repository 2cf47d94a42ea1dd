"""How far the candidates for one photo support each other: what only one of them says is likely invented.

Several outputs shown beside each other let blind people notice more of what is wrong (arXiv 2507.15692); here the
captioner's own candidates are compared before a listener has to.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from model.languages.words import keywords, terms_of

SAME_SHARE = 0.5  # of the content words of two captions, from which they say the same

# Where a phrase begins that a sentence stays whole without.
_PHRASES = {
    "en": (
        r",|\b(?:with|in|on|at|near|beside|behind|under|above|over|against|inside|outside|next to|in front of|and|"
        r"while|as|holding|wearing|carrying|standing|sitting|looking|surrounded)\b"
    ),
    "id": (
        r",|\b(?:dengan|di|pada|dan|yang|sambil|memakai|mengenakan|memegang|membawa|dekat|dalam|saat|ketika|berdiri|duduk)\b"
    ),
}
_COUNTS = {
    "en": (
        "white black grey gray red green blue yellow brown orange pink purple silver golden beige tan turquoise "
        "colorful two three four five six seven eight nine ten several small large big little old young long tall wide"
    ),
    "id": (
        "putih hitam abu-abu abu merah hijau biru kuning cokelat coklat oranye jingga ungu perak emas krem muda tua "
        "dua tiga empat lima enam tujuh delapan sembilan sepuluh beberapa kecil besar panjang tinggi lebar"
    ),
}
_ATTRIBUTES = {language: frozenset(words.split()) for language, words in _COUNTS.items()}


@dataclass(frozen=True)
class Claim:
    """A word of an answer, and the share of the candidates, the answer among them, that say it, 0 to 1."""

    text: str
    support: float


@lru_cache(1024)  # each candidate is compared with each other one
def content(text: str) -> frozenset[str]:
    """The words of a caption that say something, as their roots."""
    return frozenset(terms_of(word)[-1] for word in keywords(text))


def say_the_same(one: str, other: str) -> bool:
    """Whether two captions differ in a word rather than in content."""
    first, second = content(one), content(other)
    shared = len(first & second)
    return shared >= SAME_SHARE * len(first | second) or shared == min(len(first), len(second))


def shares_content(one: str, other: str) -> bool:
    """Whether two texts have a word that says something in common."""
    return bool(content(one) & content(other))


def distinct(texts: Sequence[str]) -> list[int]:
    """Places of those that say something of their own, in order; the first of several that say the same."""
    kept: list[int] = []
    for place, text in enumerate(texts):
        if not any(say_the_same(text, texts[other]) for other in kept):
            kept.append(place)
    return kept


def claims_of(answer: str, candidates: Sequence[str]) -> tuple[Claim, ...]:
    """The words of the answer that say something, each with its support among all `candidates`."""
    said = [content(text) for text in candidates]
    words = dict.fromkeys(keywords(answer))
    return tuple(Claim(word, round(sum(content(word) <= own for own in said) / len(said), 3)) for word in words)


def supported_text(answer: str, candidates: Sequence[str], language: str) -> str:
    """The answer without what no other candidate says: colours, numbers and sizes, and whole phrases of which every
    word is its own. The first phrase stays. A language without patterns, and a single candidate, change nothing."""
    if len(candidates) < 2 or language not in _PHRASES:
        return answer
    alone = {claim.text for claim in claims_of(answer, candidates) if claim.support * len(candidates) < 1.5}
    if not alone:
        return answer
    begins = [0, *(match.start() for match in re.finditer(_PHRASES[language], answer.lower()) if match.start())]
    phrases = [answer[start:end] for start, end in zip(begins, [*begins[1:], len(answer)])]
    kept = [phrases[0]]
    for phrase in phrases[1:]:
        words = keywords(phrase)
        if not words or not alone.issuperset(words):
            kept.append(phrase)
    words = [word for word in "".join(kept).split() if word.strip(",.").lower() not in alone & _ATTRIBUTES[language]]
    return re.sub(r"(?:,| (?:and|is|are|with|in|on|at|dan|dengan|di|yang|a|an|the))+$", "", " ".join(words)) or answer
