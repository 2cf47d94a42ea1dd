"""Names that were replaced by the field's own are not used again, and one name means one thing."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("data", "deploy", "model", "training")
MODULES = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
REPLACED = {
    "mended", "mend", "see", "Seen", "Reader", "lay_out", "promises", "makes_promise", "without_promises", "NotTaught",
    "ways", "Wish", "look", "Answer", "Found", "looks", "why", "Parts", "parts", "owner_from_now_on", "admit", "said",
    "settle", "spread", "drawn", "as_taught", "sides", "strange", "sources", "sheet", "release",
}  # fmt: skip
OF_CLASSES = {("ClipPair", "read"), ("ClipCap", "read"), ("ImageFeatures", "of")}
# The schemas of databases that exist.
KEPT = {"deploy/library/migrations/versions"}


def defined(tree: ast.AST) -> set[str]:
    """Names of classes, functions, arguments and fields, of a module's variables, and of what a call is given."""
    names = {
        target.id
        for body in (node.body for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef))
        for statement in body
        if isinstance(statement, ast.Assign | ast.AnnAssign)
        for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Call):  # an option of click, a path of a view
            names |= {
                word.strip("-").replace("-", "_")
                for argument in node.args
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
                for word in argument.value.split("/")
                if " " not in argument.value
            }
    return names


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_replaced_name_is_left(file):
    path = file.relative_to(ROOT)
    assert path.stem not in REPLACED
    if str(path.parent) not in KEPT:
        tree = ast.parse(file.read_text("utf-8"))
        assert not defined(tree) & REPLACED
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                assert not {(node.name, each.name) for each in node.body if hasattr(each, "name")} & OF_CLASSES


def test_one_name_is_one_class():
    where = defaultdict(list)
    for file in MODULES:
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where[node.name].append(str(file.relative_to(ROOT)))
    assert {name: files for name, files in where.items() if len(files) > 1} == {}


def test_no_path_or_field_of_the_web_is_left():
    for file in [*(ROOT / "deploy/templates").glob("*.html"), *(ROOT / "deploy/static").glob("*.js")]:
        text = file.read_text()
        assert not [name for name in ("mend", "record.said", "answer.found", "wish.", "page_language") if name in text]
