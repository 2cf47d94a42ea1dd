"""Captioned photo sets of six formats, read as examples: `read_dataset(path)`.

A set is checked while it is read. The first thing that is wrong with it is raised as one sentence with file and
line; with `skip_bad` it is left out and counted, and `Dataset.report` says so in one line. Whatever the format, no
photo is in two splits. What was found out about a photo file is kept in a manifest, see `data.manifest`.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from data.examples import SPLITS, CaptionText, DataProblem, DataProblems, DatasetError, Example, PhotoEntry
from data.formats import coco, conceptual, flickr8k, imagefolder, tables
from data.manifest import Manifest, manifest_of
from data.splits import check_splits, choose_split

__all__ = [
    "KINDS",
    "CaptionText",
    "Dataset",
    "DatasetError",
    "Example",
    "check_splits",
    "read_dataset",
    "read_datasets",
]


@dataclass(frozen=True)
class Kind:
    """One format: how to recognise it, and how to read it."""

    matches: Callable[[Path], bool]
    read: Callable[[Path, DataProblems], Iterable[PhotoEntry]]


# In the order in which they are tried: the most particular file names first.
KINDS = {
    "flickr8k": Kind(flickr8k.matches, flickr8k.read),
    "flickr8k-kaggle": Kind(tables.matches_kaggle, tables.read_kaggle),
    "imagefolder": Kind(imagefolder.matches, imagefolder.read),
    "public-space": Kind(tables.matches_public_space, tables.read_public_space),
    "coco": Kind(coco.matches, coco.read),
    "conceptual": Kind(conceptual.matches, conceptual.read),
}


@dataclass(frozen=True)
class Dataset:
    """The examples of one set, in the order of its files, and what was left out of it."""

    name: str
    kind: str
    examples: tuple[Example, ...]
    problems: tuple[DataProblem, ...] = ()

    def __iter__(self) -> Iterator[Example]:
        return iter(self.examples)

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def skipped(self) -> int:
        """How many things were left out: rows, captions or photos, each counted once."""
        return len(self.problems)

    @property
    def report(self) -> str:
        """One closing line: photos of each split, captions, what was skipped and the first reason."""
        splits = ", ".join(f"{len(self.of_split(split))} {split}" for split in SPLITS)
        captions = sum(len(example.captions) for example in self.examples)
        counted = DataProblems(skip_bad=True)
        counted.found.extend(self.problems)
        return f"{self.name}: {len(self)} photos ({splits}), {captions} captions; {counted.report()}"

    def of_split(self, split: str) -> tuple[Example, ...]:
        """The examples of one split: train, dev or test."""
        return tuple(example for example in self.examples if example.split == split)


def read_dataset(
    path: str | Path,
    *,
    kind: str | None = None,
    skip_bad: bool = False,
    seed: int = 0,
    check_photos: bool = True,
    split: str | None = None,
) -> Dataset:
    """Read the set at `path`, a folder or the file with its captions.

    kind: one of KINDS; None finds it by the files there. seed: of the split, where the set has none of its own.
    check_photos: decode every photo that is new or has changed (milliseconds each), not only look that its file exists.
    split: put all photos into this split; refused for a set that says itself which photo is in which.
    Raises DatasetError, one sentence: `FILE:LINE: what is wrong; what to do`.
    """
    path = Path(path)
    kind = kind or find_kind(path)
    if kind not in KINDS:
        raise DatasetError(f"{path}: there is no kind of set called {kind!r}; choose one of {', '.join(KINDS)}")
    if not KINDS[kind].matches(path):
        raise DatasetError(f"{path}: this is no {kind} set; leave the kind out, or see data/formats for its files")
    if split is not None and split not in SPLITS:
        raise DatasetError(f"{path}: there is no split called {split!r}; choose one of {', '.join(SPLITS)}")
    problems = DataProblems(skip_bad)
    entries = list(KINDS[kind].read(path, problems))
    if split is not None:
        if any(entry.split for entry in entries):
            raise DatasetError(f"{path}: this set says itself which photo is {split}; leave the split out")
        entries = [replace(entry, split=split) for entry in entries]
    with manifest_of(path) as manifest:
        located = locate(entries, problems, manifest, check_photos)
    examples = assign_splits(located, problems, seed)
    if not examples:
        first = f" (first: {problems.found[0].sentence})" if problems.found else ""
        raise DatasetError(f"{path}: no photo with a caption is left of this {kind} set{first}; check its files")
    return Dataset(path.resolve().name, kind, tuple(examples), tuple(problems.found))


def read_datasets(paths: Iterable[str | Path], **options) -> list[Dataset]:
    """Several sets, with the options of `read_dataset`; refused when a photo is in two splits across them."""
    sets = [read_dataset(path, **options) for path in paths]
    check_splits(example for one in sets for example in one)
    return sets


def find_kind(path: Path) -> str:
    """The kind whose files are at `path`."""
    if not path.exists():
        raise DatasetError(f"{path}: there is nothing here; check the path")
    for name, kind in KINDS.items():
        if kind.matches(path):
            return name
    raise DatasetError(
        f"{path}: no captions found; a set has Flickr8k.token.txt, captions.txt, metadata.jsonl, captions.csv, "
        "captions*.json or a .tsv"
    )


@dataclass(frozen=True)
class LocatedPhoto:
    """An entry whose photo exists, with the photo's path and fingerprint."""

    entry: PhotoEntry
    path: Path
    sha256: str


