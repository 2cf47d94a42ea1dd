"""The README's examples do what it shows, as a reader would type them."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.helpers import ROOT, SAMPLES, Service

README = (ROOT / "README.md").read_text()
API = (ROOT / "docs" / "api.md").read_text()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A service, its instance, and a folder to work in."""
    folder = tmp_path_factory.mktemp("readme")
    service = Service(folder / "instance")
    yield service, folder
    service.stop()


def blocks(heading: str, text: str = README) -> list[str]:
    """What is set as code under a heading, its lines without the indent."""
    section = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    return [
        re.sub("^ {4}", "", block, flags=re.M) for block in re.findall(r"(?:^ {4}.*\n(?:\n(?= {4}))?)+", section, re.M)
    ]


def shell(running, commands: str, folder: Path = ROOT, **more: str) -> str:
    """What the commands print; the first that fails ends them. They meet the running service in place of port 8000."""
    service, instance = running[0], str(running[1] / "instance")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-ec", commands.replace("http://127.0.0.1:8000", service.url).replace("curl ", "curl -sS --fail ")],
        cwd=folder,
        env=os.environ | {"SIGHTLINE_INSTANCE": instance, "PATH": path, "PYTHONPATH": str(ROOT)} | more,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_call_of_the_api_docs(running):
    """In an order in which there is something to answer with: ask, read, change, delete."""
    service, folder = running
    shutil.copy(SAMPLES / "chelsea.jpg", folder / "photo.jpg")
    spec = json.loads(shell(running, "curl http://127.0.0.1:8000/openapi.json"))
    calls = {
        (["post", "get", "patch", "delete"].index(method), -len(path), operation["x-codeSamples"][0]["source"])
        for path, operations in spec["paths"].items()
        for method, operation in operations.items()
    }
    key = shell(running, "sightline keys create docs").strip()
    settings = {"KEY": key, "SIGHTLINE": service.url}
    (_, _, first), *others = sorted(calls)
    settings["ID"] = json.loads(shell(running, first, folder, **settings))["id"]
    answers = {call: shell(running, call, folder, **settings) for _, _, call in others}
    assert len(answers) == len(calls) - 1 >= 12
    (found,) = (json.loads(answer)["images"] for call, answer in answers.items() if "?q=a+cat" in call)
    assert [image["id"] for image in found] == [settings["ID"]]
    assert all(len((folder / name).read_bytes()) > 1000 for name in ("upright.jpg", "description.mp3", "sightline.zip"))


def keys_of(text: str) -> set[str]:
    """Every key in JSON, or in what is like it."""
    return set(re.findall(r'"(\w+)":', text))


def test_the_first_call_is_answered_as_shown(running):
    commands, shown = next(b for b in blocks("Two commands") if b.startswith("curl")).split("\n\n", 1)
    answer = shell(running, commands)
    told = json.loads(answer)
    assert set(told) <= keys_of(shown) <= keys_of(answer)
    assert told["description"] == re.search(r'"description": "(.*?)"', shown)[1]
    assert told["model"] == re.search(r'"model": "(.*?)"', shown)[1]


def test_the_terminal(running):
    commands = next(b for b in blocks("Two commands") if "sightline describe" in b)
    first, *others = shell(running, commands).splitlines()
    assert first and len(others) == len(list(SAMPLES.glob("*.jpg")))
    assert all(json.loads(line)["description"] for line in others)


def test_the_library_and_alt_texts(running):
    (search,) = [block for block in blocks("Your library") if "keys create" in block]
    (more,) = [block for block in blocks("The JSON API", "#" + API) if block.startswith("PHOTO=")]
    search, shown = search.split("\n\n", 1)
    *_, answered, key = shell(running, search + "\necho $KEY").splitlines()
    answer = json.loads(answered)
    assert keys_of(shown) <= keys_of(answered) and {"images", "next", "message"} == set(answer)
    assert answer["images"][0]["score"] == float(re.search(r'"score": ([\d.]+)', shown)[1])
    assert answer["images"][0]["match_reasons"] == json.loads(re.search(r'"match_reasons": (\[.*?\])', shown)[1])

    folder = running[1]
    printed = shell(running, more, folder, KEY=key, ID=answer["images"][0]["id"])
    assert '"description":"Chelsea asleep"' in printed and '"images":[]' in printed
    with zipfile.ZipFile(folder / "sightline.zip") as archive:
        assert "Chelsea asleep" in archive.read("captions.csv").decode()
    assert json.loads(shell(running, search.splitlines()[-1], KEY=key))["images"] == []

    (folder / "photos" / "zoo").mkdir(parents=True)
    for name in ("chelsea.jpg", "zoo/coffee.jpg"):
        shutil.copy(SAMPLES / Path(name).name, folder / "photos" / name)
    (folder / "list.csv").write_text("image\nphotos/chelsea.jpg\n")
    (alt_texts,) = blocks("Alt texts for a whole folder")
    shell(running, alt_texts, folder)
    with open(folder / "captions.csv", newline="") as file:
        assert {"chelsea.jpg"} <= {Path(row["image"]).name for row in csv.DictReader(file)}
    assert len((folder / "captions.jsonl").read_text().splitlines()) == 2
    assert (folder / "with-alt-text").is_dir()
    assert json.loads(shell(running, search.splitlines()[-1], KEY=key))["images"][0]["match_reasons"]
