"""Hugging Face's imagefolder: `metadata.jsonl`, one JSON object a photo with `file_name`.

The text is `caption` or `text` (a string), or `captions`, a list of strings or of {"text", "lang", "style", "by"}. A
row may have `split` and `labels`, or `label`, one string; a row with a label needs no caption. Without `split`, a
file_name that begins with train/, validation/ or test/ says it; else it is ours. All other fields are kept as the
example's `details`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from data.examples import SPLIT_NAMES, CaptionText, DataProblems, PhotoEntry
from data.formats.text import NotJson, parse_json, read_lines, shortened, tidy
from data.photos import safe_name

METADATA = "metadata.jsonl"
CAPTIONS = ("captions", "caption", "text")  # the first of them that a row has is its captions
READ = ("file_name", "split", "labels", "label")


def matches(path: Path) -> bool:
    return path.name == METADATA if path.is_file() else (path / METADATA).is_file()


def read(path: Path, problems: DataProblems) -> Iterable[PhotoEntry]:
    file = path if path.is_file() else path / METADATA
    entries: dict[str, PhotoEntry] = {}
    for where, line in read_lines(file, problems):
        try:
            entry = parse(line, file.parent, where)
        except ValueError as error:
            problems.add("bad row", where, str(error), "correct the line")
            continue
        name, captions = entry.id, entry.captions
        if name in entries:
            problems.add("duplicate id", where, f"{name} is also at {entries[name].where}", "remove one of the lines")
            continue
        entry.captions = [caption for caption in captions if caption.text]
        if len(entry.captions) < len(captions) or not (captions or entry.labels):
            problems.add("empty caption", where, f"{name} has an empty caption", "write one or remove it")
        if entry.captions or entry.labels:
            entries[name] = entry
    return entries.values()


def parse(line: str, folder: Path, where: str) -> PhotoEntry:
    """The entry of one line; its captions are tidied and possibly empty. ValueError says what the line lacks."""
    try:
        row = parse_json(line)
    except NotJson as error:
        raise ValueError(f"the line is not JSON ({error.reason})") from None
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
            raise ValueError(f"`split` is {shortened(split)}, not train, dev or test")
        split = SPLIT_NAMES[split]
    labels = row.get("labels", [row["label"]] if "label" in row else [])
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ValueError("`labels` is not a list of strings")
    text_field = next((field for field in CAPTIONS if field in row), None)
    if text_field is None and not labels:
        raise ValueError("there is no `caption`, `text` or `captions`")
    captions = [] if text_field is None else parse_captions(row[text_field])
    details = {field: value for field, value in row.items() if field not in (*READ, text_field)}
    return PhotoEntry(name, (folder / name,), where, split, captions, tuple(labels), details)


def parse_captions(found: Any) -> list[CaptionText]:
    """The captions of a row, texts tidied and possibly empty."""
    captions = []
    for item in found if isinstance(found, list) else [found]:
        item = {"text": item} if isinstance(item, str) else item
        if not isinstance(item, Mapping) or not isinstance(item.get("text"), str):
            raise ValueError("a caption is neither a string nor an object with `text`")
        language, style, by = item.get("lang", "en"), item.get("style", "caption"), item.get("by")
        if not isinstance(language, str) or not isinstance(style, str):
            raise ValueError("`lang` or `style` of a caption is not a string")
        if by is not None and not isinstance(by, str):
            raise ValueError("`by` of a caption is not a string")
        captions.append(CaptionText(tidy(item["text"]), language, style, by))
    return captions
