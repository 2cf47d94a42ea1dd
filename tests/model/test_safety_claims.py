"""A guide promises nothing: such clauses leave the training text and cannot be decoded."""

from collections import defaultdict

import pytest
import torch

from model.caption.cached_gpt2 import CachedGpt2
from model.caption.decoding import DecodingOptions
from model.clip.features import ImageFeatures
from model.safety_claims import claims_safety, without_unsafe_clauses
from tests.model.tiny import checkpoint_parts

PROMISES = {
    "en": [
        "the road looks empty",
        "the path ahead is clear",
        "no cars are in view",
        "no car is coming",
        "it is safe to walk here",
        "you can cross now",
        "the way is free",
        "nobody is on the crossing",
        "there is room to pass on the left",
        "you may now cross",
    ],
    "id": [
        "jalan tampak kosong",
        "tidak ada mobil",
        "jalannya aman",
        "anda bisa menyeberang",
        "boleh menyeberang",
        "jalan sepi",
        "tidak ada halangan lain",
    ],
}
HARMLESS = {
    "en": [
        "careful, there is an open manhole in the middle of the sidewalk ahead, keep to the left",
        "the zebra crossing goes straight ahead, a car is coming from the left, do not cross now",
        "stairs go up ahead, a handrail is on the right",
    ],
    "id": [
        "hati-hati, ada lubang terbuka di tengah trotoar di depan, tetap di kiri",
        "zebra cross lurus di depan, mobil datang dari kiri, jangan menyeberang dulu",
        "lalu lintas padat di depan, lampu merah menyala",
    ],
}


@pytest.mark.parametrize("language, text", [(la, t) for la, texts in PROMISES.items() for t in texts])
def test_promises_are_found(language, text):
    assert claims_safety(text, language)
    assert claims_safety(text.upper(), language)


@pytest.mark.parametrize("language, text", [(la, t) for la, texts in HARMLESS.items() for t in texts])
def test_warnings_are_kept(language, text):
    assert not claims_safety(text, language)
    assert without_unsafe_clauses(text, language) == text


@pytest.mark.parametrize(
    "language, text, kept",
    [
        (
            "en",
            "the zebra crossing goes straight ahead, the road looks empty",
            "the zebra crossing goes straight ahead",
        ),
        ("en", "the path ahead is clear, then low steps go up", "low steps go up"),
        ("en", "an empty blue rickshaw is parked ahead", "a blue rickshaw is parked ahead"),
        ("en", "this is a clear plastic bottle, lying down", "this is a plastic bottle, lying down"),
        ("en", "the road is clear", ""),
        ("en", "milk, 3,0 percent fat, is ahead", "milk, 3,0 percent fat, is ahead"),
        ("id", "zebra cross lurus di depan, jalan tampak kosong", "zebra cross lurus di depan"),
        ("id", "bajaj listrik kosong parkir di depan", "bajaj listrik parkir di depan"),
    ],
)
def test_training_text_loses_them(language, text, kept):
    assert without_unsafe_clauses(text, language) == kept


@pytest.mark.parametrize(
    "options", [DecodingOptions(beams=3, max_tokens=12), DecodingOptions(beams=1, samples=6, max_tokens=12)]
)
@pytest.mark.parametrize("language, promise", [("en", "the road is clear"), ("id", "jalan tampak kosong")])
def test_a_captioner_that_wants_to_promise_cannot(monkeypatch, language, promise, options):
    """A GPT-2 forced towards the sentence by its output bias says it as a caption, but not as a guide."""
    _, captioner = checkpoint_parts()
    ids = [*captioner.tokenizer.encode(promise), captioner.tokenizer.end_id]
    start = captioner.clipcap.config.prefix_total + 2  # position of the first caption token
    read, lengths = CachedGpt2.next_log_probs, defaultdict(int)

    def insisting(reader, x):
        log_probs = read(reader, x)
        lengths[reader] += x.shape[1]
        place = lengths[reader] - start
        if 0 <= place < len(ids):
            log_probs[:, ids[place]] += 100.0
        return log_probs

    monkeypatch.setattr(CachedGpt2, "next_log_probs", insisting)
    features = ImageFeatures(torch.randn(1, 16), torch.randn(1, 4, 1280))
    said = captioner.caption(features, language, "caption", options)[0]
    assert any(claims_safety(c.text, language) for c in said)
    guided = captioner.caption(features, language, "guide", options)[0]
    assert not any(claims_safety(c.text, language) for c in guided)
