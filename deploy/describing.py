"""One upload -> one kept Record, and a Record's words edited: what API, pages and bulk share. Knows no web."""

import time
import unicodedata
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace

from deploy.library import Record
from deploy.services import Services
from deploy.speech import SpeechError
from model.cautions import caution_kinds
from model.certainty import Certainty
from model.describe import Description, sentence, with_findings
from model.errors import SightlineError
from model.imaging import Photo, read_photo
from model.languages.ear import for_ear
from model.senses.codes import told
from model.senses.reading_text import reading_text
from model.senses.senses import Findings
from model.telling import USUAL, Scene, Telling, advice_for, spoken_text

MAX_DESCRIPTION = 500  # characters of what an owner writes


class DescriptionTooLong(SightlineError):
    """An owner's own words are too long."""


@dataclass(frozen=True)
class DescribeOptions:
    """How to describe. `rate` is in words a minute; None is the voice's own. `read`: text and codes, too."""

    language: str = "en"
    style: str = "caption"
    rate: int | None = None
    telling: Telling = USUAL
    read: bool = True


def describe_upload(services: Services, data: bytes, options: DescribeOptions, owner: str) -> tuple[Record, bool]:
    """Check, describe, speak and keep the photo in `data` for `owner` -> its record, and whether it is new: the same
    photo in the same language and style is described once, and again in its record if the captioner changed. It is
    spoken again if it was kept without sound or at another rate. If speech fails the record says why, and is kept.

    Raises PhotoError, UnsupportedOption, ModelError, ModelBusyError and NoRoom.
    """
    clock = Clock()
    info = services.inference.info
    if info:
        info.require(options.language, options.style)  # before any work
    photo = read_photo(data, max_bytes=services.settings.max_bytes, max_pixels=services.settings.max_pixels)
    clock.lap("read")
    if info:
        space = services.inference.space.id if services.inference.space else None
        known = services.library.records.same(owner, photo.sha256, options.language, options.style)
        if known and known.by_captioner(info.name, space):
            return _with_sound(services, known, options), False
    with ThreadPoolExecutor(1) as beside:  # the captioner and the senses each take a core
        looking = beside.submit(services.senses.examine, photo.image, options.read)
        found = services.inference.describe(photo.image, options.language, options.style)
    found = with_findings(found, looking.result(), options.telling)
    clock.lap("describe")
    contents = {"jpg": photo.jpeg}
    clock.lap("encode")
    sound, audio_error = speak(services, found.spoken, options.language, options.rate)
    clock.lap("speak")
    record = as_record(photo, found, owner, audio_error, options, clock.laps_ms)
    kept = services.library.add(record, contents | sound)
    return kept, kept.id == record.id


def as_record(
    photo: Photo,
    found: Description,
    owner: str,
    audio_error: str | None,
    options: DescribeOptions,
    laps_ms: Mapping[str, float] | None = None,
) -> Record:
    """A photo and its description, to be kept for `owner`."""
    findings = found.findings or Findings()
    text = [reading_text(findings.lines), *(code.content for code in findings.codes)]
    return Record(
        sha256=photo.sha256,
        width=photo.width,
        height=photo.height,
        description=found.text,
        certainty=found.certainty,
        caption=found.caption.text if found.caption else None,
        confidence=rounded(found.caption.confidence) if found.caption else None,
        alternatives=alternatives(found),
        language=found.language,
        style=found.style,
        rate=options.rate,
        telling=options.telling,
        findings=findings.to_json(),
        unverified=list(found.unverified),
        claims=[asdict(claim) for claim in found.claims],
        text="\n".join(part for part in text if part) or None,
        model=found.captioner,
        audio_error=audio_error,
        timings_ms={**(laps_ms or {}), **{f"model_{step}": round(ms, 1) for step, ms in found.timings_ms.items()}},
        owner=owner,
        space=found.space,
        embedding=None if found.embedding is None else found.embedding.astype("<f4").tobytes(),
    )


