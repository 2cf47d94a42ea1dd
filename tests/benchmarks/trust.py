"""`python -m tests.benchmarks.trust`: how far the certainty of the embedded captioner can be trusted, on test photos.

Expected calibration error with the range that a perfectly calibrated captioner reaches in 95 % of draws of that size,
the area under the risk-coverage curve against a random order and against the mean probability of the tokens, CIDEr-D of
the most certain half, and what is said of pictures that show nothing. --out: trust.json and PNG plots.
"""

import json
from pathlib import Path

import click
import numpy as np
from PIL import Image
from tqdm import tqdm

from data.datasets import Example, read_dataset
from model.certainty import Certainty
from model.describe import Describer
from training.calibrate import caption_set, expected_calibration_error
from training.correctness import right
from training.evaluate import references_of
from training.flaws import SPOILT, page, screen, surface
from training.metrics import CiderD
from training.options import COUNT, EXISTING, FOLDER

WAYS = (  # folder below --data, language, style, which photos
    ("flickr8k", "en", "caption", "test"),
    ("flickr8k", "id", "caption", "test"),
    ("coco_small", "en", "caption", None),
    ("street", "en", "guide", "test"),
    ("street", "id", "guide", "test"),
    ("public_space_small", "en", "guide", None),
)
DRAWS = 2000
PRINTED = "the platform is closed until further notice please use the other exit of this station"
EMPTY = 20  # pictures of a kind that shows nothing


def risk_coverage(score: np.ndarray, is_right: np.ndarray) -> np.ndarray:
    """Share of wrong ones among the k most certain, for k = 1 to N (arXiv 1705.08500)."""
    wrong = 1.0 - is_right[np.argsort(-score, kind="stable")]
    return np.cumsum(wrong) / np.arange(1, len(wrong) + 1)


def calibrated_range(probabilities: np.ndarray) -> tuple[float, float]:
    """Between which errors 95 % of draws lie in which each is right with exactly its probability."""
    rng = np.random.default_rng(0)
    drawn = rng.random((DRAWS, len(probabilities))) < probabilities
    errors = [expected_calibration_error(probabilities, row) for row in drawn]
    return tuple(float(v) for v in np.percentile(errors, (2.5, 97.5)))


