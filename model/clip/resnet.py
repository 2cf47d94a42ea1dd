"""CLIP's image tower of the RN family: a ResNet with a three-layer stem, anti-aliased strides and attention pooling
(arXiv 2103.00020, section 2.4). Names and shapes are those of the published weights."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from model.clip.features import ImageFeatures

EXPANSION = 4


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution; a stride is an average pooling before the last one and before the shortcut."""

    def __init__(self, channels: int, planes: int, stride: int):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, planes, 1, bias=False), nn.BatchNorm2d(planes)
        self.conv2, self.bn2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False), nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, planes * EXPANSION, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes * EXPANSION)
        self.pool = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
        self.downsample = None
        if stride > 1 or channels != planes * EXPANSION:
            shortcut = nn.Conv2d(channels, planes * EXPANSION, 1, bias=False)
            self.downsample = nn.Sequential(
                OrderedDict({"-1": nn.AvgPool2d(stride), "0": shortcut, "1": nn.BatchNorm2d(planes * EXPANSION)})
            )

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(self.pool(y)))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class AttentionPool(nn.Module):
    """One query, the mean of all cells, looks at that mean and at every cell."""

    def __init__(self, side: int, channels: int, heads: int, embedding_dim: int):
        super().__init__()
        self.heads = heads
        self.positional_embedding = nn.Parameter(torch.randn(side**2 + 1, channels) / channels**0.5)
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(channels, channels) for _ in range(3))
        self.c_proj = nn.Linear(channels, embedding_dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, S, S) -> (B, D)."""
        B, C = x.shape[:2]
        cells = x.flatten(2).transpose(1, 2)  # (B, S S, C)
        cells = torch.cat([cells.mean(1, keepdim=True), cells], dim=1) + self.positional_embedding
        split = lambda t: t.view(B, -1, self.heads, C // self.heads).transpose(1, 2)  # (B, H, T, C/H)  # noqa: E731
        pooled = nn.functional.scaled_dot_product_attention(
            split(self.q_proj(cells[:, :1])), split(self.k_proj(cells)), split(self.v_proj(cells))
        )
        return self.c_proj(pooled.transpose(1, 2).reshape(B, C))


class ModifiedResNet(nn.Module):
    """Pixels (B, 3, size, size) -> ImageFeatures, without a grid."""

    def __init__(self, layers: tuple[int, ...], width: int, heads: int, size: int, embedding_dim: int):
        super().__init__()
        half = width // 2
        self.conv1, self.bn1 = nn.Conv2d(3, half, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(half)
        self.conv2, self.bn2 = nn.Conv2d(half, half, 3, padding=1, bias=False), nn.BatchNorm2d(half)
        self.conv3, self.bn3 = nn.Conv2d(half, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.avgpool = nn.AvgPool2d(2)
        channels = width
        for stage, (count, stride) in enumerate(zip(layers, (1, 2, 2, 2))):
            planes = width * 2**stage
            blocks = [Bottleneck(channels, planes, stride)]
            channels = planes * EXPANSION
            blocks += [Bottleneck(channels, planes, 1) for _ in range(count - 1)]
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.attnpool = AttentionPool(size // 32, channels, heads, embedding_dim)

    def forward(self, pixels: Tensor) -> ImageFeatures:
        x = torch.relu(self.bn1(self.conv1(pixels)))
        x = torch.relu(self.bn2(self.conv2(x)))
        x = self.avgpool(torch.relu(self.bn3(self.conv3(x))))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        return ImageFeatures(self.attnpool(x), None)