def rounded(confidence: float | None) -> float | None:
    return None if confidence is None else round(confidence, 4)


def alternatives(found: Description) -> list[dict]:
    """What else it could be, as records and JSON have it."""
    return [{"text": other.text, "confidence": rounded(other.confidence)} for other in found.alternatives]


def cautions_of(record: Record) -> tuple[str, ...]:
    """Kinds of `model.cautions` that a record's description wants; none beside its owner's own words."""
    if record.user_description or record.caption is None:
        return ()
    return caution_kinds(record.description, record.language, record.style)


def certainty_of(record: Record) -> Certainty:
    """Of what is displayed: the owner's own words are not doubted."""
    return Certainty.HIGH if record.user_description else record.certainty


def spoken_text_of(record: Record) -> str:
    """What the sound says, in the language of the record: the owner's own words alone, or all that was found."""
    if record.user_description:
        return record.user_description
    return spoken_text(scene_of(record), record.language, findings_of(record), record.telling)


def scene_of(record: Record) -> Scene:
    """What the captioner made of the photo."""
    others = [sentence(other["text"]) for other in record.alternatives]
    return Scene(record.description, record.certainty, others, record.unverified, cautions_of(record))


def findings_as_json(findings: Findings, language: str) -> dict:
    """What was found beside the scene, with the names that the API has for it."""
    numbers = asdict(findings.quality).items() if findings.quality else ()
    quality = {name: round(v, 4) if isinstance(v, float) else v for name, v in numbers} or None
    return {
        "text": [asdict(line) for line in findings.lines],
        "codes": [asdict(code) | {"told": told(code, language)} for code in findings.codes],
        "names": [asdict(name) for name in findings.names],
        "quality": quality,
        "advice": advice_for(findings, language),
        "failed": list(findings.failed),
    }


def findings_of(record: Record) -> Findings | None:
    """What was found beside the scene; None of records that were made before anything was looked for."""
    return None if record.findings is None else Findings.from_json(record.findings)


def edit_description(services: Services, record: Record, words: str | None) -> Record:
    """Put its owner's `words` in the place of the description, spoken too; none of them, or the machine's own, give the
    machine's back. Raises DescriptionTooLong and NoRoom."""
    # Neither databases nor voices take what is no character: half a pair of surrogates, or a control code.
    words = "".join(" " if unicodedata.category(each) in ("Cc", "Cs") else each for each in words or "")
    words = " ".join(words.split())
    if len(words) > MAX_DESCRIPTION:
        raise DescriptionTooLong("These words are too long; use at most %(most)s characters.", most=MAX_DESCRIPTION)
    if words == record.description:
        words = ""
    sound, audio_error = _speak_record(services, replace(record, user_description=words or None))
    return services.library.edit(record, words or None, audio_error, sound)


def _with_sound(services: Services, record: Record, options: DescribeOptions) -> Record:
    """The record with sound at that rate and told that way, or as it is if that cannot be had."""
    wanted = replace(record, rate=options.rate, telling=options.telling)
    if record.audio_error is None and wanted == record:
        return record
    sound, audio_error = _speak_record(services, wanted)
    return services.library.edit(wanted, record.user_description, None, sound) if audio_error is None else record


def _speak_record(services: Services, record: Record) -> tuple[dict[str, bytes], str | None]:
    return speak(services, spoken_text_of(record), record.language, record.rate)


def speak(services: Services, text: str, language: str, rate: int | None) -> tuple[dict[str, bytes], str | None]:
    """-> sound by kind, or none and the reason."""
    try:
        speech = services.speaker.speak(for_ear(text, language), language, rate)
    except SpeechError as error:
        return {}, str(error)
    return {"mp3": speech.mp3, "wav": speech.wav}, None


class Clock:
    """Milliseconds between laps."""

    def __init__(self) -> None:
        self.laps_ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps_ms[name] = round((now - self._last) * 1000, 1)
        self._last = now
