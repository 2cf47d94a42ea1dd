"""A captioner to and from a folder that rebuilds it whole: `config.json`, `tokenizer.json`, `model.safetensors`, and
`clip_tokenizer.json` where the CLIP pair has a tokenizer of its own.

`python -m model.checkpoint import FILE.pt --out FOLDER` makes such a folder of the original ClipCap's weights.
"""

import json
import shutil
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import click
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from model import hub
from model.caption.captioner import Captioner
from model.caption.clipcap import ClipCap, ClipCapConfig
from model.caption.decoding import DecodingOptions
from model.caption.original import clipcap_of, has_language_model
from model.caption.tokenizer import TOKENIZERS, CaptionTokenizer, Gpt2Tokenizer
from model.clip.pair import ClipPair, PairConfig
from model.clip.preprocess import Preprocess
from model.clip.tokenizer import ClipTokenizer
from model.clip.weights import load_clip
from model.serving import choose
from model.tensors import TensorsError, assign, read_tensors

CONFIG, TOKENIZER, WEIGHTS = "config.json", "tokenizer.json", "model.safetensors"
CLIP_TOKENIZER = "clip_tokenizer.json"
FORMAT = 1
AT_ONCE = 64  # tensors
CLIP_OF_SIZE = {640: "clip-rn50x4", 512: "clip-vit-b32"}
TOKENS = "captioner.clipcap.gpt.transformer.wte.weight"
TIED = "captioner.clipcap.gpt.lm_head.weight"  # GPT-2's output layer is its token embedding
MAPPED = ("pair.text_tower.", TOKENS)  # wanted for searches alone; wanted a few rows at a time


class CheckpointError(Exception):
    """A checkpoint that cannot be used; one sentence with file and field."""


@dataclass(frozen=True)
class Checkpoint:
    """A loaded captioner: its `name`, the CLIP `pair` and the `captioner`, both in eval mode, and the `precision` that
    was chosen: weights are bfloat16 for that one, else float32. `parameters`: of both."""

    name: str
    pair: ClipPair
    captioner: Captioner
    parameters: int
    precision: str = "float32"


def save(
    folder: Path | str, name: str, pair: ClipPair, captioner: Captioner, dtype: torch.dtype = torch.float16
) -> None:
    """Write the three files, weights as `dtype`. Raises CheckpointError and leaves what was there."""
    folder = Path(folder)
    config = {
        "format": FORMAT,
        "name": name,
        "tokenizer": captioner.tokenizer.kind,
        "pair": asdict(pair.config),
        "preprocess": asdict(pair.preprocess),
        "captioner": asdict(captioner.clipcap.config),
        "decoding": asdict(captioner.options),
    }
    module = nn.ModuleDict({"pair": pair, "captioner": captioner})
    tensors = {
        k: v.detach().to("cpu", dtype if v.is_floating_point() else v.dtype).contiguous()
        for k, v in module.state_dict().items()
        if k != TIED
    }
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


def load(source: Path | str, device: str = "cpu", precision: str = "float32", mapped: bool = False) -> Checkpoint:
    """Rebuild the captioner that `save` wrote into the folder `source`, or the public one that `model.hub` knows by
    that name and has pulled. `precision`: one of model.ways.PRECISIONS. `mapped`: a folder's text tower and token
    embedding stay in its file, in the file's precision, and take memory as they are used; to serve with, neither to
    train nor to save. Raises CheckpointError."""
    folder = Path(source)
    if not folder.is_dir():
        if str(source) in hub.KNOWN:
            return _public(str(source), device, precision)
        raise CheckpointError(
            f"there is no folder {folder}; give one that training.train wrote, or a name of `python -m model.hub list`"
        )
    config = _read_config(folder / CONFIG)
    pair_config = _section(folder, config, "pair", PairConfig)
    preprocess = _section(folder, config, "preprocess", Preprocess)
    clipcap_config = _section(folder, config, "captioner", ClipCapConfig)
    options = _section(folder, config, "decoding", DecodingOptions)
    kind = config.get("tokenizer", CaptionTokenizer.kind)
    if kind not in TOKENIZERS:
        raise CheckpointError(f"{folder / CONFIG}: tokenizer is {kind!r}; use one of {', '.join(TOKENIZERS)}")
    tokenizer = pair_tokenizer = _read_tokenizer(folder / TOKENIZER, TOKENIZERS[kind])
    if pair_config.tokenizer == "clip":
        pair_tokenizer = _read_tokenizer(folder / CLIP_TOKENIZER, ClipTokenizer)
    for section, size, own in (
        ("pair", pair_config.vocabulary, pair_tokenizer),
        ("captioner", clipcap_config.vocabulary, tokenizer),
    ):
        if len(own) != size:
            file = folder / (TOKENIZER if own is tokenizer else CLIP_TOKENIZER)
            raise CheckpointError(f"{file} has {len(own)} tokens but {CONFIG} says {section}.vocabulary is {size}")
    with torch.device("meta"):  # no time and memory for weights that are replaced at once
        pair = ClipPair(pair_config, pair_tokenizer, preprocess)
        captioner = Captioner(ClipCap(clipcap_config), tokenizer, options)
    module = nn.ModuleDict({"pair": pair, "captioner": captioner})
    parameters = _count(module)
    precision = choose(precision, parameters)
    _fill(module, _read_weights(folder / WEIGHTS, _dtype(precision), mapped), folder / WEIGHTS)
    module.to(device).eval()
    pair.image_tower.to(memory_format=torch.channels_last)
    return Checkpoint(str(config["name"]), pair, captioner, parameters, precision)


