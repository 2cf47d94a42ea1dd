"""CSV tables `image,caption`, any number of rows a photo: Flickr8k as on Kaggle, and public-space sets.

Kaggle: `captions.txt` with the photos in `Images/`. Public space: `captions.csv` (or any `NAME.csv` given by its
path) with the photos beside it or in `images/`, and other languages in `captions.<language>.csv`; its captions are
guides. Neither says which photo is in which split, so the split is ours.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from data.examples import CaptionText, DataProblems, PhotoEntry
from data.formats.text import read_rows, shortened, tidy
from data.photos import safe_name

HEADER = ("image", "caption")
KAGGLE = "captions.txt"
PUBLIC_SPACE = "captions.csv"


def matches_kaggle(path: Path) -> bool:
    return (path / KAGGLE).is_file()


def read_kaggle(path: Path, problems: DataProblems) -> Iterable[PhotoEntry]:
    return read_tables([(path / KAGGLE, "en")], "caption", (path / "Images", path / "images"), problems)


def matches_public_space(path: Path) -> bool:
    return path.suffix.lower() == ".csv" if path.is_file() else (path / PUBLIC_SPACE).is_file()


def read_public_space(path: Path, problems: DataProblems) -> Iterable[PhotoEntry]:
    main = path if path.is_file() else path / PUBLIC_SPACE
    pattern = re.escape(main.stem) + r"\.([a-z]{2,3})" + re.escape(main.suffix)
    beside = [(file, re.fullmatch(pattern, file.name)) for file in sorted(main.parent.iterdir())]
    tables = [(main, "en")] + [(file, match[1]) for file, match in beside if match]
    return read_tables(tables, "guide", (main.parent, main.parent / "images"), problems)


def read_tables(
    tables: list[tuple[Path, str]], style: str, folders: tuple[Path, ...], problems: DataProblems
) -> Iterable[PhotoEntry]:
    """Entries of all (file, language) tables together, a photo of the same name being the same photo in each."""
    entries: dict[str, PhotoEntry] = {}
    for file, language in tables:
        for where, (image, text) in read_rows(file, HEADER, problems):
            name = safe_name(image)
            if name is None:
                problems.add(
                    "bad row", where, f"{shortened(image)} is not a photo's name inside the set's folder", "correct it"
                )
            elif not tidy(text):
                problems.add("empty caption", where, f"{name} has no caption", "write one or remove the line")
            else:
                candidates = tuple(folder / name for folder in folders)
                entry = entries.setdefault(name, PhotoEntry(name, candidates, where))
                entry.captions.append(CaptionText(tidy(text), language, style))
    return entries.values()