def locate(
    entries: Iterable[PhotoEntry], problems: DataProblems, manifest: Manifest, check_photos: bool
) -> list[LocatedPhoto]:
    """The entries whose photo exists and, if asked, can be decoded."""
    located = []
    owner: dict[Path, PhotoEntry] = {}
    for entry in entries:
        # Unlike Path.is_file, this is False for names that no file system takes.
        photo = next((candidate for candidate in entry.candidates if os.path.isfile(candidate)), None)
        if photo is None:
            problems.add(
                "missing photo",
                entry.where,
                f"the photo {entry.id} is missing (looked for {entry.candidates[0]})",
                "put it there or remove its captions",
            )
        elif photo in owner:
            problems.add(
                "duplicate id",
                entry.where,
                f"{entry.id} and {owner[photo].id} are the same file",
                "give all its captions under one name",
            )
        else:
            try:
                check = manifest.check(photo, check_photos)
                sha256, reason = check.sha256, check.unreadable if check_photos else None
            except OSError as error:
                sha256, reason = "", error.strerror or str(error)
            if reason:
                problems.add(
                    "unreadable photo",
                    entry.where,
                    f"the photo {photo} cannot be read ({reason})",
                    "get it again or remove its captions",
                )
            else:
                owner[photo] = entry
                located.append(LocatedPhoto(entry, photo, sha256))
    return located


def assign_splits(located: list[LocatedPhoto], problems: DataProblems, seed: int) -> list[Example]:
    """Examples, each in one split: the one the set says, else that of a copy of the same photo, else one that follows
    from the photo's bytes.

    Where the set's own lists have copies of a photo in two splits, what is kept for measuring stays, the other goes.
    """
    marked: dict[str, PhotoEntry] = {}
    for photo in located:
        split = photo.entry.split
        if split and (
            photo.sha256 not in marked or SPLITS.index(split) > SPLITS.index(marked[photo.sha256].split or SPLITS[0])
        ):
            marked[photo.sha256] = photo.entry
    examples = []
    for photo in located:
        entry, copy = photo.entry, marked.get(photo.sha256)
        split = copy.split if copy and copy.split else choose_split(photo.sha256, seed)
        if copy and entry.split not in (None, split):
            problems.add(
                "photo in two splits",
                entry.where,
                f"{entry.id} is marked {entry.split}, but it is the same photo as {copy.id}, marked {split}",
                f"keep it as {split} only",
            )
            continue
        examples.append(
            Example(entry.id, photo.path, tuple(entry.captions), split, entry.labels, entry.details, photo.sha256)
        )
    return examples
