"""Caption text as it is trained: cleaned, its style settled, its promises taken out, encoded and padded."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import torch
from torch import Tensor

from data.datasets import DatasetError, Example, check_splits, read_dataset
from model.caption.tokenizer import CaptionTokenizer, clean
from model.safety_claims import without_unsafe_clauses

LONG_WORDS = 15  # a caption of more words is a style of its own: a short one learns badly beside it
MAX_TOKENS = 48


@dataclass(frozen=True)
class Sentence:
    """One caption ready to encode."""

    text: str
    language: str = "en"
    style: str = "caption"

    @classmethod
    def of(cls, text: str, language: str = "en", style: str = "caption") -> "Sentence":
        text = clean(text)
        if style == "guide":
            text = without_unsafe_clauses(text, language)
        elif style == "caption" and len(text.split()) > LONG_WORDS:
            style = "long"
        return cls(text, language, style)

    def encode(self, tokenizer: CaptionTokenizer) -> list[int]:
        """Control tokens, caption, end token."""
        body = tokenizer.encode(self.text)[: MAX_TOKENS - 3]
        return [*tokenizer.prompt(self.language, self.style), *body, tokenizer.end_id]


def sentences_of(example: Example) -> list[Sentence]:
    """The captions of one photo as they are trained; a guide that was nothing but a promise is left out."""
    found = [Sentence.of(c.text, c.language, c.style) for c in example.captions]
    return [sentence for sentence in found if sentence.text]


@dataclass(frozen=True)
class Captioned:
    """A photo of a data set with its sentences. `key`: the set's name and the photo's id."""

    key: str
    example: Example
    sentences: tuple[Sentence, ...]


def read_photos(folders: Sequence[Path], *, skip_bad: bool = False) -> dict[str, list[Captioned]]:
    """The photos of all sets by split ("train", "dev", "test"), none of them in two splits, each set's report printed.

    Raises click.ClickException with the one sentence that says what is wrong with a set.
    """
    splits: dict[str, list[Captioned]] = {"train": [], "dev": [], "test": []}
    try:
        sets = [read_dataset(folder, skip_bad=skip_bad) for folder in folders]
        check_splits(example for one in sets for example in one)
    except DatasetError as error:
        raise click.ClickException(str(error)) from None
    for one in sets:
        click.echo(one.report)
        for example in one:
            sentences = tuple(sentences_of(example))
            if sentences:
                # Its size is in the key: a photo in the place of another is not taken for it.
                key = f"{one.name}/{example.id} {example.path.stat().st_size}"
                splits[example.split].append(Captioned(key, example, sentences))
    keys = [photo.key for photos in splits.values() for photo in photos]
    if len(set(keys)) < len(keys):
        raise click.ClickException("two of the sets have the same name and photos of the same names; rename a folder")
    return splits


def pad(encoded: Iterable[list[int]], pad_id: int, prompt: int = 2) -> tuple[Tensor, Tensor]:
    """Encoded sentences -> tokens (B, T) padded at the right, and labels (B, T): the next token, or -100 where there
    is none and where it is one of the first `prompt`, the control tokens, which nobody has to guess."""
    rows = [torch.tensor(ids) for ids in encoded]
    tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad_id)  # (B, T)
    labels = torch.full_like(tokens, -100)
    for row, ids in enumerate(rows):
        first = max(1, prompt)
        labels[row, first - 1 : len(ids) - 1] = ids[first:]
    return tokens, labels
