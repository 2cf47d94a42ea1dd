"""A folder of photos told at once."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import time

import pyexiv2
import pytest
from click.testing import CliRunner
from PIL import Image

from deploy.alt_text import ALT_TEXT
from deploy.bulk import main
from deploy.library import Library
from tests.conftest import ROOT, SAMPLES


def bulk(*arguments, **settings):
    """-> what the command answered: exit_code, stdout, stderr."""
    return CliRunner().invoke(main, list(map(str, arguments)), env=settings)


@pytest.fixture
def photos(tmp_path):
    """Two photos, one of them in a folder of its own, a broken one, and something else."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    shutil.copy(SAMPLES / "chelsea.jpg", folder / "a.jpg")
    shutil.copy(SAMPLES / "camera.jpg", folder / "more" / "b.jpg")
    (folder / "c.jpg").write_bytes(b"text")
    (folder / "notes.txt").write_text("no photo")
    return folder


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_becomes_a_csv_with_alt_texts_and_a_library(tmp_path, photos, describer):
    settings = {"SIGHTLINE_INSTANCE": str(tmp_path / "instance")}
    library = Library(tmp_path / "instance")
    library.keys.create("album")
    out, copies = tmp_path / "captions.csv", tmp_path / "copies"
    arguments = (photos, "--out", out, "--library", "album", "--write-metadata", copies)
    done = bulk(*arguments, **settings)
    assert done.exit_code == 1  # for the broken one
    assert "c.jpg: This is text; send the photo as JPEG" in done.stderr
    assert f"3 photos, 1 of them with a problem; captions are in {out}." in done.stdout
    rows = rows_of(out)
    assert [row["image"] for row in rows] == ["a.jpg", "more/b.jpg"]
    with Image.open(photos / "a.jpg") as opened:
        told = describer.describe(opened.convert("RGB"))
    assert rows[0]["caption"] == told.caption.text and rows[0]["language"] == "en"
    assert 0 <= float(rows[0]["confidence"]) <= 1

    copy = copies / "more" / "b.jpg"
    with pyexiv2.Image(str(copy)) as image:
        alt = image.read_xmp()[ALT_TEXT]['lang="x-default"']
    assert alt.rstrip(".").lower() == rows[1]["caption"].lower()
    with Image.open(copy) as written, Image.open(photos / "more/b.jpg") as original:
        assert written.tobytes() == original.tobytes()

    kept = library.records.newest("key:album", 10)
    assert {record.caption for record in kept} == {row["caption"] for row in rows}
    assert all(library.read(record, "jpg") and record.audio_error for record in kept)
    assert [each.record.caption for each in library.search.similar(kept[0], 5)] == [kept[1].caption]

    again = bulk(*arguments, **settings)
    assert again.exit_code == 1 and f"{out} exists already; go on with it by --resume" in again.stderr
    assert rows_of(out) == rows
    (photos / "c.jpg").unlink()
    assert bulk(*arguments, "--resume", **settings).exit_code == 0
    assert rows_of(out) == rows and len(library.records.newest("key:album", 10)) == 2
    library.close()


def test_killed_it_goes_on_and_does_nothing_twice(tmp_path):
    folder, out = tmp_path / "photos", tmp_path / "captions.jsonl"
    folder.mkdir()
    for i in range(40):
        Image.new("RGB", (64, 48), (6 * i, 100, 255 - 6 * i)).save(folder / f"{i:02}.png")
    command = [sys.executable, "-m", "deploy.bulk", str(folder), "--out", str(out)]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while not (out.exists() and out.read_text().count("\n") >= 8):
        assert time.monotonic() < end and running.poll() is None
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    before = out.read_text()
    assert before.count("\n") < 40
    out.write_text(before + '{"image": "39.p')  # as a kill in the middle of a write leaves it
    assert bulk(folder, "--out", out, "--resume").exit_code == 0
    after = out.read_text()
    assert after.startswith(before[: before.rfind("\n") + 1])
    rows = [json.loads(line) for line in after.splitlines()]
    assert sorted(row["image"] for row in rows) == [f"{i:02}.png" for i in range(40)]


def test_a_csv_and_a_pattern_name_the_photos(tmp_path, photos):
    (tmp_path / "list.csv").write_text("image,caption\nphotos/a.jpg,x\nphotos/a.jpg,y\n")
    assert bulk(tmp_path / "list.csv", "--out", tmp_path / "1.csv", "--lang", "id", "--style", "guide").exit_code == 0
    (row,) = rows_of(tmp_path / "1.csv")
    assert (row["image"], row["language"]) == ("photos/a.jpg", "id")
    assert bulk(tmp_path / "photos/**/b.jpg", "--out", tmp_path / "2.jsonl").exit_code == 0
    assert json.loads((tmp_path / "2.jsonl").read_text())["image"].endswith("more/b.jpg")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nowhere", "--out", "{tmp}/x.csv"), "There is no photo in nowhere; give a folder"),
        ((SAMPLES, "--out", "x.txt"), "give a name that ends in .csv or .jsonl"),
        ((SAMPLES / "*.jpg", "--out", "{tmp}/x.csv", "--library", "nobody"), "There is no key 'nobody' in use"),
        ((SAMPLES, "--resume", "--out", "{tmp}/other.csv"), "holds something else than captions"),
        (("{tmp}/other.csv", "--out", "{tmp}/x.csv"), "has no column image"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(tmp_path, arguments, sentence):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    done = bulk(*(str(each).format(tmp=tmp_path) for each in arguments), SIGHTLINE_INSTANCE=str(tmp_path / "instance"))
    assert (
        done.exit_code == 1
        and sentence in done.stderr
        and (done.exception is None or isinstance(done.exception, SystemExit))
    )
    assert (tmp_path / "other.csv").read_text() == "a,b\n1,2\n"


def test_a_copy_never_takes_the_place_of_a_photo(tmp_path):
    shutil.copy(SAMPLES / "chelsea.jpg", tmp_path / "a.jpg")
    before = (tmp_path / "a.jpg").read_bytes()
    done = bulk(tmp_path, "--out", tmp_path / "c.csv", "--write-metadata", tmp_path)
    assert done.exit_code == 1 and "would take the place of the photo" in done.stderr
    assert (tmp_path / "a.jpg").read_bytes() == before and len(rows_of(tmp_path / "c.csv")) == 1
