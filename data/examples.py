"""The types of this package: Example and its captions, what a reader returns, and what can be wrong with a set."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SPLITS = ("train", "dev", "test")
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "test": "test",
}


class DatasetError(ValueError):
    """What is wrong with a set: `FILE:LINE: what is wrong; what to do`, one sentence."""


@dataclass(frozen=True)
class CaptionText:
    """One caption: its text, its language (`en`, `id`, ...), its style (`caption`, `guide`, ...) and who wrote it, if
    the set says so (`person`)."""

    text: str
    language: str = "en"
    style: str = "caption"
    by: str | None = None


@dataclass(frozen=True)
class Example:
    """One photo with all its captions. `id` is the photo's name inside its set, `split` one of SPLITS.

    `details`: what else the set says of the photo, under the set's own names and unchanged, such as `facts`, `state`,
    `boxes` or `objects`. `sha256`: of the file's bytes when the set was read, in hex; "" if nobody computed it.
    """

    id: str
    path: Path
    captions: tuple[CaptionText, ...]
    split: str
    labels: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)
    sha256: str = ""


@dataclass
class PhotoEntry:
    """What a reader found about one photo, before its file is opened and its split is assigned."""

    id: str
    candidates: tuple[Path, ...]  # where the file may be; the first that exists is taken
    where: str  # FILE:LINE of the first mention
    split: str | None = None  # None: the set does not say
    captions: list[CaptionText] = field(default_factory=list)
    labels: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DataProblem:
    """One thing left out: its kind (`missing photo`, `bad row`, ...) and the whole sentence."""

    kind: str
    sentence: str


class DataProblems:
    """Raises at the first problem, or, with `skip_bad`, collects them so that the reader can continue."""

    def __init__(self, skip_bad: bool = False):
        self.skip_bad = skip_bad
        self.found: list[DataProblem] = []

    def add(self, kind: str, where: str, what: str, todo: str) -> None:
        sentence = f"{where}: {what}; {todo}"
        if not self.skip_bad:
            raise DatasetError(f"{sentence}, or leave it out with --skip-bad")
        self.found.append(DataProblem(kind, sentence))

    def report(self) -> str:
        """`skipped 3: 2 missing photo, 1 bad row (first: FILE:LINE: ...)`, or `skipped 0`."""
        if not self.found:
            return "skipped 0"
        kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(p.kind for p in self.found).most_common())
        return f"skipped {len(self.found)}: {kinds} (first: {self.found[0].sentence})"
