"""All that is known of a photo -> what is said of it, in one order and with one doubt for every way out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from model.certainty import Certainty
from model.languages.advice import advice
from model.languages.wording import wording
from model.senses.codes import told
from model.senses.reading_text import spoken_reading
from model.senses.senses import Findings

ORDERS = ("auto", "text", "scene")  # what comes first; auto: the text where it fills the photo or all else is doubted
DETAILS = ("full", "short")  # short: without other possibilities, advice and cautions but the needed ones
TEXT_FIRST_SHARE = 0.1  # of the photo in boxes of text, from which it is what the photo was taken for
MOST_OTHERS = 2  # of what else it could be


@dataclass(frozen=True)
class Telling:
    """How to tell: `order` is one of ORDERS, `detail` one of DETAILS."""

    order: str = "auto"
    detail: str = "full"


USUAL = Telling()


@dataclass(frozen=True)
class Scene:
    """What a captioner made of a photo, as it is told. `text`: a sentence without words of doubt; `others`: sentences
    that say something else; `unverified`, `cautions`: kinds of these modules."""

    text: str
    certainty: Certainty
    others: Sequence[str] = ()
    unverified: Sequence[str] = ()
    cautions: Sequence[str] = ()


def text_first(findings: Findings, order: str, certainty: Certainty) -> bool:
    """Whether text and codes are told before the scene."""
    if order == "auto":
        return findings.text_share >= TEXT_FIRST_SHARE or certainty.rank <= Certainty.LOW.rank
    return order == "text"


def advice_for(findings: Findings, language: str) -> list[str]:
    """Sentences on how to take a better photo."""
    problems = findings.quality.problems if findings.quality else ()
    if len(problems) > 1:  # why there is nothing to see says more
        problems = tuple(problem for problem in problems if problem != "blank")
    return list(advice(problems, language))


def spoken_scene(scene: Scene, language: str, detail: str = "full") -> str:
    """The sentence with its doubt, what else it could be where that is all that can be said, and what is not known."""
    words = wording(language)
    parts = [words.doubt.get(scene.certainty, ""), scene.text]
    if scene.certainty is Certainty.LOW and detail == "full":
        parts += [f"{words.otherwise} {other}" for other in scene.others[:MOST_OTHERS]]
    parts += [words.unverified[kind] for kind in scene.unverified]
    return _joined(parts)


def spoken_text(scene: Scene, language: str, findings: Findings | None = None, telling: Telling = USUAL) -> str:
    """What is said aloud of a photo."""
    words = wording(language)
    described = spoken_scene(scene, language, telling.detail)
    cautions = [words.cautions[kind] for kind in scene.cautions]
    if findings is None:
        return _joined([described, *cautions])
    read = read_and_codes(findings, language)
    described = _joined([described, names_told(findings, language)])
    parts = [*read, described] if text_first(findings, telling.order, scene.certainty) else [described, *read]
    advised = advice_for(findings, language) if telling.detail == "full" else []
    return _joined([*parts, *advised, *failures_of(findings, language), *cautions])


def told_of_findings(findings: Findings, language: str) -> list[str]:
    """Text, codes, advice and what failed, a sentence or a few each."""
    told_parts = [
        names_told(findings, language),
        *read_and_codes(findings, language),
        *advice_for(findings, language),
        *failures_of(findings, language),
    ]
    return [part for part in told_parts if part]


def read_and_codes(findings: Findings, language: str) -> list[str]:
    return [spoken_reading(findings.lines, language), *(told(code, language) for code in findings.codes)]


def names_told(findings: Findings, language: str) -> str:
    names = [name.text for name in findings.names]
    return wording(language).named.format(", ".join(names)) if names else ""


def failures_of(findings: Findings, language: str) -> list[str]:
    return [wording(language).failed[sense] for sense in findings.failed]


def _joined(sentences: Iterable[str]) -> str:
    return " ".join(sentence for sentence in sentences if sentence)
