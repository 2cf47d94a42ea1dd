"""A folder rebuilds its captioner; a folder that is damaged says which file and field in one sentence."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from model import checkpoint
from model.checkpoint import CheckpointError
from model.describe import Describer
from tests.helpers import ROOT
from tests.model.tiny import checkpoint_parts


@pytest.fixture
def folder(tmp_path):
    pair, captioner = checkpoint_parts()
    checkpoint.save(tmp_path / "captioner", "tiny", pair, captioner, dtype=torch.float32)
    return tmp_path / "captioner"


def test_round_trip(folder):
    pair, captioner = checkpoint_parts()
    loaded = checkpoint.load(folder)
    photos = [Image.new("RGB", (80, 60), color) for color in ("red", "navy")]
    features = pair.encode_image(pair.preprocess(photos))
    again = loaded.pair.encode_image(loaded.pair.preprocess(photos))
    torch.testing.assert_close(again.embedding, features.embedding)
    assert loaded.captioner.caption(again) == captioner.caption(features)
    assert loaded.name == "tiny" and loaded.captioner.options == captioner.options
    assert loaded.pair.embed_texts(["a dog"]) == pytest.approx(pair.embed_texts(["a dog"]), abs=1e-6)


def test_half_precision_halves_the_file(folder, tmp_path):
    pair, captioner = checkpoint_parts()
    checkpoint.save(tmp_path / "half", "tiny", pair, captioner)
    whole, half = ((f / "model.safetensors").stat().st_size for f in (folder, tmp_path / "half"))
    assert half < 0.51 * whole
    Describer.load(tmp_path / "half").describe(Image.new("RGB", (50, 50)))


@pytest.mark.process
def test_a_full_disk_leaves_the_checkpoint_that_is_there(folder):
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    code = (
        "import sys, resource; from model import checkpoint; loaded = checkpoint.load(sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); import signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "try: checkpoint.save(sys.argv[1], 'new', loaded.pair, loaded.captioner)\n"
        "except checkpoint.CheckpointError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code, folder], cwd=ROOT, capture_output=True, text=True)
    assert "cannot be written (" in done.stdout and "make room, or give another folder" in done.stdout, done.stderr
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def is_mapped(tensor: torch.Tensor) -> bool:
    """Whether it is memory of a file, as Linux tells."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, *_, name = line.split()
        start, end = (int(edge, 16) for edge in span.split("-"))
        if start <= tensor.data_ptr() < end:
            return ".safetensors" in name
    raise AssertionError("the tensor is nowhere")


def test_the_text_tower_stays_in_its_file_until_a_text_is_read(tmp_path):
    parts = checkpoint_parts()
    checkpoint.save(tmp_path, "tiny", *parts)
    whole, later = checkpoint.load(tmp_path).pair, checkpoint.load(tmp_path, mapped=True).pair
    weight = later.text_tower.text_projection.weight
    assert weight.dtype == torch.float16 and later.logit_scale.dtype == torch.float32
    assert is_mapped(weight) and not is_mapped(later.logit_scale)
    with torch.no_grad():
        for parameter in parts[0].parameters():
            parameter += 1
    checkpoint.save(tmp_path, "another", *parts)  # takes the place of what is mapped, and leaves that whole
    assert (later.embed_texts(["a dog"]) == whole.embed_texts(["a dog"])).all()
    weight = later.text_tower.text_projection.weight
    assert weight.dtype == torch.float32 and not is_mapped(weight)
    assert not (checkpoint.load(tmp_path).pair.embed_texts(["a dog"]) == whole.embed_texts(["a dog"])).all()


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name} is missing"):
        checkpoint.load(folder)


def test_no_folder(tmp_path):
    with pytest.raises(CheckpointError, match="there is no folder"):
        checkpoint.load(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize("part", [0, 0.5, 0.99])
def test_truncated_file(folder, name, part):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(len(content) * part)])
    with pytest.raises(CheckpointError, match=name) as error:
        checkpoint.load(folder)
    assert "\n" not in str(error.value)


def edit(folder, change):
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    "change, sentence",
    [
        (lambda c: c.update(format=99), "format is 99"),
        (lambda c: c.pop("name"), "name is missing"),
        (lambda c: c.pop("captioner"), "captioner is missing"),
        (lambda c: c["captioner"].pop("width"), "width"),
        (lambda c: c["captioner"].update(depth=3), "captioner.depth is not known"),
        (lambda c: c["captioner"].update(mapper="lstm"), "mapper is 'lstm'"),
        (lambda c: c["decoding"].update(beams=0), "decoding does not fit"),
        (lambda c: c["preprocess"].update(fit="stretch"), "fit is 'stretch'"),
        (lambda c: c["pair"].update(vocabulary=7), "pair.vocabulary is 7"),
        (lambda c: c["captioner"].update(prefix_length=5), r"captioner\.clipcap\.mapper\.model\.0\.weight has shape"),
        (lambda c: c["captioner"].update(layers=3), r"has no tensor captioner\.clipcap\.gpt\.transformer\.h\.2"),
        (lambda c: c["captioner"].update(layers=1), r"holds captioner\.clipcap\.gpt\.transformer\.h\.1"),
    ],
)
def test_mismatched_config(folder, change, sentence):
    edit(folder, change)
    with pytest.raises(CheckpointError, match=sentence) as error:
        checkpoint.load(folder)
    assert "\n" not in str(error.value)


def test_missing_tensor(folder):
    tensors = load_file(str(folder / "model.safetensors"))
    del tensors["pair.logit_scale"]
    save_file(tensors, str(folder / "model.safetensors"))
    with pytest.raises(CheckpointError, match="has no tensor pair.logit_scale"):
        checkpoint.load(folder)
