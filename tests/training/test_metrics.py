"""Our quick scores agree with the field's own."""

import numpy as np
import pytest

from training.labels import names_label
from training.metrics import CiderD, recall
from training.scorers import caption_scores

REFERENCES = [
    ["a dog runs over the grass", "a brown dog is running outside", "the dog plays on a lawn"],
    ["two people cross the street", "a man and a woman walk over a zebra crossing"],
    ["a red bus stands at the stop", "the bus waits at a bus stop", "a bus by the road"],
    ["a child climbs the stairs", "a small girl goes up some steps"],
]
CAPTIONS = ["a dog runs on the grass", "two people walk over the street", "a bus at the stop", "a man on a bike"]


@pytest.mark.training  # starts Java
def test_cider_d_equals_pycocoevalcap():
    """With the end of a caption not counted as a word, our CIDEr-D is pycocoevalcap's."""
    import training.metrics as metrics

    wanted = caption_scores(REFERENCES, CAPTIONS)
    whole_words = metrics.ngrams

    def without_end(text, n_max=4):
        return type(whole_words(text))({g: c for g, c in whole_words(text, n_max).items() if metrics.END not in g})

    metrics.ngrams = without_end
    try:
        ours = CiderD(REFERENCES).scores(CAPTIONS, range(4)).mean()
    finally:
        metrics.ngrams = whole_words
    assert ours == pytest.approx(wanted["CIDEr-D"], rel=1e-6)


def test_cider_d_likes_whole_sentences():
    cider = CiderD(REFERENCES)
    whole, broken = cider.scores(["a dog runs over the grass", "a dog runs over the grass on the"], [0, 0])
    assert whole > broken > 0


@pytest.mark.training
def test_perfect_captions_score_one():
    scores = caption_scores(REFERENCES, [own[0] for own in REFERENCES])
    assert scores["BLEU-1"] == pytest.approx(1, abs=1e-6) and scores["BLEU-4"] == pytest.approx(1, abs=1e-6)
    assert scores["METEOR"] == pytest.approx(1, abs=1e-6) and scores["ROUGE-L"] == pytest.approx(1, abs=1e-6)
    assert caption_scores(REFERENCES, ["blue"] * 4)["BLEU-4"] < 0.01


def test_recall_counts_ranks():
    photos = np.eye(4, dtype=np.float32)
    texts = np.array([[1, 0, 0, 0], [0, 0.5, 0.9, 0], [0, 0, 1, 0], [0.9, 0, 0, 0.1]], np.float32)
    scores = recall(photos, texts, np.array([0, 1, 2, 3]))
    assert scores["text_to_image_r1"] == 50.0  # the second and the fourth have one photo before their own
    assert scores["text_to_image_r5"] == 100.0 and scores["text_to_image_median"] == 1.5
    assert scores["image_to_text_r1"] == 100.0


@pytest.mark.parametrize(
    "text, labels, language, named",
    [
        ("a zebra crossing goes straight ahead", ("crosswalk",), "en", True),
        ("zebra cross lurus di depan", ("crosswalk",), "id", True),
        ("a man rides a bicycle", ("crosswalk",), "en", False),
        ("the light ahead is red, wait", ("red traffic light",), "en", True),
        ("a red car is ahead", ("red traffic light",), "en", False),
        ("two apples on a table", ("apple",), "en", None),
    ],
)
def test_label_is_named(text, labels, language, named):
    assert names_label(text, labels, language) is named
