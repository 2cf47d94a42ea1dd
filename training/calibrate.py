"""`python -m training.calibrate`: fit how often captions are right, on dev photos, and write it into the checkpoint.

A logistic regression on `model.signals` for each language and style; the confidence of a caption then is the share of
such captions that were right (see `training.correctness`). Calibration is measured by cross-validation.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import click
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from data.datasets import Example, read_dataset
from model import checkpoint
from model.caption.clipcap_captioner import ClipCapCaptioner
from model.certainty import Calibration, Estimator, Thresholds
from model.clip.pair import ClipPair, PairConfig
from model.signals import signals_of
from training.correctness import count_holding, right
from training.evaluate import references_of
from training.name_bounds import bound, class_probabilities, likeliest
from training.options import COUNT, EXISTING, FOLDER, SHARE, TrainingCommand, data_options
from training.photos import open_image

LEAST_PHOTOS = 60  # of a language and style; fewer say nothing
LEAST_SURE = 30  # captions above a bound that must have been right often enough
FOLDS = 10


@dataclass
class Measured:
    """The captions in one language and style: of each its signals, whether it is right, and the name of its set."""

    signals: list[dict[str, float]] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    sets: list[str] = field(default_factory=list)


def expected_calibration_error(probabilities: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Mean distance of probability and share of right ones over bins of like width, weighted (arXiv 1706.04599)."""
    places = np.minimum((probabilities * bins).astype(int), bins - 1)
    gaps = [
        abs(probabilities[places == place].mean() - right[places == place].mean()) * (places == place).mean()
        for place in np.unique(places)
    ]
    return float(np.sum(gaps))


def caption_set(
    captioner: ClipCapCaptioner, examples: Sequence[Example], language: str, style: str, batch_size: int
) -> tuple[list[str], list[dict[str, float]]]:
    """The best caption of each photo and its signals."""
    texts, signals = [], []
    for first in tqdm(range(0, len(examples), batch_size), desc=f"{language}/{style}", unit="batch", mininterval=5):
        photos = [open_image(example) for example in examples[first : first + batch_size]]
        for found in captioner.caption(photos, language, style):
            texts.append(found.candidates[0].text)
            signals.append(signals_of(found.candidates[0], found.candidates))
    return texts, signals


def measure(
    captioner: ClipCapCaptioner, sets: dict[str, list[Example]], language: str, style: str, batch_size: int
) -> Measured:
    """Of all photos that have references in a language and style."""
    measured = Measured()
    for name, examples in sets.items():
        wanted = [(e, references_of(e, language, style)) for e in examples]
        if style == "long":
            wanted = [
                (e, own) for e, own in wanted if any(c.style == "long" and c.language == language for c in e.captions)
            ]
        wanted = [(e, own) for e, own in wanted if own]
        if not wanted:
            continue
        chosen, references = [e for e, _ in wanted], [own for _, own in wanted]
        texts, signals = caption_set(captioner, chosen, language, style, batch_size)
        measured.signals += signals
        measured.right += right(chosen, texts, references, language, style).tolist()
        measured.sets += [name] * len(chosen)
    return measured


