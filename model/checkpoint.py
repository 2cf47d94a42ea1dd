"""A ClipCap to and from a folder that rebuilds it whole: `config.json`, `tokenizer.json`, `model.safetensors`, and
`clip_tokenizer.json` where the CLIP pair has a tokenizer of its own."""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from model.bpe import BpeTokenizer
from model.caption.clipcap import ClipCap, ClipCapConfig
from model.caption.decoding import DecodingOptions
from model.caption.feature_captioner import FeatureCaptioner
from model.caption.tokenizer import TOKENIZERS, CaptionTokenizer
from model.certainty import Calibration
from model.checkpoint_files import (
    CLIP_TOKENIZER,
    CONFIG,
    FORMAT,
    TOKENIZER,
    WEIGHTS,
    CheckpointError,
    missing,
    read_config,
    read_section,
    read_tokenizer,
)
from model.clip.pair import ClipPair, PairConfig, weights_sha256
from model.clip.preprocess import Preprocess
from model.clip.tokenizer import ClipTokenizer
from model.serving import resolve_precision
from model.tensors import assign

__all__ = ["Checkpoint", "CheckpointError", "load", "save"]

FAMILY = "clipcap"
AT_ONCE = 64  # tensors
TOKENS = "captioner.clipcap.gpt.transformer.wte.weight"
TIED = "captioner.clipcap.gpt.lm_head.weight"  # GPT-2's output layer is its token embedding
MAPPED = ("pair.text_tower.", TOKENS)  # wanted for searches alone; wanted a few rows at a time


@dataclass(frozen=True)
class Checkpoint:
    """A loaded ClipCap: its `name`, the CLIP `pair` and the `captioner`, both in eval mode, and the `precision` that
    was chosen: weights are bfloat16 for that one, else float32. `parameters`: of both."""

    name: str
    pair: ClipPair
    captioner: FeatureCaptioner
    parameters: int
    precision: str = "float32"
    calibration: Calibration | None = None


