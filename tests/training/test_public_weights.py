"""Training from public weights by name, in one process and in two, as docs/training.md shows it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import save_file

from model.describe import Describer
from tests.hub_cache import place
from tests.model import original, published
from training.pretrained import load_start

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "data" / "samples"


pytestmark = [pytest.mark.training, pytest.mark.slow]


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    """Run `python -m ...` where a small CLIP and a small GPT-2 lie in the hub's cache under their public names."""
    cache = tmp_path_factory.mktemp("cache")
    words, clip_words = original.gpt2_tokenizer(), published.clip_tokenizer()
    gpt2, clip = place(cache, "gpt2"), place(cache, "clip-rn50x4")
    words.save(str(gpt2 / "tokenizer.json"))
    tensors = {k: v.contiguous() for k, v in original.gpt2(words.get_vocab_size()).transformer.state_dict().items()}
    save_file(tensors, str(gpt2 / "model.safetensors"))
    clip_words.save(str(clip / "tokenizer.json"))
    weights = published.resnet_weights(clip_words.get_vocab_size(), dim=24)
    save_file({k: v.contiguous() for k, v in weights.items()}, str(clip / "open_clip_model.safetensors"))

    def run(*arguments, fails: bool = False) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=300,
            env=os.environ | {"HF_HOME": str(cache), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert (done.returncode != 0) is fails, done.stderr[-3000:]
        return done.stdout + done.stderr

    return run


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A public-space CSV: guides of some thirty photos."""
    folder = tmp_path_factory.mktemp("public_space")
    (folder / "images").mkdir()
    lines = ["image,caption"]
    for path in sorted(SAMPLES.glob("*.jpg")):
        for turn in range(3):
            name = f"{path.stem}_{turn}.jpg"
            with Image.open(path) as photo:
                photo.convert("RGB").resize((90 + turn, 90)).save(folder / "images" / name)
            lines += [f'{name},"Careful, a {path.stem} is ahead, keep left."', f"{name},A {path.stem} on the grass."]
    (folder / "captions.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def train(call, data, tmp_path_factory):
    """Call `training.train` with more arguments; `launch`: what comes before it."""
    embeddings = tmp_path_factory.mktemp("runs") / "embeddings"
    call("training.prepare", "--data", data, "--pair", "clip-rn50x4", "--workers", 0, "--out", embeddings)

    def run(out: Path, *more, launch: tuple = (), fails: bool = False) -> str:
        return call(*launch, "training.train", "--data", data, "--pair", "clip-rn50x4", "--embeddings", embeddings,
                    "--language", "gpt2", "--mapper", "transformer", "--prefix-length", 4, "--clip-length", 4,
                    "--mapper-layers", 2, "--batch-size", 8, "--warmup", 2, "--captions", 2, "--out", out, *more,
                    fails=fails)  # fmt: skip

    return run


def numbers(folder: Path, name: str) -> list[float]:
    rows = [json.loads(line) for line in (folder / "numbers.jsonl").read_text().splitlines()]
    return [row[name] for row in rows if name in row]


def test_three_commands_make_a_captioner(train, tmp_path):
    train(tmp_path / "out", "--freeze-language", "--epochs", 2)
    describer = Describer.load(tmp_path / "out")
    config = describer.captioner.decoder.clipcap.config
    assert (config.mapper, config.prefix_length, config.embedding_dim) == ("transformer", 4, 24)
    with Image.open(SAMPLES / "coffee.jpg") as photo:
        assert 0 <= describer.describe(photo, "en", "caption").caption.confidence <= 1


def test_two_processes_have_the_loss_of_one(train, tmp_path):
    """And so has one that computes its batch in pieces."""
    plain = ("--dropout", 0, "--epochs", 3, "--precision", "float32")
    train(tmp_path / "one", *plain)
    train(tmp_path / "pieces", *plain, "--accumulate", 3)
    two = ("accelerate.commands.launch", "--cpu", "--num_processes", 2, "--num_machines", 1, "--mixed_precision", "no",
           "--dynamo_backend", "no", "--num_cpu_threads_per_process", 1, "-m")  # fmt: skip
    train(tmp_path / "two", *plain, launch=two)
    losses = numbers(tmp_path / "one", "loss")
    assert len(losses) >= 3 and losses[-1] < losses[0]
    assert numbers(tmp_path / "pieces", "loss") == pytest.approx(losses, abs=2e-5)
    assert numbers(tmp_path / "two", "loss") == pytest.approx(losses, abs=2e-5)
    one, other = (load_start(tmp_path / run).clipcap.mapper.linear.weight for run in ("one", "two"))
    assert (one - other).abs().max() < 1e-4


def test_too_few_photos_and_wrong_names_are_refused(train, call, data, tmp_path):
    assert "give more photos or a smaller --batch-size" in train(tmp_path / "x", "--batch-size", 500, fails=True)
    assert "too few photos for 9 pieces" in train(tmp_path / "x", "--accumulate", 9, fails=True)
    assert "clip-rn50x4 is no GPT-2" in train(tmp_path / "x", "--language", "clip-rn50x4", fails=True)
    output = call("training.prepare", "--data", data, "--pair", "clip-vit-b32", "--out", tmp_path / "y", fails=True)
    assert "sightline models pull clip-vit-b32" in output
