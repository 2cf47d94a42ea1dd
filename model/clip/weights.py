"""A full-size CLIP pair from published weights: OpenAI's names (also open_clip's) or transformers' names.

Every size is read from the tensors themselves.
"""

import re
from pathlib import Path

import torch
from torch import Tensor

from model.clip.pair import ClipPair, PairConfig
from model.clip.preprocess import clip_preprocess
from model.clip.tokenizer import ClipTokenizer
from model.tensors import TensorsError, assign, check_no_others, check_shapes, count_layers, read_tensors

NOT_WEIGHTS = {"input_resolution", "context_length", "vocab_size"}  # numbers that OpenAI's archives hold as tensors
HEAD_WIDTH = 64  # of every published CLIP

# OpenAI's name of a text or ViT layer's part -> transformers'.
LAYER_PARTS = {
    "attn.out_proj.": "self_attn.out_proj.",
    "ln_1.": "layer_norm1.",
    "ln_2.": "layer_norm2.",
    "mlp.c_fc.": "mlp.fc1.",
    "mlp.c_proj.": "mlp.fc2.",
}
TEXT_PARTS = {
    "token_embedding.weight": "embeddings.token_embedding.weight",
    "positional_embedding": "embeddings.position_embedding.weight",
    "ln_final.weight": "final_layer_norm.weight",
    "ln_final.bias": "final_layer_norm.bias",
}
VIT_PARTS = {
    "class_embedding": "embeddings.class_embedding",
    "positional_embedding": "embeddings.position_embedding.weight",
    "conv1.weight": "embeddings.patch_embedding.weight",
    "ln_pre.weight": "pre_layrnorm.weight",  # spelt so in transformers
    "ln_pre.bias": "pre_layrnorm.bias",
    "ln_post.weight": "post_layernorm.weight",
    "ln_post.bias": "post_layernorm.bias",
}


def load_clip(weights: Path | str, tokenizer: Path | str) -> ClipPair:
    """A CLIP pair in float32 and eval mode from a file of weights and its `tokenizer.json`. Raises TensorsError."""
    try:
        words = ClipTokenizer.load(tokenizer)
    except Exception as error:  # tokenizers raises bare Exception for a file it cannot parse
        raise TensorsError(f"{tokenizer} cannot be read as CLIP's tokenizer.json: {error}") from None
    return pair_of(read_tensors(weights), words, str(weights))


def pair_of(tensors: dict[str, Tensor], tokenizer: ClipTokenizer, source: str = "the file") -> ClipPair:
    """The pair that these tensors are; `source` is named in errors. Raises TensorsError."""
    try:
        named = _our_names({k: v.float() for k, v in tensors.items() if k not in NOT_WEIGHTS})
        config = _config(named, tokenizer)
    except KeyError as error:
        raise TensorsError(f"{source} has no tensor {error.args[0]}; it is no CLIP of the RN or ViT family") from None
    if len(tokenizer) != config.vocabulary:
        raise TensorsError(f"{source} has {config.vocabulary} tokens but the tokenizer {len(tokenizer)}; give its own")
    with torch.device("meta"):
        pair = ClipPair(config, tokenizer, clip_preprocess(config.image_size))
    for name in pair.state_dict():
        if name.endswith("num_batches_tracked"):  # a counter of training, in some files only
            named.setdefault(name, torch.zeros((), dtype=torch.long))
    check_shapes(pair, named, f"{source}: ")
    check_no_others(pair, named, source, "CLIP")
    assign(pair, named)
    pair.image_tower.to(memory_format=torch.channels_last)
    pair.space_name = Path(source).stem
    return pair.eval()


