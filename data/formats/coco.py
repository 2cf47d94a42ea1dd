"""COCO captions JSON, and VizWiz-Captions, which has the same format: `images` and `annotations`.

VizWiz marks captions that its people rejected or that are canned ("quality issues are too severe ..."); they are
left out, and with them the photos that have no other. `captions_train2017.json`, `train.json` and the like name their
split (val is dev); with any other name the split is ours. Such a file is often one line, so an entry is named by its
place.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from data.examples import SPLIT_NAMES, CaptionText, DataProblems, DatasetError, PhotoEntry
from data.formats.text import NotJson, parse_json, shortened, tidy
from data.photos import safe_name


def find_files(path: Path) -> list[Path]:
    """The JSON files with captions: the one given, or those in the folder or its `annotations/`."""
    if path.is_file():
        return [path] if path.suffix.lower() == ".json" else []
    for folder in (path / "annotations", path):
        for pattern in ("captions*.json", "train.json"):
            if found := sorted(folder.glob(pattern)):
                return found + [
                    folder / name
                    for name in ("val.json", "test.json")
                    if pattern == "train.json" and (folder / name).is_file()
                ]
    return []


def matches(path: Path) -> bool:
    return bool(find_files(path))


def read(path: Path, problems: DataProblems) -> Iterable[PhotoEntry]:
    entries: dict[str, PhotoEntry] = {}
    for file in (files := find_files(path)):
        images, annotations = load(file)
        if annotations is None and len(files) > 1:
            continue  # a test file whose captions are kept back
        if images is None or annotations is None:
            raise DatasetError(f"{file}:1: `images` and `annotations` are not both there; give a COCO *captions* file")
        by_id = read_images(file, images, entries, problems)
        for place, annotation in enumerate(annotations):
            where = f"{file}:annotations[{place}]"
            annotation = annotation if isinstance(annotation, dict) else {}
            text, image_id = annotation.get("caption"), annotation.get("image_id")
            if annotation.get("is_rejected") or annotation.get("is_precanned"):
                continue
            if not isinstance(text, str) or not isinstance(image_id, (int, str)):
                problems.add("bad row", where, "`caption` or `image_id` is missing", "correct the annotation")
            elif image_id not in by_id:
                problems.add(
                    "bad row",
                    where,
                    f"no image has the id {shortened(image_id)}",
                    "add the image or remove the caption",
                )
            elif (entry := by_id[image_id]) is None:
                continue  # its image was refused and counted
            elif not tidy(text):
                problems.add(
                    "empty caption",
                    where,
                    f"image {shortened(image_id)} has an empty caption",
                    "write one or remove it",
                )
            else:
                entry.captions.append(CaptionText(tidy(text)))
    return [entry for entry in entries.values() if entry.captions]


def load(file: Path) -> tuple[list | None, list | None]:
    """`images` and `annotations` of the file, None for what is no list. DatasetError if it is no JSON."""
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{file}:1: cannot be read as text ({error}); get the file again") from None
    try:
        content = parse_json(text)
    except NotJson as error:
        raise DatasetError(f"{file}:{error.line}: this is not JSON ({error.reason}); get the file again") from None
    content = content if isinstance(content, dict) else {}
    images, annotations = content.get("images"), content.get("annotations")
    return images if isinstance(images, list) else None, annotations if isinstance(annotations, list) else None


def read_images(
    file: Path, images: list, entries: dict[str, PhotoEntry], problems: DataProblems
) -> dict[int | str, PhotoEntry | None]:
    """Image id -> its new entry in `entries` (keyed by file name over all files of the set), or None if refused."""
    name_of_set = file.stem.removeprefix("captions").strip("_")  # captions_train2017 -> train2017
    split = SPLIT_NAMES.get(re.sub(r"\d+$", "", name_of_set))
    roots = (file.parent, file.parent.parent) if file.parent.name == "annotations" else (file.parent,)
    folders = [root / sub for root in roots for sub in (f"images/{name_of_set}", name_of_set, "images", ".")]
    by_id: dict[int | str, PhotoEntry | None] = {}
    for place, image in enumerate(images):
        where = f"{file}:images[{place}]"
        image = image if isinstance(image, dict) else {}
        name = safe_name(image["file_name"]) if isinstance(image.get("file_name"), str) else None
        image_id = image.get("id")
        if name is None or not isinstance(image_id, (int, str)):
            problems.add("bad row", where, "`file_name` or `id` is missing or no name", "correct the image")
            if isinstance(image_id, (int, str)):
                by_id.setdefault(image_id, None)
        elif image_id in by_id or name in entries:
            problems.add(
                "duplicate id", where, f"{name} or its id {shortened(image_id)} is there twice", "remove one of the two"
            )
            by_id.setdefault(image_id, None)
        else:
            candidates = tuple(folder / name for folder in folders)
            by_id[image_id] = entries[name] = PhotoEntry(name, candidates, where, split)
    return by_id
