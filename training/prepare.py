"""`python -m training.prepare`: embed the photos of data sets, each photo once, or in several views if asked."""

import hashlib
from itertools import count
from pathlib import Path

import click
import torch
from tqdm import tqdm

from data.embedding_files import EmbeddingsError
from data.embeddings import EmbeddingStore
from model.clip.features import ImageFeatures
from model.clip.pair import ClipPair
from model.clip.towers import GRID_CHANNELS
from training.corpus import Captioned, read_photos
from training.photos import Augment, PhotoSet, photos_in_order
from training.pretrained import load_start


def weights_sha256(pair: ClipPair) -> str:
    """Digest of a pair's weights, the same whichever file they came from."""
    digest = hashlib.sha256()
    for name, tensor in pair.state_dict().items():
        digest.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def view_key(photo: Captioned, view: int) -> str:
    """What a view of a photo is kept under; view 0 is the photo as it is."""
    return f"{photo.key}#{view}" if view else photo.key


def load_features(store: EmbeddingStore, photos: list[Captioned], view: int = 0) -> ImageFeatures:
    """Embeddings (N, D) and grid (N, T, C) float16 or None of the photos, in their order. Raises EmbeddingsError."""
    rows = store.rows([view_key(photo, view) for photo in photos])
    return ImageFeatures(
        torch.from_numpy(store.vectors[rows]), None if store.grid is None else torch.from_numpy(store.grid[rows])
    )


def open_embeddings(folder: Path, pair: ClipPair, *splits: list[Captioned]) -> list[ImageFeatures]:
    """The embeddings of each split's photos, refused with click.ClickException unless that very pair made them."""
    return [views[0] for views in open_views(folder, pair, *splits, most=1)]


def open_views(
    folder: Path, pair: ClipPair, *splits: list[Captioned], most: int | None = None
) -> list[list[ImageFeatures]]:
    """As `open_embeddings`, for each split all views that there are of its photos, or the first `most`."""
    try:
        store = EmbeddingStore.open(folder, expect={"checkpoint_sha256": weights_sha256(pair)})
        known = set(store.ids)
        counts = [
            next(v for v in count(1) if v == most or not photos or view_key(photos[0], v) not in known)
            for photos in splits
        ]
        return [[load_features(store, own, view) for view in range(views)] for own, views in zip(splits, counts)]
    except EmbeddingsError as error:
        raise click.ClickException(str(error)) from None


@click.command()
@click.option("--data", "folders", type=click.Path(path_type=Path, exists=True), multiple=True, required=True)
@click.option(
    "--pair",
    "source",
    required=True,
    help="Folder of `training.contrastive`, a checkpoint, or a CLIP of `model.hub`, by name.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the embeddings.")
@click.option(
    "--split",
    "splits",
    type=click.Choice(["train", "dev", "test"]),
    multiple=True,
    default=["train", "dev"],
    show_default=True,
)
@click.option(
    "--views",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Of a training photo; all but the first are crops in another light, for `training.train` to take turns with.",
)
@click.option("--batch-size", type=int, default=32, show_default=True)
@click.option("--workers", type=int, default=1, show_default=True, help="Processes that read photos.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--skip-bad", is_flag=True, help="Leave out and count what cannot be read.")
def main(folders, source, out, splits, views, batch_size, workers, device, skip_bad) -> None:
    """Embed the photos of the --data folders; a run that was stopped goes on where it was."""
    splits = read_photos(folders, skip_bad=skip_bad)
    chosen = [(0, photo) for split in splits for photo in splits[split]]
    if "train" in splits:
        chosen += [(view, photo) for view in range(1, views) for photo in splits["train"]]
    pair = load_start(source).pair
    pair.to(device, memory_format=torch.channels_last).eval()
    made_by = {
        "model": f"{Path(source).name}, {pair.preprocess.size} px",
        "checkpoint_sha256": weights_sha256(pair),
        "normalised": False,
        "dataset": ", ".join(folder.name for folder in folders),
    }
    grid = (pair.config.grid_side**2, GRID_CHANNELS) if pair.config.grid_side else None
    try:
        with (
            EmbeddingStore.create(out, pair.config.embedding_dim, made_by, grid=grid) as writer,
            torch.inference_mode(),
        ):
            todo = [(view, photo) for view, photo in chosen if view_key(photo, view) not in writer]
            with tqdm(total=len(chosen), initial=len(chosen) - len(todo), unit="photo", desc="prepare") as bar:
                for view in range(views):
                    own = [photo for its_view, photo in todo if its_view == view]
                    augment = Augment() if view else None
                    shown = PhotoSet([photo.example for photo in own], pair.preprocess, augment, seed=0)
                    for indices, pixels in photos_in_order(shown, batch_size, workers, epoch=view):
                        features = pair.encode_image(pair.preprocess.normalize(pixels.to(device)))
                        cells = None if features.grid is None else features.grid.cpu().numpy()
                        writer.append(
                            [view_key(own[i], view) for i in indices], features.embedding.cpu().numpy(), cells
                        )
                        bar.update(len(indices))
    except EmbeddingsError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Embedded {len(todo)} photos into {out}, {len(chosen) - len(todo)} were there already.")


if __name__ == "__main__":
    main()
