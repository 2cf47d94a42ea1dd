"""Lines of text -> what is told of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.languages.codes import primary_language
from model.senses.reading import TextLine

MOST_SPOKEN = 300  # characters of found text in one answer; the rest is announced
LONG_LINE = 35  # characters; a line so long is one of running text, after which the voice makes no pause


@dataclass(frozen=True)
class ReadingWording:
    """`says`, `may_say`: with a place for the text. `partly_doubtful`, `doubtful`: before it."""

    says: str
    may_say: str
    partly_doubtful: str
    doubtful: str
    more: str


READING_WORDINGS = {
    "en": ReadingWording(
        says="It says: '{}'.",
        may_say="It may say: '{}'.",
        partly_doubtful="I am not sure of all of it.",
        doubtful="I am not sure of it.",
        more="There is more.",
    ),
    "id": ReadingWording(
        says="Tertulis: '{}'.",
        may_say="Mungkin tertulis: '{}'.",
        partly_doubtful="Saya tidak yakin semuanya benar.",
        doubtful="Saya tidak yakin.",
        more="Masih ada lagi.",
    ),
}


def reading_text(lines: Sequence[TextLine]) -> str:
    """All lines as one text: running text runs on, words divided at the end of a line are made whole, and a comma
    stands between lines that are no running text."""
    text = last = ""
    for line in lines:
        following = line.text
        if not text:
            text = following
        elif re.search(r"[a-z]-$", text) and following[0].islower():
            text = text[:-1] + following
        else:
            runs_on = len(last) >= LONG_LINE or following[0].islower() or not text[-1].isalnum()
            text += (" " if runs_on else ", ") + following
        last = line.text
    return text


def spoken_reading(lines: Sequence[TextLine], language: str) -> str:
    """What is said of the text in a photo, "" where there is none; at most about MOST_SPOKEN characters of it."""
    if not lines:
        return ""
    words = READING_WORDINGS.get(primary_language(language), READING_WORDINGS["en"])
    text = reading_text(lines)
    spoken = _cut_at_word(text)
    doubtful = [line.is_doubtful for line in lines]
    doubt = (words.doubtful if all(doubtful) else words.partly_doubtful) if any(doubtful) else ""
    sentence = (words.may_say if all(doubtful) else words.says).format(spoken.rstrip(" .,"))
    return " ".join(part for part in (doubt, sentence, words.more if len(spoken) < len(text) else "") if part)


def share_of_photo(lines: Sequence[TextLine], size: tuple[int, int]) -> float:
    """How much of a photo of `size` (width, height) lies in the boxes of the lines, 0 to 1."""
    if not lines:
        return 0.0
    x, y = np.array([line.box for line in lines], float).transpose(2, 0, 1)  # (N, 4) each
    areas = np.abs((x * np.roll(y, -1, 1) - np.roll(x, -1, 1) * y).sum(1)) / 2  # the shoelace formula
    return min(1.0, float(areas.sum()) / (size[0] * size[1]))


def _cut_at_word(text: str) -> str:
    if len(text) <= MOST_SPOKEN:
        return text
    cut = text[: MOST_SPOKEN + 1]
    return cut.rpartition(" ")[0] or cut[:MOST_SPOKEN]
