"""What the README promises is what the code has."""

import re
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("file", ["requirements.txt", "training/requirements.txt", "tests/requirements.txt"])
def test_requirements_are_pinned(file):
    lines = [line for line in (ROOT / file).read_text().splitlines() if line and not line.startswith(("#", "-r "))]
    assert lines and all(re.fullmatch(r"[\w.\[\]-]+==[\w.]+", line) for line in lines)


def test_settings_table_is_whole():
    from deploy.config import Settings

    table = dict(re.findall(r"\| `(SIGHTLINE_\w+)` \| `([^`]+)` \|", README))
    assert set(table) == {"SIGHTLINE_" + field.name.upper() for field in fields(Settings)}
    for name, shown in table.items():
        value = getattr(Settings(), name.removeprefix("SIGHTLINE_").lower())
        if isinstance(value, int):
            assert shown == str(value), name


def test_readme_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)|src=\"([^\"]+)\"", README)
    assert links and all((ROOT / (a or b)).exists() for a, b in links)


def test_make_targets_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"(?:^ {4}|`)make (\w+)", README, re.M)):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_no_photo_of_a_training_set_is_kept():
    """Pictures in git are the samples and the README's, nothing else."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    pictures = [f for f in listed.stdout.splitlines() if f.lower().endswith((".jpg", ".jpeg", ".png", ".webp"))]
    assert pictures and all(f.startswith("data/samples/") or f == "deploy/static/page.png" for f in pictures)
