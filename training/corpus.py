"""Caption text as it is trained on: cleaned, its style assigned, unsafe clauses removed, encoded and padded."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import torch
from torch import Tensor

from data.datasets import CaptionText, Dataset, DatasetError, Example, check_splits, read_dataset
from model.caption.tokenizer import CaptionTokenizer, Gpt2Tokenizer, clean
from model.languages.codes import primary_language
from model.protocols import STYLES
from model.safety_claims import without_unsafe_clauses

Tokenizer = CaptionTokenizer | Gpt2Tokenizer
LONG_WORDS = 15  # a caption of more words is a style of its own: a short one learns badly beside it
MAX_TOKENS = 48  # of a caption, control tokens and end token included
FIRST_LANGUAGES = ("en", "id")  # in this order, so that the ids of shipped tokenizers stay


@dataclass(frozen=True)
class Sentence:
    """One caption ready to encode."""

    text: str
    language: str = "en"
    style: str = "caption"

    @classmethod
    def from_text(cls, text: str, language: str = "en", style: str = "caption") -> "Sentence":
        """`text` cleaned; a guide without unsafe clauses, which may leave ""; a caption of many words as `long`."""
        text = clean(text)
        if style == "guide":
            text = without_unsafe_clauses(text, language)
        elif style == "caption" and len(text.split()) > LONG_WORDS:
            style = "long"
        return cls(text, language, style)

    def encode(self, tokenizer: Tokenizer) -> list[int]:
        """Control tokens, caption, end token. Raises UnsupportedOption for a language or style it does not have."""
        body = tokenizer.encode(self.text)[: MAX_TOKENS - 3]
        return [*tokenizer.prompt(self.language, self.style), *body, tokenizer.end_id]


def sentences_of(captions: Iterable[CaptionText]) -> list[Sentence]:
    """The captions of one photo as they are trained on; what consists of unsafe clauses alone is left out."""
    found = [Sentence.from_text(c.text, primary_language(c.language), c.style) for c in captions]
    return [sentence for sentence in found if sentence.text]


def languages_and_styles(sentences: Iterable[Sentence]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those of the sentences: languages with FIRST_LANGUAGES first, styles in the order of model.protocols.STYLES."""
    languages, styles = (set(values) for values in zip(*{(s.language, s.style) for s in sentences}))
    first = tuple(language for language in FIRST_LANGUAGES if language in languages)
    others = tuple(sorted(languages.difference(first)))
    return first + others, tuple(style for style in STYLES if style in styles)


@dataclass(frozen=True)
class Captioned:
    """A photo of a data set with its sentences. `key`: the set's name and the photo's id."""

    key: str
    example: Example
    sentences: tuple[Sentence, ...]


def read_photos(folders: Sequence[Path], *, skip_bad: bool = False) -> dict[str, list[Captioned]]:
    """The photos of all sets by split ("train", "dev", "test"), none of them in two splits; each set's report is
    printed. `skip_bad`: leave out and count what is wrong. Raises DatasetError."""
    splits: dict[str, list[Captioned]] = {"train": [], "dev": [], "test": []}
    sets = [read_dataset(folder, skip_bad=skip_bad) for folder in folders]
    check_splits(example for one in sets for example in one)
    for one in sets:
        click.echo(one.report)
        left_out: Counter[str] = Counter()
        for example in one:
            sentences = tuple(sentences_of(_known_captions(one, example, skip_bad, left_out)))
            if sentences:
                # The size is in the key: a photo that takes the place of another is not mistaken for it.
                key = f"{one.name}/{example.id} {example.path.stat().st_size}"
                splits[example.split].append(Captioned(key, example, sentences))
        for reason, count in left_out.items():
            click.echo(f"{one.name}: left out {count} captions with {reason}")
    keys = [photo.key for photos in splits.values() for photo in photos]
    if len(set(keys)) < len(keys):
        raise DatasetError("two of the sets have the same name and photos of the same names; rename a folder")
    return splits


def _known_captions(
    dataset: Dataset, example: Example, skip_bad: bool, left_out: Counter[str]
) -> Iterable[CaptionText]:
    """The captions whose language and style a captioner can be asked for. Raises DatasetError."""
    for caption in example.captions:
        if caption.style not in STYLES:
            reason, advice = f"the style {caption.style[:40]!r}", f"use {', '.join(STYLES)}"
        elif not re.fullmatch(r"[a-z]{2,3}", primary_language(caption.language)):
            reason, advice = f"the language {caption.language[:40]!r}", "use a code such as en"
        else:
            yield caption
            continue
        if not skip_bad:
            raise DatasetError(
                f"{dataset.name}: a caption of {example.id} has {reason}; {advice}, or leave it out with --skip-bad"
            )
        left_out[reason] += 1


def pad(encoded: Iterable[list[int]], pad_id: int, prompt: int = 2) -> tuple[Tensor, Tensor]:
    """Encoded sentences -> tokens (B, T) padded at the right, and labels (B, T): the next token, or -100 where there
    is none and where it is one of the first `prompt`, the control tokens, which nobody has to guess."""
    rows = [torch.tensor(ids) for ids in encoded]
    tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad_id)  # (B, T)
    labels = torch.full_like(tokens, -100)
    for label_row, ids in zip(labels, rows):
        first = max(1, prompt)
        label_row[first - 1 : len(ids) - 1] = ids[first:]
    return tokens, labels
