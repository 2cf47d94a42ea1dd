"""Photo to description: the one call that the service and the bulk tools make."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from model.cautions import caution_kinds
from model.certainty import Certainty, certainty_of
from model.families import DEFAULT, load_captioner
from model.languages.wording import spoken_text, wording
from model.protocols import Caption, Captioner, CaptionerInfo, Embedder, EmbeddingSpace, PhotoCaptions
from model.safety_claims import is_unsafe, without_unsafe_clauses


@dataclass(frozen=True)
class Description:
    """All that is said about a photo.

    `text`: a sentence without words of doubt; `certainty` of it; `cautions`: kinds of `model.cautions`; `spoken`: what
    the sound says, doubt and cautions included. `caption`: None where the certainty is NONE; `alternatives`: what else
    it could be, in the captioner's order. `language`, `style`: as asked; `captioner`: its name. `embedding`: the
    photo's, (D,) float32 of length 1 in the space with the id `space`; both None without an embedder. `timings_ms`: of
    each part.
    """

    text: str
    certainty: Certainty
    cautions: tuple[str, ...]
    spoken: str
    caption: Caption | None
    alternatives: tuple[Caption, ...]
    language: str
    style: str
    captioner: str
    space: str | None
    timings_ms: dict[str, float]
    embedding: np.ndarray | None = field(repr=False, compare=False, default=None)


class Describer:
    """A captioner and an embedder. `describe` is safe to call from one thread at a time."""

    def __init__(self, captioner: Captioner, embedder: Embedder | None = None):
        """`embedder`: for photos of a captioner that has none of its own, so that they can be found again."""
        self.captioner = captioner
        self.embedder = captioner.embedder or embedder

    @classmethod
    def load(cls, source: Path | str | None = None, device: str = "cpu", precision: str = "float32") -> "Describer":
        """The captioner of a checkpoint folder or of a name that model.hub has pulled, by default the embedded one; in
        one of model.protocols.PRECISIONS. A captioner without an embedder is given the embedded pair.

        Raises CheckpointError.
        """
        captioner = load_captioner(source, device, precision)
        if captioner.embedder is None:
            return cls(captioner, load_captioner(DEFAULT, device).embedder)
        return cls(captioner)

    @property
    def info(self) -> CaptionerInfo:
        return self.captioner.info

    @property
    def space(self) -> EmbeddingSpace | None:
        return self.embedder.space if self.embedder else None

    def describe(self, photo: Image.Image, language: str = "en", style: str = "caption") -> Description:
        """Describe one upright RGB photo. Raises UnsupportedOption for what the captioner does not have."""
        return self.describe_many([photo], language, style)[0]

    def describe_many(
        self, photos: Sequence[Image.Image], language: str = "en", style: str = "caption"
    ) -> list[Description]:
        """Describe several photos as one batch."""
        self.info.require(language, style)
        if not photos:
            return []
        found = self.captioner.caption(photos, language, style)
        if self.embedder is not None and any(own.embedding is None for own in found):
            embeddings = self.embedder.embed_photos(photos)
            found = [replace(own, embedding=embedding) for own, embedding in zip(found, embeddings, strict=True)]
        return [self._description(own, language, style) for own in found]

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray | None:
        """Sentences -> (N, D) float32 of length 1 in `space`, or None without an embedder."""
        return self.embedder.embed_texts(texts) if self.embedder else None

    def _description(self, found: PhotoCaptions, language: str, style: str) -> Description:
        candidates = _distinct(_safe(found.candidates, language))
        best = candidates[0] if candidates else None
        certainty, cautions = Certainty.NONE, tuple[str, ...]()
        if best is not None:
            certainty = certainty_of(best.confidence, language, style, self.info.calibration)
        if best is None or certainty is Certainty.NONE:
            best, candidates, text = None, [], wording(language).cannot_tell
        else:
            text, cautions = _sentence(best.text), caution_kinds(best.text, language, style)
        return Description(
            text,
            certainty,
            cautions,
            spoken_text(text, certainty, cautions, language),
            best,
            tuple(candidates[1:]),
            language,
            style,
            self.info.name,
            self.space.id if self.space and found.embedding is not None else None,
            dict(found.timings_ms),
            found.embedding,
        )


def _safe(candidates: Sequence[Caption], language: str) -> list[Caption]:
    """Those that make no promise and give no order; where all do, the best one without such clauses, if that leaves
    anything."""
    candidates = [caption for caption in candidates if caption.text.strip()]
    kept = [caption for caption in candidates if not is_unsafe(caption.text, language)]
    if kept or not candidates:
        return kept
    left = without_unsafe_clauses(candidates[0].text, language)
    return [replace(candidates[0], text=left)] if left else []


def _distinct(candidates: Sequence[Caption]) -> list[Caption]:
    """Each text once, in order."""
    return list({caption.text: caption for caption in reversed(candidates)}.values())[::-1]


def _sentence(text: str) -> str:
    """Caption as a sentence: capital letter, full stop."""
    text = text.strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."
