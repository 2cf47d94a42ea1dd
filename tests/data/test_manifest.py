"""No photo is opened twice, a changed one is opened again, and a damaged manifest costs nothing but time."""

import json
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from data import manifest
from data.datasets import DatasetError, read_dataset, read_datasets
from data.photos import check_photo


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """The names of the photos that were opened since the list was last emptied."""
    names = []

    def watched(path: Path, decode: bool = True):
        names.append(path.name)
        return check_photo(path, decode)

    monkeypatch.setattr(manifest, "check_photo", watched)
    return names


def manifests() -> list[Path]:
    return sorted((Path(os.environ["XDG_CACHE_HOME"]) / "sightline" / manifest.FOLDER).iterdir())


def test_second_reading_opens_no_photo(small_set, opened):
    first = read_dataset(small_set.folder)
    assert len(opened) == 3
    opened.clear()
    assert read_datasets([small_set.folder]) == [first] and opened == []
    assert all(len(example.sha256) == 64 for example in first)


def test_changed_photo_is_read_again(new_set, photo_bytes, opened):
    small_set = new_set("imagefolder")
    before = read_dataset(small_set.folder)
    opened.clear()
    small_set.add_photo("p1.jpg", photo_bytes(9))
    after = read_dataset(small_set.folder)
    assert opened == ["p1.jpg"]
    assert [a.sha256 == b.sha256 for a, b in zip(before, after, strict=True)] == [True, False, True]


def test_photo_of_the_same_size_is_read_again_by_its_time(new_set, opened):
    small_set = new_set("imagefolder")
    read_dataset(small_set.folder)
    opened.clear()
    photo = small_set.photo_path("p2.jpg")
    content = bytearray(photo.read_bytes())
    content[-1] ^= 1
    time = photo.stat().st_mtime_ns
    photo.write_bytes(content)
    os.utime(photo, ns=(time, time + 1))
    read_dataset(small_set.folder, skip_bad=True)
    assert opened == ["p2.jpg"]


def test_unreadable_photo_stays_refused(new_set, photo_bytes, opened):
    small_set = new_set("imagefolder")
    small_set.add_caption("cut.jpg", "half of it")
    small_set.add_photo("cut.jpg", photo_bytes(9)[:-300])
    for _ in range(2):
        with pytest.raises(DatasetError, match="cut.jpg cannot be read .*truncated"):
            read_dataset(small_set.folder)
    assert opened.count("cut.jpg") == 1
    small_set.add_photo("cut.jpg", photo_bytes(9))
    assert len(read_dataset(small_set.folder)) == 4


def test_photo_that_was_only_hashed_is_decoded_when_asked(new_set, opened):
    small_set = new_set("imagefolder")
    read_dataset(small_set.folder, check_photos=False)
    read_dataset(small_set.folder)
    assert len(opened) == 6
    read_dataset(small_set.folder, check_photos=False)
    assert len(opened) == 6


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[]",
        b"[" * 100_000,
        b'{"format": 2, "photos": {}}',
        b'{"format": 1, "photos": {"a": [1, 2]}}',
        b'{"format": 1, "photos": {"PHOTO": [1, 2, "no digest", ""]}}',
        b'{"format": 1, "photos": [7]}',
    ],
)
def test_damaged_manifest_is_ignored_and_replaced(new_set, opened, content):
    small_set = new_set("imagefolder")
    first = read_dataset(small_set.folder)
    (file,) = manifests()
    file.write_bytes(content.replace(b"PHOTO", os.fsencode(small_set.photo_path("p0.jpg"))))
    opened.clear()
    assert read_dataset(small_set.folder) == first and len(opened) == 3
    assert len(json.loads(file.read_text())["photos"]) == 3 and manifests() == [file]


def test_manifest_that_cannot_be_written_costs_nothing(new_set, monkeypatch, tmp_path):
    small_set = new_set("imagefolder")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(read_dataset(small_set.folder)) == len(read_dataset(small_set.folder)) == 3


def test_removed_photos_are_forgotten(new_set):
    small_set = new_set("imagefolder")
    read_dataset(small_set.folder)
    small_set.file.write_text("".join(small_set.file.read_text().splitlines(keepends=True)[:2]))
    read_dataset(small_set.folder)
    (file,) = manifests()
    assert len(json.loads(file.read_text())["photos"]) == 2


def test_two_processes_read_the_same_set(new_set):
    small_set = new_set("imagefolder", photos=20)
    with ProcessPoolExecutor(4) as pool:
        counts = list(pool.map(count_photos, [small_set.folder] * 8))
    assert counts == [20] * 8
    (file,) = manifests()  # and nothing unfinished beside it
    assert len(json.loads(file.read_text())["photos"]) == 20


def count_photos(folder: Path) -> int:
    return len(read_dataset(folder))


def test_photo_that_nobody_may_read_is_refused_and_not_remembered(new_set, monkeypatch):
    small_set = new_set("imagefolder")

    def denied(path: Path, decode: bool = True):
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(manifest, "check_photo", denied)
        with pytest.raises(DatasetError, match="p0.jpg cannot be read .Permission denied.; get it again"):
            read_dataset(small_set.folder)
    assert len(read_dataset(small_set.folder)) == 3
