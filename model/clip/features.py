"""What image towers give."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class ImageFeatures(NamedTuple):
    """Features of B photos. `embedding`: (B, D) float32, as the tower gives it, not of length 1. `grid`: (B, T, C)
    features of the parts of the photo, or None from a tower that has no grid. `class_logits`: (B, 1000) of ImageNet's
    classes in their usual order, or None from a tower that has no classifier."""

    embedding: Tensor
    grid: Tensor | None
    class_logits: Tensor | None = None

    def select(self, rows: Tensor | Sequence[int], device: torch.device | str = "cpu") -> "ImageFeatures":
        """The features of those photos, float32, on the device."""
        return ImageFeatures(*(None if t is None else t[rows].float().to(device) for t in self))
