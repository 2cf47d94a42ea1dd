"""The rules by which photos are found again, and how they are measured."""

import numpy as np
import pytest

from model.languages.words import keywords
from model.retrieval import (
    ALL_OF_PEOPLES,
    CANDIDATES,
    RANK_CONSTANT,
    all_then_any,
    count_held,
    cut_off,
    fts5_query,
    fuse,
    holds_enough,
)
from training.retrieval import CaptionedPhotos, Queries, Words, measure_retrieval


def test_words_that_count():
    assert keywords("Where is the photo of the Red BUS, the red one?") == ["red", "bus", "one"]
    assert keywords("cari foto anjing di pantai") == ["anjing", "pantai"]
    assert keywords("the of") == [] and keywords("dan yang") == [] and keywords('"!') == []
    assert fts5_query(["red", "dogs"]) == '("red") OR ("dog")'
    assert fts5_query(["berjalan", "9"], every=True) == '("berjalan" OR "jalan") AND ("9")'
    assert count_held("red bus jalan", ["busses", "berjalan", "reds", "cat"]) == 2
    assert holds_enough(1, 2) and not holds_enough(1, 3) and not holds_enough(0, 0)


def test_fusion_prefers_what_both_rankings_have():
    scores = fuse((([1, 2, 3], 1), ([3, 4], 1)))
    assert scores[3] == pytest.approx(1 / 63 + 1 / 61) and scores[1] == pytest.approx(1 / 61)
    assert max(scores, key=scores.get) == 3 and set(scores) == {1, 2, 3, 4}
    assert fuse((([1], 1), ([1, 2], 0.5))) == pytest.approx({1: 1.5 / 61, 2: 0.5 / 62})


def test_the_last_that_people_named_comes_before_the_first_by_likeness():
    assert ALL_OF_PEOPLES / (RANK_CONSTANT + CANDIDATES) > 2 / (RANK_CONSTANT + 1)  # that has some of their words, too


def test_the_cut_off_follows_the_query_down_to_what_can_fit():
    assert cut_off(0.8, 0.2, 0.4) == pytest.approx(0.5, abs=1e-4) and cut_off(0.9, 0.2, 0.4) > cut_off(0.8, 0.2, 0.4)
    assert cut_off(0.5, 0.2, 0.4) == 0.4  # the best is still an answer
    assert cut_off(0.3, 0.2, 0.4) == 0.4  # nothing is
    assert cut_off(0.8, 0.8 + 1e-7, 0.4) < 0.8  # the only photo, its mean summed up in another order


def test_what_holds_all_words_is_enough_if_there_is_enough_of_it():
    asked = []
    holding = lambda every: asked.append(every) or ([1, 2] if every else [3, 2, 1])  # noqa: E731
    assert all_then_any(holding, 2, 2) == [1, 2] and asked == [True]
    assert all_then_any(holding, 2, 3) == [1, 2, 3] and all_then_any(holding, 1, 3) == [1, 2]


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
    own, library = np.arange(count), CaptionedPhotos(embeddings, captions)
    strange = Queries(["elephant"], -embeddings.mean(0, keepdims=True), np.array([-1]))
    scores = measure_retrieval(library, Queries(captions, embeddings, own), 0.9, strange)
    for way in ("retrieval", "by words", "fused"):
        assert scores[way]["text_to_image_r1"] == 100 and scores[way]["text_to_image_median"] == 1
    for size in (20, count // 2):
        assert set(scores[f"no good match, {size} photos"].values()) == {100}
    swapped = Queries(captions, np.roll(embeddings, 1, axis=0), own)
    chance = measure_retrieval(library, swapped, -1.0)
    assert chance["retrieval"]["text_to_image_r1"] == 0
    assert chance["by words"]["text_to_image_r1"] == 100
    assert chance["no good match, 20 photos"]["refused_when_not_there"] == 0
