"""What is laid out for serving says what it said before; other precisions say nearly that, and are named."""

import weakref

import pytest
import torch
from PIL import Image
from torch import nn

from model import checkpoint, serving
from model.caption.cached_gpt2 import CachedGpt2
from model.describe import Describer
from model.protocols import PRECISIONS
from model.serving import LARGE, Int8Linear, PackedLinear, resolve_precision
from tests.model.tiny import checkpoint_parts

PHOTOS = [Image.new("RGB", (40, 30), colour) for colour in ("red", "navy", "olive", "white")]


@pytest.fixture
def folder(tmp_path):
    checkpoint.save(tmp_path, "tiny", *checkpoint_parts(), torch.float32)
    return tmp_path


@pytest.mark.parametrize("bias", [True, False])
def test_int8_linear_is_close(bias):
    torch.manual_seed(0)
    layer, x = nn.Linear(256, 384, bias=bias), torch.randn(3, 5, 256)
    with torch.inference_mode():
        wanted, got = layer(x), Int8Linear(layer.weight, layer.bias)(x)
    assert got.shape == wanted.shape and (got - wanted).norm() < 0.02 * wanted.norm()
    assert not torch.equal(got, wanted)


def test_int8_linear_of_zeros():
    assert torch.equal(Int8Linear(torch.zeros(4, 8), torch.ones(4))(torch.randn(2, 8)), torch.ones(2, 4))


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_first_words_are_as_likely(folder, precision):
    """Log-probabilities of the first token, which no earlier difference has changed."""
    exact, other = Describer.load(folder), Describer.load(folder, precision=precision)
    assert (exact.info.precision, other.info.precision) == ("float32", precision)
    assert exact.info.parameters == other.info.parameters > 0
    found = []
    for describer in (exact, other):
        pair, clipcap = describer.embedder, describer.captioner.decoder.clipcap
        with torch.inference_mode():
            features = pair.encode_image(pair.preprocess(PHOTOS))
            prefix = clipcap.prefix(features.embedding, features.grid)
            found.append(CachedGpt2(clipcap.gpt, len(prefix), prefix.shape[1]).next_log_probs(prefix))
    assert prefix.dtype == (torch.bfloat16 if precision == "bfloat16" else torch.float32)
    assert (found[0] - found[1]).abs().max() < 0.15 * found[0].abs().max()
    assert not torch.equal(found[0], found[1])
    (description,) = other.describe_scenes(PHOTOS[:1], "id", "guide")
    assert description.text and 0 <= description.caption.confidence <= 1


def test_int8_replaces_every_linear_layer_of_the_captioner_and_none_of_the_pair(folder):
    loaded = Describer.load(folder, precision="int8")
    assert not [
        m for m in loaded.captioner.decoder.modules() if isinstance(m, nn.Linear) or type(m).__name__ == "Conv1D"
    ]
    assert any(isinstance(m, Int8Linear) for m in loaded.captioner.decoder.modules())
    assert not any(isinstance(m, Int8Linear) for m in loaded.embedder.modules())


def test_a_layer_is_freed_as_soon_as_it_is_replaced(monkeypatch):
    """Or a large model would be in memory twice while it is laid out."""
    captioner = checkpoint_parts()[1]
    layers = [weakref.ref(m) for m in captioner.modules() if isinstance(m, nn.Linear) or type(m).__name__ == "Conv1D"]
    living = []

    def packed(weight, bias):
        living.append(sum(layer() is not None for layer in layers))
        return Int8Linear(weight, bias)

    monkeypatch.setattr(serving, "Int8Linear", packed)
    serving.optimize_for_inference(captioner, "int8")
    assert living[-1] <= 2 < len(layers) == living[0]  # the one in hand, and the one before it


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bias", [True, False])
def test_packed_linear_is_the_same(bias, dtype):
    torch.manual_seed(0)
    layer, x = nn.Linear(640, 520, bias=bias).to(dtype), torch.randn(3, 5, 640, dtype=dtype)
    with torch.inference_mode():
        wanted, got = layer(x), PackedLinear(layer.weight, layer.bias)(x)
    tolerance = 1e-5 if dtype == torch.float32 else 0.02
    torch.testing.assert_close(got, wanted, atol=tolerance, rtol=tolerance)


def test_the_embedded_captioner_is_laid_out(describer):
    packed = [m for m in describer.captioner.decoder.modules() if isinstance(m, PackedLinear)]
    assert len(packed) > 8 and isinstance(describer.captioner.decoder.clipcap.gpt.lm_head, PackedLinear)


def test_choice(monkeypatch):
    assert [resolve_precision(one, 1) for one in PRECISIONS] == ["float32", "float32", "bfloat16", "int8"]
    for native in (True, False):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda native=native: native)
        assert resolve_precision("auto", LARGE) == ("bfloat16" if native else "float32")
        assert resolve_precision("auto", LARGE - 1) == "float32"
