"""Embeddings on disk: written once, resumed after a kill, refused when they are not what was asked for."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from data.embeddings import EmbeddingsError, EmbeddingStore

ROOT = Path(__file__).resolve().parents[2]
MADE_BY = {"model": "small", "checkpoint_sha256": "ab12", "normalised": True, "dataset": "flickr8k"}


def vectors(start: int, count: int) -> np.ndarray:
    """(count, 4) float32, other numbers for every row."""
    return np.arange(start * 4, (start + count) * 4, dtype=np.float32).reshape(count, 4)


def grids(start: int, count: int) -> np.ndarray:
    """(count, 2, 3) float16, other numbers for every row."""
    return np.arange(start * 6, (start + count) * 6).reshape(count, 2, 3).astype(np.float16)


def names(start: int, count: int) -> list[str]:
    return [f"bild-ö/{number}.jpg" for number in range(start, start + count)]


@pytest.fixture
def finished(tmp_path) -> Path:
    """A finished folder of five rows with a grid."""
    folder = tmp_path / "store"
    with EmbeddingStore.create(folder, 4, MADE_BY, grid=(2, 3)) as writer:
        writer.append(names(0, 3), vectors(0, 3), grids(0, 3))
        writer.append(names(3, 2), vectors(3, 2), grids(3, 2))
    return folder


def test_what_is_written_is_mapped_again(finished):
    store = EmbeddingStore.open(finished, expect=MADE_BY)
    assert isinstance(store.vectors, np.memmap) and isinstance(store.grid, np.memmap)
    assert store.vectors.dtype == np.float32 and store.grid.dtype == np.float16
    np.testing.assert_array_equal(store.vectors, vectors(0, 5))
    np.testing.assert_array_equal(store.grid, grids(0, 5))
    assert list(store.ids) == names(0, 5) and len(store) == 5
    assert store.made_by["photos"] == 5 and store.made_by["when"].startswith("20")
    assert sorted(file.name for file in finished.iterdir()) == [
        "embeddings.npy",
        "grid.npy",
        "ids.json",
        "made_by.json",
    ]
    with pytest.raises(ValueError, match="read-only"):
        store.vectors[0] = 0


def test_rows_of_ids(finished):
    store = EmbeddingStore.open(finished)
    np.testing.assert_array_equal(
        store.vectors[store.rows([*names(4, 1), *names(1, 1)])], [vectors(4, 1)[0], vectors(1, 1)[0]]
    )
    with pytest.raises(EmbeddingsError, match=r"ids.json: ids: 'b.jpg' is not there; run training.prepare"):
        store.rows(["b.jpg"])


def test_without_a_grid(tmp_path):
    with EmbeddingStore.create(tmp_path / "store", 4, MADE_BY) as writer:
        writer.append(names(0, 2), vectors(0, 2))
        with pytest.raises(ValueError, match="created without a grid"):
            writer.append(names(2, 1), vectors(2, 1), grids(2, 1))
    store = EmbeddingStore.open(tmp_path / "store")
    assert store.grid is None and len(store) == 2


def test_finished_folder_takes_more(finished):
    """A set that has grown: only its new photos are embedded."""
    with EmbeddingStore.create(finished, 4, MADE_BY, grid=(2, 3)) as writer:
        assert "bild-ö/4.jpg" in writer and "bild-ö/5.jpg" not in writer
        with pytest.raises(EmbeddingsError, match="is missing, the folder is not finished; run training.prepare"):
            EmbeddingStore.open(finished)
        writer.append(names(5, 200), vectors(5, 200), grids(5, 200))
    store = EmbeddingStore.open(finished)
    np.testing.assert_array_equal(store.vectors, vectors(0, 205))
    np.testing.assert_array_equal(store.grid, grids(0, 205))
    assert list(store.ids) == names(0, 205)


def test_interrupted_writer_is_gone_on_with(tmp_path):
    folder = tmp_path / "store"
    with pytest.raises(KeyboardInterrupt), EmbeddingStore.create(folder, 4, MADE_BY, grid=(2, 3)) as writer:
        writer.append(names(0, 3), vectors(0, 3), grids(0, 3))
        raise KeyboardInterrupt
    # What a kill in the middle of a row leaves behind in each file.
    for file, torn in (("embeddings.npy", b"\1" * 21), ("grid.npy", b"\1" * 5), ("ids.part", b'"bild')):
        with (folder / file).open("ab") as part:
            part.write(torn)
    with EmbeddingStore.create(folder, 4, MADE_BY, grid=(2, 3)) as writer:
        assert writer.ids == names(0, 3)
        writer.append(names(3, 2), vectors(3, 2), grids(3, 2))
    store = EmbeddingStore.open(folder)
    np.testing.assert_array_equal(store.vectors, vectors(0, 5))
    np.testing.assert_array_equal(store.grid, grids(0, 5))
    assert list(store.ids) == names(0, 5)


def test_rows_that_did_not_reach_the_disk_are_written_again(tmp_path):
    """After a power cut a file may be shorter than the list of ids says."""
    folder = tmp_path / "store"
    writer = EmbeddingStore.create(folder, 4, MADE_BY)
    writer.append(names(0, 5), vectors(0, 5))
    writer.close()
    os.truncate(folder / "embeddings.npy", (folder / "embeddings.npy").stat().st_size - 20)
    with EmbeddingStore.create(folder, 4, MADE_BY) as writer:
        assert writer.ids == names(0, 3)
        writer.append(names(3, 1), vectors(3, 1))
    np.testing.assert_array_equal(EmbeddingStore.open(folder).vectors, vectors(0, 4))


WRITE_UNTIL_KILLED = """
import sys
import numpy as np
from data.embeddings import EmbeddingStore
made_by = {"model": "small", "checkpoint_sha256": "ab12", "normalised": True, "dataset": "flickr8k"}
with EmbeddingStore.create(sys.argv[1], 4, made_by) as writer:
    number = len(writer.ids)
    while True:
        writer.append([f"bild-ö/{number}.jpg"], np.arange(number * 4, number * 4 + 4, dtype=np.float32)[None])
        number += 1
