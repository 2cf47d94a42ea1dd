"""`python -m training.tune_decoding`: how much the pair's view of a caption should count, chosen on dev photos.

Candidates are decoded once for every language and style; then all combinations of the weights rank them anew.
"""

from dataclasses import replace
from itertools import product

import click
import numpy as np
import torch
from torch import nn

from model import checkpoint
from model.caption.clipcap_captioner import compare_candidates
from model.protocols import Caption
from training.captioning import MIN_DEV_PHOTOS, dev_groups, sample_evenly
from training.corpus import read_photos
from training.metrics import CiderD
from training.options import COUNT, EXISTING, TrainingCommand, data_options
from training.prepare import open_embeddings

LENGTH_PENALTIES = (0.9, 1.0, 1.1, 1.2)
LIKENESS_WEIGHTS = (0.0, 1.0, 2.0, 4.0, 6.0, 8.0)
AGREEMENT_WEIGHTS = (0.0, 2.5, 5.0, 7.5, 10.0)


def ranked(own: list[Caption], vectors: np.ndarray, photo: np.ndarray, weights: tuple[float, float, float]) -> int:
    """Number of the best candidate, as the clipcap family ranks them. `vectors`: the candidates' (C, D); `photo` (D,);
    `weights`: length penalty, likeness, agreement."""
    penalty, likeness, agreement = weights
    scores = np.array([sum(c.log_probs) / max(1, len(c.log_probs)) ** penalty for c in own])
    alike, agreeing = compare_candidates(vectors, photo)
    return int(np.argmax(scores + likeness * alike + agreement * agreeing))


@click.command(cls=TrainingCommand)
@data_options
@click.option("--model", "source", type=EXISTING, required=True, help="Checkpoint.")
@click.option("--embeddings", type=EXISTING, required=True,
              help="Folder of `training.prepare` or `training.embed_kept`.")  # fmt: skip
@click.option("--photos", "count", type=COUNT, default=500, show_default=True, help="Dev photos, evenly spread.")
@click.option("--beams", type=COUNT, default=8, show_default=True)
@click.option("--batch-size", type=COUNT, default=25, show_default=True)
@torch.inference_mode()
def main(folders, skip_bad, source, embeddings, count, beams, batch_size) -> None:
    """Print CIDEr-D of every combination, best last: the mean over languages and styles, and each."""
    dev = sample_evenly(read_photos(folders, skip_bad=skip_bad)["dev"], count)
    loaded = checkpoint.load(source)
    (features,) = open_embeddings(embeddings, loaded.pair, dev)
    options = replace(loaded.captioner.options, beams=beams, no_repeat_ngram=3)
    photos = nn.functional.normalize(features.embedding, dim=-1).numpy()
    tables = {}
    for way, members in dev_groups(dev).items():
        if len(members) < MIN_DEV_PHOTOS:
            continue
        found: list[list[Caption]] = []
        for first in range(0, len(members), batch_size):
            part = features.select(members[first : first + batch_size])
            found += loaded.captioner.caption(part, *way, options)
        references = [[s.text for s in dev[i].sentences if (s.language, s.style) == way] for i in members]
        tables["/".join(way)] = scores_of(found, photos[members], loaded.pair, CiderD(references))
        click.echo(f"{'/'.join(way)}: {len(members)} photos")
    means = np.mean(list(tables.values()), axis=0)
    combinations = list(product(LENGTH_PENALTIES, LIKENESS_WEIGHTS, AGREEMENT_WEIGHTS))
    click.echo("length penalty, likeness, agreement: mean, " + ", ".join(tables))
    for place in np.argsort(means, kind="stable"):
        each = " ".join(f"{table[place]:.4f}" for table in tables.values())
        click.echo(f"{combinations[place]}: {means[place]:.4f}  {each}")


def scores_of(found: list[list[Caption]], photos: np.ndarray, pair, cider: CiderD) -> list[float]:
    """Mean CIDEr-D of the captions that each combination puts first."""
    texts = pair.embed_texts([caption.text for own in found for caption in own])
    bounds = np.cumsum([0, *(len(own) for own in found)])
    rewards = [cider.scores([c.text for c in own], [i] * len(own)) for i, own in enumerate(found)]
    means = []
    for weights in product(LENGTH_PENALTIES, LIKENESS_WEIGHTS, AGREEMENT_WEIGHTS):
        best = [ranked(own, texts[bounds[i] : bounds[i + 1]], photos[i], weights) for i, own in enumerate(found)]
        means.append(float(np.mean([own[place] for own, place in zip(rewards, best)])))
    return means


if __name__ == "__main__":
    main()