def measure(describer: Describer, examples: list[Example], language: str, style: str) -> dict:
    """All figures of one set, language and style."""
    captioner = describer.captioner
    texts, signals = caption_set(captioner, examples, language, style, batch_size=16)
    references = [references_of(e, language, style) for e in examples]
    is_right = right(examples, texts, references, language, style).astype(bool)
    raw = np.array([each["mean_probability"] for each in signals])
    calibration = captioner.info.calibration
    sure = np.array([calibration.confidence(r, s, language, style) for r, s in zip(raw, signals)])
    cider = CiderD(references).scores(texts, range(len(texts)))
    half = np.argsort(-sure)[: len(sure) // 2]
    certainties = [calibration.certainty(p, language, style) for p in sure]
    return {
        "photos": len(texts),
        "right": float(is_right.mean()),
        "calibration_error": expected_calibration_error(sure, is_right),
        "calibrated_range": calibrated_range(sure),
        "risk_area": float(risk_coverage(sure, is_right).mean()),
        "risk_area_random": float(1 - is_right.mean()),
        "risk_area_token_probability": float(risk_coverage(raw, is_right).mean()),
        "cider": float(cider.mean()),
        "cider_most_certain_half": float(cider[half].mean()),
        "told": {
            str(each): {
                "share": float(np.mean([c is each for c in certainties])),
                "right": float(is_right[[c is each for c in certainties]].mean()) if each in certainties else None,
            }
            for each in (Certainty.HIGH, Certainty.MEDIUM, Certainty.LOW, Certainty.NONE)
        },
        "curve": [sure.tolist(), is_right.astype(int).tolist()],
    }


def empty_pictures(photos: list[Image.Image]) -> dict[str, list[Image.Image]]:
    """Pictures in which nothing is to be told, EMPTY of a kind, from photos and a seed."""
    made: dict[str, list[Image.Image]] = {}
    words = PRINTED.split()
    for number in range(EMPTY):
        rng, photo = np.random.default_rng((7, number)), photos[number % len(photos)].resize((224, 224))
        drawn = {name: make(photo, rng) for name, make in SPOILT.items()}
        drawn |= {"surface": surface(photo, rng), "page": page(photo, rng, words), "screen": screen(photo, rng, words)}
        drawn["noise"] = Image.fromarray(rng.integers(0, 256, (224, 224, 3), dtype=np.uint8))
        drawn["black"] = Image.new("RGB", (640, 480), tuple(int(v) for v in rng.integers(0, 8, 3)))
        drawn["one colour"] = Image.new("RGB", (640, 480), tuple(int(v) for v in rng.integers(0, 256, 3)))
        for name, picture in drawn.items():
            made.setdefault(name, []).append(picture)
    return made


def plot(results: dict[str, dict], out: Path) -> None:
    """Reliability diagrams and risk-coverage curves."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, below) = plt.subplots(1, 2, figsize=(12, 5))
    left.plot([0, 1], [0, 1], color="grey", linestyle=":")
    for name, found in results.items():
        sure, is_right = (np.array(values) for values in found["curve"])
        places = np.minimum((sure * 10).astype(int), 9)
        bins = [p for p in np.unique(places) if (places == p).sum() >= 10]
        left.plot(
            [sure[places == p].mean() for p in bins], [is_right[places == p].mean() for p in bins], "o-", label=name
        )
        below.plot(np.linspace(0, 1, len(sure)), risk_coverage(sure, is_right), label=name)
    left.set(xlabel="confidence", ylabel="share that is right", title="Reliability", xlim=(0, 1), ylim=(0, 1))
    below.set(
        xlabel="share of captions told, the most certain first", ylabel="share of them that is wrong", ylim=(0, 1)
    )
    below.set_title("Risk and coverage")
    left.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(out, dpi=100)


@click.command()
@click.option("--data", type=EXISTING, required=True, help="Folder with flickr8k/, street/, coco_small/ and others.")
@click.option("--model", "source", type=EXISTING, default=None, help="Checkpoint; by default the embedded one.")
@click.option("--photos", "most", type=COUNT, default=1000, show_default=True, help="Of a set, at most.")
@click.option("--out", type=FOLDER, default=None, help="Folder for trust.json and trust.png.")
def main(data: Path, source: Path | None, most: int, out: Path | None) -> None:
    describer, results = Describer.load(source), {}
    for name, language, style, split in WAYS:
        examples = [e for e in read_dataset(data / name).examples if split is None or e.split == split][:most]
        results[f"{name} {language} {style}"] = measure(describer, examples, language, style)
    click.echo(
        "| set | photos | right | ECE (95 % if calibrated) | risk area: it, random, tokens | CIDEr-D: all, sure half |"
    )
    click.echo("|---|---|---|---|---|---|")
    for name, r in results.items():
        low, high = r["calibrated_range"]
        click.echo(
            f"| {name} | {r['photos']} | {100 * r['right']:.1f} % | "
            f"{r['calibration_error']:.3f} ({low:.3f} to {high:.3f}) | "
            f"{r['risk_area']:.3f}, {r['risk_area_random']:.3f}, {r['risk_area_token_probability']:.3f} | "
            f"{r['cider']:.3f}, {r['cider_most_certain_half']:.3f} |"
        )
    click.echo("| set | high: share, right | medium | low | not told |")
    click.echo("|---|---|---|---|---|")
    for name, r in results.items():
        cells = [
            f"{100 * told['share']:.1f} %" + ("" if told["right"] is None else f", {100 * told['right']:.1f} %")
            for told in r["told"].values()
        ]
        click.echo(f"| {name} | {' | '.join(cells)} |")
    street = [Image.open(e.path).convert("RGB") for e in read_dataset(data / "street").examples if e.split == "test"]
    click.echo("| pictures that show nothing | high | medium | low | unknown | not told |")
    click.echo("|---|---|---|---|---|---|")
    for kind, pictures in tqdm(empty_pictures(street[:EMPTY]).items(), desc="empty", mininterval=5):
        told = [found.certainty for found in describer.describe_many(pictures)]
        results[f"empty: {kind}"] = {str(each): told.count(each) for each in Certainty}
        click.echo(f"| {kind}, {len(told)} | " + " | ".join(str(told.count(each)) for each in (
            Certainty.HIGH, Certainty.MEDIUM, Certainty.LOW, Certainty.UNKNOWN, Certainty.NONE)) + " |")  # fmt: skip
    if out:
        out.mkdir(parents=True, exist_ok=True)
        plot({name: r for name, r in results.items() if "curve" in r}, out / "trust.png")
        for r in results.values():
            r.pop("curve", None)
        (out / "trust.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
