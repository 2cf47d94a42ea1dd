"""Photos made worse in graded steps: what the bounds of `model.senses.quality` are measured on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

Degradation = Callable[[Image.Image, float, np.random.Generator], Image.Image]


def darker(photo: Image.Image, stops: float, rng: np.random.Generator) -> Image.Image:
    """Exposed `stops` less in linear light, with the noise of a sensor: 1.5 of 255 levels."""
    return _image(_exposed(photo, -stops) + rng.normal(0, 1.5, (photo.height, photo.width, 3)))


def brighter(photo: Image.Image, stops: float, rng: np.random.Generator) -> Image.Image:
    """Exposed `stops` more in linear light, and clipped."""
    return _image(_exposed(photo, stops))


def blurred(photo: Image.Image, percent: float, rng: np.random.Generator) -> Image.Image:
    """Out of focus: a Gaussian whose standard deviation is `percent` of the longest side; then noise of 2 levels."""
    soft = photo.filter(ImageFilter.GaussianBlur(percent / 100 * max(photo.size)))
    return _image(np.asarray(soft) + rng.normal(0, 2, (photo.height, photo.width, 3)))


def moved(photo: Image.Image, percent: float, rng: np.random.Generator) -> Image.Image:
    """Moved while it was taken: the mean along a line of `percent` of the longest side at any angle; then noise."""
    length, angle = percent / 100 * max(photo.size), rng.uniform(0, np.pi)
    pixels, total = np.asarray(photo, dtype=np.float32), np.zeros((photo.height, photo.width, 3), np.float32)
    count = max(2, round(length) + 1)
    reach = int(np.ceil(length / 2))
    padded = np.pad(pixels, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    for at in np.linspace(-length / 2, length / 2, count):
        x, y = reach + round(at * np.cos(angle)), reach + round(at * np.sin(angle))
        total += padded[y : y + photo.height, x : x + photo.width]
    return _image(total / count + rng.normal(0, 2, total.shape))


def covered(photo: Image.Image, percent: float, rng: np.random.Generator) -> Image.Image:
    """A finger, or something grey, out of focus, over `percent` of the picture, from a random side."""
    width, height = photo.size
    angle, bend = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.6)
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    depth = along - bend * across**2  # the edge of a finger bends
    mask = Image.fromarray(((depth > np.quantile(depth, 1 - percent / 100)) * 255).astype(np.uint8))
    mask = mask.filter(ImageFilter.GaussianBlur(rng.uniform(0.01, 0.06) * max(photo.size)))
    skin = np.array([210, 150, 125]) * rng.uniform(0.2, 1.1) + rng.normal(0, 10, 3)
    colour = skin if rng.random() < 0.7 else rng.uniform(0, 255) + rng.normal(0, 6, 3)
    light = 1 + rng.uniform(-0.2, 0.2) * along + rng.uniform(-0.2, 0.2) * across
    cover = _image(colour * light[..., None] + rng.normal(0, 2, (height, width, 3)))
    return Image.composite(cover, photo, mask)


def smaller(photo: Image.Image, pixels: float, rng: np.random.Generator) -> Image.Image:
    """`pixels` on its longest side."""
    scale = pixels / max(photo.size)
    return photo.resize((max(1, round(photo.width * scale)), max(1, round(photo.height * scale))))


@dataclass(frozen=True)
class Steps:
    """One way of making photos worse: what `quality` should call it, the unit of `values`, from mild to bad."""

    problem: str
    unit: str
    values: Sequence[float]
    apply: Degradation


STEPS = {
    "darker": Steps("dark", "stops", (1, 2, 3, 4, 5, 6, 7, 8), darker),
    "brighter": Steps("bright", "stops", (1, 2, 3, 4, 5, 6), brighter),
    "out of focus": Steps("blurred", "% of the longest side", (0.5, 1, 1.5, 2, 3, 4, 6), blurred),
    "moved": Steps("blurred", "% of the longest side", (2, 4, 8, 12, 16, 24, 32), moved),
    "covered": Steps("covered", "% of the picture", (30, 40, 50, 60, 70, 80, 90), covered),
    "smaller": Steps("small", "pixels", (112, 80, 56, 40, 28, 20, 14), smaller),
}


def _exposed(photo: Image.Image, stops: float) -> np.ndarray:
    """sRGB levels (height, width, 3) after 2**stops times the light (IEC 61966-2-1)."""
    levels = np.arange(256) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4) * 2.0**stops
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)
    return (encoded * 255).clip(0, 255)[np.asarray(photo)]


def _image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