def save(
    folder: Path | str,
    name: str,
    pair: ClipPair,
    captioner: FeatureCaptioner,
    dtype: torch.dtype = torch.float16,
    calibration: Calibration | None = None,
) -> None:
    """Write the files, weights as `dtype`. Raises CheckpointError and leaves what was there."""
    folder = Path(folder)
    module = nn.ModuleDict({"pair": pair, "captioner": captioner})
    tensors = {
        k: v.detach().to("cpu", dtype if v.is_floating_point() else v.dtype).contiguous()
        for k, v in module.state_dict().items()
        if k != TIED
    }
    config = {
        "format": FORMAT,
        "family": FAMILY,
        "name": name,
        # Of the weights as they are kept: loaded again, they make these embeddings.
        "embedding_space": weights_sha256({k.removeprefix("pair."): v for k, v in tensors.items() if k[:5] == "pair."}),
        "tokenizer": captioner.tokenizer.kind,
        "pair": asdict(pair.config),
        "preprocess": asdict(pair.preprocess),
        "captioner": asdict(captioner.clipcap.config),
        "decoding": asdict(captioner.options),
    }
    if calibration is not None:
        config["calibration"] = calibration.to_config()
    # Beside, and then into their places: a service may have mapped the weights that are there.
    new = folder / ".new"
    try:
        new.mkdir(parents=True, exist_ok=True)
        save_file(tensors, str(new / WEIGHTS))
        (new / WEIGHTS).chmod(0o644)  # safetensors lets only the owner read it
        captioner.tokenizer.save(new / TOKENIZER)
        if pair.config.tokenizer == "clip":
            pair.tokenizer.save(new / CLIP_TOKENIZER)
        (new / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
        for file in new.iterdir():
            file.replace(folder / file.name)
        new.rmdir()
    except Exception as error:  # OSError, SafetensorError, and bare Exception of tokenizers
        shutil.rmtree(new, ignore_errors=True)
        raise CheckpointError(f"{folder} cannot be written ({error}); make room, or give another folder") from None


def load(folder: Path | str, device: str = "cpu", precision: str = "float32", mapped: bool = False) -> Checkpoint:
    """Rebuild the ClipCap that `save` wrote into `folder`. `precision`: one of model.protocols.PRECISIONS. `mapped`:
    text tower and token embedding stay in their file, in the file's precision, and take memory as they are used; to
    serve with, neither to train nor to save. Raises CheckpointError."""
    folder = Path(folder)
    if not folder.is_dir():
        raise CheckpointError(f"there is no folder {folder}; give one that `sightline train` wrote")
    config = read_config(folder)
    if config["family"] != FAMILY:
        raise CheckpointError(f"{folder / CONFIG}: family is {config['family']!r}; only {FAMILY} can be trained on")
    pair_config = read_section(folder, config, "pair", PairConfig)
    preprocess = read_section(folder, config, "preprocess", Preprocess)
    clipcap_config = read_section(folder, config, "captioner", ClipCapConfig)
    options = read_section(folder, config, "decoding", DecodingOptions)
    calibration = _read_calibration(folder, config)
    kind = config.get("tokenizer", CaptionTokenizer.kind)
    if kind not in TOKENIZERS:
        raise CheckpointError(f"{folder / CONFIG}: tokenizer is {kind!r}; use one of {', '.join(TOKENIZERS)}")
    tokenizer = read_tokenizer(folder / TOKENIZER, TOKENIZERS[kind])
    pair_tokenizer: BpeTokenizer = tokenizer
    if pair_config.tokenizer == "clip":
        pair_tokenizer = read_tokenizer(folder / CLIP_TOKENIZER, ClipTokenizer)
    for section, size, own in (
        ("pair", pair_config.vocabulary, pair_tokenizer),
        ("captioner", clipcap_config.vocabulary, tokenizer),
    ):
        if len(own) != size:
            file = folder / (TOKENIZER if own is tokenizer else CLIP_TOKENIZER)
            raise CheckpointError(f"{file} has {len(own)} tokens but {CONFIG} says {section}.vocabulary is {size}")
    with torch.device("meta"):  # no time and memory for weights that are replaced at once
        pair = ClipPair(pair_config, pair_tokenizer, preprocess)
        captioner = FeatureCaptioner(ClipCap(clipcap_config), tokenizer, options)
    module = nn.ModuleDict({"pair": pair, "captioner": captioner})
    parameters = count_parameters(module)
    precision = resolve_precision(precision, parameters)
    _fill(module, _read_weights(folder / WEIGHTS, dtype_of(precision), mapped), folder / WEIGHTS)
    pair.space_name = str(config["name"])
    pair.space_id = config.get("embedding_space") or _space_of_file(folder / WEIGHTS)
    module.to(device).eval()
    pair.image_tower.to(memory_format=torch.channels_last)
    return Checkpoint(str(config["name"]), pair, captioner, parameters, precision, calibration)


def dtype_of(precision: str) -> torch.dtype:
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def count_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _read_calibration(folder: Path, config: dict) -> Calibration | None:
    if "calibration" not in config:
        return None
    try:
        return Calibration.from_config(config["calibration"])
    except (TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{folder / CONFIG}: calibration does not fit: {error}") from None


def _read_weights(path: Path, dtype: torch.dtype, mapped: bool) -> dict[str, torch.Tensor]:
    """All as `dtype`; if `mapped`, those of MAPPED are maps of the file as it stands, and the output layer is read."""
    if not path.exists():
        raise missing(path)
    try:
        with safe_open(str(path), "pt") as file:
            names = list(file.keys())
            tensors = {name: file.get_tensor(name) for name in names if mapped and name.startswith(MAPPED)}
        copied = {name: name for name in names if name not in tensors}
        if TOKENS in tensors:
            copied[TIED] = TOKENS
        for start in range(0, len(copied), AT_ONCE):
            with safe_open(str(path), "pt") as file:  # a new map of the file: what was read leaves memory
                for place, name in list(copied.items())[start : start + AT_ONCE]:
                    tensor = file.get_tensor(name)  # its copy, for one tensor would keep the whole map
                    tensors[place] = tensor.to(dtype if tensor.is_floating_point() else tensor.dtype, copy=True)
        return tensors
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged or cut short ({error}); copy it again") from None


def _space_of_file(path: Path) -> str:
    """Of a folder that version 0.1 wrote, which does not say it."""
    with safe_open(str(path), "pt") as file:
        names = [name for name in file.keys() if name.startswith("pair.")]  # noqa: SIM118 (not a dict)
        return weights_sha256({name.removeprefix("pair."): file.get_tensor(name) for name in names})


def _fill(module: nn.ModuleDict, tensors: dict[str, torch.Tensor], path: Path) -> None:
    apart = TIED in tensors
    wanted = {name: tensor.shape for name, tensor in module.state_dict().items() if apart or name != TIED}
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
    assign(module, tensors)
    if not apart:
        module["captioner"].clipcap.gpt.tie_weights()
