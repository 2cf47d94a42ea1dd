"""One upload -> one kept Record: the way that the API and the pages share."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from flask import current_app
from flask_babel import force_locale, lazy_gettext
from flask_babel import gettext as _

from deploy.config import RATES, Settings
from deploy.errors import Problem
from deploy.inference import Inference, ModelError
from deploy.library import Library, Record
from deploy.speech import Speaker, SpeechError
from deploy.uploads import read_photo
from model.ways import LANGUAGES, STYLES, NotTaught

# Blind listeners fill the gaps of a wrong caption until it fits (MacLeod et al. 2017): so we speak of error, not of
# confidence, and below these mean token probabilities the doubt comes before the caption.
DOUBTS = (
    (0.35, lazy_gettext("Probably wrong, at least in part. It could be:")),
    (0.5, lazy_gettext("I am not sure. It could be:")),
)


@dataclass(frozen=True)
class Parts:
    """What a running service is made of."""

    settings: Settings
    inference: Inference
    speaker: Speaker
    library: Library

    def close(self) -> None:
        self.inference.close()
        self.speaker.close()
        self.library.close()


def parts() -> Parts:
    """Those of the application that answers this request."""
    return current_app.extensions["sightline"]


@dataclass(frozen=True)
class Options:
    """How to tell. `rate` is in words a minute; None is the voice's own."""

    language: str = "en"
    style: str = "caption"
    rate: int | None = None

    @classmethod
    def read(cls, fields: Mapping[str, str]) -> "Options":
        """From `lang`, `style` and `rate` as sent. Raises Problem for an unknown name or value."""
        for name in fields:
            if name not in ("lang", "style", "rate"):
                raise Problem(422, "Unknown field", f"There is no field '{name}'; use image, lang, style and rate.")
        language, style = fields.get("lang") or "en", fields.get("style") or "caption"
        if language not in LANGUAGES:
            raise Problem(422, "Unknown language", f"lang is '{language}'; use en for English or id for Indonesian.")
        if style not in STYLES:
            raise Problem(422, "Unknown style", f"style is '{style}'; use caption, long or guide.")
        rate = fields.get("rate") or None
        if rate is not None and not (rate.isascii() and rate.isdigit() and int(rate) in RATES):
            raise Problem(
                422,
                "Unusable rate",
                f"rate is '{rate}'; use a whole number of words a minute from {RATES[0]} to {RATES[-1]}.",
            )
        return cls(language, style, rate and int(rate))


def doubt_about(confidence: float) -> str:
    """Words to put before a caption, in the language of the page; none where it is fairly sure."""
    return next((str(words) for below, words in DOUBTS if confidence < below), "")


def describe_upload(data: bytes, options: Options) -> Record:
    """Check, describe, speak and keep the photo in `data`. If speech fails the record says why, and is kept.

    Raises UploadError for a photo that cannot be used and Problem if there is no model.
    """
    here, clock = parts(), Clock()
    photo = read_photo(data, max_bytes=here.settings.max_bytes, max_pixels=here.settings.max_pixels)
    clock.lap("read")
    try:
        told = here.inference.describe(photo.image, options.language, options.style)
    except ModelError as error:
        current_app.logger.error("no description: %s", error)
        raise Problem(
            503, "No captioner", _("The captioner could not be started; the log of the service says why.")
        ) from error
    except NotTaught as error:
        raise Problem(422, "Not taught", f"The captioner in use cannot do that: {error}.") from error
    clock.lap("describe")
    contents, audio_error = {"jpg": photo.jpeg}, None
    clock.lap("encode")
    try:
        with force_locale(options.language):
            spoken = f"{doubt_about(told.caption.confidence)} {told.text}".strip()
        speech = here.speaker.speak(spoken, options.language, options.rate)
        contents |= {"mp3": speech.mp3, "wav": speech.wav}
    except SpeechError as error:
        audio_error = str(error)
    clock.lap("speak")
    record = Record(
        sha256=photo.sha256,
        width=photo.width,
        height=photo.height,
        description=told.text,
        caption=told.caption.text,
        confidence=round(told.caption.confidence, 4),
        alternatives=[{"text": other.text, "confidence": round(other.confidence, 4)} for other in told.alternatives],
        language=told.language,
        style=told.style,
        rate=options.rate,
        model=told.model,
        audio_error=audio_error,
        timings_ms=clock.laps_ms | {f"model_{step}": round(ms, 1) for step, ms in told.timings_ms.items()},
    )
    here.library.add(record, contents)
    return record


class Clock:
    """Milliseconds between laps."""

    def __init__(self):
        self.laps_ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps_ms[name] = round((now - self._last) * 1000, 1)
        self._last = now
