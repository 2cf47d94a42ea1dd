"""Whatever happens, a record is there whole or not at all. The crashes here are real: SIGKILL at every step."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from deploy.library import Library, LibraryError, Record
from tests.helpers import a_record

ROOT = Path(__file__).parents[2]
RECORD = a_record(timings_ms={"read": 1.0}, id="x", sha256="0" * 64, created=datetime(2026, 1, 2, 3, 4, 5, 678))
CONTENTS = {"jpg": b"photo", "mp3": b"sound", "wav": b"SOUND"}

# Adds or deletes, each time in a new process and folder that dies by SIGKILL one system call or statement later than
# the one before, until one lives.
CRASH = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from sqlalchemy.engine import Engine
from deploy.library import Library
from tests.deploy.test_library import CONTENTS, RECORD
top, action, left = Path(sys.argv[1]), sys.argv[2], 1000
def step():
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
def before(owner, name):
    call = getattr(owner, name)
    setattr(owner, name, lambda *args, **more: (step(), call(*args, **more))[1])
for owner, name in ((os, "fsync"), (Path, "replace"), (Path, "unlink")):
    before(owner, name)
event.listen(Engine, "before_cursor_execute", lambda *args: step())
event.listen(Engine, "commit", lambda connection: step())
for number in range(40):
    if not os.fork():
        library = Library(top / str(number))
        if action == "delete":
            library.add(RECORD, CONTENTS)
        left = number
        library.add(RECORD, CONTENTS) if action == "add" else library.delete(RECORD.id)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.wait()[1])
    print(status)
    if status != -signal.SIGKILL:
        break
"""


@pytest.fixture
def library(tmp_path, database):
    library = Library(tmp_path, database)
    yield library
    library.close()


def files(folder):
    return sorted(path.name for path in (folder / "photos").iterdir())


def test_a_record_comes_back_as_it_was(library):
    library.add(RECORD, CONTENTS)
    assert library.get("x") == RECORD
    assert {kind: library.read(RECORD, kind) for kind in CONTENTS} == CONTENTS


def test_ids_have_128_random_bits():
    ids = {replace(RECORD, id=Record.__dataclass_fields__["id"].default_factory()).id for _ in range(100)}
    assert len(ids) == 100
    assert all(len(id) == 22 for id in ids)


def test_deleting_removes_all_of_one_record(library, tmp_path):
    library.add(RECORD, CONTENTS)
    library.add(replace(RECORD, id="y", sha256="another"), CONTENTS)
    assert library.delete("x")
    assert not library.delete("x")
    assert library.get("x") is None
    assert files(tmp_path) == ["y.jpg", "y.mp3", "y.wav"]


def test_a_record_that_cannot_be_written_leaves_no_file(library, tmp_path):
    library.add(RECORD, CONTENTS)
    library.files.delete("x.jpg", "x.mp3", "x.wav")
    with pytest.raises(Exception, match="(?i)unique"):
        library.add(replace(RECORD, sha256="another"), CONTENTS)
    assert files(tmp_path) == []


def test_what_many_add_at_once_is_kept_once(library, tmp_path, database):
    other = Library(tmp_path, database)  # as another worker has it
    records = [replace(RECORD, id=f"x{i}") for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        added = pool.map(lambda i: (library, other)[i % 2].add(records[i], CONTENTS), range(8))
        (kept,) = {record.id for record in added}
    assert library.records.ids(RECORD.owner) == [kept]
    assert files(tmp_path) == [f"{kept}.{kind}" for kind in ("jpg", "mp3", "wav")]
    other.close()


def test_a_file_that_cannot_be_written_leaves_no_record(library, tmp_path):
    (tmp_path / "photos" / "x.mp3").mkdir()  # nothing can be renamed onto a folder
    with pytest.raises(OSError):
        library.files.write({"x.jpg": b"photo", "x.mp3": b"sound"})
    assert library.get("x") is None
    assert files(tmp_path) == ["x.mp3"]


def test_the_sweep_takes_orphans_and_leaves_the_young(library, tmp_path):
    library.add(RECORD, CONTENTS)
    for name in ("orphan.jpg", ".x.jpg.1234", "young.jpg"):
        (tmp_path / "photos" / name).write_bytes(b"")
    long_ago = time.time() - 4000
    for name in ("orphan.jpg", ".x.jpg.1234", "x.jpg", "x.mp3"):
        os.utime(tmp_path / "photos" / name, (long_ago, long_ago))
    assert library.sweep() == 2
    assert files(tmp_path) == ["x.jpg", "x.mp3", "x.wav", "young.jpg"]


def test_two_libraries_on_one_folder_see_each_other(library, tmp_path, database):
    other = Library(tmp_path, database)
    library.add(RECORD, CONTENTS)
    assert other.get("x") == RECORD
    assert other.delete("x")
    assert library.get("x") is None
    other.close()


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LibraryError, match=r"^Records cannot be kept in .* \(.*\); set SIGHTLINE_INSTANCE to .*\.$"):
        Library(tmp_path / "file")


def test_a_database_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(
        LibraryError, match=r"^SIGHTLINE_DATABASE cannot be used \(.*\); see that it runs and lets you in\.$"
    ):
        Library(tmp_path, "postgresql+psycopg://nobody@127.0.0.1:9/none")


@pytest.mark.parametrize("action", ["add", "delete"])
def test_killed_at_every_step_nothing_is_half(tmp_path, action):
    run = subprocess.run(
        [sys.executable, "-c", CRASH, str(tmp_path), action], cwd=ROOT, timeout=120, stdout=subprocess.PIPE, text=True
    )
    died = [int(status) for status in run.stdout.split()]
    assert len(died) > 3
    assert died == [-signal.SIGKILL] * (len(died) - 1) + [0]
    for step in range(len(died)):
        library = Library(tmp_path / str(step))
        record = library.get("x")
        if record:
            assert record == RECORD
            assert {kind: library.read(record, kind) for kind in CONTENTS} == CONTENTS
        library.sweep(older_than_s=-1)
        assert files(tmp_path / str(step)) == (["x.jpg", "x.mp3", "x.wav"] if record else [])
        library.close()
    assert (record is not None) == (action == "add")
