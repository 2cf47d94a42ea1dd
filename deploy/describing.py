"""One upload -> one kept Record, and a Record's words mended: the ways that the API and the pages share."""

import re
import time
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace

from flask import current_app
from flask_babel import force_locale, lazy_gettext
from flask_babel import gettext as _
from model.ways import LANGUAGES, STYLES, UnsupportedOption

from deploy.config import RATES, Settings
from deploy.errors import Problem
from deploy.housekeeping import Housekeeper
from deploy.inference import Inference, ModelError
from deploy.library import Library, Record
from deploy.speech import Speaker, SpeechError
from deploy.uploads import Photo, read_photo

# Blind listeners fill the gaps of a wrong caption until it fits (MacLeod et al. 2017): so we speak of error, not of
# confidence, and below these mean token probabilities the doubt comes before the caption. On the dev photos of Flickr8k
# 57 % of the captions below the first share next to nothing with what people said (CIDEr-D under 0.2), 36 % of those
# between the two, 20 % of those above.
DOUBTS = (
    (0.42, lazy_gettext("Probably wrong, at least in part. It could be:")),
    (0.52, lazy_gettext("I am not sure. It could be:")),
)

MOST_WORDS = 500  # characters of what an owner writes


@dataclass(frozen=True)
class Parts:
    """What a running service is made of."""

    settings: Settings
    inference: Inference
    speaker: Speaker
    library: Library
    housekeeper: Housekeeper

    def close(self) -> None:
        self.housekeeper.close()
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
        if rate is not None and not (re.fullmatch("[0-9]{1,3}", rate) and int(rate) in RATES):
            raise Problem(
                422,
                "Unusable rate",
                f"rate is '{rate}'; use a whole number of words a minute from {RATES[0]} to {RATES[-1]}.",
            )
        return cls(language, style, rate and int(rate))


def doubt_about(confidence: float) -> str:
    """Words to put before a caption, in the language of the page; none where it is fairly sure."""
    return next((str(words) for below, words in DOUBTS if confidence < below), "")


def with_doubt(description: str, confidence: float, language: str) -> str:
    """What is spoken of a description in its own language."""
    with force_locale(language):
        return f"{doubt_about(confidence)} {description}".strip()


def describe_upload(data: bytes, options: Options, owner: str) -> tuple[Record, bool]:
    """Check, describe, speak and keep the photo in `data` for `owner` -> its record, and whether it is new: the same
    photo asked about in the same way is described once, unless the model changed, and spoken anew if it was kept
    without sound or at another rate. If speech fails the record says why, and is kept.

    Raises UploadError for a photo that cannot be used and Problem if there is no model.
    """
    here, clock = parts(), Clock()
    photo = read_photo(data, max_bytes=here.settings.max_bytes, max_pixels=here.settings.max_pixels)
    clock.lap("read")
    if here.inference.about:
        way = (here.inference.about.name, options.language, options.style)
        known = here.library.records.same(owner, photo.sha256, *way)
        if known:
            return _heard(known, options.rate), False
    try:
        told = here.inference.describe(photo.image, options.language, options.style)
    except ModelError as error:
        current_app.logger.error("no description: %s", error)
        raise Problem(
            503, "No captioner", _("The captioner could not be started; the log of the service says why.")
        ) from error
    except UnsupportedOption as error:
        raise Problem(422, "Not taught", f"The captioner in use cannot do that: {error}.") from error
    clock.lap("describe")
    contents = {"jpg": photo.jpeg}
    clock.lap("encode")
    spoken = with_doubt(told.text, told.caption.confidence, options.language)
    sound, audio_error = speak(spoken, options.language, options.rate)
    clock.lap("speak")
    record = as_record(photo, told, owner, audio_error, rate=options.rate, laps_ms=clock.laps_ms)
    kept = here.library.add(record, contents | sound)
    return kept, kept.id == record.id


def as_record(
    photo: Photo, told, owner: str, audio_error: str | None, rate: int | None = None, laps_ms: Mapping | None = None
) -> Record:
    """A photo and what a model.describe.Description tells of it."""
    return Record(
        sha256=photo.sha256,
        width=photo.width,
        height=photo.height,
        description=told.text,
        caption=told.caption.text,
        confidence=round(told.caption.confidence, 4),
        alternatives=[{"text": other.text, "confidence": round(other.confidence, 4)} for other in told.alternatives],
        language=told.language,
        style=told.style,
        rate=rate,
        model=told.model,
        audio_error=audio_error,
        timings_ms={**(laps_ms or {}), **{f"model_{step}": round(ms, 1) for step, ms in told.timings_ms.items()}},
        owner=owner,
        embedding=told.embedding.astype("<f4").tobytes(),
    )


def mend(record: Record, words: str) -> Record:
    """Let its owner's `words` hold for the photo, spoken too; none of them, or the machine's own, give the machine's
    back. Raises Problem."""
    # What is no character, half a pair of surrogates or a control code, neither databases nor voices take.
    words = "".join(" " if unicodedata.category(each) in ("Cc", "Cs") else each for each in words)
    words = " ".join(words.split())
    if len(words) > MOST_WORDS:
        raise Problem(422, "Too long", _("These words are too long; use at most %(most)s characters.", most=MOST_WORDS))
    if words == record.description:
        words = ""
    sound, audio_error = _spoken(replace(record, mended=words or None))
    return parts().library.mend(record, words or None, audio_error, sound)


def _heard(record: Record, rate: int | None) -> Record:
    """The record with sound at that rate, or as it is if that cannot be had."""
    if record.audio_error is None and record.rate == rate:
        return record
    wanted = replace(record, rate=rate)
    sound, audio_error = _spoken(wanted)
    return parts().library.mend(wanted, record.mended, None, sound) if audio_error is None else record


def _spoken(record: Record) -> tuple[dict[str, bytes], str | None]:
    """What `speak` gives for the words that hold."""
    words = record.mended or with_doubt(record.description, record.confidence, record.language)
    return speak(words, record.language, record.rate)


def speak(text: str, language: str, rate: int | None) -> tuple[dict[str, bytes], str | None]:
    """-> sound by kind, or none and the reason."""
    try:
        speech = parts().speaker.speak(text, language, rate)
    except SpeechError as error:
        return {}, str(error)
    return {"mp3": speech.mp3, "wav": speech.wav}, None


class Clock:
    """Milliseconds between laps."""

    def __init__(self):
        self.laps_ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps_ms[name] = round((now - self._last) * 1000, 1)
        self._last = now
