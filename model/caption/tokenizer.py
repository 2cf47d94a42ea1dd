"""Caption text to token ids and back: our byte-level BPE with control tokens for language and style, or GPT-2's."""

import re
from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from model.bpe import BpeTokenizer
from model.ways import LANGUAGES, STYLES, NotTaught

PAD, END = "<|pad|>", "<|end|>"
SPECIAL_TOKENS = (PAD, END, *(f"<|{name}|>" for name in LANGUAGES + STYLES))


def clean(text: str) -> str:
    """Caption text as the captioner learns it: lower case, single spaces, no closing full stop."""
    text = re.sub(r"\s+", " ", text.lower()).strip()
    text = re.sub(r"\s+([,.;:!?'])", r"\1", text)
    return text.strip(' ."`').strip()


class CaptionTokenizer(BpeTokenizer):
    """A `tokenizers.Tokenizer` with the control tokens of this project. `pad_id`, `end_id`: int."""

    kind = "caption"
    languages, styles = LANGUAGES, STYLES
    prompt_length = 2
    required, otherwise = SPECIAL_TOKENS, "train it with `python -m training.language`"

    def __init__(self, tokenizer: Tokenizer):
        super().__init__(tokenizer)
        self.pad_id = tokenizer.token_to_id(PAD)
        self.end_id = tokenizer.token_to_id(END)

    @classmethod
    def train(cls, texts: Iterable[str], size: int) -> "CaptionTokenizer":
        """Learn a vocabulary of at most `size` tokens from caption texts."""
        tokenizer = Tokenizer(models.BPE())
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            min_frequency=3,
            special_tokens=list(SPECIAL_TOKENS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        return cls(tokenizer)

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, without control or end tokens."""
        return super().encode(clean(text))

    def prompt(self, language: str, style: str) -> list[int]:
        """The two control tokens that ask for `language` and `style`. Raises NotTaught for one not in model.ways."""
        _check(self, language, style)
        return [self._tokenizer.token_to_id(f"<|{language}|>"), self._tokenizer.token_to_id(f"<|{style}|>")]


class Gpt2Tokenizer(BpeTokenizer):
    """GPT-2's own tokenizer, from its `tokenizer.json`: English captions, no control tokens. `pad_id`, `end_id`: int,
    the same token; `full_stop_id`: the token "." that ends a caption of the original ClipCap."""

    kind = "gpt2"
    languages, styles = ("en",), ("caption",)
    prompt_length = 0
    required, otherwise = ("<|endoftext|>", "."), "it is not GPT-2's"

    def __init__(self, tokenizer: Tokenizer):
        super().__init__(tokenizer)
        self.pad_id = self.end_id = tokenizer.token_to_id("<|endoftext|>")
        self.full_stop_id = tokenizer.token_to_id(".")

    def prompt(self, language: str, style: str) -> list[int]:
        """No token at all; raises NotTaught for any other than ("en", "caption")."""
        _check(self, language, style)
        return []


TOKENIZERS = {one.kind: one for one in (CaptionTokenizer, Gpt2Tokenizer)}


def _check(tokenizer: CaptionTokenizer | Gpt2Tokenizer, language: str, style: str) -> None:
    for value, known, what in ((language, tokenizer.languages, "language"), (style, tokenizer.styles, "style")):
        if value not in known:
            raise NotTaught(f"unknown {what} {value!r}; use one of {', '.join(known)}")
