"""Scores that are computed often while training; `training.evaluate` has the field's own scorers."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

END = "</s>"  # counted as a word, so that a caption that breaks off is not rewarded (arXiv 2005.13201)


def ngrams(text: str, n_max: int = 4) -> Counter[tuple[str, ...]]:
    """Counts of all runs of 1 to `n_max` words."""
    words = [*re.findall(r"[\w'-]+", text.lower()), END]
    return Counter(tuple(words[i : i + n]) for n in range(1, n_max + 1) for i in range(len(words) - n + 1))


class CiderD:
    """CIDEr-D (arXiv 1411.5726, equation 6 with sigma 6, times 10) against fixed references, one list a photo."""

    def __init__(self, references: Sequence[Sequence[str]], n_max: int = 4, sigma: float = 6.0):
        self.n_max, self.sigma = n_max, sigma
        counted = [[ngrams(text, n_max) for text in own] for own in references]
        self.frequency = Counter(gram for own in counted for gram in set().union(*own))
        self.log_photos = np.log(max(2.0, len(references)))
        self.vectors = [[self._vector(counts) for counts in own] for own in counted]

    def _vector(self, counts: Counter) -> tuple[dict, np.ndarray, int]:
        """tf-idf of each n-gram, norms (n_max,), length in words."""
        vector = {g: c * (self.log_photos - np.log(max(1.0, self.frequency[g]))) for g, c in counts.items()}
        squares = np.zeros(self.n_max)
        for gram, value in vector.items():
            squares[len(gram) - 1] += value * value
        return vector, np.sqrt(squares), sum(c for g, c in counts.items() if len(g) == 1)

    def scores(self, texts: Sequence[str], photos: Iterable[int]) -> np.ndarray:
        """Score of each text (len(texts),) against the references of its photo's number."""
        return np.array([self._score(text, photo) for text, photo in zip(texts, photos, strict=True)])

    def _score(self, text: str, photo: int) -> float:
        vector, norms, length = self._vector(ngrams(text, self.n_max))
        total = 0.0
        for reference, reference_norms, reference_length in self.vectors[photo]:
            dots = np.zeros(self.n_max)
            for gram, value in vector.items():
                other = reference.get(gram)
                if other is not None:
                    dots[len(gram) - 1] += min(value, other) * other
            both = norms * reference_norms
            similarity = np.divide(dots, both, out=np.zeros_like(dots), where=both > 0)
            total += similarity.mean() * np.exp(-((length - reference_length) ** 2) / (2 * self.sigma**2))
        return 10 * total / max(1, len(self.vectors[photo]))


def recall(photos: np.ndarray, texts: np.ndarray, photo_of_text: np.ndarray) -> dict[str, float]:
    """Recall@1/5/10 in per cent and median rank, text to image and image to text.

    Embeddings (N, D) and (M, D) of length 1; `photo_of_text` (M,) is the row of each text's photo. A photo's rank is
    that of the best of its texts, as usual (arXiv 1707.05612).
    """
    scores = texts @ photos.T  # (M, N)
    own = scores[np.arange(len(texts)), photo_of_text]
    text_ranks = (scores > own[:, None]).sum(1)
    best_own = np.full(len(photos), -np.inf)
    np.maximum.at(best_own, photo_of_text, own)
    photo_ranks = (scores > best_own[None]).sum(0)
    return recall_of("text_to_image", text_ranks) | recall_of("image_to_text", photo_ranks)


def recall_of(name: str, ranks: np.ndarray) -> dict[str, float]:
    """Recall@1/5/10 in per cent and median rank of ranks that count from 0."""
    found = {f"{name}_r{k}": float((ranks < k).mean() * 100) for k in (1, 5, 10)}
    return found | {f"{name}_median": float(np.median(ranks) + 1)}
