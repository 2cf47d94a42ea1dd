"""Captioners of the original ClipCap's weights, with the CLIP and the GPT-2 they were trained with."""

from dataclasses import replace
from pathlib import Path

from torch import nn

from model import hub
from model.caption.decoding import DecodingOptions
from model.caption.feature_captioner import FeatureCaptioner
from model.caption.original_weights import clipcap_of, has_language_model
from model.caption.tokenizer import Gpt2Tokenizer
from model.checkpoint import Checkpoint, count_parameters, dtype_of
from model.checkpoint_files import CheckpointError, read_tokenizer
from model.clip.weights import load_clip
from model.serving import resolve_precision
from model.tensors import TensorsError, read_tensors

CLIP_OF_SIZE = {640: "clip-rn50x4", 512: "clip-vit-b32"}


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
        hub.check_published(Path(weights))
        pair = load_clip(weights, clip_tokenizer)
    except (TensorsError, hub.HubError) as error:
        raise CheckpointError(str(error)) from None
    tokenizer = read_tokenizer(Path(gpt2_tokenizer), Gpt2Tokenizer)
    for what, wanted, found in (
        ("embeddings of {} numbers, the CLIP gives {}", size, pair.config.embedding_dim),
        ("{} tokens, GPT-2's tokenizer has {}", clipcap.config.vocabulary, len(tokenizer)),
    ):
        if wanted != found:
            raise CheckpointError(f"{file} wants {what.format(wanted, found)}; give the one it was trained with")
    captioner = FeatureCaptioner(clipcap, tokenizer, DecodingOptions.clipcap()).eval()
    return Checkpoint(name or file.stem, pair, captioner, count_parameters(pair) + count_parameters(captioner))


def load_public(name: str, device: str, precision: str) -> Checkpoint:
    """The captioner that `model.hub` knows by that name and has pulled. Raises CheckpointError."""
    try:
        loaded = import_original(hub.cached(name)[0], *hub.KNOWN[name].needs, name=name)
    except hub.HubError as error:
        raise CheckpointError(str(error)) from None
    loaded.pair.space_id = loaded.pair.space.id  # before the weights change their precision
    precision = resolve_precision(precision, loaded.parameters)
    nn.ModuleDict({"pair": loaded.pair, "captioner": loaded.captioner}).to(device, dtype_of(precision))
    return replace(loaded, precision=precision)
