"""`python -m training.evaluate`: captions and retrieval of a captioner against references; JSON, table and report."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import click
import numpy as np
from tqdm import tqdm

from data.datasets import Example, read_dataset
from model.caption.clipcap_captioner import ClipCapCaptioner
from model.describe import Describer
from model.languages.codes import primary_language
from model.protocols import STYLES, Caption, Embedder
from model.unverified_claims import without_unverified
from training.files import writing
from training.html_report import write_html_report
from training.labels import names_label, neutral_labels
from training.options import (
    COUNT,
    DECODING,
    EXISTING,
    FOLDER,
    SPLIT,
    TrainingCommand,
    decoding_options,
    device_option,
    with_given,
)
from training.photos import open_image
from training.retrieval import CaptionedPhotos, Queries, measure_retrieval
from training.scorers import caption_scores

SCORES, CAPTIONS, REPORT = "scores.json", "captions.jsonl", "report.html"


def references_of(example: Example, language: str, style: str) -> list[str]:
    """What the data set says of the photo, unchanged; a long caption is measured against all its captions."""
    return [
        c.text
        for c in example.captions
        if primary_language(c.language) == language and (c.style == "guide") == (style == "guide")
    ]


def queries_of(examples: Iterable[Example], language: str, embedder: Embedder) -> Queries:
    """Every caption of the photos as a query."""
    each = [(i, text) for i, e in enumerate(examples) for text in references_of(e, language, "caption")]
    texts = [text for _, text in each]
    return Queries(texts, embedder.embed_texts(texts), np.array([i for i, _ in each]))


@dataclass(frozen=True)
class SplitCaptions:
    """The captions of N photos in one language and style: of each the best, None where the captioner had none, and the
    photos' `embeddings` (N, D)."""

    captions: Sequence[Caption | None]
    embeddings: np.ndarray

    @property
    def texts(self) -> list[str]:
        return [caption.text if caption else "" for caption in self.captions]


def caption_photos(
    describer: Describer, examples: Sequence[Example], language: str, style: str, batch_size: int
) -> SplitCaptions:
    """What the captioner itself says, before the describer's safety filter and thresholds."""
    captions: list[Caption | None] = []
    embeddings: list[np.ndarray] = []
    for i in tqdm(range(0, len(examples), batch_size), desc="caption", unit="batch", mininterval=2):
        photos = [open_image(example) for example in examples[i : i + batch_size]]
        for photo, found in zip(photos, describer.captioner.caption(photos, language, style), strict=True):
            captions.append(found.candidates[0] if found.candidates else None)
            if found.embedding is not None:
                embeddings.append(found.embedding)
            elif describer.embedder is not None:
                embeddings.append(describer.embedder.embed_photos([photo])[0])
    return SplitCaptions(captions, np.stack(embeddings) if embeddings else np.zeros((0, 0), np.float32))


def label_scores(texts: Sequence[str], examples: Sequence[Example], language: str) -> dict[str, float]:
    """How often a text names its photo's label, of the photos whose label has words in training.labels."""
    named = [names_label(text, example.labels, language) for text, example in zip(texts, examples)]
    counted = [one for one in named if one is not None]
    return {"named": sum(counted), "of": len(counted), "percent": 100 * sum(counted) / max(1, len(counted))}


def retrieval_scores(
    describer: Describer, found: SplitCaptions, examples: Sequence[Example], foreign: Sequence[Example], language: str
) -> dict[str, Any]:
    """See `training.retrieval.measure_retrieval`; `foreign`: of another data set."""
    embedder = describer.embedder
    if embedder is None:
        raise click.UsageError(f"{describer.info.name} has no embedder; leave --retrieval out")
    others = None
    if foreign:
        others = queries_of(foreign, language, embedder)
        others = replace(others, photo_of=np.full(len(others.texts), -1))  # none of these photos is here
    photos = CaptionedPhotos(found.embeddings, found.texts)
    return measure_retrieval(photos, queries_of(examples, language, embedder), embedder.space.least_cosine, others)


def set_decoding(describer: Describer, given: dict[str, float | None]) -> dict[str, Any]:
    """Change how the captioner decodes where a value was given -> its decoding options, {} for a family without. Raises
    click.UsageError."""
    captioner = describer.captioner
    if isinstance(captioner, ClipCapCaptioner):
        captioner.decoder.options = with_given(captioner.decoder.options, given)
        return {name: getattr(captioner.decoder.options, name) for name in DECODING}
    for name, value in given.items():
        if value is not None:
            raise click.UsageError(f"{describer.info.name} has no option --{name.replace('_', '-')}; leave it out")
    return {}


def check_choice(describer: Describer, model: str, language: str, style: str) -> None:
    """Raises click.UsageError for a language or style that the captioner does not have."""
    for name, value, known in (
        ("--lang", language, describer.info.languages),
        ("--style", style, describer.info.styles),
    ):
        if value not in known:
            raise click.UsageError(f"{model} has no {name} {value}; use one of {', '.join(known)}")


