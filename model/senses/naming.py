"""Plain names of ImageNet's 1,000 classes, and which of them may be said of a photo.

`imagenet_names.csv` has a line for each class in the usual order: index, its name and its kind in English and
Indonesian. Classes that are hard to tell apart, or whose confusion could hurt, share a name: poodles of three sizes,
snakes that are harmless, all mushrooms. What must not be said has no name: people, wigs, weapons, traffic lights,
manhole covers, rooms, shops and landscapes. Each name is of one kind, which stays true where its neighbours are
confused; a name may be its own kind.
"""

import csv
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("imagenet_names.csv")
CLASSES = 1000
LANGUAGES = ("en", "id")
MOST = 2  # names that are told of one photo
SUM_TOLERANCE = 1e-3  # of a softmax in half precision


@dataclass(frozen=True)
class ClassName:
    """Name and kind of a class, singular, without article; all four are empty if the class must not be said."""

    en: str
    id: str
    kind_en: str
    kind_id: str

    def name(self, language: str) -> str:
        return self.id if language == "id" else self.en

    def kind(self, language: str) -> str:
        return self.kind_id if language == "id" else self.kind_en


@dataclass(frozen=True)
class Name:
    """What is in the photo, and its probability, 0 to 1, summed over the classes that are called so."""

    text: str
    probability: float


@cache
def class_names() -> tuple[ClassName, ...]:
    """Of all classes, by index."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return tuple(ClassName(row["en"], row["id"], row["kind_en"], row["kind_id"]) for row in csv.DictReader(file))


def names_of(probabilities: np.ndarray, language: str, least: float, least_kind: float) -> list[Name]:
    """At most two names whose probability is `least` or more, the likeliest first; where no name is so sure, the
    likeliest kind if its probability is `least_kind` or more; else nothing. A kind never stands beside a name of it.

    `probabilities`: (1000,) float32, of ImageNet's classes in their usual order, from a softmax over all of them: what
    must not be said keeps its share. `language`: en or id. `least`, `least_kind`: above 0, at most 1.
    Raises ValueError.
    """
    _check(probabilities, language, least, least_kind)
    names: dict[str, float] = defaultdict(float)
    kinds: dict[str, float] = defaultdict(float)
    kind_of: dict[str, str] = {}
    for each, probability in zip(class_names(), probabilities.tolist()):
        name, kind = each.name(language), each.kind(language)
        if name:
            names[name] += probability
            kinds[kind] += probability
            kind_of[name] = kind
    told: list[Name] = []
    for name in _likeliest(names, least):
        if not any(kind_of[name] == other.text or kind_of[other.text] == name for other in told):
            told.append(_name(name, names))
    return told[:MOST] or [_name(kind, kinds) for kind in _likeliest(kinds, least_kind)[:1]]


def _name(text: str, sums: dict[str, float]) -> Name:
    return Name(text, min(sums[text], 1.0))


def _likeliest(sums: dict[str, float], least: float) -> list[str]:
    """Those with `least` or more, the likeliest first."""
    bound = float(np.float32(least))  # a float32 probability of 0.9 is less than 0.9 of Python
    return sorted((text for text, total in sums.items() if total >= bound), key=lambda text: -sums[text])


def _check(probabilities: np.ndarray, language: str, least: float, least_kind: float) -> None:
    if probabilities.shape != (CLASSES,):
        raise ValueError(f"names need {CLASSES} probabilities, not an array of shape {probabilities.shape}")
    if not (np.all(probabilities >= 0) and probabilities.sum(dtype=np.float64) <= 1 + SUM_TOLERANCE):
        raise ValueError("probabilities must be 0 or more, and sum to 1 at most: take the softmax of the logits")
    if language not in LANGUAGES:
        raise ValueError(f"names are there in {' and '.join(LANGUAGES)}, not in {language!r}")
    if not (0 < least <= 1 and 0 < least_kind <= 1):
        raise ValueError(f"bounds must be above 0 and at most 1, not {least} and {least_kind}")
