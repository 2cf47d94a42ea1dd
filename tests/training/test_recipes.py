"""Every option of a recipe is one that its command takes, with a value that it takes."""

import json
import os
import subprocess
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "recipes").glob("*.sh"))
# Stands in for Python: notes its arguments, and makes the folder that they name.
STAND_IN = """#!/bin/bash
printf '%s\\n' "$@" >> {log}
echo --- >> {log}
while [ "$1" != --out ]; do shift; done
mkdir -p "$2"
"""
RESULTS = {
    "training.language": "language.pt",
    "training.contrastive": "pair.pt",
    "training.prepare": "made_by.json",
    "training.train": "config.json",
    "training.export": "config.json",
    "training.flaws": "metadata.jsonl",
    "training.features": "views.json",
    "training.joint": "config.json",
    "training.refit_classifier": "config.json",
    "training.calibrate": "config.json",
}


@pytest.fixture(scope="module", params=RECIPES, ids=lambda path: path.stem)
def recipe(request) -> Path:
    return request.param


@pytest.fixture
def folder(tmp_path) -> Path:
    """With a stand-in for Python and the data that docs/training.md names."""
    (tmp_path / "runs" / "sightline-small-4").mkdir(parents=True)
    for name in ("flickr8k", "everyday", "street", "scenes", "things", "coco_small"):
        (tmp_path / "data" / name).mkdir(parents=True)
    for name in ("flickr30k_captions.txt.gz", "mobilenet_v2.tflite"):
        (tmp_path / "data" / name).touch()
    (tmp_path / "python").write_text(STAND_IN.format(log=tmp_path / "log"))
    (tmp_path / "python").chmod(0o755)
    return tmp_path


def calls(recipe: Path, folder: Path) -> list[list[str]]:
    """The commands that the recipe runs, as argument lists."""
    (folder / "log").write_text("")
    subprocess.run(
        ["bash", recipe, "data", "runs"], cwd=folder, env=os.environ | {"PYTHON": str(folder / "python")}, check=True
    )
    return [call.split("\n")[:-1] for call in (folder / "log").read_text().split("---\n")[:-1]]


def test_every_option_is_taken(recipe, folder):
    found = calls(recipe, folder)
    assert len(found) >= 3
    for dash_m, module, *arguments in found:
        assert dash_m == "-m"
        import_module(module).main.make_context(module, arguments)  # raises for what it does not take


def test_stages_that_are_there_are_skipped(recipe, folder):
    found = calls(recipe, folder)
    *_, (_, module, *arguments) = found
    for _, own, *options in found[:-1]:
        (Path(options[options.index("--out") + 1]) / RESULTS[own]).touch()
    assert calls(recipe, folder) == [["-m", module, *arguments]]
    resumed = ("training.language", "training.train", "training.joint")
    assert all("--resume" in call for call in found if call[1] in resumed)


def test_without_data_it_says_so(recipe, folder):
    done = subprocess.run(
        ["bash", recipe], cwd=folder, capture_output=True, text=True, env={"PATH": os.environ["PATH"]}
    )
    assert done.returncode != 0 and "say where the data is" in done.stderr


def test_the_embedded_captioner_has_its_recipe():
    name = json.loads((ROOT / "model/default/config.json").read_text())["name"]
    assert (ROOT / "recipes" / f"{name}.sh").exists() and f"{name}.sh" in (ROOT / "recipes/README.md").read_text()
