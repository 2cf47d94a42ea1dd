"""CLIP's own tokenizer: lower-cased byte-level BPE with 49,408 tokens, from the `tokenizer.json` beside the weights."""

import html

import ftfy
from tokenizers import Tokenizer

from model.bpe import BpeTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"


def clean(text: str) -> str:
    """As the original prepares a sentence before it is cut into tokens (openai/CLIP `clip/simple_tokenizer.py`):
    mistaken encodings and typographic quotes repaired, HTML unescaped twice, single spaces, lower case."""
    text = html.unescape(html.unescape(ftfy.fix_text(text)))
    return " ".join(text.split()).lower()


class ClipTokenizer(BpeTokenizer):
    """`start_id`, `end_id`: int, the tokens around a sentence."""

    required, otherwise = (START, END), "it is not CLIP's"

    def __init__(self, tokenizer: Tokenizer):
        super().__init__(tokenizer)
        self.start_id, self.end_id = self.token_id(START), self.token_id(END)

    def encode(self, text: str) -> list[int]:
        """Token ids of the cleaned text, without the tokens around it."""
        return super().encode(clean(text))
