"""EfficientNet-Lite, and the image tower that is built on it (arXiv 1905.11946; "Lite": without squeeze and
excitation, ReLU6 instead of swish, stem and head of one size whatever the variant).

Batch norms are folded into the convolutions that they follow; padding is TensorFlow's "SAME", which the ImageNet
weights were trained with.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from model.clip.features import ImageFeatures
from model.clip.preprocess import Preprocess

HEAD_CHANNELS = 1280
CLASSES = 1000  # of ImageNet
STEM_CHANNELS = 32
LOWER_STAGES = 5  # up to stride 16; what lies above it is what is worth tuning
# (expansion, channels, layers, stride, kernel) of EfficientNet-B0, before scaling.
STAGES = (
    (1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5), (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)  # fmt: skip


@dataclass(frozen=True)
class Variant:
    """How a size of the family scales channels and layers, and the pixels a side that it was trained on."""

    width: float
    depth: float
    size: int


VARIANTS = {
    "efficientnet-lite0": Variant(1.0, 1.0, 224),
    "efficientnet-lite1": Variant(1.0, 1.1, 240),
    "efficientnet-lite2": Variant(1.1, 1.2, 260),
}


def efficientnet_preprocess(variant: str) -> Preprocess:
    """(x - 127) / 128, as its weights were trained; squashed, since the captioner's training photos are."""
    return Preprocess(VARIANTS[variant].size, fit="squash", mean=(127 / 255,) * 3, std=(128 / 255,) * 3)


class SameConv(nn.Conv2d):
    """A convolution with bias and TensorFlow's "SAME" padding: output ceil(S / stride), the odd pixel of padding at
    the right and at the bottom. (B, C, S, S) -> (B, C', ceil(S / stride), ceil(S / stride))."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__(channels_in, channels_out, kernel, stride, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        down, across = (max(0, (-(-side // stride) - 1) * stride + kernel - side) for side in x.shape[-2:])
        if down % 2 or across % 2:
            x = nn.functional.pad(x, (across // 2, across - across // 2, down // 2, down - down // 2))
            down = across = 0
        return nn.functional.conv2d(
            x, self.weight, self.bias, self.stride, (down // 2, across // 2), self.dilation, self.groups
        )


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution, projection (arXiv 1801.04381). (B, C, S, S) -> (B, C', S / stride, ...)."""

    def __init__(self, channels_in: int, channels_out: int, expansion: int, kernel: int, stride: int):
        super().__init__()
        hidden = channels_in * expansion
        self.expand = SameConv(channels_in, hidden, 1) if expansion > 1 else None
        self.depthwise = SameConv(hidden, hidden, kernel, stride, groups=hidden)
        self.project = SameConv(hidden, channels_out, 1)
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        wide = x if self.expand is None else _relu6(self.expand(x))
        narrow = self.project(_relu6(self.depthwise(wide)))
        return x + narrow if self.residual else narrow


