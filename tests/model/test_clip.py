"""The CLIP pair: preprocessing, towers, and batches that equal their parts."""

import numpy as np
import pytest
import torch
from PIL import Image

from model.clip.preprocess import MOBILENET, Preprocess
from model.clip.towers import MobileNetTower, conv_layers
from tests.model.tiny import checkpoint_parts


def gradient(width: int, height: int) -> Image.Image:
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([x, y, 255 - x], -1).astype(np.uint8))


def test_squash_keeps_the_whole_photo():
    pixels = MOBILENET([gradient(400, 100)])
    assert pixels.shape == (1, 3, 224, 224) and pixels.dtype == torch.float32
    assert pixels.min() >= -1 and pixels.max() <= 1
    assert pixels[0, 0, :, 0].mean() < -0.95 and pixels[0, 0, :, -1].mean() > 0.95  # both edges are there


def test_crop_keeps_the_centre():
    pixels = Preprocess(100, "crop", (0.5,) * 3, (0.5,) * 3)([gradient(300, 100)])
    assert abs(pixels[0, 0, :, 0].mean() + 1 / 3) < 0.05 and abs(pixels[0, 0, :, -1].mean() - 1 / 3) < 0.05


def test_normalize_uses_mean_and_std():
    preprocess = Preprocess(2, "squash", (0.2, 0.4, 0.6), (0.1, 0.2, 0.3))
    pixels = torch.tensor([51, 102, 153], dtype=torch.uint8).expand(1, 2, 2, 3)
    torch.testing.assert_close(preprocess.normalize(pixels), torch.zeros(1, 3, 2, 2), atol=1e-6, rtol=0)


def test_unknown_fit_is_refused():
    with pytest.raises(ValueError, match="squash or crop"):
        Preprocess(224, "stretch", (0.5,) * 3, (0.5,) * 3)


def test_mobilenet_has_its_52_convolutions_and_no_batch_norm():
    tower = MobileNetTower(640, 4)
    assert len(conv_layers(tower.backbone)) == 52
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in tower.modules())
    with torch.inference_mode():
        features = tower(torch.randn(2, 3, 224, 224))
    assert features.embedding.shape == (2, 640) and features.grid.shape == (2, 16, 1280)


def test_batches_equal_their_parts():
    pair, _ = checkpoint_parts()
    photos = [gradient(60 + 20 * i, 80) for i in range(5)]
    texts = ["a dog", "two people cross the street at a zebra crossing", "", "anjing"] * 20
    np.testing.assert_allclose(
        pair.embed_photos(photos, batch_size=2), np.concatenate([pair.embed_photos([p]) for p in photos]), atol=1e-5
    )
    np.testing.assert_allclose(
        pair.embed_texts(texts), np.concatenate([pair.embed_texts([t]) for t in texts]), atol=1e-5
    )


def test_long_text_is_cut_and_still_ends():
    pair, _ = checkpoint_parts()
    ids = pair.text_ids("dog " * 200)
    assert len(ids) == 48 and ids[-1] == pair.tokenizer.end_id