def choose_photos(
    folder: Path, split: str, all_photos: bool, skip_bad: bool, language: str, style: str, limit: int | None
) -> list[Example]:
    """The photos of the split that have a reference, at most `limit` of them, evenly sampled."""
    dataset = read_dataset(folder, split=split if all_photos else None, skip_bad=skip_bad)
    if dataset.skipped:
        click.echo(dataset.report)
    examples = [e for e in dataset.of_split(split) if references_of(e, language, style)]
    if not examples:
        raise click.ClickException(
            f"{folder} has no {split} photo with a {style} in {language!r}; try another --split, --lang or --style"
        )
    if limit and limit < len(examples):
        examples = [examples[i] for i in np.linspace(0, len(examples) - 1, limit, dtype=int)]
    return examples


def print_scores(title: str, scores: dict[str, dict[str, float]]) -> None:
    click.echo(title)
    for heading, section in scores.items():
        click.echo(heading)
        for name, value in section.items():
            click.echo(f"  {name:<28}{value:>10.4f}" if isinstance(value, float) else f"  {name:<28}{value:>10}")


def write_results(
    out: Path, about: dict[str, Any], scores: dict[str, Any], examples: Sequence[Example], found: SplitCaptions,
    references: Sequence[Sequence[str]],
) -> None:  # fmt: skip
    """`scores.json`, `captions.jsonl` and `report.html`. Raises click.ClickException."""
    rows = [
        {
            "photo": example.id,
            "caption": caption.text if caption else None,
            "confidence": round(caption.confidence, 4) if caption and caption.confidence is not None else None,
            "references": own,
        }
        for example, caption, own in zip(examples, found.captions, references)
    ]
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        (out / SCORES).write_text(json.dumps({**about, **scores}, indent=2) + "\n")
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (out / CAPTIONS).write_text(lines, encoding="utf-8")
        write_html_report(out / REPORT, about, examples, found.texts, references)


@click.command(cls=TrainingCommand)
@click.option("--data", "folder", type=EXISTING, required=True, help="Data set.")
@click.option("--skip-bad", is_flag=True, help="Leave out and count what cannot be read.")
@click.option("--model", help="Checkpoint, or a captioner of `sightline models list`; by default the embedded one.")
@click.option("--split", type=SPLIT, default="test", show_default=True)
@click.option("--all-photos", is_flag=True, help="Take all photos as that split (sets that have none of their own).")
@click.option("--lang", "language", help="Language of captions and references; by default the captioner's first.")
@click.option("--style", type=click.Choice(STYLES), default="caption", show_default=True)
@click.option("--retrieval/--no-retrieval", default=False, help="Recall@1/5/10 and median rank; 'no good match'.")
@click.option("--out-of-domain", type=EXISTING, help="Another data set, whose captions ask for what is not there.")
@click.option("--labels/--no-labels", default=False, help="How often the photo's label is named.")
@decoding_options
@click.option("--limit", type=COUNT, help="Only so many photos, evenly sampled.")
@click.option("--batch-size", type=COUNT, default=16, show_default=True)
@device_option
@click.option("--out", type=FOLDER, help=f"Folder for {SCORES}, {CAPTIONS} and {REPORT}.")
def main(
    folder, skip_bad, model, split, all_photos, language, style, retrieval, out_of_domain, labels, limit, batch_size,
    device, out, **given,
) -> None:  # fmt: skip
    """Measure a captioner in one split of a data set."""
    describer = Describer.load(model, device)
    language = primary_language(language) if language else describer.info.languages[0]
    check_choice(describer, describer.info.name, language, style)
    decoding = set_decoding(describer, given)
    examples = choose_photos(folder, split, all_photos, skip_bad, language, style, limit)
    foreign: Sequence[Example] = ()
    if out_of_domain:
        foreign = read_dataset(out_of_domain, skip_bad=skip_bad).of_split(split)
        if not any(references_of(example, language, "caption") for example in foreign):
            raise click.ClickException(
                f"{out_of_domain} has no {split} photo with a caption in {language!r}; try another --split"
            )
    found = caption_photos(describer, examples, language, style, batch_size)
    references = [references_of(e, language, style) for e in examples]
    scores: dict[str, Any] = {"captions": caption_scores(references, found.texts)}
    if retrieval:
        scores |= retrieval_scores(describer, found, examples, foreign, language)
    if labels:
        scores["labels"] = label_scores(found.texts, examples, language)
        told = [without_unverified(text, language)[0] for text in found.texts]
        neutral = [replace(example, labels=neutral_labels(example.labels)) for example in examples]
        scores["labels_told"] = label_scores(told, neutral, language)
    about = {
        "model": describer.info.name,
        "data": folder.name,
        "split": split,
        "photos": len(examples),
        "language": language,
        "style": style,
        "decoding": decoding,
        "date": date.today().isoformat(),
    }
    print_scores(
        f"{describer.info.name} on {len(examples)} {split} photos of {folder.name}, {style} in {language!r}", scores
    )
    if out:
        write_results(out, about, scores, examples, found, references)


if __name__ == "__main__":
    main()
