"""CLIP's tokenizer prepares a sentence as the original does before it cuts it into tokens."""

import re

import pytest

from model.clip.tokenizer import ClipTokenizer, clean
from tests.model.published import clip_tokenizer

ODD = [
    ("the cat’s whiskers", "the cat's whiskers"),
    ("“quoted” text", '"quoted" text'),
    ("Tom &amp;amp; Jerry", "tom & jerry"),
    ("1 &lt; 2", "1 < 2"),
    ("âœ” No problems", "✔ no problems"),
    ("cafÃ© au lait", "café au lait"),
    ("  two\t\nlines  ", "two lines"),
    ("ﬁne ligatures", "fine ligatures"),
    ("ｆｕｌｌ　ｗｉｄｔｈ", "full width"),
    ("LOUD Ünïcödé", "loud ünïcödé"),
    ("", ""),
]


@pytest.mark.parametrize("text, wanted", ODD)
def test_odd_sentences(text, wanted):
    assert clean(text) == wanted


@pytest.mark.parametrize("text", [text for text, _ in ODD])
def test_it_is_the_published_order_of_steps(text):
    """Restated from its description: encodings mended, HTML unescaped twice, stripped, spaces single, lower case."""
    import html

    import ftfy

    published = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
    assert clean(text) == re.sub(r"\s+", " ", published).strip().lower()


def test_the_apostrophe_that_phones_type_is_the_apostrophe():
    words = ClipTokenizer(clip_tokenizer())
    assert words.encode("the cat’s whiskers") == words.encode("the cat's whiskers") != words.encode("the cat whiskers")
