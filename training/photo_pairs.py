"""`python -m training.photo_pairs`: from which cosine two photos look alike, chosen on photos that people described."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from tqdm import tqdm

from data.datasets import Example
from model.describe import Describer
from model.languages.codes import primary_language
from model.languages.words import STOPWORDS, split_words, terms_of
from model.protocols import Embedder
from training.evaluate import choose_photos, references_of
from training.options import COUNT, EXISTING, SHARE, SPLIT, TrainingCommand, device_option
from training.photos import open_image

# Overlap of what is said of two photos: much from the one on, next to none below the other.
ALIKE, UNLIKE = 0.3, 0.05
BOUNDS = np.arange(0, 100) / 100
AT_ONCE = 32


@dataclass(frozen=True)
class PhotoPairs:
    """All pairs of different photos of a set, (P,) each: the `cosines` of their embeddings and the `overlaps` of what
    is said of them."""

    cosines: np.ndarray
    overlaps: np.ndarray

    def listed(self, bound: float) -> dict[str, float]:
        """Per cent of the pairs with at least that cosine: of any, of unlike and of alike ones."""
        kinds = {"any": self.overlaps >= 0, "unlike": self.overlaps < UNLIKE, "alike": self.overlaps >= ALIKE}
        return {
            name: 100 * float(np.mean(self.cosines[there] >= bound)) if there.any() else float("nan")
            for name, there in kinds.items()
        }


def overlaps_of(texts: Sequence[str]) -> np.ndarray:
    """(N, N) float32, 0 to 1: the cosine of the TF-IDF vectors of two texts' terms, without stop words: CIDEr of single
    words (arXiv 1411.5726)."""
    terms_by_text = [[terms_of(word)[0] for word in split_words(text) if word not in STOPWORDS] for text in texts]
    vocabulary = sorted({term for terms in terms_by_text for term in terms})
    columns = {term: column for column, term in enumerate(vocabulary)}
    counts = np.zeros((len(texts), len(columns)), np.float32)
    for row, terms in enumerate(terms_by_text):
        for term in terms:
            counts[row, columns[term]] += 1
    weighted = counts * np.log(len(texts) / np.maximum(1, (counts > 0).sum(0)))
    weighted /= np.maximum(np.linalg.norm(weighted, axis=1, keepdims=True), 1e-9)
    return weighted @ weighted.T


def pairs_of(embeddings: np.ndarray, texts: Sequence[str]) -> PhotoPairs:
    """`embeddings`: (N, D) of length 1; `texts`: what people say of each photo."""
    upper = np.triu_indices(len(texts), 1)
    return PhotoPairs((embeddings @ embeddings.T)[upper], overlaps_of(texts)[upper])


def choose_bound(sets: Sequence[PhotoPairs], share: float) -> float:
    """The least of BOUNDS at which at most that share of the unlike pairs is listed, mean of the sets."""
    for bound in BOUNDS:
        if np.mean([pairs.listed(bound)["unlike"] for pairs in sets]) <= 100 * share:
            return float(bound)
    return float(BOUNDS[-1])


def embed(embedder: Embedder, examples: Sequence[Example]) -> np.ndarray:
    """(N, D) float32 of length 1."""
    starts = tqdm(range(0, len(examples), AT_ONCE), desc="embed", unit="batch", mininterval=2)
    return np.concatenate(
        [embedder.embed_photos([open_image(example) for example in examples[i : i + AT_ONCE]]) for i in starts]
    )


@click.command(cls=TrainingCommand)
@click.option("--data", "folders", type=EXISTING, required=True, multiple=True, help="Data set; repeat.")
@click.option("--model", help="Checkpoint, or a captioner of `sightline models list`; by default the embedded one.")
@click.option("--split", type=SPLIT, default="dev", show_default=True)
@click.option("--lang", "language", default="en", show_default=True, help="Language in which photos are compared.")
@click.option("--limit", type=COUNT, default=1000, show_default=True, help="Photos of a set, evenly sampled.")
@click.option(
    "--share", type=SHARE, default=0.02, show_default=True, help="Most of the unlike pairs that may be listed."
)
@device_option
def main(folders: tuple[Path, ...], model, split, language, limit, share, device) -> None:
    """Propose --least-photo-cosine of `export`: of the pairs of photos of which people say different things, at most
    --share may be said to look alike."""
    describer = Describer.load(model, device)
    if describer.embedder is None:
        raise click.UsageError(f"{describer.info.name} has no embedder, so it finds no photos that look alike")
    language = primary_language(language)
    sets = []
    for folder in folders:
        examples = choose_photos(folder, split, False, False, language, "caption", limit)
        texts = ["\n".join(references_of(example, language, "caption")) for example in examples]
        sets.append(pairs_of(embed(describer.embedder, examples), texts))
        click.echo(f"{folder.name}: {len(examples)} {split} photos, {len(sets[-1].cosines)} pairs")
    bound = choose_bound(sets, share)
    click.echo(f"{'cosine':<8}" + "".join(f"{folder.name:>30}" for folder in folders))
    click.echo(f"{'':<8}" + f"{'any':>12}{'unlike':>9}{'alike':>9}" * len(sets) + "   % listed")
    for shown in sorted({*BOUNDS[30:90:5].tolist(), bound}):
        listed = [pairs.listed(shown) for pairs in sets]
        row = "".join(f"{each['any']:>12.2f}{each['unlike']:>9.2f}{each['alike']:>9.1f}" for each in listed)
        click.echo(f"{shown:<8.2f}{row}{'   <- proposed' if shown == bound else ''}")
    click.echo(f"sightline train export --least-photo-cosine {bound:.2f}")


if __name__ == "__main__":
    main()
