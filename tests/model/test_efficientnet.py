"""The EfficientNet-Lite tower: shapes, padding, and what a pair makes of it."""

import pytest
import torch
from PIL import Image

from model import checkpoint
from model.caption.decoding import DecodingOptions
from model.caption.feature_captioner import FeatureCaptioner
from model.clip.efficientnet import (
    VARIANTS,
    EfficientNetLite,
    EfficientNetTower,
    SameConv,
    efficientnet_preprocess,
)
from model.clip.pair import ClipPair, PairConfig
from tests.model.tiny import clipcap, tokenizer

PARAMETERS = {"efficientnet-lite0": 4.65e6, "efficientnet-lite1": 5.42e6, "efficientnet-lite2": 6.09e6}  # as published


@pytest.mark.parametrize("variant", VARIANTS)
def test_sizes_are_the_familys(variant):
    with torch.device("meta"):
        backbone = EfficientNetLite(variant)
        pixels = torch.empty(2, 3, VARIANTS[variant].size, VARIANTS[variant].size)
    folded = sum(p.numel() for p in backbone.parameters())
    assert folded == pytest.approx(PARAMETERS[variant], rel=0.02)  # a folded norm has half its parameters
    lower = backbone.lower(pixels)
    side = -(-VARIANTS[variant].size // 16)
    assert lower.shape == (2, backbone.lower_channels, side, side)
    assert backbone.upper(lower).shape == (2, 1280, -(-side // 2), -(-side // 2))


@pytest.mark.parametrize("size,kernel,before,after", [(8, 3, 0, 1), (8, 5, 1, 2), (9, 3, 1, 1), (9, 5, 2, 2)])
def test_padding_is_tensorflows(size, kernel, before, after):
    torch.manual_seed(0)
    conv, x = SameConv(2, 3, kernel, stride=2), torch.randn(1, 2, size, size)
    padded = torch.nn.functional.pad(x, (before, after, before, after))
    torch.testing.assert_close(conv(x), torch.nn.functional.conv2d(padded, conv.weight, conv.bias, 2))


def test_black_and_white_are_minus_one_and_one():
    preprocess = efficientnet_preprocess("efficientnet-lite0")
    pixels = preprocess([Image.new("RGB", (40, 20), "white"), Image.new("RGB", (9, 9))])
    assert pixels.shape == (2, 3, 224, 224)
    assert pixels[0].unique().tolist() == [1.0] and pixels[1].unique().tolist() == [-127 / 128]


def test_one_pass_gives_embedding_grid_and_class_names():
    torch.manual_seed(0)
    tower = EfficientNetTower(16, 3, "efficientnet-lite0", width=24, layers=1, heads=2).eval()
    with torch.inference_mode():
        mean, cells = tower.pooled(tower.backbone(torch.randn(2, 3, 96, 96)))
        features = tower.neck(mean, cells)
        blind = tower.neck(mean, cells, torch.zeros(2, 9, dtype=torch.bool))
        logits = tower.class_logits(mean)
    assert (mean.shape, cells.shape) == ((2, 1280), (2, 9, 1280))
    assert (features.embedding.shape, features.grid.shape) == ((2, 16), (2, 9, 24))
    assert logits.shape == (2, 1000)
    assert not torch.allclose(features.embedding, blind.embedding)  # cells that are left out are not looked at


def pair() -> ClipPair:
    words = tokenizer()
    torch.manual_seed(0)
    config = PairConfig(
        len(words), words.pad_id, words.end_id, embedding_dim=16, grid_side=2, text_width=32, text_layers=1,
        image="efficientnet-lite0", image_width=24, image_layers=(1,), image_heads=2,
    )  # fmt: skip
    return ClipPair(config, words, efficientnet_preprocess("efficientnet-lite0")).eval()


def test_a_checkpoint_rebuilds_it(tmp_path):
    made = pair()
    assert made.config.grid_channels == 24
    captioner = FeatureCaptioner(
        clipcap(made.config.vocabulary, embedding_dim=16, grid_cells=4, grid_channels=24), made.tokenizer,
        DecodingOptions(beams=2, max_tokens=8),
    )  # fmt: skip
    checkpoint.save(tmp_path, "tiny", made, captioner, torch.float32)
    loaded = checkpoint.load(tmp_path)
    photo = Image.effect_noise((50, 30), 80).convert("RGB")
    assert loaded.pair.preprocess.size == 224
    torch.testing.assert_close(loaded.pair.embed_photos([photo]), made.embed_photos([photo]))


def test_an_unknown_tower_is_refused():
    with pytest.raises(ValueError, match="image is 'efficientnet-lite9'; use one of mobilenet, efficientnet-lite0"):
        PairConfig(9, 0, 1, image="efficientnet-lite9")
