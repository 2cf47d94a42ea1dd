"""What cannot work is refused in one sentence, before any work."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.training.steps import refused
from training import commands, contrastive, evaluate, export, language, prepare, selfcritical, train
from training.commands import COMMANDS
from training.files import read_torch, save_torch

ROOT = Path(__file__).parents[2]
LOOP = [
    ("--learning-rate", "-1"),
    ("--learning-rate", "0"),
    ("--learning-rate", "nan"),
    ("--learning-rate", "inf"),
    ("--epochs", "0"),
    ("--until", "-1"),
    ("--batch-size", "0"),
    ("--warmup", "-5"),
    ("--weight-decay", "-0.1"),
    ("--ema", "2"),
    ("--ema", "1"),
    ("--ema", "nan"),
    ("--seed", "-1"),
    ("--seed", "99999999999"),
    ("--device", "gpu"),
    ("--device", "cuda:x"),
    ("--device", "cuda:99"),
    ("--precision", "float16"),
    ("--save-minutes", "-1"),
]
OWN = {
    language: [("--vocabulary", "10"), ("--width", "0"), ("--heads", "0"), ("--layers", "0"), ("--text-lines", "0"),
               ("--prefix-total", "0")],
    contrastive: [("--size", "8"), ("--frozen-layers", "-1"), ("--captions", "0"), ("--caption-weight", "-1"),
                  ("--word-dropout", "1.5"), ("--crop", "0"), ("--crop", "2"), ("--workers", "-1"),
                  ("--prefix-length", "0"), ("--backbone-rate", "nan")],
    prepare: [("--views", "0"), ("--batch-size", "0"), ("--workers", "-1"), ("--device", "gpu"), ("--split", "exam")],
    train: [("--prefix-length", "0"), ("--dropout", "1"), ("--accumulate", "0"), ("--patience", "-1"),
            ("--captions", "0"), ("--mapper", "rnn"), ("--mapper-heads", "0"), ("--clip-length", "0")],
    selfcritical: [("--samples", "1"), ("--steps", "0"), ("--caption-weight", "-1")],
    evaluate: [("--beams", "0"), ("--limit", "0"), ("--batch-size", "0"), ("--device", "gpu"), ("--style", "poem"),
               ("--length-penalty", "nan"), ("--likeness-weight", "-1")],
    export: [("--beams", "0"), ("--least-cosine", "2"), ("--threshold", "en/caption"), ("--threshold", "0.5,0.4,0.2"),
             ("--threshold", "en/caption=0.2,0.4,0.5"), ("--threshold", "en/caption=0.5,0.4,x"),
             ("--threshold", "en/caption=nan,0.4,0.2"), ("--threshold", "en/caption=5,0.4,0.2")],
}  # fmt: skip
OUT_OF_RANGE = [(step, *pair) for step in (language, contrastive, train, selfcritical) for pair in LOOP] + [
    (step, *pair) for step, pairs in OWN.items() for pair in pairs
]


@pytest.mark.parametrize(("step", "option", "value"), OUT_OF_RANGE, ids=lambda v: getattr(v, "__name__", v))
def test_values_out_of_range(step, option, value):
    message = refused(step, f"{option}={value}")
    assert message.startswith(f"Invalid value for '{option}'")


def test_device_that_is_not_there(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    assert "this machine has no CUDA device; use cpu" in refused(prepare, "--device", "cuda")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert "the last CUDA device of this machine is cuda:1" in refused(prepare, "--device", "cuda:2")


def test_width_is_divided_among_heads(tmp_path):
    message = refused(language, "--data", tmp_path, "--width", 100, "--heads", 6, "--out", tmp_path / "x")
    assert message == "a --width of 100 cannot be divided among 6 --heads"


def test_group_lists_its_commands_without_loading_them():
    probe = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from training.commands import train\n"
        "print(CliRunner().invoke(train, ['--help']).output)\n"
        "assert not {'torch', 'transformers', 'accelerate'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert all(f"  {name} " in done.stdout and text in done.stdout for name, (_, text) in COMMANDS.items())


@pytest.mark.parametrize("name", COMMANDS)
def test_group_calls_its_commands(name):
    result = CliRunner().invoke(commands.train, [name, "--help"])
    assert result.exit_code == 0 and f"train {name} [OPTIONS]" in result.output


def test_group_refuses_what_it_does_not_have():
    result = CliRunner().invoke(commands.train, ["everything"])
    assert result.exit_code == 2 and "No such command 'everything'" in result.output


def test_group_names_what_is_not_installed(monkeypatch):
    monkeypatch.setitem(COMMANDS, "export", ("training.export", "x"))
    monkeypatch.setitem(sys.modules, "training.export", None)
    result = CliRunner().invoke(commands.train, ["export"])
    assert result.exit_code == 1 and "install what training needs: pip install 'sightline[train]'" in result.output


def test_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "pair.pt"
    save_torch({"a": 1}, path)

    def full(content, file):
        Path(file).write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("torch.save", full)
    with pytest.raises(click.ClickException, match="pair.pt cannot be written .No space left on device.; make room"):
        save_torch({"a": 2}, path)
    assert read_torch(path) == {"a": 1} and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"text"])
def test_damaged_result_of_a_step_is_one_sentence(tmp_path, content):
    (tmp_path / "language.pt").write_bytes(content)
    with pytest.raises(click.ClickException, match=r"language.pt is damaged \(.+\); run the step that wrote it again"):
        read_torch(tmp_path / "language.pt")
