"""`python -m training.prepare`: embed the photos of data sets, each photo once, or in several views if asked."""

from collections.abc import Sequence
from itertools import count
from pathlib import Path

import click
import torch
from tqdm import tqdm

from data.embeddings import EmbeddingStore, EmbeddingWriter
from model.clip.features import ImageFeatures
from model.clip.pair import ClipPair
from training.corpus import Captioned, read_photos
from training.options import COUNT, FOLDER, SPLIT, TrainingCommand, data_options, device_option, workers_option
from training.photos import Augment, PhotoSet, photos_in_order
from training.pretrained import load_start


def view_key(photo: Captioned, view: int) -> str:
    """What a view of a photo is kept under; view 0 is the whole photo."""
    return f"{photo.key}#{view}" if view else photo.key


def load_features(store: EmbeddingStore, photos: Sequence[Captioned], view: int = 0) -> ImageFeatures:
    """Embeddings (N, D) and grid (N, T, C) float16 or None of the photos, in their order. Raises EmbeddingsError."""
    rows = store.rows([view_key(photo, view) for photo in photos])
    return ImageFeatures(
        torch.from_numpy(store.vectors[rows]), None if store.grid is None else torch.from_numpy(store.grid[rows])
    )


def open_embeddings(folder: Path, pair: ClipPair, *splits: list[Captioned]) -> list[ImageFeatures]:
    """The embeddings of each split's photos. Raises EmbeddingsError unless that very pair made them."""
    return [views[0] for views in open_views(folder, pair, *splits, most=1)]


def open_views(
    folder: Path, pair: ClipPair, *splits: list[Captioned], most: int | None = None
) -> list[list[ImageFeatures]]:
    """As `open_embeddings`, for each split all views of its photos, or the first `most`."""
    store = EmbeddingStore.open(folder, expect={"checkpoint_sha256": pair.space.id})
    known = set(store.ids)
    counts = [
        next(v for v in count(1) if v == most or not photos or view_key(photos[0], v) not in known) for photos in splits
    ]
    return [[load_features(store, own, view) for view in range(views)] for own, views in zip(splits, counts)]


def embed(
    pair: ClipPair,
    writer: EmbeddingWriter,
    photos: list[Captioned],
    view: int,
    batch_size: int,
    workers: int,
    bar: tqdm,
) -> None:
    """Append the embeddings of that view of the photos."""
    device = pair.logit_scale.device
    shown = PhotoSet([photo.example for photo in photos], pair.preprocess, Augment() if view else None, seed=0)
    for indices, pixels in photos_in_order(shown, batch_size, workers, epoch=view):
        features = pair.encode_image(pair.preprocess.normalize(pixels.to(device)))
        cells = None if features.grid is None else features.grid.cpu().numpy()
        writer.append([view_key(photos[i], view) for i in indices], features.embedding.cpu().numpy(), cells)
        bar.update(len(indices))


@click.command(cls=TrainingCommand)
@data_options
@click.option(
    "--pair",
    "source",
    required=True,
    help="Folder of `sightline train contrastive`, a checkpoint, or a CLIP of `sightline models list`, by name.",
)
@click.option("--out", type=FOLDER, required=True, help="Folder for the embeddings.")
@click.option(
    "--split", "chosen_splits", type=SPLIT, multiple=True, default=["train", "dev"], show_default=True, help="Repeat."
)
@click.option(
    "--views",
    type=COUNT,
    default=1,
    show_default=True,
    help="Views of a training photo: itself, then crops in other light; `sightline train captioner` alternates.",
)
@click.option("--batch-size", type=COUNT, default=32, show_default=True)
@workers_option
@device_option
def main(folders, skip_bad, source, out, chosen_splits, views, batch_size, workers, device) -> None:
    """Embed the photos of the --data folders; run it again to continue where it stopped."""
    splits = read_photos(folders, skip_bad=skip_bad)
    chosen = [(0, photo) for split in chosen_splits for photo in splits[split]]
    if "train" in chosen_splits:
        chosen += [(view, photo) for view in range(1, views) for photo in splits["train"]]
    if not chosen:
        raise click.ClickException(f"no photo with a caption is in {' or '.join(chosen_splits)}; try another --split")
    pair = load_start(source).pair
    made_by = {
        "model": f"{Path(source).name}, {pair.preprocess.size} px",
        "checkpoint_sha256": pair.space.id,
        "normalised": False,
        "dataset": ", ".join(folder.name for folder in folders),
    }
    pair.to(device).eval()
    pair.image_tower.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    grid = (pair.config.grid_side**2, pair.config.grid_channels) if pair.config.grid_side else None
    with EmbeddingStore.create(out, pair.config.embedding_dim, made_by, grid=grid) as writer, torch.inference_mode():
        todo = [(view, photo) for view, photo in chosen if view_key(photo, view) not in writer]
        with tqdm(total=len(chosen), initial=len(chosen) - len(todo), unit="photo", desc="prepare") as bar:
            for view in range(views):
                own = [photo for its_view, photo in todo if its_view == view]
                embed(pair, writer, own, view, batch_size, workers, bar)
    click.echo(f"Embedded {len(todo)} photos into {out}, {len(chosen) - len(todo)} were there already.")


if __name__ == "__main__":
    main()
