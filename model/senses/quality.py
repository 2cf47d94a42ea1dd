"""Can this photo be described? What is wrong with it, in numbers and in words.

The bounds are measured: docs/quality.md has the table and `python -m tests.benchmarks.quality` repeats it.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops

from model.senses.kind import SIDE as KIND_SIDE
from model.senses.kind import picture_kind

SIDE = 224  # pixels a side of what is measured, whatever the size of the photo: about what a captioner sees
TILES = 28  # a side, of 8 x 8 pixels
DIRECTIONS = np.array([(np.cos(angle), np.sin(angle)) for angle in np.arange(8) * np.pi / 8], dtype=np.float32)
NO_FLAW = {"photo": (), "page": ("covered",), "screenshot": ("blurred", "covered")}  # by kind
PROBLEMS = ("blank", "dark", "bright", "blurred", "covered", "small")


@dataclass(frozen=True)
class Bound:
    """Where a number means a problem. Beyond `doubt` captions are half as good as of clean photos, or worse: one is
    told with doubt only. Beyond `refuse` they are about a tenth as good: none is told."""

    doubt: float
    refuse: float


WHITE_LEVEL = Bound(36 / 255, 12 / 255)  # "dark": at most
SHARPNESS = Bound(0.67, 0.61)  # "blurred": below
PLAIN_SHARE = Bound(0.484, 0.8)  # "covered": at least
SMALL_SIDE = Bound(56, 28)  # "small": at most
CLIPPED_SHARE, CLIPPED_COLOURS = 0.2, 0.12  # "bright": at least, both; nothing left is "blank"
SOFT_EDGE = 18.0  # levels a pixel: what covers the lens is out of focus, so its edge is softer than this
SKY_BLUE = 22 / 255  # more blue than red: what is bluer is sky rather than a finger
PLAIN_TILE = 4.0  # levels a pixel: a tile without a steeper slope is of one colour
SAME_COLOUR = 16.0  # levels between neighbouring tiles of one area
NO_EDGE = 10 / 255  # of the white level: a photo without any steeper slope than this shows nothing
NOISE_SHARE = 0.3  # of the noise: white noise leaves an eighth of itself in tiles of 8 x 8 pixels, textures most


@dataclass(frozen=True)
class Quality:
    """What can be told about a photo before it is described.

    `problems`: of PROBLEMS, in their order. `kind`: "photo", "screenshot" or "page". `describable`: False where no
    caption is to be told at all; `doubtful`: a caption is to be told with doubt, if at all.

    All from 0 to 1: `brightness`, the mean; `contrast`, from the 5th to the 95th percentile; `white_level`, the 99th
    percentile; `dark_share` and `clipped_share` of the pixels that are black and white; `clipped_colours` of the other
    pixels with a colour at its maximum; `plain_share`, the largest area of one colour. `edge_softness`: median slope
    around that area, levels a pixel; `plain_blueness` of it: blue less red, -1 to 1. `sharpness`: see `sharpness_of`;
    about 0.87 for a sharp photo, 0.5 for none. `side`: of the square with as many pixels.
    """

    problems: tuple[str, ...]
    kind: str
    describable: bool
    brightness: float
    contrast: float
    white_level: float
    dark_share: float
    clipped_share: float
    clipped_colours: float
    plain_share: float
    edge_softness: float
    plain_blueness: float
    sharpness: float
    side: float

    @property
    def doubtful(self) -> bool:
        return bool(self.problems)


def assess(photo: Image.Image) -> Quality:
    """Measure an upright RGB photo of any size; the same photo larger gives the same, but for `side` below SIDE."""
    factor = max(1, min(photo.size) // KIND_SIDE)
    smaller = photo.reduce(factor) if factor > 1 else photo  # once, for all that follows: most of the time goes here
    # Means of areas; a smaller photo keeps its own pixels, as squares, so that it is not called blurred.
    working = smaller.resize((SIDE, SIDE), Image.Resampling.BOX)
    grey_image = working.convert("L")
    grey = np.asarray(grey_image, dtype=np.float32)  # (SIDE, SIDE), 0 to 255
    cumulated = np.cumsum(grey_image.histogram()) / grey.size
    low, high, white = (int(np.searchsorted(cumulated, share)) for share in (0.05, 0.95, 0.99))
    red, green, blue = working.split()
    least = np.asarray(ImageChops.darker(ImageChops.darker(red, green), blue))
    most = np.asarray(ImageChops.lighter(ImageChops.lighter(red, green), blue))
    clipped = least >= 250
    halves = _halved(grey)  # (112, 112)
    quarters = _halved(halves)  # (56, 56)
    plain_share, edge_softness, blueness = _plain_area(halves, working.reduce(SIDE // TILES))
    numbers = {
        "brightness": float(grey.mean() / 255),
        "contrast": (high - low) / 255,
        "white_level": white / 255,
        "dark_share": float((most <= 16).mean()),
        "clipped_share": float(clipped.mean()),
        "clipped_colours": float((most >= 253).sum() - clipped.sum()) / max(1, int((~clipped).sum())),
        "plain_share": plain_share,
        "edge_softness": edge_softness,
        "plain_blueness": blueness,
        "sharpness": sharpness_of(halves, quarters),
        "side": float(np.sqrt(photo.width * photo.height)),
    }
    blank = _is_blank(quarters, white) or _is_noise(grey, _halved(quarters))
    problems = ("blank",) * blank + _problems(numbers, blank)
    overexposed = "bright" in problems  # leaves white rows as in a screenshot
    kind = "photo" if blank or overexposed else picture_kind(photo, smaller)
    problems = tuple(problem for problem in problems if problem not in NO_FLAW[kind])
    return Quality(problems, kind, not blank and not _refused(numbers, problems), **numbers)


def sharpness_of(halves: np.ndarray, quarters: np.ndarray) -> float:
    """How much of the steepest slopes at a quarter of the size is there at half of it, in the direction where that is
    least: 1 for edges that are sharp at both, 0.5 where half the size shows nothing that a quarter does not.

    The slope is the 99th percentile of the derivative. Out of focus, all directions lose; moved, that of the movement.
    The full size, where noise and JPEG are strongest, is not asked.
    """
    steepest = []
    for level in (halves, quarters):
        slopes = np.abs(DIRECTIONS @ _gradient(level).reshape(2, -1))  # (8, pixels)
        rank = slopes.shape[1] * 99 // 100
        steepest.append(np.partition(slopes, rank, axis=1)[:, rank] + 0.5)  # 0.5: rounding to whole levels
    return float((steepest[0] / steepest[1]).min())


def _problems(numbers: dict[str, float], blank: bool) -> tuple[str, ...]:
    dark = numbers["white_level"] <= WHITE_LEVEL.doubt
    bright = numbers["clipped_share"] >= CLIPPED_SHARE and numbers["clipped_colours"] >= CLIPPED_COLOURS
    covered = (
        numbers["plain_share"] >= PLAIN_SHARE.doubt
        and numbers["edge_softness"] <= SOFT_EDGE
        and numbers["plain_blueness"] <= SKY_BLUE
    )
    small = numbers["side"] <= SMALL_SIDE.doubt
    found = {
        "dark": dark,
        "bright": bright and not blank,
        "blurred": numbers["sharpness"] < SHARPNESS.doubt and not (blank or small),
        "covered": covered and not (blank or dark or bright or small),
        "small": small,
    }
    return tuple(name for name in PROBLEMS if found.get(name))


def _refused(numbers: dict[str, float], problems: tuple[str, ...]) -> bool:
    """Whether one of the problems is so bad that captions are worth nothing."""
    beyond = {
        "dark": numbers["white_level"] <= WHITE_LEVEL.refuse,
        "blurred": numbers["sharpness"] < SHARPNESS.refuse,
        "covered": numbers["plain_share"] >= PLAIN_SHARE.refuse,
        "small": numbers["side"] <= SMALL_SIDE.refuse,
    }
    return any(beyond.get(problem, False) for problem in problems)


def _is_blank(quarters: np.ndarray, white: int) -> bool:
    """Black, or without any edge: one colour, or light that changes slowly."""
    slopes = np.hypot(*_gradient(quarters)).ravel()
    steepest = np.partition(slopes, -4)[-4]  # a few pixels may be dust
    return bool(white < 8 or steepest < max(2.0, NO_EDGE * white))


def _is_noise(grey: np.ndarray, eighths: np.ndarray) -> bool:
    """Whether means of 8 x 8 pixels differ by no more than those of independent pixels would."""
    laplacian = 4 * grey[1:-1, 1:-1] - grey[1:-1, 2:] - grey[1:-1, :-2] - grey[2:, 1:-1] - grey[:-2, 1:-1]
    noise = float(laplacian.std()) / np.sqrt(20)
    rows, columns = np.mgrid[-1 : 1 : TILES * 1j, -1 : 1 : TILES * 1j]
    surface = np.stack([np.ones_like(rows), rows, columns, rows**2, columns**2, rows * columns], -1).reshape(-1, 6)
    basis = np.linalg.qr(surface)[0]  # uneven light, which noise may lie on
    means = eighths.ravel()
    return bool((means - basis @ (basis.T @ means)).std() < NOISE_SHARE * noise)


def _plain_area(halves: np.ndarray, tiles: Image.Image) -> tuple[float, float, float]:
    """Share of the largest connected area of tiles without texture whose colour changes slowly, the median slope
    of the tiles around it, and by how much it is more blue than red (-1 to 1)."""
    slopes = np.hypot(*_gradient(np.pad(halves, 1, mode="edge")))
    steepest = slopes.reshape(TILES, -1, TILES, halves.shape[0] // TILES).max(3).max(1)  # (TILES, TILES)
    plain = steepest < PLAIN_TILE
    colours = np.asarray(tiles, dtype=np.float32)  # (TILES, TILES, 3)
    down = plain[1:] & plain[:-1] & (np.abs(np.diff(colours, axis=0)).max(2) < SAME_COLOUR)
    across = plain[:, 1:] & plain[:, :-1] & (np.abs(np.diff(colours, axis=1)).max(2) < SAME_COLOUR)
    area = np.zeros((TILES + 2, TILES + 2), bool)
    inner = area[1:-1, 1:-1]
    inner[:] = _largest(plain, down, across)
    if not inner.any():
        return 0.0, 0.0, 0.0
    around = (area[:-2, 1:-1] | area[2:, 1:-1] | area[1:-1, :-2] | area[1:-1, 2:]) & ~inner
    red, _, blue = colours[inner].mean(0) / 255
    softness = float(np.median(steepest[around])) if around.any() else 0.0
    return float(inner.mean()), softness, float(blue - red)


def _largest(plain: np.ndarray, down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """The largest connected area of `plain`; `down` and `across`: which neighbours are connected."""
    below, right, left_over = down.tolist(), across.tolist(), set(zip(*(axis.tolist() for axis in plain.nonzero())))
    largest: set[tuple[int, int]] = set()
    while len(left_over) > len(largest):
        area, waiting = set(), [left_over.pop()]
        while waiting:
            y, x = waiting.pop()
            area.add((y, x))
            for other, connected in (
                ((y + 1, x), y + 1 < TILES and below[y][x]),
                ((y - 1, x), y > 0 and below[y - 1][x]),
                ((y, x + 1), x + 1 < TILES and right[y][x]),
                ((y, x - 1), x > 0 and right[y][x - 1]),
            ):
                if connected and other in left_over:
                    left_over.remove(other)
                    waiting.append(other)
        largest = max(largest, area, key=len)
    mask = np.zeros_like(plain)
    if largest:
        mask[tuple(zip(*largest))] = True
    return mask


def _halved(level: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 pixels."""
    return (level[::2, ::2] + level[1::2, ::2] + level[::2, 1::2] + level[1::2, 1::2]) / 4


def _gradient(level: np.ndarray) -> np.ndarray:
    """(H, W) -> (2, H - 2, W - 2): central differences along x and y, levels a pixel."""
    x = (level[1:-1, 2:] - level[1:-1, :-2]) / 2
    y = (level[2:, 1:-1] - level[:-2, 1:-1]) / 2
    return np.stack([x, y])