def fit(signals: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Signals (N, S) and whether each is right (N,) -> weights (S,) and bias for signals as they are, and the
    probabilities (N,) that cross-validation gives."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    folds = KFold(FOLDS, shuffle=True, random_state=0)
    held_out = cross_val_predict(model, signals, right, cv=folds, method="predict_proba")[:, 1]
    scaler, regression = (step for _, step in model.fit(signals, right).steps)
    weights = regression.coef_[0] / scaler.scale_
    return weights, float(regression.intercept_[0] - weights @ scaler.mean_), held_out


def holding_bound(held_out: np.ndarray, is_right: np.ndarray, wanted: float) -> float:
    """The least bound from `wanted` on above which at least that share of LEAST_SURE captions or more was right; 1,
    which none reaches, where there is no such bound."""
    above = held_out >= wanted
    count = count_holding(held_out[above], is_right[above], wanted, LEAST_SURE)
    return round(float(np.sort(held_out)[-count]), 4) if count else 1.0


@click.command(cls=TrainingCommand)
@data_options
@click.option("--model", "source", type=EXISTING, required=True, help="Checkpoint as it is to ship, by `export`.")
@click.option("--high", type=SHARE, default=0.8, show_default=True, help="Share of right ones from which it is sure.")
@click.option("--medium", type=SHARE, default=0.5, show_default=True, help="From which it is told with doubt.")
@click.option("--low", type=SHARE, default=0.15, show_default=True, help="From which it is told at all.")
@click.option("--photos", "count", type=COUNT, default=1000, show_default=True, help="Dev photos of a set, at most.")
@click.option("--batch-size", type=COUNT, default=16, show_default=True)
@click.option("--out", type=FOLDER, required=True, help="Folder for the checkpoint with its calibration.")
def main(folders, skip_bad, source, high, medium, low, count, batch_size, out) -> None:
    """Measure the checkpoint on the dev photos of the --data folders and write it with its calibration to OUT."""
    sets = {folder.name: dev_photos(folder, skip_bad)[:count] for folder in folders}
    loaded = checkpoint.load(source)
    # With the weights as they are on disk: what is served may be optimised in place.
    captioner = ClipCapCaptioner(checkpoint.load(source, mapped=True))
    thresholds, estimators = {}, {}
    for language in captioner.info.languages:
        for style in captioner.info.styles:
            found = measure(captioner, sets, language, style, batch_size)
            if len(found.right) < LEAST_PHOTOS:
                click.echo(f"{language}/{style}: {len(found.right)} photos are too few to calibrate it.")
                continue
            names = sorted(found.signals[0])
            table, is_right = np.array([[each[n] for n in names] for each in found.signals]), np.array(found.right)
            weights, bias, held_out = fit(table, is_right)
            key = (language, style)
            medium_bound = holding_bound(held_out, is_right, medium)
            # Of a guide only the label is checked, and somebody walks by all that it says.
            high_bound = 1.0 if style == "guide" else max(medium_bound, holding_bound(held_out, is_right, high))
            thresholds[key] = Thresholds(high_bound, medium_bound, low)
            estimators[key] = Estimator({n: round(float(w), 5) for n, w in zip(names, weights)}, round(bias, 5))
            report(f"{language}/{style}", held_out, is_right, np.array(found.sets), thresholds[key])
    loaded.pair.config = with_name_bounds(loaded.pair.config, captioner.embedder, sets)
    checkpoint.save(out, loaded.name, loaded.pair, loaded.captioner, calibration=Calibration(thresholds, estimators))
    click.echo(f"Wrote {out}")


def with_name_bounds(config: PairConfig, pair: ClipPair, sets: dict[str, list[Example]]) -> PairConfig:
    """With `least_name` and `least_kind` as measured; as it is for a tower without a classifier."""
    examples = [example for own in sets.values() for example in own]
    probabilities = class_probabilities(pair, examples)
    if probabilities is None:
        return config
    found = []
    for called, kinds in (("names", False), ("kinds", True)):
        names, sums = likeliest(probabilities, kinds)
        least, count, share = bound(names, sums, examples)
        found.append(least)
        click.echo(f"{called} from {least:.2f}: {count} of {len(examples)} photos, {100 * share:.1f} % of them fit")
    return replace(config, least_name=found[0], least_kind=found[1])


def dev_photos(folder, skip_bad: bool) -> list[Example]:
    return [example for example in read_dataset(folder, skip_bad=skip_bad).examples if example.split == "dev"]


def report(name: str, held_out: np.ndarray, is_right: np.ndarray, sets: np.ndarray, bounds: Thresholds) -> None:
    """Print how often captions are right, how well that is foreseen, and the same for each certainty and set."""
    error = expected_calibration_error(held_out, is_right)
    click.echo(f"{name}: {len(is_right)} photos, {100 * is_right.mean():.1f} % right, calibration error {error:.3f}")
    edges = (1.01, bounds.high, bounds.medium, bounds.low, 0.0)
    for upper, lower, certainty in zip(edges, edges[1:], ("high", "medium", "low", "none")):
        among = (held_out >= lower) & (held_out < upper)
        if among.any():
            click.echo(
                f"  {certainty}: {100 * among.mean():.1f} % of captions, {100 * is_right[among].mean():.1f} % right"
            )
    for each in np.unique(sets):
        own = sets == each
        click.echo(f"  {each}: {100 * is_right[own].mean():.1f} % right, foreseen {100 * held_out[own].mean():.1f} %")


if __name__ == "__main__":
    main()
