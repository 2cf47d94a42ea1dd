"""The words of this package: Example, CaptionText, PhotoEntry, DatasetError, DataProblems."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

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
    """One caption: its text, its language (`en`, `id`, ...) and its style (`caption`, `guide`, ...)."""

    text: str
    language: str = "en"
    style: str = "caption"


@dataclass(frozen=True)
class Example:
    """One photo with all its captions. `id` is the photo's name inside its set, `split` one of SPLITS."""

    id: str
    path: Path
    captions: tuple[CaptionText, ...]
    split: str
    labels: tuple[str, ...] = ()


@dataclass
class PhotoEntry:
    """What a reader found about one photo, before its file is looked at and its split is settled."""

    id: str
    candidates: tuple[Path, ...]  # where the file may lie, the first that exists is taken
    where: str  # FILE:LINE of the first mention
    split: str | None = None  # None: the set does not say
    captions: list[CaptionText] = field(default_factory=list)
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataProblem:
    """One thing left out: its kind (`missing photo`, `bad row`, ...) and the whole sentence."""

    kind: str
    sentence: str


class DataProblems:
    """Raises at the first problem, or, with `skip_bad`, collects them so that the reader can go on."""

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
