"""The files of a checkpoint folder, read with one sentence for whatever is wrong with them."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from model.errors import SightlineError

CONFIG, TOKENIZER, WEIGHTS = "config.json", "tokenizer.json", "model.safetensors"
CLIP_TOKENIZER = "clip_tokenizer.json"
FORMAT = 1
T = TypeVar("T")


class CheckpointError(SightlineError):
    """A checkpoint that cannot be used; one sentence with file and field."""


def read_config(folder: Path) -> dict[str, Any]:
    """`config.json` with `name` and `family`. Raises CheckpointError."""
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise missing(path) from None
    except (ValueError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON: {error}") from None
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        found = config.get("format") if isinstance(config, dict) else None
        raise CheckpointError(f"{path}: format is {found!r}, this version reads {FORMAT}")
    if "name" not in config:
        raise CheckpointError(f"{path}: name is missing")
    config.setdefault("family", "clipcap")  # the only one when version 0.1 wrote folders without it
    return config


def missing(path: Path) -> CheckpointError:
    return CheckpointError(f"{path} is missing; the folder is no checkpoint or was not copied whole")


def read_section(folder: Path, config: dict[str, Any], name: str, kind: type[T]) -> T:
    """One object of `config.json` as the dataclass `kind`. Raises CheckpointError for fields it does not know."""
    path, values = folder / CONFIG, config.get(name)
    if not isinstance(values, dict):
        raise CheckpointError(f"{path}: {name} is missing")
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    for field in values:
        if field not in known:
            raise CheckpointError(f"{path}: {name}.{field} is not known to this version")
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: {name} does not fit: {error}") from None


def read_tokenizer(path: Path, kind: type[T]) -> T:
    """Raises CheckpointError."""
    if not path.exists():
        raise missing(path)
    try:
        return kind.load(path)  # type: ignore[attr-defined]
    except Exception as error:  # tokenizers raises bare Exception for a file it cannot parse
        raise CheckpointError(f"{path} cannot be read as a tokenizer: {error}") from None
