"""What a captioner and an embedder are. Light: it imports neither torch nor a model.

`model.families` finds the captioner of a checkpoint or of a name; `model.describe.Describer` composes one of each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from PIL import Image

from model.certainty import Calibration
from model.errors import UnsupportedOption
from model.safety_claims import LANGUAGES as GUIDE_LANGUAGES
from model.senses.naming import Name

STYLES = ("caption", "long", "guide")  # a short sentence, one with more detail, what is there and where
PRECISIONS = ("auto", "float32", "bfloat16", "int8")  # see model.serving


@dataclass(frozen=True)
class Caption:
    """`text`; `confidence`: 0 to 1, or None from a captioner that has none; `score`: by which candidates are ranked;
    the token ids of the text and the natural log-probability of each (the end token's last, if it was reached).
    `likeness`: cosine of the text's embedding and the photo's, `agreement`: mean cosine of the text's and all
    candidates'; None from a captioner that does not compare them."""

    text: str
    confidence: float | None = None
    score: float = 0.0
    token_ids: tuple[int, ...] = ()
    log_probs: tuple[float, ...] = ()
    likeness: float | None = None
    agreement: float | None = None


@dataclass(frozen=True)
class PhotoCaptions:
    """What a captioner gives for one photo: `candidates`, best first; the photo's `embedding`, (D,) float32 of length
    1 in the space of the captioner's own embedder, if it comes on the way; `names` of things in it, likewise;
    milliseconds of each part of the work."""

    candidates: tuple[Caption, ...]
    embedding: np.ndarray | None = None
    names: tuple[Name, ...] = ()
    timings_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class CaptionerInfo:
    """What a captioner is. `languages`, `styles`: what it can be asked for. `precision`: in which it computes.
    `runs_elsewhere`: photos leave this machine. `calibration`: None if nobody measured how often it is right.
    `parameters`: how many it has, those of its embedder among them; None if unknown."""

    name: str
    family: str
    languages: tuple[str, ...]
    styles: tuple[str, ...]
    precision: str = "float32"
    runs_elsewhere: bool = False
    calibration: Calibration | None = None
    parameters: int | None = None

    def require(self, language: str, style: str) -> None:
        """Raise UnsupportedOption unless the captioner has this language and style."""
        for value, known, what in ((language, self.languages, "language"), (style, self.styles, "style")):
            if value not in known:
                raise UnsupportedOption(f"unknown {what} {value!r}; use one of {', '.join(known)}")
        if style == "guide" and language not in GUIDE_LANGUAGES:
            raise UnsupportedOption(f"guides are given in {' and '.join(GUIDE_LANGUAGES)} only, not in {language!r}")


@dataclass(frozen=True)
class EmbeddingSpace:
    """`id`: SHA-256 of the weights that make it, in hex: two embeddings can be compared if they have the same one.
    `least_cosine`: a photo and a text below it do not fit each other; `least_photo_cosine`: two photos below it do not
    look alike; -1 if that was not measured."""

    id: str
    name: str
    dimension: int
    least_cosine: float = -1.0
    least_photo_cosine: float = -1.0


class Embedder(Protocol):
    """Photos and sentences -> vectors of one space."""

    @property
    def space(self) -> EmbeddingSpace: ...

    def embed_photos(self, photos: Sequence[Image.Image]) -> np.ndarray:
        """Upright RGB photos -> (N, D) float32, length 1."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Sentences -> (N, D) float32, length 1."""
        ...


class Captioner(Protocol):
    """Photos -> captions. `embedder`: its own, or None."""

    @property
    def info(self) -> CaptionerInfo: ...

    @property
    def embedder(self) -> Embedder | None: ...

    def caption(self, photos: Sequence[Image.Image], language: str, style: str) -> list[PhotoCaptions]:
        """Upright RGB photos -> what it says of each, in their order. Raises UnsupportedOption for a language or style
        that `info` does not list."""
        ...
