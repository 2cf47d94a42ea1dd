"""The family `clipcap`: photos to captions by a CLIP pair, a mapping network and GPT-2."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from model import checkpoint, hub
from model.caption.clipcap_import import load_public
from model.protocols import Caption, CaptionerInfo, PhotoCaptions
from model.senses.naming import LANGUAGES as NAME_LANGUAGES
from model.senses.naming import Name, names_of
from model.serving import optimize_for_inference


class ClipCapCaptioner:
    """A loaded checkpoint, optimised for inference. One pass of the image tower gives embedding and caption."""

    def __init__(self, loaded: checkpoint.Checkpoint):
        words = loaded.captioner.tokenizer
        self.info = CaptionerInfo(
            loaded.name,
            checkpoint.FAMILY,
            words.languages,
            words.styles,
            loaded.precision,
            calibration=loaded.calibration,
            parameters=loaded.parameters,
        )
        self.embedder = loaded.pair
        self.decoder = loaded.captioner
        self._device = next(loaded.pair.parameters()).device
        if self._device.type == "cpu":
            optimize_for_inference(loaded.captioner, loaded.precision)

    @torch.inference_mode()
    def caption(self, photos: Sequence[Image.Image], language: str, style: str) -> list[PhotoCaptions]:
        """As model.protocols.Captioner; the photos are one batch, and timings are the batch's."""
        started = time.perf_counter()
        pixels = self.embedder.preprocess(photos).to(self._device)
        prepared = time.perf_counter()
        features = self.embedder.encode_image(pixels)
        embedded = time.perf_counter()
        embeddings = nn.functional.normalize(features.embedding.float(), dim=-1).cpu().numpy()
        captions = self._ranked(embeddings, self.decoder.caption(features, language, style))
        ended = time.perf_counter()
        timings = {
            "prepare": round((prepared - started) * 1000, 1),
            "embed": round((embedded - prepared) * 1000, 1),
            "caption": round((ended - embedded) * 1000, 1),
        }
        names = self._names(features.class_logits, language) or [()] * len(photos)
        return [
            PhotoCaptions(tuple(own), embedding, own_names, timings)
            for own, embedding, own_names in zip(captions, embeddings, names)
        ]

    def _names(self, class_logits: Tensor | None, language: str) -> list[tuple[Name, ...]]:
        """Of each photo what its class logits (B, 1000) are sure of; nothing from a tower without a classifier, or in a
        language without names."""
        if class_logits is None or language not in NAME_LANGUAGES:
            return []
        bounds = self.embedder.config.least_name, self.embedder.config.least_kind
        return [tuple(names_of(p, language, *bounds)) for p in class_logits.float().softmax(-1).cpu().numpy()]

    def _ranked(self, embeddings: np.ndarray, captions: list[list[Caption]]) -> list[list[Caption]]:
        """Each photo's captions in a new order, in which also counts how well the pair finds them to fit the photo and
        each other. `embeddings`: the photos', (B, D)."""
        options = self.decoder.options
        if not options.likeness_weight and not options.agreement_weight:
            return captions
        texts = self.embedder.embed_texts([caption.text for own in captions for caption in own])  # (N, D)
        ranked, first = [], 0
        for photo, own in zip(embeddings, captions):
            vectors = texts[first : first + len(own)]  # (hypotheses, D)
            likeness, agreement = compare_candidates(vectors, photo)
            scores = np.array([caption.score for caption in own])
            scores += options.likeness_weight * likeness + options.agreement_weight * agreement
            compared = [replace(c, likeness=float(a), agreement=float(b)) for c, a, b in zip(own, likeness, agreement)]
            ranked.append([compared[i] for i in np.argsort(-scores, kind="stable")])
            first += len(own)
        return ranked


def compare_candidates(vectors: np.ndarray, photo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each candidate (C,), by the embeddings of their texts (C, D) and the photo's (D,): cosine with the photo, and
    mean cosine with all candidates."""
    return vectors @ photo, vectors @ vectors.mean(0)


def load(source: Path | str, device: str, precision: str) -> ClipCapCaptioner:
    """Of a checkpoint folder, or of a name of `model.hub` that was pulled. Raises CheckpointError."""
    if not Path(source).is_dir() and str(source) in hub.KNOWN:
        return ClipCapCaptioner(load_public(str(source), device, precision))
    return ClipCapCaptioner(checkpoint.load(source, device, precision, mapped=True))
