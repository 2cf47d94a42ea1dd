"""What is found in a photo beside its scene: whether it can be described at all, its text, its codes."""

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from PIL import Image

from model.senses.codes import Code, find_codes
from model.senses.naming import Name
from model.senses.quality import Quality, assess
from model.senses.reading import TextLine, TextReader
from model.senses.reading_text import share_of_photo

log = logging.getLogger(__name__)

PASSWORD = re.compile(r"(?<=[:;])P:(?:\\.|[^;\\])*;?", re.IGNORECASE)
QUALITY, CODES, TEXT = "quality", "codes", "text"


@dataclass(frozen=True)
class Findings:
    """`quality`: None if that failed. `lines`: of text, in reading order, and `text_share`, how much of the photo they
    fill, 0 to 1; `codes`; `names` of things, which come from the captioner's image tower; `failed`: which of QUALITY,
    CODES, TEXT could not be looked for."""

    quality: Quality | None = None
    lines: tuple[TextLine, ...] = ()
    text_share: float = 0.0
    codes: tuple[Code, ...] = ()
    names: tuple[Name, ...] = ()
    failed: tuple[str, ...] = ()
    timings_ms: Mapping[str, float] = field(default_factory=dict, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Plain values, of which `from_json` makes the same again; without the timings."""
        return {name: value for name, value in asdict(self).items() if name != "timings_ms"}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Findings":
        quality = values["quality"]
        return cls(
            quality and Quality(**quality | {"problems": tuple(quality["problems"])}),
            tuple(TextLine(line["text"], line["confidence"], _corners(line["box"])) for line in values["lines"]),
            values["text_share"],
            tuple(Code(**{**code, "box": _corners(code["box"])}) for code in values["codes"]),
            tuple(Name(**name) for name in values["names"]),
            tuple(values["failed"]),
        )


def _without_password(code: Code) -> Code:
    """What is kept, searched and shown of a code for a Wi-Fi network does not hold its password."""
    return replace(code, content=PASSWORD.sub("", code.content)) if code.kind == "wifi" else code


def _corners(box: list) -> Any:
    return tuple(tuple(point) for point in box)


class Senses:
    """Loads what it needs with the first photo. Safe to use from many threads; one photo is read at a time."""

    def __init__(self) -> None:
        self._reader, self._reading = TextReader(), threading.Lock()

    def examine(self, photo: Image.Image, read: bool = True) -> Findings:
        """Look at an upright RGB photo; with `read` for text and codes, too. What fails is named, and costs no more."""
        found: dict[str, Any] = {}
        failed, timings = [], {}
        senses: dict[str, Callable] = {QUALITY: assess}
        if read:
            senses |= {CODES: find_codes, TEXT: self._read}
        for name, sense in senses.items():
            began = time.perf_counter()
            try:
                found[name] = sense(photo)
            except Exception:  # whatever it is: the rest of the answer is told, and the failure named
                log.exception("looking for %s failed", name)
                failed.append(name)
            timings[name] = (time.perf_counter() - began) * 1000
        lines = tuple(found.get(TEXT, ()))
        codes = tuple(_without_password(code) for code in found.get(CODES, ()))
        share = share_of_photo(lines, photo.size)
        return Findings(found.get(QUALITY), lines, share, codes, (), tuple(failed), timings)

    def _read(self, photo: Image.Image) -> list[TextLine]:
        with self._reading:
            lines = self._reader.read(photo)
        return [line for line in lines if any(map(str.isalnum, line.text))]  # a star or a dash says nothing
