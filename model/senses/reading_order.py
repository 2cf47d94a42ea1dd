"""The order in which lines of text are read: block after block, and the lines of a block from top to bottom."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SAME_ROW = 0.5  # share of the lower line's height that two lines of one row have in common
ROW_GAP = 1.5  # heights between two pieces of one line; columns are further apart
CELL_GAP = 25  # heights between the name and the price in a row of a table
LINE_GAP = 1.0  # heights between two lines of one block
ALIGNED = 1.0  # heights between the left edges or the middles of two lines of one block
ALIKE = 2.0  # greatest quotient of the heights of two lines of one block
CELL = re.compile(r"\W*(?:[A-Za-z]{0,3}\W*)?\d[\d\W]*(?:[a-zA-Z%]{1,3}\W*)?")  # a price, a time, a count


@dataclass(frozen=True)
class _Box:
    """A box in the frame in which most text runs to the right; `members`: the lines in it, in order."""

    left: float
    top: float
    right: float
    bottom: float
    members: tuple[int, ...]

    @property
    def height(self) -> float:
        return self.bottom - self.top


def reading_order(boxes: Sequence[Sequence[tuple[float, float]]], texts: list[str]) -> list[int]:
    """Indices of the lines as they are read. `boxes`: N times 4 corners, clockwise from where its text begins.

    Rows are joined where their pieces are close together or the right one is a number, rows to blocks; blocks are read
    by recursive XY cuts (Nagy and Seth 1984): the columns of what a gap divides from top to bottom, else what a gap
    divides from left to right.
    """
    if len(boxes) < 2:
        return list(range(len(boxes)))
    lines = _upright(np.array(boxes))
    rows = _joined(lines, lambda a, b: _in_one_row(a, b, texts), key=lambda box: box.left)
    blocks = _joined(rows, _in_one_block, key=lambda box: box.top)
    return [index for block in _cut(blocks) for index in block.members]


def _upright(boxes: np.ndarray) -> list[_Box]:
    """Turn all boxes back by the angle at which most text runs; weighted by length."""
    along = (boxes[:, 1] - boxes[:, 0] + boxes[:, 2] - boxes[:, 3]).astype(float)  # (N, 2)
    x, y = along.sum(0)
    angle = np.arctan2(y, x)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = boxes @ turn  # (N, 4, 2)
    lowest, highest = turned.min(1), turned.max(1)
    return [_Box(x0, y0, x1, y1, (i,)) for i, ((x0, y0), (x1, y1)) in enumerate(zip(lowest, highest))]


def _joined(boxes: list[_Box], belong, key) -> list[_Box]:
    """Unite all boxes that belong together, directly or by way of others; members in the order of `key`."""
    groups: list[list[_Box]] = []
    for box in boxes:
        near = [group for group in groups if any(belong(box, other) for other in group)]
        groups = [group for group in groups if not any(group is one for one in near)]
        groups.append([box, *(other for group in near for other in group)])
    return [_united(sorted(group, key=key)) for group in groups]


def _united(boxes: list[_Box]) -> _Box:
    return _Box(
        min(box.left for box in boxes),
        min(box.top for box in boxes),
        max(box.right for box in boxes),
        max(box.bottom for box in boxes),
        tuple(member for box in boxes for member in box.members),
    )


def _in_one_row(a: _Box, b: _Box, texts: list[str]) -> bool:
    left, right = (a, b) if a.left <= b.left else (b, a)
    lower = min(a.height, b.height)
    common = min(a.bottom, b.bottom) - max(a.top, b.top)
    if common < SAME_ROW * lower or max(a.height, b.height) > ALIKE * lower:
        return False
    gap = right.left - left.right
    cell = CELL.fullmatch(texts[right.members[0]]) and not CELL.fullmatch(texts[left.members[0]])
    cell = cell or texts[left.members[0]].endswith(":")
    return -lower < gap < (CELL_GAP if cell else ROW_GAP) * lower


def _in_one_block(a: _Box, b: _Box) -> bool:
    upper, lower = (a, b) if a.top <= b.top else (b, a)
    least, most = sorted((a.height, b.height))
    offsets = a.left - b.left, (a.left + a.right - b.left - b.right) / 2
    if most > ALIKE * least or min(map(abs, offsets)) > ALIGNED * least:  # such as a heading over two columns
        return False
    return lower.top - upper.bottom < LINE_GAP * least


def _cut(blocks: list[_Box]) -> list[_Box]:
    """Recursive XY cut; where no gap divides them, by their upper edges."""
    if len(blocks) < 2:
        return blocks
    for low, high in (("left", "right"), ("top", "bottom")):
        ordered = sorted(blocks, key=lambda block: getattr(block, low))
        end = getattr(ordered[0], high)
        for i, block in enumerate(ordered[1:], 1):
            if getattr(block, low) >= end:
                return _cut(ordered[:i]) + _cut(ordered[i:])
            end = max(end, getattr(block, high))
    return sorted(blocks, key=lambda block: (block.top, block.left))
