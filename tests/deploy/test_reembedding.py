"""Photos of another space are given their place in the one in use, while the service runs."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from deploy import reembedding
from deploy.library import Library
from deploy.reembedding import reembed
from tests.helpers import OWNER, SAMPLES, a_record, run_main

NAMES = ("chelsea", "rocket", "zebra_crossing")


@pytest.fixture
def library(tmp_path, describer):
    """Three photos of an earlier captioner, one of them found by nobody's words, and one photo that was lost."""
    library = Library(tmp_path / "instance")
    old = np.ones(8, np.float32) / 8**0.5
    for name in (*NAMES, "lost"):
        record = a_record(description=name, space="old", embedding=old.tobytes())
        photo = b"lost" if name == "lost" else (SAMPLES / f"{name}.jpg").read_bytes()
        library.add(record, {"jpg": photo})
    yield library
    library.close()


def found(library, describer, text: str) -> list[str]:
    (vector,) = describer.embed_texts([text])
    hits = library.search.find(OWNER, "xyz", vector, describer.space.id, least_cosine=describer.space.least_cosine)
    return [hit.record.description for hit in hits if hit.by_similarity]


def test_photos_are_found_again_by_what_they_show(library, describer):
    assert found(library, describer, "a cat") == []  # an index of this space is in memory from now on
    assert not library.records.all_in_space(OWNER, describer.space.id)
    (lost,) = reembed(library, describer.embedder)
    assert library.get(lost).description == "lost"
    assert found(library, describer, "a cat")[0] == "chelsea"
    assert library.records.count_in_space(OWNER, describer.space.id) == 3


def test_stopped_it_continues_with_what_is_left(library, describer, monkeypatch):
    monkeypatch.setattr(reembedding, "AT_ONCE", 1)

    def stop(count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reembed(library, describer.embedder, stop)
    assert library.records.count_in_space(OWNER, describer.space.id) == 1
    looked_at = []
    reembed(library, describer.embedder, looked_at.append)
    assert sum(looked_at) == 3 and library.records.count_in_space(OWNER, describer.space.id) == 3


def test_what_is_deleted_meanwhile_is_no_error(library, describer):
    with ThreadPoolExecutor(1) as pool:
        moving = pool.submit(reembed, library, describer.embedder)
        library.delete_all(OWNER)
        assert moving.result(60) in ([], *([id] for id in moving.result()))
    assert library.records.ids(OWNER) == []


@pytest.mark.process
def test_the_command(library, tmp_path):
    for photos in ("3 photos were embedded again, 1 could not be.", "0 photos were embedded again, 1 could not be."):
        done = run_main("library", "reembed", SIGHTLINE_INSTANCE=str(tmp_path / "instance"))
        assert done.returncode == 0 and photos in done.stdout, done.stderr
        assert "its photo cannot be read; it is found by its words alone." in done.stderr
