"""What a training step starts from: the folder of an earlier step, a checkpoint, or public weights by name."""

from dataclasses import dataclass, field
from pathlib import Path

import click
import torch

from model import checkpoint, hub
from model.caption.clipcap import ClipCap, ClipCapConfig
from model.caption.original_weights import gpt_names, gpt_shape
from model.caption.tokenizer import CaptionTokenizer, Gpt2Tokenizer
from model.certainty import Calibration
from model.checkpoint_files import read_tokenizer
from model.clip.pair import ClipPair, PairConfig
from model.clip.weights import load_clip
from model.tensors import TensorsError, read_tensors
from training.corpus import MAX_TOKENS, Tokenizer
from training.files import read_torch

PAIR, LANGUAGE, TOKENIZER = "pair.pt", "language.pt", "tokenizer.json"


@dataclass(frozen=True)
class Start:
    """A CLIP pair; with a captioner, its tokenizer and its calibration, where the source has them. `words`: the state
    of the predictor of the captions' words, if it was kept."""

    pair: ClipPair
    clipcap: ClipCap | None = None
    tokenizer: Tokenizer | None = None
    words: dict = field(default_factory=dict)
    calibration: Calibration | None = None


@dataclass(frozen=True)
class Language:
    """A GPT-2 by its shape (fields of ClipCapConfig) and its weights, and its tokenizer."""

    tokenizer: Tokenizer
    shape: dict
    weights: dict[str, torch.Tensor]


def load_start(source: str | Path) -> Start:
    """From a folder of `training.contrastive`, a checkpoint such as `model/default`, or the name of a CLIP that
    `model.hub` has pulled. Raises SightlineError or click.ClickException with one sentence where it cannot be used."""
    folder = Path(source)
    if (folder / PAIR).exists():
        return _contrastive(folder)
    if not folder.is_dir() and str(source) in hub.KNOWN and not hub.KNOWN[str(source)].needs:
        return Start(load_clip(*hub.cached(str(source))))
    loaded = checkpoint.load(folder)
    captioner = loaded.captioner
    return Start(loaded.pair, captioner.clipcap, captioner.tokenizer, calibration=loaded.calibration)


def _contrastive(folder: Path) -> Start:
    state = read_torch(folder / PAIR)
    tokenizer = read_tokenizer(folder / TOKENIZER, CaptionTokenizer)
    try:
        pair = ClipPair(PairConfig(**state["pair_config"]), tokenizer)
        pair.load_state_dict(state["pair"])
        clipcap = None
        if state["captioner"] is not None:
            clipcap = ClipCap(ClipCapConfig(**state["captioner_config"]))
            clipcap.load_state_dict(state["captioner"])
        return Start(pair, clipcap, tokenizer, state["words"] or {})
    except (KeyError, TypeError, RuntimeError) as error:
        reason = str(error).splitlines()[0].rstrip(":.")
        raise click.ClickException(
            f"{folder / PAIR} is of another version ({reason}); run training.contrastive again"
        ) from None


def load_language(source: str | Path) -> Language:
    """From a folder of `training.language`, or the name of a GPT-2 that `model.hub` has pulled. Raises SightlineError
    or click.ClickException with one sentence where it cannot be used."""
    folder = Path(source)
    if (folder / LANGUAGE).exists():
        trained = read_torch(folder / LANGUAGE)
        return Language(read_tokenizer(folder / TOKENIZER, CaptionTokenizer), trained["config"], trained["state"])
    if folder.is_dir():
        raise click.ClickException(f"there is no {LANGUAGE} in {folder}; `python -m training.language` writes one")
    weights, tokenizer = hub.cached(str(source))
    try:
        named = gpt_names(read_tensors(weights))
        return Language(Gpt2Tokenizer.load(tokenizer), gpt_shape(named), named)
    except TensorsError:
        raise
    except (KeyError, ValueError) as error:  # a CLIP, say
        raise click.ClickException(f"{source} is no GPT-2: {error}") from None


def same_tokenizer(one: Tokenizer, other: object) -> bool:
    """Whether two have the same kind and size."""
    return isinstance(other, type(one)) and len(one) == len(other)


def new_clipcap(language: Language, **shape) -> ClipCap:
    """A ClipCap of `shape` (fields of ClipCapConfig) around that GPT-2. Raises click.UsageError for a shape that does
    not fit it."""
    try:
        config = ClipCapConfig(**{**language.shape, **shape})
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if config.prefix_total + MAX_TOKENS > config.positions:
        raise click.UsageError(
            f"a prefix of {config.prefix_total} tokens leaves no room for a caption of {MAX_TOKENS} in the "
            f"{config.positions} positions of this GPT-2; give a smaller --prefix-length, or train the language with a "
            "larger --prefix-total"
        )
    clipcap = ClipCap(config)
    clipcap.gpt.load_state_dict(language.weights)
    return clipcap


def report_lost_calibration(source: str | Path, calibration: Calibration | None) -> None:
    """Say that what is trained from `source` does not inherit its calibration."""
    if calibration is not None:
        click.echo(
            f"The thresholds of {source} were measured before this training and are not kept; measure the result, and "
            "give it new ones with training.export --threshold."
        )
