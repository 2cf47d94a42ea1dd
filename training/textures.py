"""Drawn surfaces for `training.flaws`: bricks, grass and gravel, which fill a photo and are taken for nothing."""

import numpy as np
from PIL import Image, ImageDraw

TEXTS: dict[str, dict[str, dict[str, tuple[str, ...]]]] = {
    "bricks": {
        "en": {
            "caption": ("a surface of bricks", "rows of bricks, seen close up", "a brick wall or a brick pavement"),
            "guide": ("bricks fill the photo, a wall or a pavement",),
        },
        "id": {
            "caption": ("permukaan dari batu bata", "deretan batu bata dilihat dari dekat"),
            "guide": ("batu bata memenuhi foto, tembok atau lantai",),
        },
    },
    "grass": {
        "en": {
            "caption": ("grass, seen from above", "a close view of grass", "nothing but grass and leaves"),
            "guide": ("grass fills the photo",),
        },
        "id": {
            "caption": ("rumput dilihat dari atas", "rumput dan dedaunan dilihat dari dekat"),
            "guide": ("rumput memenuhi foto",),
        },
    },
    "gravel": {
        "en": {
            "caption": ("small stones, seen from above", "a close view of gravel", "gravel that fills the photo"),
            "guide": ("gravel fills the photo",),
        },
        "id": {
            "caption": ("kerikil dilihat dari atas", "batu-batu kecil dilihat dari dekat"),
            "guide": ("kerikil memenuhi foto",),
        },
    },
}


def bricks(size: int, rng: np.random.Generator) -> Image.Image:
    """Rows of bricks, each half a brick on, lying or upright, straight on or receding."""
    across = int(rng.uniform(20, 90))
    height, joint = int(across * rng.uniform(0.25, 0.5)), int(rng.uniform(1, 5))
    clay = _tone(rng, (165, 90, 70))
    mortar = np.clip(clay * rng.uniform(0.4, 1.7), 0, 255)
    wall = Image.new("RGB", (2 * size, 2 * size), _rgb(mortar))
    draw = ImageDraw.Draw(wall)
    for row, top in enumerate(range(0, 2 * size, height)):
        for left in range(-across * (row % 2) // 2, 2 * size, across):
            shade = clay * rng.normal(1, 0.1)
            draw.rectangle((left, top, left + across - joint, top + height - joint), _rgb(shade))
    if rng.random() < 0.5:
        wall = wall.transpose(Image.Transpose.ROTATE_90)
    lean = rng.uniform(0, 0.35) * size  # how far the upper corners move outwards: the further away, the smaller
    near, far = size / 2, 1.5 * size
    corners = (near - lean, near, near, far, far, far, far + lean, near)
    return _grain(wall.transform((size, size), Image.Transform.QUAD, corners, Image.Resampling.BILINEAR), rng)


def grass(size: int, rng: np.random.Generator) -> Image.Image:
    """Thousands of blades over one another, the upper ones lighter, and some leaves."""
    green = _tone(rng, (95, 130, 60))
    lawn = Image.new("RGB", (size, size), _rgb(green * 0.5))
    draw, length, count = ImageDraw.Draw(lawn), rng.uniform(8, 30), int(rng.uniform(2500, 6000))
    upright = rng.random() < 0.4
    for i in range(count):
        x, y = rng.uniform(-10, size + 10, 2)
        angle = rng.normal(np.pi / 2, 0.4) if upright else rng.uniform(0, np.pi)
        reach = length * rng.uniform(0.4, 1.2)
        colour = _rgb(green * (0.5 + 0.6 * i / count) * rng.normal(1, 0.2))
        if rng.random() < 0.03:
            draw.ellipse((x, y, x + reach / 2, y + reach / 3), colour)
        else:
            draw.line((x, y, x + reach * np.cos(angle), y - reach * np.sin(angle)), colour, int(rng.integers(1, 3)))
    return _grain(lawn, rng)


def gravel(size: int, rng: np.random.Generator) -> Image.Image:
    """Many-cornered stones over one another, each lighter on one side."""
    stone = _tone(rng, (150, 140, 125))
    ground = Image.new("RGB", (size, size), _rgb(stone * 0.35))
    draw, radius = ImageDraw.Draw(ground), rng.uniform(4, 14)
    for _ in range(int(5 * (size / radius) ** 2 / np.pi)):
        x, y = rng.uniform(0, size, 2)
        corners = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(5, 9)))
        reach = radius * rng.uniform(0.6, 1.2) * rng.uniform(0.75, 1.1, len(corners))
        points = np.stack([x + reach * np.cos(corners), y + 0.8 * reach * np.sin(corners)], 1)
        colour = stone * rng.normal(0.9, 0.22)
        draw.polygon([tuple(p) for p in points + 1.5], _rgb(stone * 0.25))  # its shadow
        draw.polygon([tuple(p) for p in points], _rgb(colour))
        lit = 0.55 * points + 0.45 * np.array([x - radius * 0.4, y - radius * 0.4])
        draw.polygon([tuple(p) for p in lit], _rgb(colour * 1.2))
    return _grain(ground, rng)


DRAWN = {"bricks": bricks, "grass": grass, "gravel": gravel}


def _tone(rng: np.random.Generator, usual: tuple[int, int, int]) -> np.ndarray:
    """A colour near the usual one, lighter or darker; of every second picture its grey."""
    colour = np.array(usual, dtype=float) * rng.uniform(0.6, 1.4) + rng.normal(0, 12, 3)
    return np.full(3, colour.mean()) if rng.random() < 0.5 else colour


def _rgb(colour: np.ndarray) -> tuple[int, ...]:
    return tuple(int(v) for v in np.clip(colour, 0, 255))


def _grain(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Unevenness at every scale, as surfaces and sensors have it."""
    pixels, size = np.asarray(picture, dtype=np.float32), picture.width
    for side, strength in ((4, 10), (size // 8, 12), (size, rng.uniform(2, 10))):
        noise = Image.fromarray(rng.normal(0, strength, (side, side)).astype(np.float32))
        pixels = pixels + np.asarray(noise.resize(picture.size, Image.Resampling.BICUBIC))[..., None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
