"""How sure, in which words, with which caution, in which language."""

import pytest

from model.cautions import KINDS, caution_kinds
from model.certainty import Calibration, Certainty, Thresholds, certainty_of
from model.languages.codes import primary_language
from model.languages.wording import WORDINGS, wording
from model.telling import Scene, spoken_text


@pytest.mark.parametrize(
    "tag, code",
    [
        ("id", "id"),
        ("ID", "id"),
        ("id-ID", "id"),
        ("id_ID", "id"),
        ("in", "id"),
        ("in-ID", "id"),
        (" en-US ", "en"),
        ("en", "en"),
        ("jv", "jv"),
        ("", ""),
        ("../x", "../x"),
    ],
)
def test_codes_as_apps_send_them(tag, code):
    assert primary_language(tag) == code


def test_every_wording_is_whole():
    for language, words in WORDINGS.items():
        assert words.language == language and set(words.cautions) == set(KINDS)
        assert set(words.doubt) == {Certainty.MEDIUM, Certainty.LOW, Certainty.UNKNOWN}
    assert wording("fr") is WORDINGS["en"]


@pytest.mark.parametrize(
    "text, language, style, kinds",
    [
        ("a cat on a chair", "en", "caption", ()),
        ("a cat on a chair", "en", "guide", ("move",)),
        ("a red traffic light", "en", "caption", ("move",)),
        ("stairs go up", "en", "long", ("move",)),
        ("a motorcycle is parked", "en", "caption", ("move",)),
        ("an open manhole", "en", "caption", ("move",)),
        ("a grey five hundred rupee note in front of a car", "en", "caption", ("move", "pay")),
        ("a white bottle of pills", "en", "caption", ("medicine",)),
        ("a scar on a card", "en", "caption", ()),
        ("a man crosses the street", "en", "caption", ("move",)),
        ("a concrete step in front of a door", "en", "caption", ("move",)),
        ("an ambulance and a jeep", "en", "caption", ("move",)),
        ("a twenty pound note", "en", "caption", ("pay",)),
        ("a bottle of vitamins", "en", "caption", ("medicine",)),
        ("mobilnya di depan", "id", "caption", ("move",)),
        ("seorang wanita menyeberang", "id", "caption", ("move",)),
        ("tangga turun di depan", "id", "caption", ("move",)),
        ("uang kertas lima puluh ribu rupiah", "id", "caption", ("pay",)),
        ("sebotol obat", "id", "caption", ("medicine",)),
        ("un chat", "fr", "caption", ("move",)),  # nothing is known of the language
        ("un feu rouge", "fr", "guide", ("move",)),
    ],
)
def test_what_wants_a_caution(text, language, style, kinds):
    assert caution_kinds(text, language, style) == kinds
    assert caution_kinds(text.upper(), language, style) == kinds


def test_the_spoken_text_has_doubt_before_and_caution_after():
    assert spoken_text(Scene("A cat.", Certainty.HIGH), "en") == "A cat."
    assert spoken_text(Scene("A bus.", Certainty.MEDIUM, cautions=("move",)), "id") == (
        "Saya tidak yakin. Mungkin ini: A bus. Jangan hanya mengandalkan ini untuk berjalan atau menyeberang."
    )


def test_certainties_can_be_compared():
    order = [Certainty.NONE, Certainty.UNKNOWN, Certainty.LOW, Certainty.MEDIUM, Certainty.HIGH]
    assert sorted(Certainty, key=lambda each: each.rank) == order


def test_a_captioner_that_was_not_measured_is_never_sure():
    calibration = Calibration({("en", "caption"): Thresholds(0.5, 0.4, 0.3)})
    assert certainty_of(0.99, "en", "caption", None) is Certainty.UNKNOWN
    assert certainty_of(None, "en", "caption", calibration) is Certainty.UNKNOWN
    assert certainty_of(0.99, "en", "guide", calibration) is Certainty.UNKNOWN
    found = [certainty_of(c, "en", "caption", calibration) for c in (0.5, 0.49, 0.4, 0.3, 0.29)]
    assert found == ["high", "medium", "medium", "low", "none"]


def test_a_calibration_goes_into_a_config_and_back():
    config = {"en/caption": {"high": 0.5, "medium": 0.4, "low": 0.2}}
    assert Calibration.from_config(config).to_config() == config


@pytest.mark.parametrize(
    "config", [{"en": {"high": 1, "medium": 1, "low": 1}}, {"en/caption": {"high": 0.1, "medium": 0.4, "low": 0.2}}]
)
def test_a_calibration_that_cannot_be_is_refused(config):
    with pytest.raises(ValueError):
        Calibration.from_config(config)
