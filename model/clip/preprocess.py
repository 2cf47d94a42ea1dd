"""Photo to pixels: the one place for sizes and constants, used by training and serving alike.

"crop" is CLIP's own preparation (arXiv 2103.00020, as published): bicubic to the short side, then the centre.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor


@dataclass(frozen=True)
class Preprocess:
    """How a photo becomes pixels. `size`: pixels a side. `fit`: "squash" (aspect ratio lost, nothing cut off) or "crop"
    (short side to `size`, centre cut out). `mean`, `std`: of RGB in 0..1."""

    size: int
    fit: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __post_init__(self):
        if self.fit not in ("squash", "crop"):
            raise ValueError(f"fit is {self.fit!r}; use squash or crop")

    def box(self, photo: Image.Image) -> tuple[float, float, float, float]:
        """The part of the photo that is looked at: left, top, right, bottom in pixels."""
        width, height = photo.size
        if self.fit == "squash":
            return 0, 0, width, height
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        return left, top, left + side, top + side

    def resize(self, photo: Image.Image, box: tuple[float, float, float, float] | None = None) -> np.ndarray:
        """RGB photo -> (size, size, 3) uint8, of `box` or of what `fit` says."""
        photo = photo.convert("RGB")
        if box is None and self.fit == "crop":
            photo = self._short_side_then_centre(photo)
        else:
            box = box or self.box(photo)
            photo = photo.resize((self.size, self.size), Image.Resampling.BICUBIC, box=box, reducing_gap=2.0)
        return np.array(photo)  # a writable copy, as torch wants

    def _short_side_then_centre(self, photo: Image.Image) -> Image.Image:
        """CLIP's own two steps, in its rounding; one resize of the cut itself would differ by a level or two."""
        width, height = (int(self.size * side / min(photo.size)) for side in photo.size)
        left, top = round((width - self.size) / 2), round((height - self.size) / 2)
        resized = photo.resize((width, height), Image.Resampling.BICUBIC)
        return resized.crop((left, top, left + self.size, top + self.size))

    def normalize(self, pixels: Tensor) -> Tensor:
        """(B, size, size, 3) uint8 -> (B, 3, size, size) float32, channels last in memory."""
        mean, std = (torch.tensor(v, device=pixels.device) * 255 for v in (self.mean, self.std))
        return ((pixels.float() - mean) / std).permute(0, 3, 1, 2)

    def __call__(self, photos: Sequence[Image.Image]) -> Tensor:
        """RGB photos -> (B, 3, size, size) float32."""
        return self.normalize(torch.from_numpy(np.stack([self.resize(photo) for photo in photos])))


# MobileNetV2 was trained on pixels in [-1, 1]; photos are squashed because the training photos are.
MOBILENET = Preprocess(size=224, fit="squash", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def clip_preprocess(size: int) -> Preprocess:
    """As CLIP was trained: the constants are published with it."""
    mean, std = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    return Preprocess(size, fit="crop", mean=mean, std=std)
