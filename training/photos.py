"""Photos as training batches: crops and brightness vary, left and right never do."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from data.datasets import Example
from model.clip.preprocess import Preprocess
from model.errors import SightlineError
from model.imaging import PhotoError, open_photo

# A set's photo is larger than any that is sent to a service; Pillow itself refuses more pixels.
MAX_BYTES, MAX_PIXELS = 2**31, 2 * (Image.MAX_IMAGE_PIXELS or 2**27)


Batch = tuple[np.ndarray, torch.Tensor]


class PhotoFileError(SightlineError):
    """A photo of a set that can no longer be read."""


def open_image(example: Example) -> Image.Image:
    """The example's photo, upright, RGB. Raises PhotoFileError, which names the file."""
    try:
        return open_photo(example.path, max_bytes=MAX_BYTES, max_pixels=MAX_PIXELS).image
    except PhotoError as error:
        raise PhotoFileError(f"{example.path}: {error}") from None


@dataclass(frozen=True)
class Augment:
    """`area`: the least part of a photo that a crop keeps. `light`: greatest change of brightness, contrast and each
    colour, as a factor."""

    area: float = 0.6
    light: float = 0.3

    def box(self, size: tuple[int, int], rng: np.random.Generator) -> tuple[float, float, float, float]:
        """A random crop, the same shape as the photo give or take a fifth: left, top, right, bottom in pixels."""
        width, height = size
        side = np.sqrt(rng.uniform(self.area, 1.0))
        shape = np.exp(rng.uniform(-0.1, 0.1))
        w, h = min(1.0, side * shape) * width, min(1.0, side / shape) * height
        left, top = rng.uniform(0, width - w), rng.uniform(0, height - h)
        return left, top, left + w, top + h

    def relight(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(S, S, 3) uint8 -> the same, lighter or darker, with less or more contrast, warmer or colder."""
        gain = rng.uniform(1 - self.light, 1 + self.light) * rng.uniform(1 - self.light / 3, 1 + self.light / 3, 3)
        contrast = rng.uniform(1 - self.light, 1 + self.light)
        mean = pixels.mean()
        table = (np.arange(256, dtype=np.float32)[:, None] - mean) * contrast + mean  # (256, 1)
        table = (table * gain).clip(0, 255).astype(np.uint8)  # (256, 3)
        return np.stack([table[pixels[..., c], c] for c in range(3)], axis=-1)


class PhotoSet(Dataset[tuple[int, np.ndarray]]):
    """Item `(epoch, index)` is that photo's pixels (S, S, 3) uint8, varied by (seed, epoch, index) alone."""

    def __init__(self, examples: list[Example], preprocess: Preprocess, augment: Augment | None, seed: int):
        self.examples, self.preprocess, self.augment, self.seed = examples, preprocess, augment, seed

    def __getitem__(self, key: tuple[int, int]) -> tuple[int, np.ndarray]:
        epoch, index = key
        photo = open_image(self.examples[index])
        if self.augment is None:
            return index, self.preprocess.resize(photo)
        rng = np.random.default_rng((self.seed, epoch, index))
        pixels = self.preprocess.resize(photo, box=self.augment.box(photo.size, rng))
        return index, self.augment.relight(pixels, rng)


def photo_batches(photos: PhotoSet, batch_size: int, epoch: int, start: int = 0, workers: int = 1) -> Iterator[Batch]:
    """Shuffled batches of (indices (B,), pixels (B, S, S, 3) uint8) from batch `start` of the epoch on; the last,
    smaller one is left out."""
    order = np.random.default_rng((photos.seed, epoch)).permutation(len(photos.examples))
    whole = [order[i : i + batch_size] for i in range(0, len(order) - batch_size + 1, batch_size)]
    return _load(photos, [[(epoch, int(i)) for i in batch] for batch in whole[start:]], workers)


def photos_in_order(photos: PhotoSet, batch_size: int, workers: int = 1, epoch: int = 0) -> Iterator[Batch]:
    """All photos in order, in batches like those of `photo_batches`; the last one may be smaller."""
    keys = [(epoch, i) for i in range(len(photos.examples))]
    return _load(photos, [keys[i : i + batch_size] for i in range(0, len(keys), batch_size)], workers)


def _load(photos: PhotoSet, keys: list[list[tuple[int, int]]], workers: int) -> Iterator[Batch]:
    try:
        yield from DataLoader(photos, batch_sampler=keys, num_workers=workers, collate_fn=_collate)
    except PhotoFileError as error:  # from another process it comes with the whole trace in its text
        raise PhotoFileError(str(error).rpartition("PhotoFileError: ")[2].strip()) from None


def _collate(items: list[tuple[int, np.ndarray]]) -> Batch:
    indices, pixels = zip(*items)
    return np.array(indices), torch.from_numpy(np.stack(pixels))
