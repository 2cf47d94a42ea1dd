"""Photo to description: the one call that the service and the bulk tools make."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from model.cautions import caution_kinds
from model.certainty import Certainty, certainty_of, one_less
from model.families import DEFAULT, load_captioner
from model.languages.wording import wording
from model.protocols import Caption, Captioner, CaptionerInfo, Embedder, EmbeddingSpace, PhotoCaptions
from model.safety_claims import is_unsafe, without_unsafe_clauses
from model.senses.naming import Name
from model.senses.senses import Findings, Senses
from model.signals import signals_of
from model.support import Claim, claims_of, distinct, shares_content, supported_text
from model.telling import USUAL, Scene, Telling, spoken_text
from model.unverified_claims import without_unverified

TEXT_SHARE = 0.25  # of a photo in boxes of text, from which it shows nothing else worth captioning
LEAST_LINES = 3  # of text that was read, for a picture that looks like a page or a screenshot to be told as one


@dataclass(frozen=True)
class Description:
    """All that is said about a photo.

    `text`: a sentence without words of doubt; `certainty` of it; `unverified`: kinds of `model.unverified_claims` that
    the captioner made and that were taken out; `cautions`: kinds of `model.cautions`; `spoken`: what the sound says.
    `caption`: None where there is none: the certainty is NONE, or the picture is a page or a screenshot.
    `alternatives`: what else it could be, in the captioner's order, none of them more certain than the caption.
    `claims`: the words of the caption and how many candidates say them. `names`: of things in the photo. `findings`:
    what was found beside the scene; None until `with_findings`. `language`, `style`: as asked; `captioner`: its name.
    `embedding`: the photo's, (D,) float32 of length 1 in the space with the id `space`; both None without an embedder.
    `timings_ms`: of each part.
    """

    text: str
    certainty: Certainty
    unverified: tuple[str, ...]
    cautions: tuple[str, ...]
    spoken: str
    caption: Caption | None
    alternatives: tuple[Caption, ...]
    claims: tuple[Claim, ...]
    names: tuple[Name, ...]
    language: str
    style: str
    captioner: str
    space: str | None
    timings_ms: dict[str, float]
    findings: Findings | None = None
    embedding: np.ndarray | None = field(repr=False, compare=False, default=None)


def scene_of(found: Description) -> Scene:
    others = [sentence(other.text) for other in found.alternatives]
    return Scene(found.text, found.certainty, others, found.unverified, found.cautions)


def with_findings(found: Description, findings: Findings, telling: Telling = USUAL) -> Description:
    """The description of a photo together with what was found beside its scene. A picture in which nothing can be seen
    gets no caption, a page or a screenshot with text that was read is called so, a flawed photo is doubted."""
    quality, words = findings.quality, wording(found.language)
    kind = _text_kind(findings) if len(findings.lines) >= LEAST_LINES else None
    if kind:
        found = _without_caption(found, words.kinds[kind], Certainty.HIGH)
    elif quality and not quality.describable:
        found = _without_caption(found, words.cannot_tell, Certainty.NONE)
    else:
        findings = replace(findings, names=found.names)
        if quality and quality.doubtful and found.certainty.rank > Certainty.LOW.rank:
            found = replace(found, certainty=Certainty.LOW)
    timings = found.timings_ms | dict(findings.timings_ms)
    spoken = spoken_text(scene_of(found), found.language, findings, telling)
    return replace(found, findings=findings, spoken=spoken, timings_ms=timings)


def _text_kind(findings: Findings) -> str | None:
    """What a picture with text is if it is no scene: "page", "screenshot" or "text"; None of a scene."""
    if findings.quality and findings.quality.kind in ("page", "screenshot"):
        return findings.quality.kind
    return "text" if findings.text_share >= TEXT_SHARE else None


def _without_caption(found: Description, text: str, certainty: Certainty) -> Description:
    return replace(
        found, text=text, certainty=certainty, caption=None, alternatives=(), claims=(), unverified=(), cautions=()
    )


class Describer:
    """A captioner and an embedder. `describe` is safe to call from one thread at a time."""

    def __init__(self, captioner: Captioner, embedder: Embedder | None = None):
        """`embedder`: for photos of a captioner that has none of its own, so that they can be found again."""
        self.captioner = captioner
        self.embedder = captioner.embedder or embedder
        self.senses = Senses()

    @classmethod
    def load(cls, source: Path | str | None = None, device: str = "cpu", precision: str = "float32") -> "Describer":
        """The captioner of a checkpoint folder or of a name that model.hub has pulled, by default the embedded one; in
        one of model.protocols.PRECISIONS. A captioner without an embedder is given the embedded pair.

        Raises CheckpointError.
        """
        captioner = load_captioner(source, device, precision)
        if captioner.embedder is None:
            return cls(captioner, load_captioner(DEFAULT, device).embedder)
        return cls(captioner)

    @property
    def info(self) -> CaptionerInfo:
        return self.captioner.info

    @property
    def space(self) -> EmbeddingSpace | None:
        return self.embedder.space if self.embedder else None

    def describe(
        self,
        photo: Image.Image,
        language: str = "en",
        style: str = "caption",
        telling: Telling = USUAL,
        read: bool = True,
    ) -> Description:
        """Describe one upright RGB photo, its text and codes with it unless `read` is False. Raises UnsupportedOption
        for what the captioner does not have."""
        return self.describe_many([photo], language, style, read, telling)[0]

    def describe_many(
        self,
        photos: Sequence[Image.Image],
        language: str = "en",
        style: str = "caption",
        read: bool = True,
        telling: Telling = USUAL,
    ) -> list[Description]:
        """Describe several photos, their scenes as one batch."""
        for photo in photos:
            photo.load()  # here, as no two threads may
        with ThreadPoolExecutor(1) as beside:
            looking = beside.map(lambda photo: self.senses.examine(photo, read), photos)
            found = self.describe_scenes(photos, language, style)
            return [with_findings(each, findings, telling) for each, findings in zip(found, looking, strict=True)]

    def describe_scenes(
        self, photos: Sequence[Image.Image], language: str = "en", style: str = "caption"
    ) -> list[Description]:
        """Describe the scenes of several photos as one batch; nothing else is looked for."""
        self.info.require(language, style)
        if not photos:
            return []
        found = self.captioner.caption(photos, language, style)
        if self.embedder is not None and any(own.embedding is None for own in found):
            embeddings = self.embedder.embed_photos(photos)
            found = [replace(own, embedding=embedding) for own, embedding in zip(found, embeddings, strict=True)]
        return [self._description(own, language, style) for own in found]

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray | None:
        """Sentences -> (N, D) float32 of length 1 in `space`, or None without an embedder."""
        return self.embedder.embed_texts(texts) if self.embedder else None

    def _description(self, found: PhotoCaptions, language: str, style: str) -> Description:
        candidates, made = _verified(_safe(found.candidates, language), language)
        candidates = self._calibrated(candidates, language, style)
        texts = [caption.text for caption in candidates]
        best = candidates[0] if candidates else None
        certainty = Certainty.NONE
        if best is not None:
            certainty = certainty_of(best.confidence, language, style, self.info.calibration)
            if found.names and not any(shares_content(name.text, text) for name in found.names for text in texts):
                certainty = one_less(certainty)  # what the photo is of and what is said of it contradict each other
        alternatives, claims, unverified = tuple[Caption, ...](), tuple[Claim, ...](), tuple[str, ...]()
        text, cautions = wording(language).cannot_tell, tuple[str, ...]()
        if certainty is Certainty.NONE:
            best = None
        elif best is not None:
            said = best.text
            if certainty in (Certainty.LOW, Certainty.MEDIUM):
                said = supported_text(said, texts, language)
            text, cautions, unverified = sentence(said), caution_kinds(said, language, style), made[0]
            claims = claims_of(best.text, texts)
            alternatives = tuple(_less_certain(candidates[place], best) for place in distinct(texts)[1:])
        found_scene = Scene(text, certainty, [sentence(other.text) for other in alternatives], unverified, cautions)
        return Description(
            text,
            certainty,
            unverified,
            cautions,
            spoken_text(found_scene, language),
            best,
            alternatives,
            claims,
            found.names,
            language,
            style,
            self.info.name,
            self.space.id if self.space and found.embedding is not None else None,
            dict(found.timings_ms),
            embedding=found.embedding,
        )

    def _calibrated(self, candidates: list[Caption], language: str, style: str) -> list[Caption]:
        """With how often such captions are right as their confidence, where that was measured."""
        calibration = self.info.calibration
        if calibration is None:
            return candidates
        return [
            replace(
                each,
                confidence=calibration.confidence(each.confidence, signals_of(each, candidates), language, style),
            )
            for each in candidates
        ]


def _safe(candidates: Sequence[Caption], language: str) -> list[Caption]:
    """Those that make no promise and give no order; where all do, the best one without such clauses, if that leaves
    anything."""
    candidates = [caption for caption in candidates if caption.text.strip()]
    kept = [caption for caption in candidates if not is_unsafe(caption.text, language)]
    if kept or not candidates:
        return kept
    left = without_unsafe_clauses(candidates[0].text, language)
    return [replace(candidates[0], text=left)] if left else []


def _verified(candidates: Sequence[Caption], language: str) -> tuple[list[Caption], list[tuple[str, ...]]]:
    """The candidates without claims that nobody checked, each text once, and the kinds of claims that each made."""
    found: dict[str, tuple[Caption, tuple[str, ...]]] = {}
    for caption in candidates:
        text, kinds = without_unverified(caption.text, language)
        if text:
            found.setdefault(text, (replace(caption, text=text), kinds))
    captions, kinds_of_each = zip(*found.values(), strict=True) if found else ((), ())
    return list(captions), list(kinds_of_each)


def _less_certain(other: Caption, answer: Caption) -> Caption:
    """An alternative with no more confidence than the answer: the order is that of all that is known."""
    if other.confidence is None or answer.confidence is None:
        return other
    return replace(other, confidence=min(other.confidence, answer.confidence))


def sentence(text: str) -> str:
    """Caption as a sentence: capital letter, full stop."""
    text = text.strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."