def import_original(
    file: Path | str,
    clip: str | tuple[Path, Path] | None = None,
    gpt2: str | tuple[Path, Path] = "gpt2",
    *,
    name: str | None = None,
    mapper_heads: int = 8,
    normalized: bool = False,
) -> Checkpoint:
    """A captioner of the original ClipCap's weights, which decodes as the original does.

    `clip` and `gpt2`: a name of `model.hub`, pulled before, or (weights, tokenizer.json); `clip` None: RN50x4 for
    embeddings of 640 numbers, ViT-B/32 for 512. GPT-2's weights are read only if `file` has none. `mapper_heads` and
    `normalized` as in `clipcap_of`. Raises CheckpointError.
    """
    file = Path(file)
    try:
        tensors = read_tensors(file)
        gpt2_weights, gpt2_tokenizer = hub.cached(gpt2) if isinstance(gpt2, str) else gpt2
        language = None if has_language_model(tensors) else read_tensors(gpt2_weights)
        try:
            clipcap = clipcap_of(tensors, language, mapper_heads=mapper_heads, normalized=normalized)
        except TensorsError as error:
            raise TensorsError(f"{file}: {error}") from None
        size = clipcap.config.embedding_dim
        if clip is None and size not in CLIP_OF_SIZE:
            raise CheckpointError(f"{file} wants embeddings of {size} numbers; say from which CLIP they come")
        weights, clip_tokenizer = hub.cached(clip or CLIP_OF_SIZE[size]) if isinstance(clip, str | None) else clip
        pair = load_clip(weights, clip_tokenizer)
    except (TensorsError, hub.HubError) as error:
        raise CheckpointError(str(error)) from None
    tokenizer = _read_tokenizer(Path(gpt2_tokenizer), Gpt2Tokenizer)
    for what, wanted, found in (
        ("embeddings of {} numbers, the CLIP gives {}", size, pair.config.embedding_dim),
        ("{} tokens, GPT-2's tokenizer has {}", clipcap.config.vocabulary, len(tokenizer)),
    ):
        if wanted != found:
            raise CheckpointError(f"{file} wants {what.format(wanted, found)}; give the one it was trained with")
    captioner = Captioner(clipcap, tokenizer, DecodingOptions.clipcap()).eval()
    return Checkpoint(name or file.stem, pair, captioner, _count(pair) + _count(captioner))


def _public(name: str, device: str, precision: str) -> Checkpoint:
    needs = hub.KNOWN[name].needs
    if not needs:
        raise CheckpointError(f"{name} is a part of captioners, not one; `python -m model.hub list` names those")
    try:
        loaded = import_original(hub.cached(name)[0], *needs, name=name)
    except hub.HubError as error:
        raise CheckpointError(str(error)) from None
    precision = choose(precision, loaded.parameters)
    nn.ModuleDict({"pair": loaded.pair, "captioner": loaded.captioner}).to(device, _dtype(precision))
    return replace(loaded, precision=precision)


def _dtype(precision: str) -> torch.dtype:
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


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


def _read_tokenizer(path: Path, kind: type) -> CaptionTokenizer | Gpt2Tokenizer | ClipTokenizer:
    if not path.exists():
        raise CheckpointError(f"{path} is missing; the folder is no checkpoint or was not copied whole")
    try:
        return kind.load(path)
    except Exception as error:  # tokenizers raises bare Exception for a file it cannot parse
        raise CheckpointError(f"{path} cannot be read as a tokenizer: {error}") from None


def _read_weights(path: Path, dtype: torch.dtype, mapped: bool) -> dict[str, torch.Tensor]:
    """All as `dtype`; if `mapped`, those of MAPPED are maps of the file as it stands, and the output layer is read."""
    if not path.exists():
        raise CheckpointError(f"{path} is missing; the folder is no checkpoint or was not copied whole")
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


def _fill(module: nn.Module, tensors: dict[str, torch.Tensor], path: Path) -> None:
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


@click.group()
def main() -> None:
    """Checkpoints of captioners."""


@main.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the checkpoint.")
@click.option("--clip", help="CLIP that it was trained with: a name of model.hub, or a file of weights.")
@click.option(
    "--clip-tokenizer", type=click.Path(path_type=Path), help="CLIP's tokenizer.json, if not beside the file."
)
@click.option(
    "--gpt2",
    default="gpt2",
    show_default=True,
    help="A name of model.hub, or a folder with tokenizer.json and, if FILE holds no GPT-2, model.safetensors.",
)
@click.option("--name", help="Name of the captioner; by default the file's.")
@click.option("--mapper-heads", type=int, default=8, show_default=True, help="Attention heads of the mapping network.")
@click.option("--normalized", is_flag=True, help="It was trained on embeddings of length 1; the original was not.")
@click.option("--half", is_flag=True, help="Keep 16 bits a weight: half the size, no longer exact.")
def import_command(file, out, clip, clip_tokenizer, gpt2, name, mapper_heads, normalized, half) -> None:
    """Make a checkpoint of the original ClipCap's FILE.pt."""
    if clip is not None and clip not in hub.KNOWN:
        clip = (Path(clip), clip_tokenizer or Path(clip).with_name(TOKENIZER))
    if gpt2 not in hub.KNOWN:
        gpt2 = (Path(gpt2) / WEIGHTS, Path(gpt2) / TOKENIZER)
    try:
        loaded = import_original(file, clip, gpt2, name=name, mapper_heads=mapper_heads, normalized=normalized)
        save(out, loaded.name, loaded.pair, loaded.captioner, torch.float16 if half else torch.float32)
    except CheckpointError as error:
        raise click.ClickException(str(error)) from None
    shape = loaded.captioner.clipcap.config
    click.echo(f"Saved {loaded.name} into {out}: {shape.mapper} mapping network, prefix {shape.prefix_length}.")


if __name__ == "__main__":
    main()
