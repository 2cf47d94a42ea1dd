"""Conceptual Captions: a TSV of `caption<TAB>url` without header, and a folder of photos downloaded from there.

A row's photo is named after its address, so that the file may be sorted, cut and joined freely: the SHA-1 of the
URL in hex (`printf %s "$url" | sha1sum`), with any photo suffix, in a folder named like the TSV without `.tsv`, in
`images/`, or beside it. `GCC-training.tsv` and `Validation_GCC-...tsv` are the train and dev splits; with any other
name the split is ours.
"""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from data.examples import SPLIT_NAMES, CaptionText, DataProblems, PhotoEntry
from data.formats.text import read_lines, shortened, tidy
from data.photos import SUFFIXES


def photo_stem(url: str) -> str:
    """The name, without suffix, under which the photo at `url` is kept: 40 hex digits."""
    return hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest()


def matches(path: Path) -> bool:
    return path.suffix.lower() == ".tsv" if path.is_file() else any(path.glob("*.tsv"))


def read(path: Path, problems: DataProblems) -> Iterable[PhotoEntry]:
    entries: dict[str, PhotoEntry] = {}
    for file in [path] if path.is_file() else sorted(path.glob("*.tsv")):
        named = [SPLIT_NAMES[word] for word in re.split(r"[^a-z]+", file.stem.lower()) if word in SPLIT_NAMES]
        folders = (file.with_suffix(""), file.parent / "images", file.parent)
        for where, line in read_lines(file, problems):
            fields = line.split("\t")
            url = fields[-1].strip()
            if len(fields) != 2 or not re.match(r"https?://\S+$", url):
                problems.add("bad row", where, f"{shortened(line)} is not `caption<TAB>url`", "correct the line")
                continue
            stem = photo_stem(url)
            if stem in entries:
                problems.add(
                    "duplicate id",
                    where,
                    f"{shortened(url)} is also at {entries[stem].where}",
                    "remove one of the lines",
                )
            elif not tidy(fields[0]):
                problems.add("empty caption", where, f"{shortened(url)} has no caption", "write one or remove the line")
            else:
                candidates = tuple(folder / (stem + suffix) for folder in folders for suffix in SUFFIXES)
                split = named[0] if named else None
                entries[stem] = PhotoEntry(stem, candidates, where, split, [CaptionText(tidy(fields[0]))])
    return entries.values()
