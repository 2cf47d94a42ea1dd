"""What the README promises is what the code has."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONSTRAINTS = (ROOT / "constraints.txt").read_text().splitlines()
# What is imported under another name than it is installed by.
INSTALLED_AS = {
    "PIL": "pillow", "Sastrawi": "pysastrawi", "cv2": "opencv-python-headless", "espeakng_loader": "espeakng-loader",
    "faiss": "faiss-cpu", "sklearn": "scikit-learn", "zxingcpp": "zxing-cpp",
}  # fmt: skip


def declared(*extras: str) -> list[str]:
    lines = list(PROJECT["project"]["dependencies"])
    for extra in extras:
        lines += PROJECT["project"]["optional-dependencies"][extra]
    return [line for line in lines if not line.startswith("sightline[")]


def name_of(line: str) -> str:
    return re.split(r"[=\[]", line)[0].lower().replace("_", "-")


def test_dependencies_are_pinned_and_so_is_what_they_bring():
    lines = declared(*PROJECT["project"]["optional-dependencies"])
    assert lines and all(re.fullmatch(r"[\w.\[\]-]+==[\w.]+", line) for line in [*lines, *CONSTRAINTS])
    constrained = {name_of(line): line.split("==")[1] for line in CONSTRAINTS}
    assert {name_of(line): line.split("==")[1] for line in lines}.items() <= constrained.items()


@pytest.mark.parametrize(
    ("packages", "extras"), [(("deploy", "model", "data"), ()), (("training",), ("train",))], ids=["app", "training"]
)
def test_all_that_is_imported_is_declared(packages, extras):
    imported = set()
    for package in packages:
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Import):
                    imported |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    imported.add(node.module.split(".")[0])
    foreign = imported - set(sys.stdlib_module_names) - {"data", "deploy", "model", "training"}
    names = {INSTALLED_AS.get(name, name).lower().replace("_", "-") for name in foreign}
    assert names <= {name_of(line) for line in declared(*extras)}


def test_one_version():
    from deploy.version import VERSION

    assert "version" not in PROJECT["project"] and f"## {VERSION}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_readme_is_short():
    lines = README.splitlines()
    assert len(lines) < 120 and all(len(line) <= 120 for line in lines)


def test_settings_table_is_whole():
    from deploy.config import Settings

    settings = (ROOT / "docs" / "settings.md").read_text()
    table = dict(re.findall(r"^\| `(SIGHTLINE_\w+)` \| ([^|]+) \|", settings, re.M))
    assert set(table) == {"SIGHTLINE_" + name.upper() for name in Settings.model_fields}
    for name, shown in table.items():
        value = getattr(Settings(), name.removeprefix("SIGHTLINE_").lower())
        if isinstance(value, int):
            assert shown == f"`{value}`", name


@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md", *(f"docs/{f.name}" for f in ROOT.glob("docs/*.md"))])
def test_links_lead_somewhere(file):
    path = ROOT / file
    for a, b in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)|src=\"([^\"]+)\"", path.read_text()):
        assert (path.parent / (a or b)).exists(), a or b


def test_make_targets_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"(?:^ {4}|`)make (\w+)", README, re.M)):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_no_photo_of_a_training_set_is_kept():
    """Pictures in git are the samples, the README's and a plot, nothing else."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    pictures = [f for f in listed.stdout.splitlines() if f.lower().endswith((".jpg", ".jpeg", ".png", ".webp"))]
    assert pictures and all(
        f.startswith("data/samples/") or f in ("deploy/static/page.png", "docs/trust.png") for f in pictures
    )