def _our_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    if any(name.startswith("text_model.") for name in tensors):
        return _from_transformers(tensors)
    named: dict[str, Tensor] = {}
    vit = "visual.proj" in tensors
    for name, tensor in tensors.items():
        if name == "logit_scale":
            named[name] = tensor
        elif name == "text_projection":
            named["text_tower.text_projection.weight"] = tensor.T.contiguous()
        elif name.startswith("visual.") and not vit:
            named["image_tower." + name.removeprefix("visual.")] = tensor
        elif name == "visual.proj":
            named["image_tower.model.visual_projection.weight"] = tensor.T.contiguous()
        elif name.startswith("visual."):
            named |= _layer("image_tower.model.vision_model.", name.removeprefix("visual."), tensor, VIT_PARTS)
        else:
            named |= _layer("text_tower.text_model.", name, tensor, TEXT_PARTS)
    return named


def _layer(prefix: str, name: str, tensor: Tensor, names: dict[str, str]) -> dict[str, Tensor]:
    """One tensor of a transformer under transformers' names; query, key and value are three there."""
    if name in names:
        return {prefix + names[name]: tensor}
    found = re.fullmatch(r"transformer\.resblocks\.(\d+)\.(.+)", name)
    if found is None:
        return {name: tensor}  # to be refused by name
    layer = f"{prefix}encoder.layers.{found[1]}."
    if found[2] in ("attn.in_proj_weight", "attn.in_proj_bias"):
        kind = found[2].removeprefix("attn.in_proj_")
        return {f"{layer}self_attn.{one}_proj.{kind}": part for one, part in zip("qkv", tensor.chunk(3))}
    for theirs, ours in LAYER_PARTS.items():
        if found[2].startswith(theirs):
            return {layer + ours + found[2].removeprefix(theirs): tensor}
    return {name: tensor}


def _from_transformers(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    places = {"text_": "text_tower.text_", "vis": "image_tower.model.vis", "logit_scale": "logit_scale"}
    named = {}
    for name, tensor in tensors.items():
        if name.endswith("position_ids"):  # older files hold them; they are 0, 1, 2, ...
            continue
        start = next((start for start in places if name.startswith(start)), None)
        named[name if start is None else places[start] + name.removeprefix(start)] = tensor
    return named


def _config(named: dict[str, Tensor], tokenizer: ClipTokenizer) -> PairConfig:
    text = "text_tower.text_model."
    vocabulary, text_width = named[f"{text}embeddings.token_embedding.weight"].shape
    return PairConfig(
        vocabulary=vocabulary,
        pad_id=tokenizer.end_id,
        start_id=tokenizer.start_id,
        end_id=tokenizer.end_id,
        embedding_dim=len(named["text_tower.text_projection.weight"]),
        grid_side=0,
        text_width=text_width,
        text_layers=count_layers(named, rf"{re.escape(text)}encoder\.layers\.(\d+)\."),
        text_heads=max(1, text_width // HEAD_WIDTH),
        text_context=len(named[f"{text}embeddings.position_embedding.weight"]),
        tokenizer="clip",
        activation="quick_gelu",
        **_image_shape(named),
    )


def _image_shape(named: dict[str, Tensor]) -> dict:
    vit = "image_tower.model.vision_model."
    if f"{vit}embeddings.class_embedding" in named:
        width, _, patch, _ = named[f"{vit}embeddings.patch_embedding.weight"].shape
        side = round((len(named[f"{vit}embeddings.position_embedding.weight"]) - 1) ** 0.5)
        return {
            "image": "vit",
            "image_layers": (count_layers(named, rf"{re.escape(vit)}encoder\.layers\.(\d+)\."),),
            "image_width": width,
            "image_heads": max(1, width // HEAD_WIDTH),
            "image_size": side * patch,
            "image_patch": patch,
        }
    width = len(named["image_tower.layer1.0.conv1.weight"])
    side = round((len(named["image_tower.attnpool.positional_embedding"]) - 1) ** 0.5)
    return {
        "image": "resnet",
        "image_layers": tuple(count_layers(named, rf"image_tower\.layer{stage}\.(\d+)\.") for stage in (1, 2, 3, 4)),
        "image_width": width,
        "image_heads": width * 32 // HEAD_WIDTH,
        "image_size": side * 32,
    }
