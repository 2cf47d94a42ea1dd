"""Numbers, prices, times, units and signs as they are said, by rule and by voice."""

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.speech import Speaker
from model.languages.ear import for_ear
from model.languages.number_words import cardinal, number_words

SAID = [
    # written, English, Indonesian
    ("Rp 15.000", "fifteen thousand rupiah", "lima belas ribu rupiah"),
    ("Rp2.000.000,00", "two million rupiah", "dua juta rupiah"),
    ("Rp. 5.000,-", "five thousand rupiah", "lima ribu rupiah"),
    ("Rp 15rb", "fifteen thousand rupiah", "lima belas ribu rupiah"),
    ("IDR 1,5 jt", "one point five million rupiah", "satu koma lima juta rupiah"),
    ("€5", "five euros", "lima euro"),
    ("1 €", "one euro", "satu euro"),
    ("$4.99", "four dollars and ninety-nine cents", "empat dolar sembilan puluh sembilan sen"),
    ("£1.01", "one pound and one penny", "satu pound satu penny"),
    ("$0.50", "fifty cents", "lima puluh sen"),
    ("$1,299", "one thousand two hundred and ninety-nine dollars", "seribu dua ratus sembilan puluh sembilan dolar"),
    ("¥500", "five hundred yen or yuan", "lima ratus yen atau yuan"),
    ("9:30", "nine thirty", "pukul sembilan tiga puluh"),
    ("9:05", "nine oh five", "pukul sembilan lewat lima"),
    ("9:00", "nine o'clock", "pukul sembilan"),
    ("17:00", "seventeen hundred", "pukul tujuh belas"),
    ("9:30 pm", "nine thirty p.m.", "pukul dua puluh satu tiga puluh"),
    ("12 am", "twelve a.m.", "pukul nol"),
    ("08.00-17.00", "eight o'clock to seventeen hundred", "pukul delapan sampai pukul tujuh belas"),
    ("24 °C", "twenty-four degrees Celsius", "dua puluh empat derajat Celsius"),
    ("-1℃", "minus one degree Celsius", "minus satu derajat Celsius"),
    ("3/4", "three quarters", "tiga perempat"),
    ("1/2", "one half", "setengah"),
    ("2½ kg", "two and a half kilograms", "dua setengah kilogram"),
    ("24/7", "twenty-four slash seven", "dua puluh empat garis miring tujuh"),
    ("50%", "fifty percent", "lima puluh persen"),
    ("4,5 %", "four point five percent", "empat koma lima persen"),
    ("10 km/h", "ten kilometers per hour", "sepuluh kilometer per jam"),
    ("1 km", "one kilometer", "satu kilometer"),
    ("10-15 kg", "ten to fifteen kilograms", "sepuluh sampai lima belas kilogram"),
    ("600ml", "six hundred milliliters", "enam ratus mililiter"),
    ("#5", "number five", "nomor lima"),
    ("#sunset", "hashtag sunset", "tagar sunset"),
    ("salt & pepper, &c.", "salt and pepper, et cetera", "salt dan pepper, dan seterusnya"),
    ("+62 812-345", "plus six two, eight one two, three four five", "plus enam dua, delapan satu dua, tiga empat lima"),
    ("8991234", "eight nine nine one two three four", "delapan sembilan sembilan satu dua tiga empat"),
    ("007", "zero zero seven", "nol nol tujuh"),
    ("2026-11-29", "November twenty-nine, twenty twenty-six", "dua puluh sembilan November dua ribu dua puluh enam"),
    ("15 dogs", "fifteen dogs", "lima belas dogs"),
    ("1999", "nineteen ninety-nine", "seribu sembilan ratus sembilan puluh sembilan"),
    ("Exit →", "Exit arrow right", "Exit panah kanan"),
    # the sign before three digits is the language's own
    ("15.000", "fifteen point zero zero zero", "lima belas ribu"),
    ("15,000", "fifteen thousand", "lima belas koma nol nol nol"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "english", "indonesian"), SAID, ids=[row[0] for row in SAID])
def test_signs_are_said_in_words(written, english, indonesian):
    assert for_ear(written, "en") == english
    assert for_ear(f"Here: {written}", "en-US") == f"Here: {english}"
    assert for_ear(written, "id") == indonesian


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a dog on a lawn",
        "B12",
        "4G",
        "1.2.3",
        "12:30:45",
        "https://example.com/3/4?a=5",
        "ani@example.com",
        "#",
        "Café!",
    ],
)
def test_what_is_not_understood_stays(text):
    assert for_ear(text, "en") == for_ear(text, "id") == text


def test_no_day_is_guessed():
    assert for_ear("3/4/2026", "en") == "three/four/twenty twenty-six"
    assert for_ear("2026-02-31", "en") == "two zero two six, zero two, three one"


def test_a_language_without_words_keeps_its_text():
    assert for_ear("3 chiens, 5 %!!!!!", "fr") == "3 chiens, 5 %!"


@pytest.mark.parametrize(
    ("number", "indonesian"),
    [(0, "nol"), (11, "sebelas"), (100, "seratus"), (1000, "seribu"), (21_000, "dua puluh satu ribu"),
     (1_001_000, "satu juta seribu"), (1_101_000, "satu juta seratus satu ribu"), (1_000_000, "satu juta")],
)  # fmt: skip
def test_indonesian_numbers(number, indonesian):
    assert cardinal(number, "id") == indonesian


@given(st.integers(0, 10**14))
def test_grouping_signs_do_not_change_a_number(number):
    for language, sign in (("en", ","), ("id", ".")):
        assert number_words(f"{number:,}".replace(",", sign), language) == cardinal(number, language)


@given(st.dates(date(1000, 1, 1)))
def test_every_day_is_said_without_digits(day):
    for language in ("en", "id"):
        assert not re.search(r"\d", for_ear(day.isoformat(), language))


SIGNS = st.text(st.sampled_from(list("0123456789.,:/-+#&%°$€ RpkmhCx²½(\n!")), max_size=60)


@given(st.text(max_size=200) | SIGNS, st.sampled_from(["en", "id", "in", "fr", ""]))
def test_any_text_is_said_and_bounded(text, language):
    said = for_ear(text, language)
    assert len(said) <= 25 * len(text) + 50
    assert not re.search(r"([^\w\s])\1\1", for_ear(said, language))


@pytest.fixture(scope="module")
def speaker():
    speaker = Speaker(timeout_s=60)
    yield speaker
    speaker.close()


@pytest.mark.parametrize("noise", ["=" * 300, "😀" * 200, "*" * 300, "=-" * 200, "- " * 200])
def test_repeated_signs_make_no_minutes_of_sound(speaker, noise):
    seconds = speaker.speak(for_ear(f"Menu {noise} soup", "en"), "en").seconds
    assert seconds < speaker.speak("Menu soup", "en").seconds + 2.5


def test_the_voice_says_what_it_lost_before(speaker):
    """As long as the words that a person would say."""
    for language, written, words in (
        ("id", "Harganya Rp 15.000", "Harganya lima belas ribu rupiah"),
        ("en", "It is Rp 15.000", "It is fifteen thousand rupiah"),
    ):
        said = speaker.speak(for_ear(written, language), language).seconds
        assert said == pytest.approx(speaker.speak(words, language).seconds, abs=0.1)
        assert abs(said - speaker.speak(written, language).seconds) > 0.1
