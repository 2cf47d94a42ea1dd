"""Whether a caption is right: the target of calibration, computed from what a data set says of the photo.

Where several people described a photo, a caption is right if its CIDEr-D against them is above the lower quartile of
what one of them scores against the others. Where there are fewer, it is right if it names at least half of what a
reference names, by stem. A guide of a set with labels is right if it names the photo's label; what may hurt if it is
wrong (`model.unverified_claims`) counts in neither text, since it is taken out before anybody hears it.
"""

from collections.abc import Sequence

import numpy as np

from data.datasets import Example
from model.support import content
from model.unverified_claims import without_unverified
from training.labels import names_label, neutral_labels
from training.metrics import CiderD

PEOPLE = 3  # references from which on they are measured against each other
QUARTILE = 25.0
NAMED_SHARE = 0.5


def human_quartile(references: Sequence[Sequence[str]]) -> float:
    """The lower quartile of CIDEr-D of each photo's first reference against its others."""
    cider = CiderD([own[1:] for own in references])
    return float(np.percentile(cider.scores([own[0] for own in references], range(len(references))), QUARTILE))


def named_share(text: str, references: Sequence[str]) -> float:
    """The greatest share of a reference's content words that the text has."""
    said = content(text)
    return max((len(said & own) / max(1, len(own)) for own in map(content, references)), default=0.0)


def count_holding(scores: np.ndarray, is_right: np.ndarray, wanted: float, least: int) -> int:
    """How many of those with the highest scores can be taken, `least` or more, so that at least the share `wanted` of
    them is right; 0 if that cannot be."""
    places = np.arange(1, len(scores) + 1)
    shares = np.cumsum(is_right[np.argsort(-scores, kind="stable")]) / places
    enough = places[(shares >= wanted) & (places >= least)]
    return int(enough[-1]) if len(enough) else 0


def right(
    examples: Sequence[Example], texts: Sequence[str], references: Sequence[Sequence[str]], language: str, style: str
) -> np.ndarray:
    """Whether the text of each photo is right (N,) bool, without claims that nobody checked."""
    told = [without_unverified(text, language)[0] for text in texts]
    neutral = [[without_unverified(text, language)[0] for text in own] for own in references]
    if style == "guide":
        named = [names_label(text, neutral_labels(e.labels), language) for text, e in zip(told, examples, strict=True)]
        shares = [named_share(text, own) >= NAMED_SHARE for text, own in zip(told, neutral, strict=True)]
        return np.array([share if label is None else label for label, share in zip(named, shares, strict=True)])
    by_people = style == "caption" and min(len(own) for own in references) >= PEOPLE
    if by_people:
        return CiderD(references).scores(texts, range(len(texts))) > human_quartile(references)
    return np.array([named_share(text, own) >= NAMED_SHARE for text, own in zip(told, neutral, strict=True)])
