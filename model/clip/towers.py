"""Towers that come from transformers: MobileNetV2 and ViT for photos, CLIP's transformer for sentences."""

from torch import Tensor, nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    MobileNetV2Config,
    MobileNetV2Model,
)
from transformers.models.mobilenet_v2.modeling_mobilenet_v2 import MobileNetV2ConvLayer

from model.clip.features import ImageFeatures

GRID_CHANNELS = 1280


class MobileNetTower(nn.Module):
    """MobileNetV2 whose batch norms are folded into its convolutions, a projection to D, and a pooled grid."""

    def __init__(self, embedding_dim: int, grid_side: int):
        super().__init__()
        config = MobileNetV2Config(tf_padding=False, hidden_act="relu6")
        self.backbone = MobileNetV2Model(config, add_pooling_layer=False)
        for layer in conv_layers(self.backbone):
            _fold(layer)
        self.project = nn.Linear(GRID_CHANNELS, embedding_dim)
        self.pool = nn.AdaptiveAvgPool2d(grid_side)

    def forward(self, pixels: Tensor) -> ImageFeatures:
        """Pixels (B, 3, S, S) in [-1, 1] -> ImageFeatures."""
        features = self.backbone(pixels).last_hidden_state  # (B, 1280, S/32, S/32)
        return ImageFeatures(self.project(features.mean((2, 3))), self.pool(features).flatten(2).transpose(1, 2))


def conv_layers(backbone: MobileNetV2Model) -> list[MobileNetV2ConvLayer]:
    """Its 52 convolutions from pixels to features, in the order of computation."""
    return [module for module in backbone.modules() if isinstance(module, MobileNetV2ConvLayer)]


def _fold(layer: MobileNetV2ConvLayer) -> None:
    conv = layer.convolution
    layer.convolution = nn.Conv2d(
        conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups
    )
    layer.normalization = None
    if layer.activation is not None:
        layer.activation = nn.ReLU6(inplace=True)


def _transformer(embedding_dim: int, width: int, layers: int, heads: int, activation: str) -> dict:
    """What transformers' two CLIP configurations call alike."""
    return {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "projection_dim": embedding_dim,
        "hidden_act": activation,
    }


class ViTTower(nn.Module):
    """CLIP's vision transformer (`activation` as in `text_tower`). Pixels (B, 3, size, size) -> no grid."""

    def __init__(self, embedding_dim: int, width: int, layers: int, heads: int, size: int, patch: int, activation: str):
        super().__init__()
        self.model = CLIPVisionModelWithProjection(
            CLIPVisionConfig(
                **_transformer(embedding_dim, width, layers, heads, activation), image_size=size, patch_size=patch
            )
        )

    def forward(self, pixels: Tensor) -> ImageFeatures:
        return ImageFeatures(self.model(pixels).image_embeds, None)


def text_tower(
    vocabulary: int, embedding_dim: int, width: int, layers: int, heads: int, context: int, pad_id: int, end_id: int,
    activation: str,
) -> CLIPTextModelWithProjection:  # fmt: skip
    """An untrained CLIP text tower: causal, pooled at the end token, projected to D."""
    return CLIPTextModelWithProjection(
        CLIPTextConfig(
            vocab_size=vocabulary,
            **_transformer(embedding_dim, width, layers, heads, activation),
            max_position_embeddings=context,
            pad_token_id=pad_id,
            bos_token_id=end_id,
            eos_token_id=end_id,
        )
    )
