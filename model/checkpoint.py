"""A captioner to and from a folder that rebuilds it whole: `config.json`, `tokenizer.json`, `model.safetensors`."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from model.caption.captioner import Captioner
from model.caption.clipcap import ClipCap, ClipCapConfig
from model.caption.decoding import DecodingOptions
from model.caption.tokenizer import CaptionTokenizer
from model.clip.pair import ClipPair, PairConfig
from model.clip.preprocess import Preprocess

CONFIG, TOKENIZER, WEIGHTS = "config.json", "tokenizer.json", "model.safetensors"
FORMAT = 1
TIED = "captioner.clipcap.gpt.lm_head.weight"  # GPT-2's output layer is its token embedding


class CheckpointError(Exception):
    """A checkpoint that cannot be used; one sentence with file and field."""


@dataclass(frozen=True)
class Checkpoint:
    """A loaded captioner: its `name`, the CLIP `pair` and the `captioner`, both in eval mode and float32."""

    name: str
    pair: ClipPair
    captioner: Captioner


def save(
    folder: Path | str, name: str, pair: ClipPair, captioner: Captioner, dtype: torch.dtype = torch.float16
) -> None:
    """Write the three files, weights as `dtype`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "format": FORMAT,
        "name": name,
        "pair": asdict(pair.config),
        "preprocess": asdict(pair.preprocess),
        "captioner": asdict(captioner.clipcap.config),
        "decoding": asdict(captioner.options),
    }
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
    captioner.tokenizer.save(folder / TOKENIZER)
    module = nn.ModuleDict({"pair": pair, "captioner": captioner})
    tensors = {k: v.detach().to("cpu", dtype).contiguous() for k, v in module.state_dict().items() if k != TIED}
    save_file(tensors, str(folder / WEIGHTS))
    (folder / WEIGHTS).chmod(0o644)  # safetensors lets only the owner read it


def load(folder: Path | str, device: str = "cpu") -> Checkpoint:
    """Rebuild the captioner that `save` wrote. Raises CheckpointError."""
    folder = Path(folder)
    if not folder.is_dir():
        raise CheckpointError(f"there is no folder {folder}; give one that training.train wrote")
    config = _read_config(folder / CONFIG)
    pair_config = _section(folder, config, "pair", PairConfig)
    preprocess = _section(folder, config, "preprocess", Preprocess)
    clipcap_config = _section(folder, config, "captioner", ClipCapConfig)
    options = _section(folder, config, "decoding", DecodingOptions)
    tokenizer = _read_tokenizer(folder / TOKENIZER)
    for section, size in (("pair", pair_config.vocabulary), ("captioner", clipcap_config.vocabulary)):
        if len(tokenizer) != size:
            raise CheckpointError(
                f"{folder / TOKENIZER} has {len(tokenizer)} tokens but {CONFIG} says {section}.vocabulary is {size}"
            )
    tensors = _read_weights(folder / WEIGHTS)
    pair = ClipPair(pair_config, tokenizer, preprocess)
    captioner = Captioner(ClipCap(clipcap_config), tokenizer, options)
    module = nn.ModuleDict({"pair": pair, "captioner": captioner})
    _fill(module, tensors, folder / WEIGHTS)
    module.to(device).eval()
    pair.image_tower.to(memory_format=torch.channels_last)
    return Checkpoint(str(config["name"]), pair, captioner)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing; the folder is no checkpoint or was not copied whole") from None
    except (ValueError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON: {error}") from None
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        found = config.get("format") if isinstance(config, dict) else None
        raise CheckpointError(f"{path}: format is {found!r}, this version reads {FORMAT}")
    if "name" not in config:
        raise CheckpointError(f"{path}: name is missing")
    return config


def _section(folder: Path, config: dict[str, Any], name: str, kind: type) -> Any:
    path, values = folder / CONFIG, config.get(name)
    if not isinstance(values, dict):
        raise CheckpointError(f"{path}: {name} is missing")
    known = {field.name for field in fields(kind)}
    for field in values:
        if field not in known:
            raise CheckpointError(f"{path}: {name}.{field} is not known to this version")
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: {name} does not fit: {error}") from None


def _read_tokenizer(path: Path) -> CaptionTokenizer:
    if not path.exists():
        raise CheckpointError(f"{path} is missing; the folder is no checkpoint or was not copied whole")
    try:
        return CaptionTokenizer.load(path)
    except Exception as error:  # tokenizers raises bare Exception for a file it cannot parse
        raise CheckpointError(f"{path} cannot be read as a tokenizer: {error}") from None


def _read_weights(path: Path) -> dict[str, torch.Tensor]:
    if not path.exists():
        raise CheckpointError(f"{path} is missing; the folder is no checkpoint or was not copied whole")
    try:
        return load_file(str(path))
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged or cut short ({error}); copy it again") from None


def _fill(module: nn.Module, tensors: dict[str, torch.Tensor], path: Path) -> None:
    wanted = {name: tensor.shape for name, tensor in module.state_dict().items() if name != TIED}
    for name, shape in wanted.items():
        if name not in tensors:
            raise CheckpointError(f"{path} has no tensor {name}, which {CONFIG} asks for")
        if tensors[name].shape != shape:
            raise CheckpointError(
                f"{path}: {name} has shape {list(tensors[name].shape)}, {CONFIG} asks for {list(shape)}"
            )
    for name in tensors:
        if name not in wanted:
            raise CheckpointError(f"{path} holds {name}, for which {CONFIG} has no place")
    module.load_state_dict({k: v.float() for k, v in tensors.items()}, strict=False, assign=True)
    module["captioner"].clipcap.gpt.tie_weights()
