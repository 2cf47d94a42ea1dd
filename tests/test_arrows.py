"""The arrows of the house: deploy -> model; training -> model, data; nothing else crosses.

Read from the source of every module, and tried by importing with the other side blocked.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "model": {"model"},
    "data": {"data"},
    "training": {"training", "model", "data"},
    "deploy": {"deploy", "model"},
}
WEB = {"flask", "apiflask", "werkzeug", "gunicorn", "flask_babel", "sqlalchemy"}
HEAVY = {"torch", "transformers", "tokenizers", "safetensors"}
# What a package must not know of the outside.
STRANGERS = {"model": WEB, "data": WEB | HEAVY, "training": WEB, "deploy": set()}

MODULES = [file for package in MAY_IMPORT for file in sorted((ROOT / package).rglob("*.py"))]


def imported_by(source: str, package: str) -> set[str]:
    """Top-level names that a source imports, at its top or inside a function; `package` is where it lies, dotted."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            if node.module:
                names.add(".".join([*above, node.module]))
            else:
                names.update(".".join([*above, alias.name]) for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__"):
                names.add(str(node.args[0].value))
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_every_package_is_there(package):
    assert [file for file in MODULES if file.relative_to(ROOT).parts[0] == package]


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(ROOT)))
def test_module_keeps_the_arrows(file):
    parts = file.relative_to(ROOT).parts
    imported = imported_by(file.read_text("utf-8"), ".".join(parts[:-1]))
    assert imported & (set(MAY_IMPORT) | {"tests"}) <= MAY_IMPORT[parts[0]]
    assert not imported & STRANGERS[parts[0]]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import training.train", "training"),
        ("import numpy, data.datasets as sets", "data"),
        ("from data import datasets", "data"),
        ("from data.datasets import Example", "data"),
        ("def later():\n    from flask import Flask", "flask"),
        ("import importlib\nimportlib.import_module('torch.nn')", "torch"),
        ("__import__('torch')", "torch"),
        ("from . import checkpoint", "model"),
        ("from ..checkpoint import load", "model"),
        ("from ...training import train", "training"),
    ],
)
def test_no_way_of_importing_is_overlooked(source, name):
    assert name in imported_by(source, "model.clip")


IMPORT_WITH_BLOCKED = """
import importlib, sys
blocked = set(sys.argv[2].split(","))
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in blocked:
            raise ImportError(f"{name} is blocked")
sys.meta_path.insert(0, Wall())
importlib.import_module(sys.argv[1])
reached = {name.split(".")[0] for name in sys.modules} & blocked
assert not reached, reached
"""


def import_with_blocked(module: str, blocked: set[str], folder: Path) -> subprocess.CompletedProcess:
    """Import `module` in a process of its own, in an empty folder, where `blocked` packages cannot be imported."""
    return subprocess.run(
        [sys.executable, "-c", IMPORT_WITH_BLOCKED, module, ",".join(sorted(blocked))],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.process
@pytest.mark.parametrize(
    ("module", "blocked"),
    [
        ("deploy.main", {"training", "data"} | HEAVY),
        ("model.describe", {"training", "data", "deploy"} | WEB),
        ("data.datasets", {"training", "model", "deploy"} | WEB | HEAVY),
        ("data.embeddings", {"training", "model", "deploy"} | WEB | HEAVY),
        ("training.train", {"deploy"} | WEB),
        ("training.evaluate", {"deploy"} | WEB),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_imports_with_the_other_side_blocked(module, blocked, tmp_path):
    tried = import_with_blocked(module, blocked, tmp_path)
    assert tried.returncode == 0, tried.stderr


def test_the_block_holds(tmp_path):
    tried = import_with_blocked("data.datasets", {"PIL"}, tmp_path)
    assert tried.returncode != 0 and "PIL is blocked" in tried.stderr


@pytest.mark.parametrize(
    "module",
    [
        "deploy.cli",
        "deploy.bulk",
        "deploy.describe_command",
        "deploy.describing",
        "deploy.searching",
        "deploy.services",
    ],
)
def test_the_application_layer_and_the_terminal_import_no_web(module, tmp_path):
    web = {"flask", "apiflask", "werkzeug", "gunicorn", "flask_babel", "marshmallow"}
    tried = import_with_blocked(module, web | {"training", "data"}, tmp_path)
    assert tried.returncode == 0, tried.stderr