"""


def test_killed_process_loses_no_finished_row(tmp_path):
    folder = tmp_path / "store"
    reached = 0
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", WRITE_UNTIL_KILLED, str(folder)], cwd=ROOT)
        try:
            until = time.monotonic() + 30
            part = folder / "ids.part"
            while not part.is_file() or part.read_bytes().count(b"\n") <= reached + 50:
                assert time.monotonic() < until and process.poll() is None
                time.sleep(0.01)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        before = part.read_bytes().count(b"\n")
        assert before > reached
        reached = before
    with EmbeddingStore.create(folder, 4, MADE_BY) as writer:
        assert len(writer.ids) == reached
    store = EmbeddingStore.open(folder)
    np.testing.assert_array_equal(store.vectors, vectors(0, reached))
    assert list(store.ids) == names(0, reached)


@pytest.mark.parametrize(
    ("field", "other"),
    [("model", "large"), ("checkpoint_sha256", "cd34"), ("normalised", False), ("dataset", "coco"), ("dim", 640)],
)
def test_folder_of_another_maker_is_refused(finished, field, other):
    sentence = rf"made_by.json: {field}: is .*, not {other!r}; embed the photos again into another folder"
    with pytest.raises(EmbeddingsError, match=sentence):
        EmbeddingStore.open(finished, expect={field: other})
    made_by = MADE_BY if field == "dim" else MADE_BY | {field: other}
    with pytest.raises(EmbeddingsError, match=sentence):
        EmbeddingStore.create(finished, 640 if field == "dim" else 4, made_by, grid=(2, 3))
    assert len(EmbeddingStore.open(finished)) == 5  # refused without harm


def test_unfinished_folder_of_another_maker_is_refused(tmp_path):
    writer = EmbeddingStore.create(tmp_path / "store", 4, MADE_BY)
    writer.close()
    with pytest.raises(EmbeddingsError, match=r"made_by.part.json: model: is 'small', not 'large'"):
        EmbeddingStore.create(tmp_path / "store", 4, MADE_BY | {"model": "large"})
    with pytest.raises(EmbeddingsError, match=r"made_by.part.json: grid: is None, not \[2, 3\]"):
        EmbeddingStore.create(tmp_path / "store", 4, MADE_BY, grid=(2, 3))


def test_maker_must_be_said(tmp_path):
    with pytest.raises(EmbeddingsError, match=r"made_by.json: checkpoint_sha256: is not given"):
        EmbeddingStore.create(tmp_path / "store", 4, {"model": "small"})


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


@pytest.mark.parametrize(
    ("name", "harm", "sentence"),
    [
        ("embeddings.npy", cut, r"embeddings.npy: the file is cut off or damaged"),
        ("grid.npy", cut, r"grid.npy: the file is cut off or damaged"),
        ("embeddings.npy", lambda file: os.truncate(file, 0), r"embeddings.npy: the file is cut off or damaged"),
        ("embeddings.npy", lambda file: file.write_bytes(b"x" * 99), r"embeddings.npy: the file is cut off or damaged"),
        ("embeddings.npy", Path.unlink, r"embeddings.npy: cannot be read \(No such file"),
        (
            "embeddings.npy",
            lambda file: np.save(file, np.zeros((5, 4))),
            r"embeddings.npy: dtype: is float64, not float32",
        ),
        (
            "embeddings.npy",
            lambda file: np.save(file, np.zeros((5, 3), np.float32)),
            r"embeddings.npy: shape: is \(5, 3\), but made_by.json says \(5, 4\)",
        ),
        (
            "ids.json",
            lambda file: file.write_text(json.dumps(names(0, 4))),
            r"embeddings.npy: rows: 5, but ids.json has 4 ids",
        ),
        ("ids.json", lambda file: file.write_text(json.dumps(["a"] * 5)), r"ids.json: ids: one is there twice"),
        ("ids.json", lambda file: file.write_text(json.dumps([[1]] * 5)), r"ids.json: ids: one is no string"),
        ("ids.json", cut_json := (lambda file: file.write_text('["a", ')), r"ids.json: is missing or no JSON"),
        ("ids.json", Path.unlink, r"ids.json: is missing or no JSON"),
        ("made_by.json", cut_json, r"made_by.json: is missing or no JSON"),
        ("made_by.json", lambda file: file.write_text("[]"), r"made_by.json: is not a JSON object"),
        ("made_by.json", Path.unlink, r"made_by.json: is missing, the folder holds no embeddings"),
    ],
)
def test_damaged_folder_is_one_sentence(finished, name, harm, sentence):
    harm(finished / name)
    with pytest.raises(EmbeddingsError, match=sentence) as refused:
        EmbeddingStore.open(finished)
    assert str(refused.value).startswith(str(finished)) and "; " in str(refused.value)
    assert "\n" not in str(refused.value)


def test_damaged_list_of_finished_rows(tmp_path):
    writer = EmbeddingStore.create(tmp_path, 4, MADE_BY)
    writer.append(names(0, 1), vectors(0, 1))
    writer.close()
    (tmp_path / "ids.part").write_bytes(b"\0\0\0\n")
    with pytest.raises(EmbeddingsError, match=r"ids.part: ids: are damaged; delete the folder"):
        EmbeddingStore.create(tmp_path, 4, MADE_BY)


def test_wrong_rows_are_refused_and_none_is_written(tmp_path):
    with EmbeddingStore.create(tmp_path / "store", 4, MADE_BY, grid=(2, 3)) as writer:
        writer.append(names(0, 1), vectors(0, 1), grids(0, 1))
        for ids, rows, grid in (
            (names(1, 2), vectors(1, 1), grids(1, 2)),
            (names(1, 1), np.zeros((1, 5)), grids(1, 1)),
            (names(1, 1), vectors(1, 1), np.zeros((1, 3, 2))),
            (names(1, 1), vectors(1, 1), None),
            (names(0, 1), vectors(1, 1), grids(1, 1)),
            (names(1, 1) * 2, vectors(1, 2), grids(1, 2)),
        ):
            with pytest.raises(ValueError):
                writer.append(ids, rows, grid)
    store = EmbeddingStore.open(tmp_path / "store")
    np.testing.assert_array_equal(store.vectors, vectors(0, 1))
    np.testing.assert_array_equal(store.grid, grids(0, 1))


def test_empty_folder_is_never_finished(tmp_path):
    none = pytest.raises(EmbeddingsError, match="photos: there are none; embed at least one")
    with none, EmbeddingStore.create(tmp_path / "store", 4, MADE_BY):
        pass
