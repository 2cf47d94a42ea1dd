"""Is it a photo, a screenshot or a page of print? By how it is made, not by what it says; no text is read here."""

import numpy as np
from PIL import Image

SIDE = 448  # pixels a side of what is measured: 50 lines of a page are 9 pixels each
ROWS = 256  # of the photo itself, in which screenshots are found
GRID = 16  # tiles a side, of 28 x 28 pixels
INK = 0.72  # of the paper's brightness: what is darker is ink
PALE = 0.9  # of the paper's brightness: what is darker, but not ink, is neither
TEXT_TILES = 0.3  # of a page: at least
BETWEEN = 0.22  # of the pixels in text: at most; print is ink or paper, a texture is all that lies between
UNEVEN = 0.16  # relative standard deviation of the paper's brightness where text is: at most
FLAT_ROWS, FLAT_BANDS = 0.12, 7  # of a screenshot, at least: rows of one colour, and how many times they begin
EQUAL = 0.5  # of a screenshot: pixels that equal the next one, at least


def picture_kind(photo: Image.Image, smaller: Image.Image) -> str:
    """ "photo", "screenshot" or "page", of an upright RGB photo of any size, and the same at least SIDE pixels a side
    where it has as many."""
    rows, bands, flat = _flat_rows(photo, 24)
    if flat >= 0.6 * EQUAL:  # few photos: the others need not pay for all rows
        rows, bands, flat = _flat_rows(photo, ROWS)
    text, between, paper, whole = _print(smaller)
    is_print = text >= TEXT_TILES and between <= BETWEEN and paper <= UNEVEN
    if rows >= FLAT_ROWS and bands >= FLAT_BANDS and flat >= EQUAL and not (is_print and whole < 0.03):
        return "screenshot"
    return "page" if is_print else "photo"


def _print(photo: Image.Image) -> tuple[float, float, float, float]:
    """Share of tiles that look like lines of text; in these, the share of pixels that are neither ink nor paper, and
    the unevenness of the paper; the unevenness over all tiles."""
    grey = np.asarray(photo.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX))
    if np.median(grey[::4, ::4]) < 110:  # light letters on a dark ground
        grey = 255 - grey
    tiles = grey.reshape(GRID, SIDE // GRID, GRID, -1).swapaxes(1, 2)  # (GRID, GRID, 28, 28)
    sample = tiles[:, :, ::3, ::3].reshape(GRID, GRID, -1)
    paper = np.partition(sample, -6, axis=2)[..., -6].astype(np.float32)[..., None, None]
    ink = tiles < INK * paper
    rows = ink.mean(3)  # (GRID, GRID, 28)
    inked = rows > 0.08
    strokes = ((ink[..., 1:] != ink[..., :-1]).sum(3) * inked).sum(2) / np.maximum(1, inked.sum(2))
    share, ends = rows.mean(2), (ink[..., 1:, :] != ink[..., :-1, :]).mean((2, 3))
    text = (share > 0.04) & (share < 0.5) & (strokes >= 3) & (ends > 0.03)
    paper = paper[..., 0, 0]
    if not text.any():
        return 0.0, 1.0, 1.0, 1.0
    pale = (tiles < PALE * paper[..., None, None]).mean((2, 3)) - share
    return float(text.mean()), float(pale[text].mean()), _unevenness(paper[text]), _unevenness(paper)


def _unevenness(values: np.ndarray) -> float:
    """Standard deviation by mean."""
    return float(values.std() / max(1.0, float(values.mean())))


def _flat_rows(photo: Image.Image, count: int) -> tuple[float, int, float]:
    """Of up to `count` rows: the share of one colour from side to side, how often such rows begin, the share of pixels
    that equal the next. No camera gives such rows; windows, lists and bars do, also after JPEG."""
    sample = photo.resize((photo.width, min(count, photo.height)), Image.Resampling.NEAREST)
    pixels = np.asarray(sample)  # (rows, width, 3)
    if photo.width < 2:
        return 0.0, 0, 0.0
    left, right = pixels[:, :-1], pixels[:, 1:]
    change = np.maximum(left, right) - np.minimum(left, right)
    largest = np.maximum(np.maximum(change[..., 0], change[..., 1]), change[..., 2])
    flat = (largest < 3).mean(1) > 0.995
    return float(flat.mean()), int((flat[1:] & ~flat[:-1]).sum()), float((largest == 0).mean())