class EfficientNetLite(nn.Module):
    """The network in two parts, cut at stride 16: `lower`, which stays as ImageNet taught it, and `upper`."""

    def __init__(self, variant: str):
        super().__init__()
        scale = VARIANTS[variant]
        self.stem = SameConv(3, STEM_CHANNELS, 3, stride=2)
        blocks, channels = [], STEM_CHANNELS
        for number, (expansion, base, base_layers, first_stride, kernel) in enumerate(STAGES):
            wanted = _round_to_8(base * scale.width)
            layers = base_layers if number in (0, len(STAGES) - 1) else -int(-base_layers * scale.depth // 1)
            for layer in range(layers):
                stride = 1 if layer else first_stride
                blocks.append(InvertedResidual(channels, wanted, expansion, kernel, stride))
                channels = wanted
            if number == LOWER_STAGES - 1:
                self.cut, self.lower_channels = len(blocks), channels
        self.blocks = nn.ModuleList(blocks)
        self.head = SameConv(channels, HEAD_CHANNELS, 1)
        self.classifier = nn.Linear(HEAD_CHANNELS, CLASSES)

    def lower(self, pixels: Tensor) -> Tensor:
        """Pixels (B, 3, S, S) in [-1, 1] -> (B, C, S / 16, S / 16)."""
        x = _relu6(self.stem(pixels))
        for block in self.blocks[: self.cut]:
            x = block(x)
        return x

    def upper(self, lower: Tensor) -> Tensor:
        """What `lower` gave -> features (B, 1280, S / 32, S / 32)."""
        for block in self.blocks[self.cut :]:
            lower = block(lower)
        return _relu6(self.head(lower))

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels (B, 3, S, S) in [-1, 1] -> features (B, 1280, S / 32, S / 32)."""
        return self.upper(self.lower(pixels))

    def pointwise_parameters(self) -> list[nn.Parameter]:
        """Those of the 1 x 1 convolutions of `upper`, but for its first block. They mix channels and hold nine tenths
        of its weights; gradients of the depthwise ones and of the first block cost twice as much as all of theirs."""
        parts = [p for block in self.blocks[self.cut + 1 :] for p in (block.expand, block.project)]
        return [p for part in (*parts, self.head) for p in part.parameters()]


class Neck(nn.Module):
    """Transformer layers over the mean of the features and the cells of a grid of them: what a photo is about is
    settled between the parts and the whole, for the embedding and for the captioner alike."""

    def __init__(self, embedding_dim: int, cells: int, width: int, layers: int, heads: int, dropout: float = 0.1):
        super().__init__()
        self.norm = nn.LayerNorm(HEAD_CHANNELS)
        self.whole, self.parts = nn.Linear(HEAD_CHANNELS, width), nn.Linear(HEAD_CHANNELS, width)
        self.places = nn.Parameter(torch.randn(1 + cells, width) * 0.02)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, heads, 4 * width, dropout, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in range(layers)
        )
        self.last_norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, embedding_dim)

    def forward(self, mean: Tensor, cells: Tensor, kept: Tensor | None = None) -> ImageFeatures:
        """Mean (B, 1280) and cells (B, T, 1280) of the features -> ImageFeatures with a grid (B, T, width). `kept`:
        (B, T) bool, cells that are looked at; in training some are left out."""
        parts = self.parts(self.norm(cells))
        if kept is not None:
            parts = parts * kept[..., None]
        x = torch.cat([self.whole(self.norm(mean))[:, None], parts], dim=1) + self.places  # (B, 1 + T, width)
        for layer in self.layers:
            x = layer(x)
        x = self.last_norm(x)
        return ImageFeatures(self.project(x[:, 0]), x[:, 1:])


class EfficientNetTower(nn.Module):
    """EfficientNet-Lite with a neck. Its classifier stays beside them: one pass gives ImageNet's names as well."""

    def __init__(self, embedding_dim: int, grid_side: int, variant: str, width: int, layers: int, heads: int):
        super().__init__()
        self.backbone = EfficientNetLite(variant)
        self.pool = nn.AdaptiveAvgPool2d(grid_side)
        self.neck = Neck(embedding_dim, grid_side**2, width, layers, heads)

    def forward(self, pixels: Tensor) -> ImageFeatures:
        """Pixels (B, 3, S, S) in [-1, 1] -> ImageFeatures, class logits among them."""
        mean, cells = self.pooled(self.backbone(pixels))
        return self.neck(mean, cells)._replace(class_logits=self.class_logits(mean))

    def pooled(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, 1280, H, W) -> their mean (B, 1280) and their grid (B, T, 1280)."""
        return features.mean((2, 3)), self.pool(features).flatten(2).transpose(1, 2)

    def class_logits(self, mean: Tensor) -> Tensor:
        """Mean of the features (B, 1280) -> logits (B, 1000) of ImageNet's classes in their usual order."""
        return self.backbone.classifier(mean)


def _relu6(x: Tensor) -> Tensor:
    return nn.functional.relu6(x, inplace=True)


def _round_to_8(channels: float) -> int:
    """The nearest multiple of 8, but never less than nine tenths of what was asked."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8
