"""The embedded captioner describes the photos that ship with the project."""

import inspect
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.describe import Describer
from model.errors import UnsupportedOption
from model.families import DEFAULT
from model.protocols import STYLES
from model.safety_claims import LANGUAGES, is_unsafe
from model.support import say_the_same

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"


def photo(name: str) -> Image.Image:
    with Image.open(SAMPLES / name) as opened:
        return opened.convert("RGB")


@pytest.fixture(scope="module")
def photos() -> list[Image.Image]:
    return [photo(path.name) for path in sorted(SAMPLES.glob("*.jpg"))]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("style", STYLES)
def test_every_way_of_telling(describer, photos, language, style):
    told = describer.describe_scenes(photos, language, style)
    assert len(told) == len(photos)
    for description in told:
        assert re.fullmatch(r"[^a-z<].*[.!?]", description.text) and "<|" not in description.text
        if description.caption is None:
            assert description.certainty == "none"
            continue
        assert len(description.caption.text.split()) >= 3
        assert 0 < description.caption.confidence <= 1
        assert len(description.caption.log_probs) - len(description.caption.token_ids) in (0, 1)
        assert (description.language, description.style, description.captioner) == (
            language,
            style,
            describer.info.name,
        )
        assert all(value >= 0 for value in description.timings_ms.values())
        others = [other.text for other in description.alternatives]
        assert all(not say_the_same(other, description.caption.text) for other in others)
        assert all(other.confidence <= description.caption.confidence for other in description.alternatives)
        assert 0 < min(claim.support for claim in description.claims) <= 1
        if style == "guide":
            assert not any(is_unsafe(text, language) for text in [description.caption.text, *others])
    described = [description.text for description in told if description.caption]
    assert len(described) >= 2 and len(set(described)) > len(described) / 2  # it looks at the photo


def test_batch_and_single_agree(describer, photos):
    together = [d.caption and d.caption.token_ids for d in describer.describe_scenes(photos)]
    alone = [d.caption and d.caption.token_ids for one in photos for d in describer.describe_scenes([one])]
    assert together == alone


def test_confidence_is_the_mean_token_probability(describer, photos):
    (found,) = describer.captioner.caption(photos[:1], "en", "caption")
    caption = found.candidates[0]
    assert caption.confidence == pytest.approx(np.exp(caption.log_probs).mean())


def test_languages_differ(describer):
    english, indonesian = (describer.describe(photo("chelsea.jpg"), language).text for language in LANGUAGES)
    assert english != indonesian
    assert re.search(r"\b(a|the)\b", english.lower()) and not re.search(r"\b(a|the)\b", indonesian.lower())


def test_no_photo_is_no_work(describer):
    assert describer.describe_many([]) == []


@pytest.mark.parametrize("asked", [("fr", "caption"), ("en", "poem")])
def test_unknown_ways_are_refused(describer, asked):
    with pytest.raises(UnsupportedOption, match="use one of"):
        describer.describe(Image.new("RGB", (64, 64)), *asked)


@pytest.mark.parametrize("size", [(1, 1), (2000, 3), (3, 2000), (500, 400)])
def test_any_shape_of_photo(describer, size):
    assert describer.describe(Image.new("RGB", size, "gray")).text


def test_texts_find_their_photos(describer):
    """Both towers of the embedded pair share one space: a photo's own words are nearer than another photo's."""
    words = {
        "chelsea.jpg": "a close up of a cat",
        "rocket.jpg": "a rocket stands in the evening",
        "zebra_crossing.jpg": "a zebra crossing on the road",
    }
    photos = describer.embedder.embed_photos([photo(name) for name in words])
    texts = describer.embedder.embed_texts(list(words.values()))
    assert photos.shape == texts.shape == (3, 640) and photos.dtype == texts.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(photos, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(texts, axis=1), 1, atol=1e-5)
    scores = texts @ photos.T
    assert np.trace(scores) > np.trace(scores[:, [1, 2, 0]]) and np.trace(scores) > np.trace(scores[:, [2, 0, 1]])


@pytest.mark.parametrize("likeness, agreement", [(0, 0), (1000, 0), (0, 1000)])
def test_likeness_and_agreement_have_their_say_in_the_order(describer, monkeypatch, likeness, agreement):
    """With a great weight the pair alone decides, with none decoding does."""
    shown = photo("zebra_crossing.jpg")
    weights = {"likeness_weight": float(likeness), "agreement_weight": float(agreement)}
    monkeypatch.setattr(describer.captioner.decoder, "options", replace(describer.captioner.decoder.options, **weights))
    (found,) = describer.captioner.caption([shown], "en", "caption")
    captions = found.candidates
    texts = describer.embedder.embed_texts([caption.text for caption in captions])
    ranked = np.array([caption.score for caption in captions])
    if likeness:
        ranked = texts @ describer.embedder.embed_photos([shown])[0]
    elif agreement:
        assert len(captions) == describer.captioner.decoder.options.beams  # no two alike, so this is the mean of all
        ranked = texts @ texts.mean(0)
    assert len(captions) > 2 and (np.diff(ranked) <= 1e-6).all()


def test_embedding_nothing(describer):
    assert describer.embedder.embed_photos([]).shape == describer.embedder.embed_texts([]).shape == (0, 640)


def test_embedded_captioner_is_small():
    assert sum(file.stat().st_size for file in DEFAULT.iterdir()) <= 48 * 2**20


def test_model_card_names_the_captioner(describer):
    config = json.loads((DEFAULT / "config.json").read_text())
    assert config["name"] == describer.info.name and describer.info.name in (DEFAULT / "README.md").read_text()


def test_two_public_calls():
    public = [name for name, _ in inspect.getmembers(Describer, callable) if not name.startswith("_")]
    assert public == ["describe", "describe_many", "describe_scenes", "embed_texts", "load"]
