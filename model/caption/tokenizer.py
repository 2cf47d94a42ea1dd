"""Caption text to token ids and back: our byte-level BPE with control tokens for language and style, or GPT-2's."""

import re
from collections.abc import Iterable, Sequence

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from model.bpe import BpeTokenizer
from model.errors import UnsupportedOption
from model.protocols import STYLES

PAD, END = "<|pad|>", "<|end|>"


def clean(text: str) -> str:
    """Caption text as the captioner learns it: lower case, single spaces, no closing full stop."""
    text = re.sub(r"\s+", " ", text.lower()).strip()
    text = re.sub(r"\s+([,.;:!?'])", r"\1", text)
    return text.strip(' ."`').strip()


class CaptionTokenizer(BpeTokenizer):
    """A `tokenizers.Tokenizer` with control tokens such as <|en|> and <|guide|>, from which `languages` and `styles`
    come. `pad_id`, `end_id`: int."""

    kind = "caption"
    prompt_length = 2
    required, otherwise = (PAD, END), "train it with `sightline train language`"

    def __init__(self, tokenizer: Tokenizer):
        super().__init__(tokenizer)
        self.pad_id = self.token_id(PAD)
        self.end_id = self.token_id(END)
        added = [token.content for _, token in sorted(tokenizer.get_added_tokens_decoder().items())]
        names = [match[1] for token in added if (match := re.fullmatch(r"<\|([a-z]+)\|>", token))]
        self.styles = tuple(name for name in names if name in STYLES)
        self.languages = tuple(name for name in names if name not in (*STYLES, "pad", "end"))

    @classmethod
    def train(
        cls, texts: Iterable[str], size: int, languages: Sequence[str] = ("en", "id"), styles: Sequence[str] = STYLES
    ) -> "CaptionTokenizer":
        """Learn a vocabulary of at most `size` tokens from caption texts, with a control token for each language and
        style."""
        tokenizer = Tokenizer(models.BPE())
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            min_frequency=3,
            special_tokens=[PAD, END, *(f"<|{name}|>" for name in (*languages, *styles))],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        return cls(tokenizer)

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, without control or end tokens."""
        return super().encode(clean(text))

    def prompt(self, language: str, style: str) -> list[int]:
        """The control tokens of `language` and `style`. Raises UnsupportedOption for one it does not have."""
        _check(self, language, style)
        return [self.token_id(f"<|{language}|>"), self.token_id(f"<|{style}|>")]


class Gpt2Tokenizer(BpeTokenizer):
    """GPT-2's own tokenizer, from its `tokenizer.json`: English captions, no control tokens. `pad_id`, `end_id`: int,
    the same token; `full_stop_id`: the token "." that ends a caption of the original ClipCap."""

    kind = "gpt2"
    languages, styles = ("en",), ("caption",)
    prompt_length = 0
    required, otherwise = ("<|endoftext|>", "."), "it is not GPT-2's"

    def __init__(self, tokenizer: Tokenizer):
        super().__init__(tokenizer)
        self.pad_id = self.end_id = self.token_id("<|endoftext|>")
        self.full_stop_id = self.token_id(".")

    def prompt(self, language: str, style: str) -> list[int]:
        """No token at all; raises UnsupportedOption for any other than ("en", "caption")."""
        _check(self, language, style)
        return []


TOKENIZERS: dict[str, type[CaptionTokenizer] | type[Gpt2Tokenizer]] = {
    one.kind: one for one in (CaptionTokenizer, Gpt2Tokenizer)
}


def _check(tokenizer: CaptionTokenizer | Gpt2Tokenizer, language: str, style: str) -> None:
    for value, known, what in ((language, tokenizer.languages, "language"), (style, tokenizer.styles, "style")):
        if value not in known:
            raise UnsupportedOption(f"unknown {what} {value!r}; use one of {', '.join(known)}")
