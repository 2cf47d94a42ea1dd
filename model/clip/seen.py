"""What image towers give."""

from typing import NamedTuple

from torch import Tensor


class Seen(NamedTuple):
    """What an image tower saw. `embedding`: (B, D) float32, as the tower gives it, not of length 1. `grid`: (B, T, C)
    features of the parts of the photo, or None from a tower that has no grid."""

    embedding: Tensor
    grid: Tensor | None
