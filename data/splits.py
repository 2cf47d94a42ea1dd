"""Which split a photo belongs to: train, dev or test. By photo, never by row; by its bytes, never by its name."""

import hashlib
from collections.abc import Iterable

from data.examples import DatasetError, Example
from data.photos import fingerprint

DEV_SHARE = 0.1
TEST_SHARE = 0.1


def choose_split(sha256: str, seed: int = 0) -> str:
    """The split of a photo whose set names none: a function of its fingerprint and the seed alone.

    So two copies under two names are always together, and adding photos moves none of the others.
    """
    digest = hashlib.sha256(f"{seed}:{sha256}".encode()).digest()
    point = int.from_bytes(digest[:8], "big") / 2**64  # uniform in [0, 1)
    if point < TEST_SHARE:
        return "test"
    return "dev" if point < TEST_SHARE + DEV_SHARE else "train"


def check_splits(examples: Iterable[Example]) -> None:
    """Refuse examples, of one set or of several together, where a photo is in two splits.

    Raises DatasetError that names both files.
    """
    first_with: dict[str, Example] = {}
    for example in examples:
        other = first_with.setdefault(example.sha256 or fingerprint(example.path), example)
        if other.split != example.split:
            raise DatasetError(
                f"{example.path}: this photo is marked {example.split}, but {other.path} has the same bytes "
                f"and is marked {other.split}; put both in one split, or remove one of them"
            )
