"""Claims that can hurt are taken out of captions, and what stays is a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.languages.wording import WORDINGS
from model.unverified_claims import KINDS, LANGUAGES, without_unverified

WORDS = """
a an the red green light lights traffic is are stairs up down going open closed door doors manhole car parked driving on
with and ten rupee note lampu merah pintu terbuka tangga naik , mobil
"""
NEUTRAL = [
    ("en", "a red traffic light above a street", "a traffic light above a street", "light"),
    ("en", "the traffic light ahead is green", "the traffic light ahead", "light"),
    ("en", "a traffic light showing yellow beside a shop", "a traffic light beside a shop", "light"),
    ("en", "a pedestrian light with a green man, a bus behind", "a pedestrian light, a bus behind", "light"),
    ("en", "two signals, the lower lamp is lit", "two signals", "light"),
    ("en", "wide stairs going down to a station", "wide stairs and a station", "stairs"),
    ("en", "stone steps rise ahead of you", "stone steps ahead of you", "stairs"),
    ("en", "a girl runs down the stairs", "a girl runs on the stairs", "stairs"),
    ("en", "an escalator leading up", "an escalator", "stairs"),
    ("en", "an open manhole in a street", "a manhole cover or a hole in a street", "manhole"),
    ("en", "a closed manhole cover, its lid is rusty", "a manhole cover or a hole", "manhole"),
    ("en", "an open door ahead", "a door ahead", "door"),
    ("en", "a blue door stands half open in a wall", "a blue door in a wall", "door"),
    ("en", "the doors are shut", "the doors", "door"),
    ("en", "a green twenty rupee note on a table", "a banknote on a table", "banknote"),
    ("en", "a hand holds a 50,000 dong note", "a hand holds a banknote", "banknote"),
    ("en", "a car driving down a street", "a car on a street", "motion"),
    ("en", "a bus is coming", "a bus", "motion"),
    ("en", "two parked cars near a wall", "two cars near a wall", "motion"),
    ("en", "a bench is ahead on the right", "a bench is ahead", "side"),
    (
        "en",
        "a wall is right in front of you, a chair is on your left",
        "a wall is right in front of you, a chair",
        "side",
    ),
    ("en", "a white car at the left edge", "a white car", "side"),
    ("id", "bangku ada di sebelah kanan", "bangku", "side"),
    ("id", "tembok di depan, kursi di kiri anda", "tembok di depan, kursi", "side"),
    ("id", "lampu lalu lintas merah di depan", "lampu lalu lintas di depan", "light"),
    ("id", "lampu lalu lintas menyala hijau", "lampu lalu lintas", "light"),
    ("id", "tangga turun di depan anda", "tangga di depan anda", "stairs"),
    ("id", "anak kecil menuruni tangga", "anak kecil di tangga", "stairs"),
    ("id", "lubang got terbuka di jalan", "penutup lubang atau lubang di jalan", "manhole"),
    ("id", "pintu biru setengah terbuka di tembok", "pintu biru di tembok", "door"),
    ("id", "uang dua puluh rupee hijau di meja", "uang kertas di meja", "banknote"),
    ("id", "mobil melaju di jalan", "mobil di jalan", "motion"),
    ("id", "motor diparkir di depan toko", "motor di depan toko", "motion"),
]


@pytest.mark.parametrize("language, said, told, kind", NEUTRAL)
def test_a_claim_is_taken_out(language, said, told, kind):
    assert without_unverified(said, language) == (told, (kind,))


@pytest.mark.parametrize(
    "language, text",
    [
        ("en", "a man in a red shirt rides a bike down a hill"),
        ("en", "a woman opens an umbrella"),
        ("en", "a red house beside a green field"),
        ("en", "a dog runs up a hill"),
        ("en", "an open book on a table"),
        ("en", "a musical note on a sheet"),
        ("id", "rumah merah di dekat sawah hijau"),
        ("id", "anak-anak naik sepeda"),
        ("id", "buku terbuka di meja"),
        ("fr", "un feu rouge"),
    ],
)
def test_anything_else_stays(language, text):
    assert without_unverified(text, language) == (text, ())


def test_several_claims_in_one_caption():
    told, kinds = without_unverified("a bus stopped at a red light beside an open door", "en")
    assert kinds == ("light", "door", "motion")
    assert not any(word in told for word in ("red", "open", "stopped"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_is_told(language):
    assert set(WORDINGS[language].unverified) == set(KINDS)


@given(st.text("abcdelnoprstu ,.'-") | st.lists(st.sampled_from(WORDS.split())).map(" ".join))
def test_nothing_is_left_to_take_out_and_nothing_is_added_twice(text):
    for language in LANGUAGES:
        told, kinds = without_unverified(text, language)
        assert len(told) <= 2 * len(text) + 40 and (told == text) == (not kinds)
