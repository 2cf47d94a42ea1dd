"""The rules by which photos are found again, and how they are measured."""

import numpy as np
import pytest

from model.retrieval import ENOUGH, fts5_query, fuse, holds_enough, keywords, least_cosine
from training.retrieval import Library, Words, measure_retrieval


def test_words_that_count():
    assert keywords("Where is the photo of the Red BUS, the red one?") == ["red", "bus", "one"]
    assert keywords("cari foto anjing di pantai") == ["anjing", "pantai"]
    assert keywords("the of") == ["the", "of"] and keywords('"!') == []
    assert fts5_query(["red", "bus"]) == '"red" OR "bus"'
    assert holds_enough(["red"], ["red", "bus"]) and not holds_enough(["red"], ["red", "bus", "stop"])


def test_fusion_prefers_what_both_rankings_have():
    scores = fuse(([1, 2, 3], [3, 4]))
    assert scores[3] == pytest.approx(1 / 63 + 1 / 61) and scores[1] == pytest.approx(1 / 61)
    assert max(scores, key=scores.get) == 3 and set(scores) == {1, 2, 3, 4}


def test_the_cut_off_follows_the_query():
    assert least_cosine(0.1, 0.02, 1000) < least_cosine(0.1, 0.04, 1000) < least_cosine(0.2, 0.04, 1000)
    assert least_cosine(0.1, 0.02, ENOUGH - 1) == -1


def test_words_are_ranked_as_the_service_does():
    words = Words(["a red bus", "two dogs run", "a dog on a red mat", "nothing"])
    assert words.ranking("a running dog") == [1, 2]
    assert words.ranking("red dogs") == [2, 0, 1] or words.ranking("red dogs")[0] == 2
    assert words.ranking("!") == [] and words.ranking("a green elephant") == []


def test_a_perfect_library_is_measured_as_one():
    """Queries that are their photos' embeddings and captions are found first; those of other photos are not."""
    rng = np.random.default_rng(0)
    count = 60
    embeddings = rng.standard_normal((count, 64)).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    captions = [f"thing{i} kind{i}" for i in range(count)]
    scores = measure_retrieval(Library(embeddings, captions), captions, embeddings, np.arange(count))
    for way in ("retrieval", "by words", "fused"):
        assert scores[way]["text_to_image_r1"] == 100 and scores[way]["text_to_image_median"] == 1
    assert scores["no good match"]["answered_when_there"] == 100
    chance = measure_retrieval(
        Library(embeddings, captions), captions, np.roll(embeddings, 1, axis=0), np.arange(count)
    )
    assert chance["retrieval"]["text_to_image_r1"] == 0
    assert chance["by words"]["text_to_image_r1"] == 100
