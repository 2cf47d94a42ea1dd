"""`python -m tests.benchmarks.training`: the whole path of training at full size, few steps, with random weights.

CLIP RN50x4 and GPT-2 small lie in a cache of the hub's kind under their public names; photos are noise. Prints photos
a second of `training.prepare`, and seconds a step and the most memory of `training.train`.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
from PIL import Image
from safetensors.torch import save_file

from model.caption.clipcap import ClipCapConfig, build_gpt
from model.hub import CLIP_WEIGHTS, TOKENIZER
from tests.benchmarks.clipcap import CLIP_VOCABULARY, GPT2_VOCABULARY, full_size_tokenizers
from tests.hub_cache import place
from tests.model import published

ROOT = Path(__file__).resolve().parents[2]
BATCH = 40  # as the original


def fill_cache(home: Path) -> None:
    gpt2_words, clip_words = full_size_tokenizers()
    gpt2, clip = place(home, "gpt2"), place(home, "clip-rn50x4")
    config = ClipCapConfig(
        embedding_dim=1, prefix_length=1, vocabulary=GPT2_VOCABULARY, width=768, layers=12, heads=12, positions=1024
    )
    tensors = {k: v.contiguous() for k, v in build_gpt(config).transformer.state_dict().items()}
    save_file(tensors, str(gpt2 / "model.safetensors"))
    gpt2_words.save(gpt2 / TOKENIZER)
    tensors = published.resnet_weights(
        CLIP_VOCABULARY, layers=(4, 6, 10, 6), width=80, side=9, dim=640, context=77, text_width=640, text_layers=12
    )
    save_file({k: v.contiguous() for k, v in tensors.items()}, str(clip / CLIP_WEIGHTS))
    clip_words.save(clip / TOKENIZER)


def make_photos(folder: Path, count: int) -> None:
    rng, lines = np.random.default_rng(0), []
    for i in range(count):
        Image.fromarray(rng.integers(0, 256, (288, 288, 3), dtype=np.uint8)).save(folder / f"{i}.jpg")
        captions = [f"careful, number {i} is ahead, keep to the left", f"number {i} stands on the sidewalk"]
        lines.append(json.dumps({"file_name": f"{i}.jpg", "split": "train", "captions": captions}))
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n")


@click.command()
@click.option("--photos", type=int, default=4 * BATCH, show_default=True)
@click.option("--epochs", type=click.IntRange(min=2), default=2, show_default=True, help="The first is not counted.")
def main(photos: int, epochs: int) -> None:
    """Run `training.prepare` and `training.train` at full size."""
    with tempfile.TemporaryDirectory() as temporary:
        home, data, runs = (Path(temporary) / name for name in ("home", "data", "runs"))
        data.mkdir()
        fill_cache(home)
        make_photos(data, photos)

        def call(*arguments) -> float:
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", *map(str, arguments)], cwd=ROOT, check=True, capture_output=True,
                env=os.environ | {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1"},
            )  # fmt: skip
            return time.perf_counter() - start

        prepare = ("training.prepare", "--data", data, "--pair", "clip-rn50x4", "--out", runs / "clip")
        whole, again = call(*prepare), call(*prepare)  # the second finds all photos embedded
        print(f"prepare: {photos / (whole - again):.1f} photos/s")

        def train(out: Path, count: int, *more) -> float:
            return call(
                "training.train", "--data", data, "--pair", "clip-rn50x4", "--embeddings", runs / "clip",
                "--language", "gpt2", "--mapper", "transformer", "--prefix-length", 40, "--clip-length", 40,
                "--batch-size", BATCH, "--captions", 1, "--learning-rate", 2e-5, "--epochs", count, "--out", out, *more,
            )  # fmt: skip

        for kind, more in (("GPT-2 frozen", ("--freeze-language",)), ("GPT-2 tuned as well", ())):
            one, several = train(runs / "one", 1, *more), train(runs / "several", epochs, *more)
            step = (several - one) / ((epochs - 1) * (photos // BATCH))
            rows = [json.loads(line) for line in (runs / "several" / "numbers.jsonl").read_text().splitlines()]
            memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
            print(f"train, {kind}: {step:.1f} s a step of {BATCH} photos, at most {memory:.1f} GiB so far", end="; ")
            print(f"loss {rows[0]['loss']:.3f}, then {rows[-1]['loss']:.3f}")


if __name__ == "__main__":
    main()
