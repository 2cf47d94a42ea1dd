"""`python -m tests.benchmarks.quality`: what `model.senses.quality` finds, and what it finds by mistake, as tables.

Dev photos of the --data sets are made worse in graded steps and captioned by the embedded captioner: the step where
CIDEr-D has halved is where a problem has to be found. The photos as they are give the false alarms.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import click
import numpy as np
from PIL import Image

from model.describe import Describer
from model.imaging import open_photo
from model.senses.quality import PROBLEMS, Quality, assess
from tests.benchmarks import drawn
from tests.benchmarks.degrade import STEPS, Steps
from training.corpus import Captioned, read_photos
from training.metrics import CiderD

BATCH = 25
EXISTING = click.Path(path_type=Path, exists=True)


class CaptionScore:
    """CIDEr-D of what the embedded captioner says of some photos of a set, against their English captions."""

    def __init__(self, photos: Sequence[Captioned], numbers: Sequence[int]):
        references = [[s.text for s in p.sentences if s.language == "en" and s.style != "guide"] for p in photos]
        self.cider, self.numbers = CiderD(references), numbers
        self.captioner = Describer.load().captioner

    def __call__(self, pictures: Sequence[Image.Image]) -> float:
        texts = []
        for first in range(0, len(pictures), BATCH):
            found = self.captioner.caption(pictures[first : first + BATCH], "en", "caption")
            texts += [photo.candidates[0].text for photo in found]
        return float(self.cider.scores(texts, self.numbers).mean())


def share(found: Sequence[Quality], holds: Callable[[Quality], bool]) -> str:
    return f"{100 * np.mean([holds(quality) for quality in found]):.1f}"


def worse(photos: Sequence[Image.Image], steps: Steps, value: float) -> list[Image.Image]:
    """The same pictures whenever it is called."""
    return [steps.apply(photo, value, np.random.default_rng((i, int(value * 10)))) for i, photo in enumerate(photos)]


def print_steps(sets: dict[str, list[Captioned]], count: int, with_captions: bool, only: Sequence[str]) -> None:
    numbers = {name: list(range(0, len(own), max(1, len(own) // count)))[:count] for name, own in sets.items()}
    photos = {name: [open_photo(own[i].example.path).image for i in numbers[name]] for name, own in sets.items()}
    scores = {name: CaptionScore(own, numbers[name]) for name, own in sets.items()} if with_captions else {}
    clean = {name: score(photos[name]) for name, score in scores.items()}
    heads = [f"CIDEr-D {name}, of {clean[name]:.2f}" for name in scores]
    print_row("photos", "step", *heads, "found, %", "no caption, %", "called otherwise, %")
    print_row(*["---"] * (5 + len(heads)))
    for name in only or STEPS:
        steps = STEPS[name]
        for value in steps.values:
            pictures = {key: worse(own, steps, value) for key, own in photos.items()}
            cells = [f"x {score(pictures[key]) / clean[key]:.2f}" for key, score in scores.items()]
            found = [assess(picture) for own in pictures.values() for picture in own]
            named = (steps.problem, "blank")
            print_row(
                name,
                f"{value} {steps.unit}",
                *cells,
                share(found, lambda q, named=named: not set(named).isdisjoint(q.problems)),
                share(found, lambda q: not q.describable),
                share(found, lambda q, named=named: bool(q.problems) and set(named).isdisjoint(q.problems)),
            )


def print_found(rows: Iterable[tuple[str, Iterable[Image.Image]]]) -> None:
    """Of each group of pictures, per cent with each problem and of each kind."""
    print_row("pictures", "number", "any", *PROBLEMS, "no caption", "screenshot", "page")
    print_row(*["---"] * (len(PROBLEMS) + 6))
    for name, pictures in rows:
        found = [assess(picture) for picture in pictures]
        if found:
            each = (share(found, lambda q, problem=problem: problem in q.problems) for problem in PROBLEMS)
            kinds = (share(found, lambda q, kind=kind: q.kind == kind) for kind in ("screenshot", "page"))
            refused = share(found, lambda q: not q.describable)
            print_row(name, len(found), share(found, lambda q: q.doubtful), *each, refused, *kinds)


def flawed(folder: Path) -> Iterable[tuple[str, Iterable[Image.Image]]]:
    """Photos of an imagefolder set by its `flaw` and, where that is none, by its `text`."""
    rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    groups = Counter(row.get("flaw") or f"no flaw, text {row.get('text')}" for row in rows)
    for group in sorted(groups):
        own = [row for row in rows if (row.get("flaw") or f"no flaw, text {row.get('text')}") == group]
        yield f"{folder.name}: {group}", (open_photo(folder / row["file_name"]).image for row in own)


def drawings(photos: Sequence[Image.Image], count: int) -> Iterable[tuple[str, Iterable[Image.Image]]]:
    """The same pictures whenever it is called."""
    for draw in (drawn.blank, drawn.noise, drawn.page):
        yield f"drawn: {draw.__name__}", map(draw, map(np.random.default_rng, range(count)))
    shots = (drawn.screenshot(np.random.default_rng(i), photos[i % len(photos)]) for i in range(count))
    yield "drawn: screenshot", shots


def print_sizes(photos: Sequence[Image.Image], large: Sequence[Image.Image]) -> None:
    """Whether a photo keeps its problems at other sizes, and how long that takes."""
    for side in (448, 1024, 2048):
        sizes = [(side, round(side * 0.75)) for _ in photos]
        enlarged = [photo.resize(size, Image.Resampling.LANCZOS) for photo, size in zip(photos, sizes)]
        same = np.mean([assess(a).problems == assess(b).problems for a, b in zip(photos, enlarged)])
        print(f"enlarged to {side}: {100 * same:.1f} % of {len(photos)} have the same problems")
    for problem, blur in (("clean", 0.0), ("out of focus", 1.0), ("out of focus", 1.5)):
        found = [assess(worse([photo], STEPS["out of focus"], blur)[0] if blur else photo) for photo in large]
        blurred = share(found, lambda q: "blurred" in q.problems)
        print(f"{len(large)} large photos, {problem} {blur} %: {blurred} % blurred")
    picture, times = photos[0].resize((2048, 1536)), []
    for _ in range(15):
        start = time.process_time()
        assess(picture)
        times.append(1000 * (time.process_time() - start))
    print(f"2048 x 1536 pixels: {np.median(times):.1f} ms of one processor, median of {len(times)}")


def print_row(*cells: object) -> None:
    print(f"| {' | '.join(str(cell) for cell in cells)} |", flush=True)


@click.command()
@click.option("--data", "folders", type=EXISTING, multiple=True, required=True, help="Captioned sets; dev is used.")
@click.option("--flawed", "flawed_folder", type=EXISTING, help="A set whose metadata.jsonl has `flaw` and `text`.")
@click.option("--large", "large_folder", type=EXISTING, help="A folder of large photos.")
@click.option("--photos", "count", type=click.IntRange(min=1), default=50, show_default=True, help="Of each set.")
@click.option("--captions/--no-captions", default=True, show_default=True, help="Measure captions: minutes.")
@click.option("--steps", "only", type=click.Choice(list(STEPS)), multiple=True, help="Only these, and nothing else.")
def main(
    folders: tuple[Path, ...],
    flawed_folder: Path | None,
    large_folder: Path | None,
    count: int,
    captions: bool,
    only: tuple[str, ...],
) -> None:
    """Print what is found at each step, on photos as they are, on flawed ones and on drawn pictures."""
    splits = read_photos(folders)
    sets: dict[str, dict[str, list[Captioned]]] = {"dev": {}, "test": {}}
    for split, groups in sets.items():
        for photo in splits[split]:
            groups.setdefault(photo.key.split("/")[0], []).append(photo)
    print_steps(sets["dev"], count, captions, only)
    if only:
        return
    samples = [open_photo(photo.example.path).image for photo in splits["dev"][:: max(1, len(splits["dev"]) // 100)]]
    print()
    print_found(
        [
            *(
                (f"{name}, {split}, as they are", (open_photo(photo.example.path).image for photo in own))
                for split, groups in sets.items()
                for name, own in groups.items()
            ),
            *(flawed(flawed_folder) if flawed_folder else ()),
            *drawings(samples, 100),
        ]
    )
    print()
    large = [open_photo(file).image for file in sorted(large_folder.glob("*.*"))[:60]] if large_folder else []
    print_sizes(samples, large)


if __name__ == "__main__":
    main()
