"""Caption text to token ids and back: our byte-level BPE with control tokens for language and style, or GPT-2's."""

import re
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from model.ways import LANGUAGES, STYLES, NotTaught

PAD, END = "<|pad|>", "<|end|>"
SPECIAL_TOKENS = (PAD, END, *(f"<|{name}|>" for name in LANGUAGES + STYLES))


def clean(text: str) -> str:
    """Caption text as the captioner learns it: lower case, single spaces, no closing full stop."""
    text = re.sub(r"\s+", " ", text.lower()).strip()
    text = re.sub(r"\s+([,.;:!?'])", r"\1", text)
    return text.strip(' ."`').strip()


class CaptionTokenizer:
    """A `tokenizers.Tokenizer` with the control tokens of this project. `pad_id`, `end_id`: int."""

    kind = "caption"
    languages, styles = LANGUAGES, STYLES

    def __init__(self, tokenizer: Tokenizer):
        missing = [token for token in SPECIAL_TOKENS if tokenizer.token_to_id(token) is None]
        if missing:
            raise ValueError(f"the tokenizer has no token {missing[0]}; train it with `python -m training.language`")
        self._tokenizer = tokenizer
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

    @classmethod
    def load(cls, path: Path | str) -> "CaptionTokenizer":
        return cls(Tokenizer.from_file(str(path)))

    def save(self, path: Path | str) -> None:
        self._tokenizer.save(str(path))

    def __len__(self) -> int:
        return self._tokenizer.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, without control or end tokens."""
        return self._tokenizer.encode(clean(text), add_special_tokens=False).ids

    def decode(self, ids: Iterable[int]) -> str:
        """Text of `ids`; control and end tokens leave no trace."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=True).strip()

    def prompt(self, language: str, style: str) -> list[int]:
        """The two control tokens that ask for `language` and `style`. Raises NotTaught for one not in model.ways."""
        _check(self, language, style)
        return [self._tokenizer.token_to_id(f"<|{language}|>"), self._tokenizer.token_to_id(f"<|{style}|>")]


class Gpt2Tokenizer:
    """GPT-2's own tokenizer, from its `tokenizer.json`: English captions, no control tokens. `pad_id`, `end_id`: int,
    the same token; `full_stop_id`: the token "." that ends a caption of the original ClipCap."""

    kind = "gpt2"
    languages, styles = ("en",), ("caption",)

    def __init__(self, tokenizer: Tokenizer):
        found = {name: tokenizer.token_to_id(name) for name in ("<|endoftext|>", ".")}
        for name, token in found.items():
            if token is None:
                raise ValueError(f"the tokenizer has no token {name}; it is not GPT-2's")
        self._tokenizer = tokenizer
        self.pad_id = self.end_id = found["<|endoftext|>"]
        self.full_stop_id = found["."]

    @classmethod
    def load(cls, path: Path | str) -> "Gpt2Tokenizer":
        return cls(Tokenizer.from_file(str(path)))

    def save(self, path: Path | str) -> None:
        self._tokenizer.save(str(path))

    def __len__(self) -> int:
        return self._tokenizer.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        """Token ids of `text` as it stands, without the end token."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Iterable[int]) -> str:
        """Text of `ids`; the end token leaves no trace."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=True).strip()

    def prompt(self, language: str, style: str) -> list[int]:
        """No token at all; raises NotTaught for any other than ("en", "caption")."""
        _check(self, language, style)
        return []


TOKENIZERS = {one.kind: one for one in (CaptionTokenizer, Gpt2Tokenizer)}


def _check(tokenizer: CaptionTokenizer | Gpt2Tokenizer, language: str, style: str) -> None:
    for value, known, what in ((language, tokenizer.languages, "language"), (style, tokenizer.styles, "style")):
        if value not in known:
            raise NotTaught(f"unknown {what} {value!r}; use one of {', '.join(known)}")
