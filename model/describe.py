"""Photo to description: the one call that the service and the bulk tools make."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from model import checkpoint
from model.caption.captioner import Caption
from model.serving import lay_out
from model.ways import LANGUAGES, STYLES

__all__ = ["LANGUAGES", "STYLES", "About", "Caption", "Describer", "Description"]

DEFAULT = Path(__file__).parent / "default"


@dataclass(frozen=True)
class Description:
    """All that is told about a photo. `text`: what to say; `caption`: its caption; `alternatives`: what else it could
    be, likeliest first; `language`, `style`: as asked; `model`: its name; `timings_ms`: of each part; `embedding`: the
    photo's, (D,) float32 of length 1."""

    text: str
    caption: Caption
    alternatives: tuple[Caption, ...]
    language: str
    style: str
    model: str
    timings_ms: dict[str, float]
    embedding: np.ndarray = field(repr=False, compare=False)


@dataclass(frozen=True)
class About:
    """A captioner's `name`, the `precision` it computes in, the `languages` and `styles` it was taught, how many
    `parameters` it has, its CLIP pair's among them; `least_cosine` as PairConfig has it."""

    name: str
    precision: str
    languages: tuple[str, ...]
    styles: tuple[str, ...]
    parameters: int
    least_cosine: float = -1.0


class Describer:
    """A loaded captioner, laid out by `model.serving`. `describe` is safe to call from one thread at a time."""

    def __init__(self, loaded: checkpoint.Checkpoint):
        words = loaded.captioner.tokenizer
        self.name = loaded.name
        self.about = About(
            loaded.name,
            loaded.precision,
            words.languages,
            words.styles,
            loaded.parameters,
            loaded.pair.config.least_cosine,
        )
        self.pair = loaded.pair
        self.captioner = loaded.captioner
        self._device = next(loaded.pair.parameters()).device
        if self._device.type == "cpu":
            lay_out(loaded.captioner, loaded.precision)

    @classmethod
    def load(cls, source: Path | str | None = None, device: str = "cpu", precision: str = "float32") -> "Describer":
        """The captioner of a checkpoint folder or of a name that model.hub knows, by default the embedded one; in one
        of model.ways.PRECISIONS. Raises checkpoint.CheckpointError."""
        return cls(checkpoint.load(source or DEFAULT, device, precision, mapped=True))

    def describe(self, photo: Image.Image, language: str = "en", style: str = "caption") -> Description:
        """Describe one upright RGB photo. `language`: one of LANGUAGES; `style`: one of STYLES."""
        return self.describe_many([photo], language, style)[0]

    @torch.inference_mode()
    def describe_many(
        self, photos: list[Image.Image], language: str = "en", style: str = "caption"
    ) -> list[Description]:
        """Describe several photos as one batch; timings are the batch's."""
        if not photos:
            return []
        started = time.perf_counter()
        pixels = self.pair.preprocess(photos).to(self._device)
        prepared = time.perf_counter()
        seen = self.pair.see(pixels)
        embedded = time.perf_counter()
        embeddings = nn.functional.normalize(seen.embedding.float(), dim=-1).cpu().numpy()
        captions = self._ranked(embeddings, self.captioner.caption(seen, language, style))
        ended = time.perf_counter()
        timings = {
            "prepare": round((prepared - started) * 1000, 1),
            "embed": round((embedded - prepared) * 1000, 1),
            "caption": round((ended - embedded) * 1000, 1),
        }
        return [
            self._description(own, language, style, timings, embedding) for own, embedding in zip(captions, embeddings)
        ]

    def _ranked(self, embeddings: np.ndarray, captions: list[list[Caption]]) -> list[list[Caption]]:
        """Each photo's captions anew in order, the pair's view of how well they fit the photo and each other counting
        as well. `embeddings`: the photos', (B, D)."""
        options = self.captioner.options
        if not options.likeness_weight and not options.agreement_weight:
            return captions
        texts = self.pair.embed_texts([caption.text for own in captions for caption in own])  # (N, D)
        ranked, first = [], 0
        for photo, own in zip(embeddings, captions):
            told = texts[first : first + len(own)]  # (hypotheses, D)
            scores = np.array([caption.score for caption in own])
            scores += options.likeness_weight * told @ photo + options.agreement_weight * told @ told.mean(0)
            ranked.append([own[i] for i in np.argsort(-scores, kind="stable")])
            first += len(own)
        return ranked

    def _description(
        self, captions: list[Caption], language: str, style: str, timings: dict, embedding: np.ndarray
    ) -> Description:
        distinct: dict[str, Caption] = {}
        for caption in captions:
            distinct.setdefault(caption.text, caption)
        best, *others = distinct.values()
        text = _sentence(best.text)
        return Description(text, best, tuple(others), language, style, self.name, timings, embedding)


def _sentence(text: str) -> str:
    """Caption as a sentence: capital letter, full stop."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."
