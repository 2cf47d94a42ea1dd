"""Hugging Face's imagefolder: `metadata.jsonl`, one JSON object a photo with `file_name`.

The text is `caption` or `text` (a string), or `captions`, a list of strings or of {"text", "lang", "style"}. A row
may have `split` and `labels`. Without `split`, a file_name that begins with train/, validation/ or test/ says it;
else it is ours.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from data.examples import SPLIT_NAMES, CaptionText, DataProblems, PhotoEntry
from data.formats.text import read_lines, tidy
from data.photos import safe_name

METADATA = "metadata.jsonl"


def matches(path: Path) -> bool:
    return path.name == METADATA if path.is_file() else (path / METADATA).is_file()


def read(path: Path, problems: DataProblems) -> Iterable[PhotoEntry]:
    file = path if path.is_file() else path / METADATA
    records: dict[str, PhotoEntry] = {}
    for where, line in read_lines(file, problems):
        try:
            name, captions, split, labels = parse(line)
        except ValueError as error:
            problems.add("bad row", where, str(error), "correct the line")
            continue
        if name in records:
            problems.add("duplicate id", where, f"{name} is also at {records[name].where}", "remove one of the lines")
            continue
        kept = [caption for caption in captions if caption.text]
        if len(kept) < len(captions) or not captions:
            problems.add("empty caption", where, f"{name} has an empty caption", "write one or remove it")
        if kept:
            records[name] = PhotoEntry(name, (file.parent / name,), where, split, kept, labels)
    return records.values()


def parse(line: str) -> tuple[str, list[CaptionText], str | None, tuple[str, ...]]:
    """(file_name, captions, split or None, labels) of one line; ValueError says what the line lacks."""
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"the line is not JSON ({error.msg} at column {error.colno})") from None
    if not isinstance(row, dict):
        raise ValueError("the line is not a JSON object")
    name = safe_name(row["file_name"]) if isinstance(row.get("file_name"), str) else None
    if name is None:
        raise ValueError("`file_name` is not a photo's name inside the set's folder")
    split = row.get("split")
    if split is None and "/" in name:
        split = SPLIT_NAMES.get(name.split("/")[0].lower())
    elif split is not None:
        if not isinstance(split, str) or split not in SPLIT_NAMES:
            raise ValueError(f"`split` is {split!r}, not train, dev or test")
        split = SPLIT_NAMES[split]
    labels = row.get("labels", [])
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ValueError("`labels` is not a list of strings")
    return name, parse_captions(row), split, tuple(labels)


def parse_captions(row: dict) -> list[CaptionText]:
    """The captions of a row, texts tidied and possibly empty."""
    found = row.get("captions", row.get("caption", row.get("text")))
    if found is None:
        raise ValueError("there is no `caption`, `text` or `captions`")
    captions = []
    for item in found if isinstance(found, list) else [found]:
        item = {"text": item} if isinstance(item, str) else item
        if not isinstance(item, dict) or not isinstance(item.get("text"), str):
            raise ValueError("a caption is neither a string nor an object with `text`")
        language, style = item.get("lang", "en"), item.get("style", "caption")
        if not isinstance(language, str) or not isinstance(style, str):
            raise ValueError("`lang` or `style` of a caption is not a string")
        captions.append(CaptionText(tidy(item["text"]), language, style))
    return captions
