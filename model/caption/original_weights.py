"""ClipCap's own checkpoints (arXiv 2111.09734): a bare state dict becomes our ClipCap, every size read from it."""

import re

import torch
from torch import Tensor

from model.caption.clipcap import ClipCap, ClipCapConfig
from model.tensors import TensorsError, assign, check_no_others, check_shapes, count_layers

HEAD_WIDTH = 64  # of every published GPT-2


def has_language_model(tensors: dict[str, Tensor]) -> bool:
    """Whether a ClipCap file holds GPT-2 beside its mapping network."""
    return any(name.startswith("gpt.") for name in tensors)


def clipcap_of(
    tensors: dict[str, Tensor], gpt: dict[str, Tensor] | None = None, *, mapper_heads: int = 8, normalized: bool = False
) -> ClipCap:
    """The captioner that these tensors are, float32, in eval mode.

    `gpt`: GPT-2's own tensors, for a file that holds the mapping network alone. `mapper_heads` cannot be read from the
    tensors; the original has 8. `normalized`: whether it was trained on embeddings of length 1; the original was not.
    Raises TensorsError.
    """
    mapper = _part(tensors, "clip_project.")
    if not mapper:
        raise TensorsError("the file has no tensor clip_project.*; it is no ClipCap checkpoint")
    if not has_language_model(tensors) and gpt is None:
        raise TensorsError("the file holds the mapping network alone; give the GPT-2 it was trained with as well")
    own = _part(tensors, "gpt.")
    output, embedding = own.get("lm_head.weight"), own.get("transformer.wte.weight")
    if output is not None and embedding is not None and not torch.equal(output, embedding):
        raise TensorsError("the file's output layer is not its token embedding, which GPT-2's is; it is no ClipCap")
    language = gpt_names(own or gpt or {})
    try:
        shape = gpt_shape(language)
        shape |= _mapper_shape(mapper, shape["width"])
    except KeyError as error:
        raise TensorsError(f"the file has no tensor {error.args[0]}; it is no ClipCap checkpoint") from None
    if shape["mapper"] == "transformer":
        shape["mapper_heads"] = mapper_heads
    try:
        config = ClipCapConfig(**shape, normalized=normalized, dropout=0.0)
    except ValueError as error:
        raise TensorsError(str(error)) from None
    with torch.device("meta"):
        clipcap = ClipCap(config)
    named = {f"mapper.{k}": v for k, v in mapper.items()} | {f"gpt.{k}": v for k, v in language.items()}
    check_shapes(clipcap, named, "the file's ")
    check_no_others(clipcap, named, "the file", "ClipCap")
    assign(clipcap, {k: v.float() for k, v in named.items()})
    clipcap.gpt.tie_weights()
    return clipcap.eval()


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def gpt_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """GPT-2's tensors with "transformer." before their names, its tied output layer among them; without the constant
    masks that older files hold."""
    named = {k if k.startswith(("transformer.", "lm_head.")) else f"transformer.{k}": v for k, v in tensors.items()}
    named = {k: v for k, v in named.items() if not re.search(r"\.attn\.(masked_)?bias$", k)}
    if "transformer.wte.weight" in named:
        named["lm_head.weight"] = named["transformer.wte.weight"]
    return named


def gpt_shape(named: dict[str, Tensor]) -> dict:
    """The fields of ClipCapConfig that GPT-2's tensors, as `gpt_names` calls them, decide. Raises KeyError."""
    vocabulary, width = named["transformer.wte.weight"].shape
    return {
        "vocabulary": vocabulary,
        "width": width,
        "layers": count_layers(named, r"transformer\.h\.(\d+)\."),
        "heads": max(1, width // HEAD_WIDTH),
        "positions": len(named["transformer.wpe.weight"]),
    }


def _mapper_shape(mapper: dict[str, Tensor], width: int) -> dict:
    if "prefix_const" not in mapper:
        embedding_dim, out = mapper["model.0.weight"].shape[1], len(mapper["model.2.weight"])
        return {"mapper": "mlp", "embedding_dim": embedding_dim, "prefix_length": out // width}
    out, embedding_dim = mapper["linear.weight"].shape
    return {
        "mapper": "transformer",
        "embedding_dim": embedding_dim,
        "prefix_length": len(mapper["prefix_const"]),
        "clip_length": out // width,
        "mapper_layers": count_layers(mapper, r"transformer\.layers\.(\d+)\."),
    }
