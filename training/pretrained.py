"""What a training step starts from: the folder of an earlier step, a checkpoint, or public weights by name."""

from dataclasses import dataclass, field
from pathlib import Path

import click
import torch

from model import checkpoint, hub
from model.caption.clipcap import ClipCap, ClipCapConfig
from model.caption.original_weights import gpt_names, gpt_shape
from model.caption.tokenizer import CaptionTokenizer, Gpt2Tokenizer
from model.clip.pair import ClipPair, PairConfig
from model.clip.weights import load_clip
from model.tensors import TensorsError, read_tensors

PAIR, LANGUAGE, TOKENIZER = "pair.pt", "language.pt", "tokenizer.json"


@dataclass(frozen=True)
class Start:
    """A CLIP pair; with a captioner and its tokenizer, where the source has one. `words`: the state of the predictor
    of the captions' words, if it was kept."""

    pair: ClipPair
    clipcap: ClipCap | None = None
    tokenizer: CaptionTokenizer | Gpt2Tokenizer | None = None
    words: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Language:
    """A GPT-2 by its shape (fields of ClipCapConfig) and its weights, and its tokenizer."""

    tokenizer: CaptionTokenizer | Gpt2Tokenizer
    shape: dict
    weights: dict[str, torch.Tensor]


def load_start(source: str | Path) -> Start:
    """From a folder of `training.contrastive`, a checkpoint such as `model/default`, or the name of a CLIP that
    `model.hub` has pulled. Raises click.ClickException with one sentence where it cannot be used."""
    folder = Path(source)
    try:
        if (folder / PAIR).exists():
            return _contrastive(folder)
        if not folder.is_dir() and str(source) in hub.KNOWN and not hub.KNOWN[str(source)].needs:
            return Start(load_clip(*hub.cached(str(source))))
        loaded = checkpoint.load(folder)
    except (checkpoint.CheckpointError, hub.HubError, TensorsError) as error:
        raise click.ClickException(str(error)) from None
    return Start(loaded.pair, loaded.captioner.clipcap, loaded.captioner.tokenizer)


def _contrastive(folder: Path) -> Start:
    state = torch.load(folder / PAIR, weights_only=True)
    tokenizer = CaptionTokenizer.load(folder / TOKENIZER)
    pair = ClipPair(PairConfig(**state["pair_config"]), tokenizer)
    pair.load_state_dict(state["pair"])
    clipcap = None
    if state["captioner"] is not None:
        clipcap = ClipCap(ClipCapConfig(**state["captioner_config"]))
        clipcap.load_state_dict(state["captioner"])
    return Start(pair, clipcap, tokenizer, state["words"] or {})


def load_language(source: str | Path) -> Language:
    """From a folder of `training.language`, or the name of a GPT-2 that `model.hub` has pulled. Raises
    click.ClickException with one sentence where it cannot be used."""
    folder = Path(source)
    if (folder / LANGUAGE).exists():
        trained = torch.load(folder / LANGUAGE, weights_only=True)
        return Language(CaptionTokenizer.load(folder / TOKENIZER), trained["config"], trained["state"])
    if folder.is_dir():
        raise click.ClickException(f"there is no {LANGUAGE} in {folder}; `python -m training.language` writes one")
    try:
        weights, tokenizer = hub.cached(str(source))
        named = gpt_names(read_tensors(weights))
        return Language(Gpt2Tokenizer.load(tokenizer), gpt_shape(named), named)
    except (hub.HubError, TensorsError) as error:
        raise click.ClickException(str(error)) from None
    except (KeyError, ValueError) as error:  # a CLIP, say
        raise click.ClickException(f"{source} is no GPT-2: {error}") from None


def new_clipcap(language: Language, **shape) -> ClipCap:
    """A ClipCap of `shape` (fields of ClipCapConfig) around that GPT-2."""
    clipcap = ClipCap(ClipCapConfig(**{**language.shape, **shape}))
    clipcap.gpt.load_state_dict(language.weights)
    return clipcap
