"""From which cosine photos look alike: found where it is known, and proposed for a captioner."""

import re

import numpy as np
import pytest

from tests.training.steps import call, refused, write_set
from training import photo_pairs
from training.photo_pairs import PhotoPairs, choose_bound, overlaps_of, pairs_of


def test_overlap_is_of_what_is_said_not_of_how():
    texts = ["A dog runs on the grass.", "the dogs running on grass", "Two people at a table", "the a of"]
    overlaps = overlaps_of(texts)
    assert overlaps[0, 1] == pytest.approx(1) and overlaps[0, 2] == 0 and not overlaps[3, :3].any()
    assert np.array_equal(overlaps, overlaps.T)


def test_pairs_are_of_different_photos_each_once():
    embeddings = np.eye(3, dtype=np.float32)[[0, 0, 1]]
    pairs = pairs_of(embeddings, ["a dog", "a dog", "a cat"])
    assert pairs.cosines.tolist() == [1, 0, 0] and pairs.overlaps[0] == pytest.approx(1)


def test_the_bound_leaves_out_all_but_a_share_of_unlike_pairs():
    rng = np.random.default_rng(0)
    unlike, alike = rng.uniform(0, 0.8, 10_000), np.full(500, 0.9)
    overlaps = np.concatenate([np.zeros(10_000), np.full(500, 0.6)])
    pairs = PhotoPairs(np.concatenate([unlike, alike]), overlaps)
    assert choose_bound([pairs], 0.02) == pytest.approx(0.79, abs=0.011)  # 2 % of 0 to 0.8 lie above 0.784
    assert pairs.listed(0.4)["unlike"] == pytest.approx(50, abs=2) and pairs.listed(0.85)["alike"] == 100
    apart = PhotoPairs(np.full(10, -0.5), np.zeros(10))
    assert choose_bound([pairs, apart], 0.02) < choose_bound([pairs], 0.02)  # each set counts the same
    assert choose_bound([PhotoPairs(np.ones(10), np.zeros(10))], 0.02) == 0.99


def test_a_bound_is_proposed_for_the_embedded_captioner(tmp_path):
    """Three copies of each sample photo, of two sizes, look alike; different ones do not."""
    data = write_set(tmp_path / "data")
    output = call(photo_pairs, "--data", data, "--split", "train")
    bound = float(re.search(r"--least-photo-cosine (\S+)", output)[1])
    assert 0.2 < bound < 0.95
    row = next(line for line in output.splitlines() if "proposed" in line).split()
    assert float(row[0]) == bound and float(row[2]) <= 2 and float(row[3]) > 90
    assert "no test photo with a caption in 'de'" in refused(
        photo_pairs, "--data", data, "--split", "test", "--lang", "de"
    )
