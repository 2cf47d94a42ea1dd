"""`python -m tests.benchmarks.claims --data DATA`: could a small check of its own tell what can hurt if it is wrong?

For each kind of `model.unverified_claims` that data sets label: logistic regression on embedding and mean of the
grid, cross-validated over train and dev photos, by source where there are several. A kind would be granted if such a
check is right in 97 % of at least 100 cases in which it speaks; the table says how far each is from that.
"""

import json
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from model.describe import Describer
from model.imaging import open_photo
from training.options import EXISTING

RIGHT, SPOKEN = 0.97, 100
FOLDS = 10


def _light(row: dict) -> str | None:
    return next((c for c in ("red", "green", "yellow") if f"{c} traffic light" in row.get("labels", ())), None)


def _stairs(row: dict) -> str | None:
    return (row.get("facts") or {}).get("stairs")


def _manhole(row: dict) -> str | None:
    labels = row.get("labels", ())
    return "open" if "open manhole" in labels else "closed" if "closed manhole cover" in labels else None


def _door(row: dict) -> str | None:
    said = {"door open": "open", "door closed": "closed", "door half open": "open"}
    return (row.get("facts") or {}).get("door") or next((said[s] for s in row.get("state") or () if s in said), None)


def _banknote(row: dict) -> str | None:
    label = row.get("label") or next((x for x in row.get("labels", ()) if "banknote" in x), None)
    return label and label.replace(" rupee banknote", " rupees")


CHECKS: dict[str, tuple[Callable[[dict], str | None], tuple[str, ...], tuple[str, ...]]] = {
    # What is checked, where, and the answers that are no claim.
    "light": (_light, ("street",), ()),
    "stairs": (_stairs, ("street",), ("cannot tell", "both", "side")),
    "manhole": (_manhole, ("street",), ()),
    "door": (_door, ("street", "scenes"), ("cannot tell", "several")),
    "banknote": (_banknote, ("street", "banknotes"), ("no note",)),
}


@torch.inference_mode()
def features_of(describer: Describer, paths: list[Path], batch_size: int = 16) -> np.ndarray:
    """Embedding and mean of the grid of each photo, (N, D + C)."""
    pair, parts = describer.embedder, []
    for first in range(0, len(paths), batch_size):
        found = pair.encode_image(pair.preprocess([open_photo(p).image for p in paths[first : first + batch_size]]))
        parts.append(torch.cat([found.embedding, found.grid.float().mean(1)], dim=1).numpy())
    return np.concatenate(parts)


def spoken_and_right(features: np.ndarray, answers: np.ndarray, sources: np.ndarray, silent: tuple[str, ...]) -> tuple:
    """-> how often it would speak with the lowest bound at which it is right in RIGHT of these cases, how often it is
    right if it always speaks, and whether sources were held out."""
    several = len(set(sources)) > 1
    folds = LeaveOneGroupOut() if several else KFold(FOLDS, shuffle=True, random_state=0)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, C=0.05))
    probabilities = cross_val_predict(model, features, answers, groups=sources, cv=folds, method="predict_proba")
    said = np.unique(answers)[probabilities.argmax(1)]
    speaks = ~np.isin(said, silent)
    is_right, score = (said == answers)[speaks], probabilities.max(1)[speaks]
    order = np.argsort(-score)
    shares = np.cumsum(is_right[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(shares >= RIGHT)
    return (int(enough[-1]) + 1 if len(enough) else 0), float(is_right.mean()), several


@click.command()
@click.option("--data", type=EXISTING, required=True, help="Folder with street/, scenes/ and banknotes/.")
@click.option("--model", "source", type=EXISTING, default=None, help="Checkpoint; by default the embedded one.")
def main(data: Path, source: Path | None) -> None:
    describer = Describer.load(source)
    click.echo(
        "| claim | photos | right if it always speaks | speaks, right in 97 % | granted |\n|---|---|---|---|---|"
    )
    for kind, (answer, sets, silent) in CHECKS.items():
        found = []
        for name in sets:
            rows = [json.loads(line) for line in (data / name / "metadata.jsonl").read_text().splitlines()]
            found += [
                (data / name / row["file_name"], str(answer(row)), row.get("source") or row["file_name"].split("_")[0])
                for row in rows
                if answer(row) is not None and row["split"] != "test"
            ]
        paths, answers, sources = (list(each) for each in zip(*found, strict=True))
        counts = {each: answers.count(each) for each in set(answers)}
        spoken, always, several = spoken_and_right(
            features_of(describer, paths), np.array(answers), np.array(sources), silent
        )
        held_out = "sources held out" if several else "one source, photos held out"
        granted = "yes" if several and spoken >= SPOKEN else "no"
        least = min(counts, key=counts.__getitem__)
        click.echo(
            f"| {kind} | {len(paths)} ({counts[least]} of '{least}'), {held_out} | {100 * always:.1f} % "
            f"| {spoken} times | {granted} |"
        )


if __name__ == "__main__":
    main()
