"""The text in a photo, read offline by PP-OCRv6: its models come inside the wheel of rapidocr, nothing is downloaded.

Reading takes three networks: one finds the lines, one tells which of them stand on their head, one reads them.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from model.senses.reading_order import reading_order

DETECTOR_SIDE = 960  # pixels; the photo's longest side where lines are looked for, see docs/reading.md
THREADS = 2  # of onnxruntime
MODELS = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
}
SETTINGS = {
    "Det.limit_type": "max",
    "Det.limit_side_len": DETECTOR_SIDE,
    "Det.use_dilation": False,  # it joins words of two signs,
    "Det.unclip_ratio": 1.8,  # and without it boxes have to grow more, or they cut off letters
}
LEAST_CONFIDENCE = 0.8  # below it a line is not kept, see docs/reading.md
DOUBTFUL_CONFIDENCE = 0.95  # below it a line counts as doubtful
CLEAR_ASPECT = 2.5  # a box that much longer than wide, or wider than long, shows along which side its text runs
TRIED = 3  # lines of middle length that are read both ways where it is open
CLASSIFIED_ASPECT = 4  # what the network that tells it was made for, length by height
SHORT_ASPECT = 3.0  # length by height of a text that is short
CLEARLY_BETTER = 0.03  # confidence by which a turned reading of as many characters is better
MOST_OF_ONE = 0.5  # height of a single character, of the photo's shorter side
SURE_VOTE = 0.9  # share of the text that stands on its head, or does not, from which on nothing else is tried

PLAIN = str.maketrans({chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)} | {"℃": "°C"})  # full width

Point = tuple[float, float]


@dataclass(frozen=True)
class TextLine:
    """A line of text. `confidence`: mean probability of its characters, 0 to 1. `box`: its corners in pixels of the
    photo, clockwise from the one where the text begins, at its top."""

    text: str
    confidence: float
    box: tuple[Point, Point, Point, Point]

    @property
    def is_doubtful(self) -> bool:
        return self.confidence < DOUBTFUL_CONFIDENCE


class TextReader:
    """Reads photos; loads its models with the first. For one thread at a time."""

    def read(self, photo: Image.Image) -> list[TextLine]:
        """The lines of text in a photo, turned or not, in the order in which they are read."""
        image = np.ascontiguousarray(np.asarray(photo.convert("RGB"))[:, :, ::-1])  # (H, W, 3) uint8, BGR
        boxes = self._find(image)
        if not len(boxes):
            return []
        lines = [line for line in self._read(image, boxes) if _is_kept(line, photo.size)]
        return [lines[i] for i in reading_order([line.box for line in lines], [line.text for line in lines])]

    @cached_property
    def _engine(self):
        import rapidocr
        from omegaconf import OmegaConf

        engine = rapidocr.RapidOCR(params={"Global.log_level": "error", "Global.use_preprocess_img": False} | SETTINGS)
        # Given as sessions, for their threads; and a model that is named is downloaded where its checksum differs.
        engine.cfg = OmegaConf.create(OmegaConf.to_container(engine.cfg), flags={"allow_objects": True})
        for network, file in MODELS.items():
            engine.cfg[network].session = _session(Path(rapidocr.__file__).parent / "models" / file)
        return engine

    def _find(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) -> corners of the lines, (N, 4, 2) float32, clockwise from the upper left."""
        found = self._engine(image, use_det=True, use_cls=False, use_rec=False).boxes
        return np.zeros((0, 4, 2), np.float32) if found is None else np.asarray(found, np.float32)

    def _read(self, image: np.ndarray, boxes: np.ndarray) -> list[TextLine]:
        """Read each box along the side that it shows; one that shows none, as most of the text runs."""
        width = np.linalg.norm(boxes[:, 0] - boxes[:, 1], axis=1)
        height = np.linalg.norm(boxes[:, 0] - boxes[:, 3], axis=1)
        shows = np.maximum(width, height) >= CLEAR_ASPECT * np.minimum(width, height)
        runs_down = height[shows & (height > width)].sum() > width[shows & (width > height)].sum()
        tall = np.where(shows, height > width, runs_down)
        lines: list[TextLine] = []
        for group in (boxes[~tall], np.roll(boxes[tall], -1, axis=1)):
            if len(group):
                lines += self._read_group(image, group)
        return self._turned(image, lines)

    def _read_group(self, image: np.ndarray, boxes: np.ndarray) -> list[TextLine]:
        """Boxes whose text runs the same way: it stands on its head in all of them, or in none."""
        crops = [_crop(image, box) for box in boxes]
        turned = [crop[::-1, ::-1] for crop in crops]
        turned_boxes = np.roll(boxes, -2, axis=1)
        on_head = self._on_head(crops)
        if 1 - SURE_VOTE <= on_head <= SURE_VOTE:  # read some both ways
            middle = np.argsort([crop.shape[1] for crop in crops])[max(0, len(crops) - TRIED) // 2 :][:TRIED]
            either = [
                self._recognize([ways[i] for i in middle], corners[middle])
                for ways, corners in ((crops, boxes), (turned, turned_boxes))
            ]
            on_head = float(_evidence(either[1]) > _evidence(either[0]))
        return self._recognize(turned, turned_boxes) if on_head > SURE_VOTE else self._recognize(crops, boxes)

    def _on_head(self, crops: list[np.ndarray]) -> float:
        """Probability that the text stands on its head, as the beginning of each line tells, weighted by its length:
        longer pieces would be squeezed."""
        votes = self._engine.cls_and_rotate([crop[:, : CLASSIFIED_ASPECT * crop.shape[0]] for crop in crops])[1].cls_res
        probabilities = [score if label == "180" else 1 - score for label, score in votes]
        return float(np.average(probabilities, weights=[crop.shape[1] for crop in crops]))

    def _turned(self, image: np.ndarray, lines: list[TextLine]) -> list[TextLine]:
        """Short texts may run another way than it seems, as a narrow "1" does: those that cannot be read well are tried
        the way of the lines that can; where there are none of these, all are tried all ways."""
        guides = [line for line in lines if not line.is_doubtful and _aspect(line) >= CLEAR_ASPECT]
        along = sum((np.subtract(line.box[1], line.box[0]) for line in guides), np.zeros(2))
        for i, line in enumerate(lines):
            if _aspect(line) > SHORT_ASPECT or (guides and not line.is_doubtful):
                continue
            turns = [np.roll(np.array(line.box, np.float32), -turn, axis=0) for turn in (1, 2, 3)]
            if guides:
                turns = [turn for turn in turns if np.dot(turn[1] - turn[0], along) > np.dot(turn[2] - turn[1], along)]
            tried = self._recognize([_crop(image, turn) for turn in turns], np.array(turns)) if turns else []
            best = max([line, *tried], key=lambda each: each.confidence)
            is_longer = len(best.text) > len(line.text) and best.confidence > line.confidence
            if is_longer or best.confidence > line.confidence + CLEARLY_BETTER:
                lines[i] = best
        return lines

    def _recognize(self, crops: list[np.ndarray], boxes: np.ndarray) -> list[TextLine]:
        """Lines that are empty have the confidence 0."""
        found = self._engine.recognize_txt([np.ascontiguousarray(crop) for crop in crops])
        return [
            TextLine(text, float(score) if text else 0.0, _corners(box))
            for text, score, box in zip((text.translate(PLAIN).strip() for text in found.txts), found.scores, boxes)
        ]


def _session(model: Path):
    """Does not spin while it waits: the captioner runs on the same processors."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def _aspect(line: TextLine) -> float:
    """Of its box, the longer by the shorter side."""
    sides = math.dist(line.box[0], line.box[1]), math.dist(line.box[0], line.box[3])
    return max(sides) / max(min(sides), 1e-6)


def _is_kept(line: TextLine, size: tuple[int, int]) -> bool:
    """A single character that fills the photo is a cup or a wheel, however confident the reading."""
    if line.confidence < LEAST_CONFIDENCE:
        return False
    height = math.dist(line.box[0], line.box[3])
    return len(line.text) > 1 or height <= MOST_OF_ONE * min(size)


def _evidence(lines: list[TextLine]) -> float:
    return sum(line.confidence * len(line.text) for line in lines if line.confidence >= LEAST_CONFIDENCE)


def _corners(box: np.ndarray) -> tuple[Point, Point, Point, Point]:
    first, second, third, fourth = ((float(x), float(y)) for x, y in box)
    return first, second, third, fourth


def _crop(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The box, (4, 2) -> an upright picture of it, its first corner at the upper left."""
    import cv2

    width = int(max(1.0, *np.linalg.norm(box[[0, 3]] - box[[1, 2]], axis=1)))
    height = int(max(1.0, *np.linalg.norm(box[[0, 1]] - box[[3, 2]], axis=1)))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    transform = cv2.getPerspectiveTransform(np.ascontiguousarray(box, np.float32), corners)
    return cv2.warpPerspective(
        image, transform, (width, height), borderMode=cv2.BORDER_REPLICATE, flags=cv2.INTER_CUBIC
    )
