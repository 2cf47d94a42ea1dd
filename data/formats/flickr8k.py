"""Flickr8k as released: `Flickr8k.token.txt`, three split lists, photos in `Flicker8k_Dataset/` (sic).

Captions in other languages may lie beside it as `Flickr8k.token.<language>.txt`, with the same `name#n` keys.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from data.examples import CaptionText, DataProblems, DatasetError, PhotoEntry
from data.formats.text import read_lines, shortened, tidy
from data.photos import safe_name

TOKENS = "Flickr8k.token.txt"
LISTS = {"train": "Flickr_8k.trainImages.txt", "dev": "Flickr_8k.devImages.txt", "test": "Flickr_8k.testImages.txt"}
PHOTOS = "Flicker8k_Dataset"
# The release has five captions for this name and no photo of it.
NEVER_RELEASED = "2258277193_586949ec62.jpg.1"


def matches(path: Path) -> bool:
    return (path / TOKENS).is_file()


def read(path: Path, problems: DataProblems) -> Iterable[PhotoEntry]:
    """Entries in the order of the caption file. A photo in none of the three lists is a training photo: the lists leave
    out 91 of the 8,091, and only what is marked dev or test must stay unseen."""
    splits = read_splits(path, problems)
    entries: dict[str, PhotoEntry] = {}
    for file, language in [(path / TOKENS, "en"), *translations(path)]:
        seen = set()
        for where, line in read_lines(file, problems):
            key, tab, text = line.partition("\t")
            name, hash_sign, number = key.partition("#")
            if not (tab and hash_sign and number.strip().isdigit()) or safe_name(name) is None:
                problems.add(
                    "bad row", where, f"{shortened(line)} is not `photo.jpg#number<TAB>caption`", "correct the line"
                )
            elif name == NEVER_RELEASED:
                continue
            elif key in seen:
                problems.add("duplicate id", where, f"{shortened(key)} is there twice", "remove one of the two lines")
            elif not tidy(text):
                problems.add("empty caption", where, f"{shortened(key)} has no caption", "write one or remove the line")
            else:
                seen.add(key)
                split = splits.get(name, ("train",))[0]
                entry = entries.setdefault(name, PhotoEntry(name, (path / PHOTOS / name,), where, split))
                entry.captions.append(CaptionText(tidy(text), language))
    for name, (_, where) in splits.items():
        if name not in entries:
            problems.add("bad row", where, f"{name} has no caption in {TOKENS}", "add its captions or remove the line")
    return entries.values()


def translations(path: Path) -> list[tuple[Path, str]]:
    """(file, language) of each `Flickr8k.token.<language>.txt`."""
    found = [(file, re.fullmatch(r"Flickr8k\.token\.([a-z]{2,3})\.txt", file.name)) for file in sorted(path.iterdir())]
    return [(file, match[1]) for file, match in found if match]


def read_splits(path: Path, problems: DataProblems) -> dict[str, tuple[str, str]]:
    """Photo name -> (split, FILE:LINE) from the three lists, all of which must be there."""
    splits: dict[str, tuple[str, str]] = {}
    for split, file in LISTS.items():
        if not (path / file).is_file():
            raise DatasetError(
                f"{path / file}: the split list is missing; put the release's three lists beside {TOKENS}"
            )
        for where, line in read_lines(path / file, problems):
            name = line.strip()
            if safe_name(name) is None:
                problems.add("bad row", where, f"{shortened(line)} is not a photo's name", "correct the line")
            elif name in splits:
                problems.add("duplicate id", where, f"{name} is also at {splits[name][1]}", "keep it in one list only")
            else:
                splits[name] = (split, where)
    return splits
