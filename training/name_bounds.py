"""From which probability on ImageNet's classes are named: where nine in ten names fit what people say of the photo."""

from collections.abc import Sequence

import numpy as np
import torch
from tqdm import tqdm

from data.datasets import Example
from model.clip.pair import ClipPair
from model.senses.naming import class_names
from model.support import content
from training.correctness import count_holding
from training.photos import open_image

PRECISION = 0.9
LEAST_NAMED = 40  # photos; fewer prove nothing


@torch.inference_mode()
def class_probabilities(pair: ClipPair, examples: Sequence[Example], batch_size: int = 16) -> np.ndarray | None:
    """(N, 1000) float32; None from a tower without a classifier."""
    parts = []
    for first in tqdm(range(0, len(examples), batch_size), desc="names", unit="batch", mininterval=5):
        photos = [open_image(example) for example in examples[first : first + batch_size]]
        logits = pair.encode_image(pair.preprocess(photos)).class_logits
        if logits is None:
            return None
        parts.append(logits.float().softmax(-1).numpy())
    return np.concatenate(parts)


def likeliest(probabilities: np.ndarray, kinds: bool) -> tuple[list[str], np.ndarray]:
    """The likeliest English name, or kind, of each photo (N,) and its probability, summed over the classes that are
    called so."""
    called = np.array([each.kind_en if kinds else each.en for each in class_names()])
    texts = sorted(set(called) - {""})
    sums = np.stack([probabilities[:, called == text].sum(1) for text in texts], axis=1)
    return [texts[i] for i in sums.argmax(1)], sums.max(1)


def fits(name: str, example: Example) -> bool:
    """Whether any English caption of the photo speaks of the name, or of the kind of thing that it is."""
    said = frozenset[str]().union(*(content(c.text) for c in example.captions if c.language == "en"))
    kinds = {each.kind_en for each in class_names() if each.en == name}
    return any(content(text) & said for text in {name, *kinds})


def bound(names: Sequence[str], probabilities: np.ndarray, examples: Sequence[Example]) -> tuple[float, int, float]:
    """-> the least probability from which on PRECISION of the names fit, how many photos that are and their share;
    (1, 0, 0) if there is none."""
    is_right = np.array([fits(name, example) for name, example in zip(names, examples, strict=True)])
    count = count_holding(probabilities, is_right, PRECISION, LEAST_NAMED)
    if not count:
        return 1.0, 0, 0.0
    taken = np.argsort(-probabilities, kind="stable")[:count]
    return float(np.ceil(probabilities[taken[-1]] * 100) / 100), count, float(is_right[taken].mean())
