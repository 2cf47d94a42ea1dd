import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import run_main

ROOT = Path(__file__).parents[2]
CAT, DOG = "data/samples/chelsea.jpg", "data/samples/coffee.jpg"


def test_a_name_that_is_no_text_ends_nothing(tmp_path):
    name = tmp_path / os.fsdecode(b"caf\xe9.jpg")
    name.write_bytes(Path(CAT).read_bytes())
    for more in ((), ("--json",)):
        done = run_main("describe", *more, str(name), DOG, PYTHONIOENCODING="utf-8:strict")
        assert done.returncode == 0 and done.stderr == ""
        first, second = done.stdout.splitlines()
        assert "caf\\udce9.jpg" in first and DOG in second


def test_photos_are_described_in_order_and_a_bad_one_in_its_place(tmp_path):
    (tmp_path / "text.jpg").write_text("no photo")
    paths = [CAT, str(tmp_path / "text.jpg"), str(tmp_path / "none.jpg"), DOG]
    done = run_main("describe", "--json", "--lang", "id", "--style", "guide", *paths)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["path"] for each in told] == paths
    assert set(told[1]) == set(told[2]) == {"path", "error"}
    assert "send the photo as JPEG" in told[1]["error"]
    assert told[2]["error"] == "The file cannot be read: No such file or directory."
    for each in (told[0], told[3]):
        assert each["description"]
        assert (each["caption"] is None) == (each["certainty"] == "none")
        assert each["confidence"] is None or 0 <= each["confidence"] <= 1
        assert (each["language"], each["style"]) == ("id", "guide")
    assert done.returncode == 1
    assert done.stderr == ""


def test_one_photo_is_told_in_one_line():
    done = run_main("describe", CAT)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1
    assert CAT not in done.stdout


def test_a_model_that_is_not_there_is_one_sentence(tmp_path):
    done = run_main("describe", CAT, SIGHTLINE_MODEL=str(tmp_path / "none"))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("Error: ")


@pytest.mark.parametrize("command", [("serve",), (), ("describe", CAT)])
def test_a_bad_setting_is_one_sentence(command):
    done = run_main(*command, SIGHTLINE_PORT="eighty")
    assert done.returncode == 1
    assert done.stderr == "Error: SIGHTLINE_PORT is 'eighty'; it must be a whole number from 0 to 65535.\n"


def test_a_wrong_option_says_what_would_work():
    done = run_main("describe", "--lang", "fr", CAT)
    assert done.returncode == 1
    assert done.stderr == "Error: unknown language 'fr'; use one of en, id\n"
    assert run_main("describe", "--style", "poem", CAT).returncode == 2


def test_importing_the_service_loads_nothing_heavy(tmp_path):
    code = (
        "import sys, deploy.main, deploy.cli\n"
        "deploy.main.create_app()\n"
        "heavy = ('torch', 'transformers', 'faiss', 'gunicorn', 'training', 'data')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    environment = os.environ | {"SIGHTLINE_INSTANCE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
