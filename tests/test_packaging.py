"""The wheel, in an environment of its own, serves a photo."""

import json
import os
import re
import subprocess
import sys
import urllib.request
import venv
from pathlib import Path

import pytest

from tests.helpers import ROOT, SAMPLES


def pip(python: Path | str, *arguments: str) -> None:
    done = subprocess.run(
        [str(python), "-m", "pip", "--disable-pip-version-check", *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Path:
    """A new environment with nothing but what the wheel brings."""
    folder = tmp_path_factory.mktemp("wheel")
    pip(sys.executable, "wheel", "--no-deps", "-w", str(folder), str(ROOT))
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=True)
    pip(folder / "env/bin/python", "install", "-c", str(ROOT / "constraints.txt"), str(wheel))
    return folder / "env"


def files_below(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*") if "__pycache__" not in path.parts}


def test_the_wheel_serves_a_photo_and_keeps_it_in_the_users_folder(environment, tmp_path):
    installed = files_below(environment)
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("SIGHTLINE_", "PYTHON", "XDG_"))}
    process = subprocess.Popen(
        [environment / "bin/sightline", "serve"],
        cwd=tmp_path,
        env=variables | {"HOME": str(tmp_path), "SIGHTLINE_PORT": "0"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = re.search(r"http://\S+", process.stdout.readline())[0]
        photo = (SAMPLES / "chelsea.jpg").read_bytes()
        with urllib.request.urlopen(urllib.request.Request(url + "/api/v1/describe", photo, method="POST")) as answer:
            told = json.load(answer)
        assert answer.status == 201 and told["caption"] and told["audio_error"] is None
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()
    assert (tmp_path / ".local/share/sightline/photos" / f"{told['id']}.jpg").exists()
    assert files_below(environment) == installed


def test_the_command_tells_what_is_missing_for_training(environment, tmp_path):
    done = subprocess.run(
        [environment / "bin/sightline", "train", "--help"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0 and "captioner" in done.stdout
