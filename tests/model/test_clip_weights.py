"""Published CLIP weights, in each form that they come in, give the published model's embeddings."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from model.clip.preprocess import clip_preprocess
from model.clip.tokenizer import ClipTokenizer
from model.clip.weights import load_clip, pair_of
from model.tensors import TensorsError, read_tensors
from tests.model.published import (
    clip_tokenizer,
    photo_embedding,
    resnet_weights,
    text_embedding,
    torchscript,
    vit_weights,
)

TEXTS = ["a dog", "Two people cross the STREET", "", "a red bicycle by the station " * 9]
TOLERANCE = 1e-5
SHAPES = {  # layers, width and side of the pooled grid of the published ones, made small
    "as RN50": {"layers": (1, 2, 2, 1), "width": 16, "side": 2},
    "as RN101": {"layers": (1, 1, 3, 1), "width": 16, "side": 2},
    "as RN50x4": {"layers": (2, 2, 2, 2), "width": 20, "side": 3},
    "as RN50x64": {"layers": (1, 3, 4, 2), "width": 32, "side": 4},
    "RN50x4": {
        "layers": (4, 6, 10, 6), "width": 80, "side": 9, "dim": 640, "context": 77, "text_width": 640, "text_layers": 12
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def words():
    return ClipTokenizer(clip_tokenizer())


@pytest.fixture
def tokenizer_file(words, tmp_path):
    words.save(tmp_path / "tokenizer.json")
    return tmp_path / "tokenizer.json"


def unit(x: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(x, dim=-1)


def assert_same(pair, weights):
    """Pixels and sentences give the same, within TOLERANCE, at length 1 and, as a part of it, at the embedding's own
    length, which with random weights is in the hundreds."""
    with torch.inference_mode():
        pixels = torch.randn(3, 3, pair.preprocess.size, pair.preprocess.size)
        wanted = photo_embedding(weights, pixels)
        length = wanted.norm(dim=-1).max().item()
        torch.testing.assert_close(pair.encode_image(pixels).embedding, wanted, atol=TOLERANCE * max(1, length), rtol=0)
        torch.testing.assert_close(unit(pair.encode_image(pixels).embedding), unit(wanted), atol=TOLERANCE, rtol=0)
        wanted = torch.stack([text_embedding(weights, pair.text_ids(text)) for text in TEXTS])
        got = torch.from_numpy(pair.embed_texts(TEXTS))
        torch.testing.assert_close(got, unit(wanted), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_resnets_equal_the_published_definition(words, shape):
    weights = resnet_weights(len(words), **shape)
    pair = pair_of(weights, words)
    config = pair.config
    assert (config.image_layers, config.image_width) == (shape["layers"], shape["width"])
    assert config.image_size == shape["side"] * 32 == pair.preprocess.size
    assert_same(pair, weights)


def test_vit_equals_the_published_definition(words):
    weights = vit_weights(len(words))
    pair = pair_of(weights, words)
    assert pair.config.image == "vit" and pair.config.image_size == 24
    assert_same(pair, weights)


def test_torchscript_archive(words, tokenizer_file, tmp_path):
    weights = {k: v.half().float() if v.is_floating_point() else v for k, v in resnet_weights(len(words)).items()}
    torchscript(weights, tmp_path / "RN.pt")
    assert_same(load_clip(tmp_path / "RN.pt", tokenizer_file), weights)


def test_state_dict_and_safetensors(words, tokenizer_file, tmp_path):
    weights = resnet_weights(len(words))
    torch.save(weights, tmp_path / "state.pt")
    torch.save({"epoch": 3, "state_dict": weights}, tmp_path / "trained.pt")
    del weights["visual.bn1.num_batches_tracked"]  # open_clip's files have it, others do not
    save_file(weights, str(tmp_path / "open_clip_model.safetensors"))
    for name in ("state.pt", "trained.pt", "open_clip_model.safetensors"):
        assert_same(load_clip(tmp_path / name, tokenizer_file), weights)


def test_vit_of_transformers(words, tokenizer_file, tmp_path):
    from transformers import CLIPConfig, CLIPModel

    weights = vit_weights(len(words))
    shape = {"hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config=shape | {"vocab_size": len(words), "max_position_embeddings": 20, "eos_token_id": words.end_id},
        vision_config=shape | {"image_size": 24, "patch_size": 8},
        projection_dim=24,
    )
    theirs = CLIPModel(config).eval()
    ours = pair_of(weights, words)
    renamed = {
        name.replace("text_tower.", "").replace("image_tower.model.", ""): tensor
        for name, tensor in ours.state_dict().items()
    }
    theirs.load_state_dict(renamed, strict=False)
    theirs.save_pretrained(tmp_path / "vit")
    assert_same(load_clip(tmp_path / "vit" / "model.safetensors", tokenizer_file), weights)


def test_a_page_and_half_an_old_file_are_called_damaged(tmp_path):
    (tmp_path / "x.pt").write_text("<!doctype html><title>404</title>")
    torch.save({"weight": torch.ones(400)}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    (tmp_path / "half.pt").write_bytes((tmp_path / "old.pt").read_bytes()[:200])
    for name in ("x.pt", "half.pt"):
        with pytest.raises(TensorsError, match="is damaged"):
            read_tensors(tmp_path / name)


def test_nothing_in_an_archive_is_run(tokenizer_file, tmp_path):
    class Harm:
        def __reduce__(self):
            return (open, (str(tmp_path / "harm"), "w"))

    with (tmp_path / "evil.pt").open("wb") as file:
        pickle.dump(Harm(), file)
    torch.save({"weights": Harm()}, tmp_path / "evil2.pt")
    for name in ("evil.pt", "evil2.pt"):
        with pytest.raises(TensorsError, match="run code of its own") as error:
            load_clip(tmp_path / name, tokenizer_file)
        assert "\n" not in str(error.value)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("part", [0, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("kind", ["state.pt", "RN.pt", "model.safetensors"])
def test_truncated(words, tmp_path, kind, part):
    weights = resnet_weights(len(words))
    if kind == "RN.pt":
        torchscript(weights, tmp_path / kind)
    elif kind == "state.pt":
        torch.save(weights, tmp_path / kind)
    else:
        save_file(weights, str(tmp_path / kind))
    content = (tmp_path / kind).read_bytes()
    (tmp_path / kind).write_bytes(content[: int(len(content) * part)])
    with pytest.raises(TensorsError, match=kind) as error:
        read_tensors(tmp_path / kind)
    assert "\n" not in str(error.value)


def test_what_is_no_clip_is_named(words, tokenizer_file, tmp_path):
    with pytest.raises(TensorsError, match="no file"):
        read_tensors(tmp_path / "none.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(TensorsError, match="no state dict"):
        read_tensors(tmp_path / "list.pt")
    with pytest.raises(TensorsError, match="no CLIP of the RN or ViT family"):
        pair_of({"fc.weight": torch.zeros(2, 2)}, words)
    weights = resnet_weights(len(words))
    with pytest.raises(TensorsError, match=r"layer1\.0\.bn2\.bias should have shape \[16\] but is missing"):
        pair_of({k: v for k, v in weights.items() if k != "visual.layer1.0.bn2.bias"}, words)
    with pytest.raises(
        TensorsError, match=r"ln_final\.bias should have shape|final_layer_norm\.bias should have shape"
    ):
        pair_of(weights | {"ln_final.bias": torch.zeros(3)}, words)
    with pytest.raises(TensorsError, match="holds visual_extra"):
        pair_of(weights | {"visual_extra": torch.zeros(3)}, words)
    with pytest.raises(TensorsError, match="tokens but the tokenizer"):
        pair_of(resnet_weights(len(words) + 1), words)
    tokenizer_file.write_text("{}")
    with pytest.raises(TensorsError, match="tokenizer.json"):
        load_clip(tmp_path / "list.pt", tokenizer_file)


@pytest.mark.parametrize("width, height", [(640, 480), (333, 500), (288, 288), (1000, 301), (300, 1201), (100, 70)])
def test_photos_are_prepared_as_clip_does(width, height):
    """Against the published steps one by one: resize the short side, cut out the centre, normalise."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (height // 10 + 2, width // 10 + 2, 3), dtype=np.uint8)
    photo = Image.fromarray(noise).resize((width, height))
    size = 288
    short = min(width, height)
    resized = photo.resize((int(size * width / short), int(size * height / short)), Image.Resampling.BICUBIC)
    left, top = round((resized.width - size) / 2), round((resized.height - size) / 2)
    wanted = torch.from_numpy(np.array(resized.crop((left, top, left + size, top + size)))).permute(2, 0, 1) / 255
    mean, std = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    wanted = (wanted - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    torch.testing.assert_close(clip_preprocess(size)([photo])[0], wanted, atol=1e-5, rtol=0)
