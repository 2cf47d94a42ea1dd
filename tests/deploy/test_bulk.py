"""A folder of photos described at once."""

import csv
import json
import os
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
from deploy.cli import main
from deploy.library import Library
from tests.helpers import ROOT, SAMPLES


def bulk(*arguments, **settings):
    """-> what the command answered: exit_code, stdout, stderr."""
    return CliRunner().invoke(main, ["bulk", *map(str, arguments)], env=settings)


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
    assert alt.startswith("I cannot tell what this is. It could be: ") and rows[1]["spoken"].startswith(alt)
    assert rows[1]["certainty"] == "low"  # an alt text never states as fact what is doubted
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


@pytest.mark.process
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
        ((SAMPLES, "--out", "/proc/x/y.csv"), "y.csv cannot be written"),
        ((SAMPLES, "--resume", "--out", "{tmp}/other.csv"), "holds something else than captions"),
        (("{tmp}/other.csv", "--out", "{tmp}/x.csv"), "has no column image"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(tmp_path, arguments, sentence):
    (tmp_path / "other.csv").write_text("a,b\n1,2")
    done = bulk(*(str(each).format(tmp=tmp_path) for each in arguments), SIGHTLINE_INSTANCE=str(tmp_path / "instance"))
    assert (
        done.exit_code == 1
        and sentence in done.stderr
        and (done.exception is None or isinstance(done.exception, SystemExit))
    )
    assert (tmp_path / "other.csv").read_text() == "a,b\n1,2" and not (tmp_path / "x.csv").exists()


def test_a_copy_never_takes_the_place_of_a_photo(tmp_path):
    shutil.copy(SAMPLES / "chelsea.jpg", tmp_path / "a.jpg")
    before = (tmp_path / "a.jpg").read_bytes()
    done = bulk(tmp_path, "--out", tmp_path / "c.csv", "--write-metadata", tmp_path)
    assert done.exit_code == 1 and "a.jpg already, which stays as it is" in done.stderr
    assert (tmp_path / "a.jpg").read_bytes() == before and len(rows_of(tmp_path / "c.csv")) == 1


def test_copies_of_like_names_have_places_of_their_own_and_spare_what_is_there(tmp_path, photos):
    shutil.copy(SAMPLES / "camera.jpg", photos / "more" / "a.jpg")
    copies = tmp_path / "copies"
    copies.mkdir()
    (copies / "a.jpg").write_bytes(b"of somebody else")
    done = bulk(photos / "**/a.jpg", "--out", tmp_path / "c.csv", "--write-metadata", copies)
    assert done.exit_code == 1 and f"There is a file {copies / 'a.jpg'} already" in done.stderr
    assert (copies / "a.jpg").read_bytes() == b"of somebody else"
    with Image.open(copies / "more" / "a.jpg") as copy, Image.open(photos / "more" / "a.jpg") as original:
        assert copy.tobytes() == original.tobytes()
    assert len(rows_of(tmp_path / "c.csv")) == 2


def test_a_copy_that_is_missing_is_made_by_resuming(tmp_path, photos):
    arguments = (photos, "--out", tmp_path / "c.jsonl", "--write-metadata", tmp_path / "copies")
    assert bulk(*arguments).exit_code == 1
    before = (tmp_path / "c.jsonl").read_text()
    (tmp_path / "copies" / "a.jpg").unlink()
    (photos / "c.jpg").unlink()
    assert bulk(*arguments, "--resume").exit_code == 0
    assert (tmp_path / "copies" / "a.jpg").exists() and (tmp_path / "c.jsonl").read_text() == before


@pytest.mark.parametrize("out", ["c.csv", "c.jsonl"])
def test_names_need_not_be_text(tmp_path, out):
    folder = tmp_path / "photos"
    folder.mkdir()
    names = [os.fsdecode(b"caf\xe9.jpg"), "line\u2028.jpg"]
    for name in names:
        shutil.copy(SAMPLES / "chelsea.jpg", folder / name)
    assert bulk(folder, "--out", tmp_path / out).exit_code == 0
    before = (tmp_path / out).read_bytes()
    assert before.count(b"\n") == (3 if out == "c.csv" else 2)
    done = bulk(folder, "--out", tmp_path / out, "--resume")
    assert done.exit_code == 0 and (tmp_path / out).read_bytes() == before
    if out == "c.csv":
        assert bulk(tmp_path / out, "--out", tmp_path / "again.csv").exit_code == 1  # they lie in another folder


def test_the_owners_words_are_the_alt_text(tmp_path, photos, describer):
    settings = {"SIGHTLINE_INSTANCE": str(tmp_path / "instance")}
    library = Library(tmp_path / "instance")
    library.keys.create("album")
    assert bulk(photos, "--out", tmp_path / "1.csv", "--library", "album", **settings).exit_code == 1
    (record,) = [each for each in library.records.newest("key:album", 9) if "cat" in each.caption]
    library.edit(record, "Chelsea asleep", record.audio_error, {})
    copies = tmp_path / "copies"
    arguments = ("--out", tmp_path / "2.csv", "--library", "album", "--write-metadata", copies)
    assert bulk(photos, *arguments, **settings).exit_code == 1
    assert rows_of(tmp_path / "2.csv")[0]["caption"] == "Chelsea asleep"
    with pyexiv2.Image(str(copies / "a.jpg")) as image:
        assert image.read_xmp()[ALT_TEXT]['lang="x-default"'] == "Chelsea asleep"
    library.close()


def test_what_is_doubted_gets_no_alt_text_and_is_listed(tmp_path, photos):
    arguments = (photos, "--out", tmp_path / "c.csv", "--write-metadata", tmp_path / "copies")
    done = bulk(*arguments, "--least-certainty", "high", SIGHTLINE_INSTANCE=str(tmp_path / "instance"))
    assert "b.jpg: Its certainty is low; it got no alt text." in done.stderr
    assert "2 below high certainty; captions are in" in done.stdout
    again = bulk(*arguments, "--least-certainty", "high", "--resume", SIGHTLINE_INSTANCE=str(tmp_path / "instance"))
    assert "below" not in again.stdout and "1 of them with a problem" in again.stdout  # nothing is described again
    assert not list((tmp_path / "copies").rglob("*.jpg"))
    rows = rows_of(tmp_path / "c.csv")
    assert list(rows[0]) == ["image", "caption", "confidence", "certainty", "spoken", "language"]
    assert {row["certainty"] for row in rows} <= {"medium", "low"}
    assert all(row["spoken"].startswith(("I am not sure.", "I cannot tell")) for row in rows)
