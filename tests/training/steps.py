"""Calls of training commands, and small sets and checkpoints for them."""

import json
from pathlib import Path

import torch
from click.testing import CliRunner
from PIL import Image

from model import checkpoint
from model.caption.decoding import DecodingOptions
from model.caption.feature_captioner import FeatureCaptioner
from model.caption.tokenizer import Gpt2Tokenizer
from model.certainty import Calibration
from model.clip.tokenizer import ClipTokenizer
from model.clip.weights import pair_of
from tests.model import original, published
from tests.model.tiny import checkpoint_parts, clipcap

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"


def call(step, *arguments, fails: bool = False) -> str:
    """Run `step.main` and return its output; `fails`: it must end in one sentence."""
    result = CliRunner().invoke(step.main, [str(a) for a in arguments])
    assert (result.exit_code != 0) is fails, result.output + repr(result.exception)
    if fails:
        assert "Traceback" not in result.output and not isinstance(result.exception, (ValueError, KeyError))
    return " ".join(result.output.split()) if fails else result.output


def refused(step, *arguments) -> str:
    """The last line of a refusal."""
    return call(step, *arguments, fails=True).rpartition("Error: ")[2]


def write_set(folder: Path, turns: int = 3, dev: int = 1, test: int = 2, size: int = 96) -> Path:
    """The sample photos, copied over and over so that a batch can be filled; of every twelve, the first `dev` are dev
    photos and the next `test` test photos."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in (SAMPLES / "metadata.jsonl").read_text().splitlines()]
    lines = []
    for turn in range(turns):
        for i, row in enumerate(rows):
            name = f"{turn}_{row['file_name']}"
            with Image.open(SAMPLES / row["file_name"]) as photo:
                photo.convert("RGB").resize((size + turn, size)).save(folder / name)
            split = "dev" if i < dev else "test" if i < dev + test else "train"
            lines.append(json.dumps({**row, "file_name": name, "split": split}))
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def write_checkpoint(folder: Path, calibration: Calibration | None = None) -> Path:
    """A tiny random captioner with our own tokenizer."""
    pair, captioner = checkpoint_parts()
    checkpoint.save(folder, "tiny", pair, captioner, torch.float32, calibration)
    return folder


def write_gpt2_checkpoint(folder: Path) -> Path:
    """A tiny random captioner of the two kinds of public weights: CLIP's RN family and GPT-2, English captions only."""
    clip_words = ClipTokenizer(published.clip_tokenizer())
    pair = pair_of(published.resnet_weights(len(clip_words), dim=16), clip_words)
    words = Gpt2Tokenizer(original.gpt2_tokenizer())
    model = clipcap(len(words), embedding_dim=16, positions=80)
    checkpoint.save(folder, "tiny-gpt2", pair, FeatureCaptioner(model, words, DecodingOptions(beams=2)), torch.float32)
    return folder
