"""Caption text to tokens and back."""

import pytest

from model.caption.tokenizer import CaptionTokenizer, clean
from model.protocols import STYLES
from tests.model.tiny import TEXTS, tokenizer


def test_round_trip():
    words = tokenizer()
    for text in [*TEXTS, "3,0 percent, 100 rupee!", "café über naïve"]:
        assert words.decode(words.encode(text)) == clean(text)


@pytest.mark.parametrize(
    "raw, cleaned",
    [
        ("A child in a pink dress .", "a child in a pink dress"),
        ("  two   men , one dog. ", "two men, one dog"),
        ("the man 's hat", "the man's hat"),
        ('" quoted "', "quoted"),
        ("...", ""),
    ],
)
def test_clean(raw, cleaned):
    assert clean(raw) == cleaned


def test_prompts_are_distinct_and_leave_no_trace():
    words = tokenizer()
    prompts = {tuple(words.prompt(language, style)) for language in words.languages for style in STYLES}
    assert len(prompts) == 6
    assert words.decode([*words.prompt("id", "guide"), *words.encode("a dog"), words.end_id]) == "a dog"


def test_foreign_tokenizer_is_refused():
    from tokenizers import Tokenizer, models

    with pytest.raises(ValueError, match="has no token <|pad|>"):
        CaptionTokenizer(Tokenizer(models.BPE()))
