"""Texts as terms: the same for all forms of a word and of a number, and nothing that a database could misread."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.languages.words import index_terms, is_held, keywords, split_words, terms_of, words_held


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Rp15.000, Rp 15,000!", ["rp", "15.000", "rp", "15,000"]),
        ("harga Rp. 1.500.000,00 saja", ["harga", "rp", "1.500.000,00", "saja"]),
        ("500ml 9A 2nd 4x4 24°C", ["500", "ml", "9a", "2", "nd", "4x4", "24", "c"]),
        ("0.500 3.14 9:30 2026.100", ["0", "500", "3", "14", "9", "30", "2026", "100"]),
        ("the dog's, don't, Jum'at, a_b", ["the", "dog", "don", "jum", "at", "a", "b"]),
        ("anak-anak", ["anak", "anak"]),
        ("?! 😀 °", []),
    ],
)
def test_words_of_a_text(text, words):
    assert split_words(text) == words


def test_forms_of_a_word_share_a_term():
    for forms in (
        ("walk", "walks", "walking", "walked"),
        ("jalan", "berjalan", "dijalani", "menjalankan", "jalannya", "perjalanan"),
        ("tulis", "menulis", "tulisan", "penulis", "dituliskan"),
        ("15000", "15.000", "15,000", "15.000,00", "１５０００"),
        ("café", "cafe", "Café".lower()),
    ):
        for one in forms:
            assert all(set(terms_of(one)) & set(terms_of(other)) for other in forms), one
    for one, other in (("15000", "1500"), ("½", "12"), ("line", "les"), ("bus", "bukan"), ("memory", "mory")):
        assert not set(terms_of(one)) & set(terms_of(other))
    assert set(terms_of("lines")) & set(terms_of("line"))  # although it reads as an infix in "les"


def test_a_text_says_which_words_it_holds_as_it_has_them():
    text = "Ibu BERJALAN ke Pasar, walking 15.000 steps; Berjalan!"
    assert words_held(text, keywords("jalan walk 15000 cat")) == ("berjalan", "walking", "15.000")
    assert is_held("jalan", set(index_terms(text).split())) and not is_held("cat", set(index_terms(text).split()))


@given(st.text(max_size=60))
def test_any_text_is_letters_and_digits_and_finds_itself(text):
    terms = index_terms(text)
    assert all(term.isalnum() for term in terms.split())
    held = words_held(text, keywords(text))
    assert set(keywords(text)) <= set(held)
