"""`python -m training.train`: train a mapping network, with GPT-2 frozen or tuned, on prepared embeddings.

As ClipCap does (arXiv 2111.09734), and with dev photos that decide when to stop. `accelerate launch -m training.train`
shares every batch among several GPUs; the loss is that of one process.
"""

from collections.abc import Iterator
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor

from model import checkpoint
from model.caption.clipcap import ClipCap
from model.caption.decoding import DecodingOptions
from model.caption.feature_captioner import FeatureCaptioner
from model.caption.mapping import MAPPERS
from model.caption.tokenizer import CaptionTokenizer
from model.clip.features import ImageFeatures
from model.clip.pair import ClipPair
from training.captioning import (
    dev_cider,
    encode_photos,
    report_measured,
    row_losses,
    sample_captions,
    sample_evenly,
    supported_captions,
)
from training.corpus import Tokenizer, read_photos
from training.loop import Trainer, seed_everything
from training.loop_options import LoopOptions, loop_options
from training.options import AT_LEAST_0, COUNT, EXISTING, Number, TrainingCommand, data_options
from training.prepare import open_views
from training.pretrained import load_language, load_start, new_clipcap, report_lost_calibration, same_tokenizer

DEV_PHOTOS = 400
SMOOTHING = 0.1  # of the labels, arXiv 1512.00567


def new_captioner(
    pair: ClipPair, language: str, grid: bool, freeze_language: bool, dropout: float, shape: dict
) -> tuple[ClipCap, Tokenizer]:
    """An untrained mapping network of `shape` (fields of ClipCapConfig) around the GPT-2 of `language`. Raises
    click.ClickException."""
    trained_language = load_language(language)
    if pair.config.tokenizer == CaptionTokenizer.kind and not same_tokenizer(
        trained_language.tokenizer, pair.tokenizer
    ):
        raise click.UsageError(
            f"{language} has another tokenizer than the pair, and a checkpoint with this pair keeps only one; give the "
            "--language that the pair was trained with, or a public CLIP as --pair"
        )
    grid = grid and bool(pair.config.grid_side)
    shape = shape | {
        "embedding_dim": pair.config.embedding_dim,
        "grid_cells": pair.config.grid_side**2 if grid else 0,
        "grid_channels": pair.config.grid_channels if grid else 0,
        "dropout": 0.0 if freeze_language else dropout,
    }
    return new_clipcap(trained_language, **shape), trained_language.tokenizer


@click.command(cls=TrainingCommand)
@data_options
@click.option(
    "--pair",
    "source",
    required=True,
    help="Folder of `sightline train contrastive`, a checkpoint, or a CLIP of `sightline models list`, by name.",
)
@click.option("--embeddings", type=EXISTING, required=True, help="Folder of `sightline train prepare`.")
@click.option(
    "--language",
    help="Folder of `sightline train language`, or `gpt2`; without it the captioner in --pair is trained further.",
)
@click.option("--mapper", type=click.Choice(list(MAPPERS)), default="mlp", show_default=True)
@click.option("--prefix-length", type=COUNT, default=4, show_default=True, help="Prefix tokens from the embedding.")
@click.option(
    "--clip-length", type=COUNT, default=10, show_default=True, help="Tokens made of the embedding (transformer)."
)
@click.option("--mapper-layers", type=COUNT, default=8, show_default=True, help="Layers (transformer).")
@click.option("--mapper-heads", type=COUNT, default=8, show_default=True, help="Heads (transformer).")
@click.option("--grid/--no-grid", default=True, help="Give the captioner the grid of features beside the embedding.")
@click.option("--freeze-language", is_flag=True, help="Do not train GPT-2.")
@click.option(
    "--captions", type=COUNT, default=6, show_default=True, help="Captions a photo and step, if it has that many."
)
@click.option(
    "--dropout",
    type=Number(min=0, max=1, max_open=True),
    default=0.1,
    show_default=True,
    help="Of GPT-2, unless frozen, and of the grid's cells.",
)
@click.option("--accumulate", type=COUNT, default=1, show_default=True, help="Pieces that a batch is computed in.")
@click.option(
    "--patience",
    type=AT_LEAST_0,
    default=0,
    show_default=True,
    help="Stop after so many epochs without a better dev CIDEr-D; 0: never.",
)
@click.option("--name", help="Name of the captioner; by default that of the folder --out.")
@loop_options(epochs=4, batch_size=64, learning_rate=5e-4)
def main(
    loop: LoopOptions, folders, skip_bad, source, embeddings, language, mapper, prefix_length, clip_length,
    mapper_layers, mapper_heads, grid, freeze_language, captions, dropout, accumulate, patience, name,
) -> None:  # fmt: skip
    """Train a mapping network between a CLIP pair and a GPT-2; OUT becomes a checkpoint that describes photos."""
    seed_everything(loop.seed)
    here, processes = loop.accelerator.process_index, loop.accelerator.num_processes
    if loop.batch_size < accumulate * processes:
        raise click.UsageError(f"a batch of {loop.batch_size} has too few photos for {accumulate * processes} pieces")
    splits = read_photos(folders, skip_bad=skip_bad)
    start = load_start(source)
    pair = start.pair
    if language is not None:
        shape = {"prefix_length": prefix_length, "mapper": mapper}
        if mapper == "transformer":
            shape |= {"clip_length": clip_length, "mapper_layers": mapper_layers, "mapper_heads": mapper_heads}
        clipcap, tokenizer = new_captioner(pair, language, grid, freeze_language, dropout, shape)
    elif start.clipcap is None or start.tokenizer is None:
        raise click.UsageError(f"there is no captioner in {source}; give --language")
    else:
        clipcap, tokenizer = start.clipcap, start.tokenizer
    clipcap.gpt.requires_grad_(not freeze_language)
    photos = supported_captions(splits["train"], tokenizer)
    dev = sample_evenly(supported_captions(splits["dev"], tokenizer), DEV_PHOTOS)
    if len(photos) < loop.batch_size:
        raise click.ClickException(
            f"only {len(photos)} training photos have a caption in {' or '.join(tokenizer.languages)}, and a batch has "
            f"{loop.batch_size}; give more photos or a smaller --batch-size"
        )
    if loop.accelerator.is_main_process:
        report_lost_calibration(source, start.calibration if language is None else None)
        report_measured(dev, patience)
    views, (dev_features, *_) = open_views(embeddings, pair, photos, dev)
    encoded = encode_photos(photos, tokenizer)

    def batches(epoch: int, start: int) -> Iterator[tuple[int, np.ndarray]]:
        order = np.random.default_rng((loop.seed, epoch)).permutation(len(photos))
        for first in range(start * loop.batch_size, len(order) - loop.batch_size + 1, loop.batch_size):
            yield epoch, order[first : first + loop.batch_size]

    def split_batch(batch: tuple[int, np.ndarray]) -> list[tuple[ImageFeatures, list, int]]:
        """Of this process: photos, their sentences, and how many tokens the whole batch has."""
        epoch, indices = batch
        rows = [sample_captions(encoded[i], captions, (loop.seed, epoch, i)) for i in indices]
        tokens = sum(len(row) - tokenizer.prompt_length for own in rows for row in own)
        places = np.array_split(np.arange(len(indices)), accumulate * processes)[here::processes]
        features = views[epoch % len(views)]
        return [
            (features.select(indices[piece].tolist(), loop.device), [rows[place] for place in piece], tokens)
            for piece in places
        ]

    def loss_of(piece: tuple[ImageFeatures, list, int]) -> dict[str, Tensor]:
        features, rows, tokens = piece
        if features.grid is not None:
            kept = torch.rand(features.grid.shape[:2], device=features.grid.device) >= dropout
            features = features._replace(grid=features.grid * kept[..., None])
        losses, _ = row_losses(clipcap, features, rows, tokenizer, SMOOTHING)
        return {"loss": losses.sum() / tokens * processes}

    def validate(average: ClipCap) -> dict[str, float]:
        scores = dev_cider(FeatureCaptioner(average, tokenizer, DecodingOptions()), dev_features, dev)
        return scores | ({"dev_cider": float(np.mean(list(scores.values())))} if scores else {})

    language_weights = [p for n, p in clipcap.named_parameters() if p.requires_grad and n.startswith("gpt.")]
    mapper_weights = [p for n, p in clipcap.named_parameters() if not n.startswith("gpt.")]
    groups: list[dict[str, Any]] = [{"params": language_weights, "scale": 0.5}, {"params": mapper_weights}]
    trained = Trainer(
        clipcap,
        [group for group in groups if group["params"]],
        batches,
        len(photos) // loop.batch_size,
        loss_of,
        loop,
        validate=validate if dev else None,
        best_by="dev_cider",
        patience=patience,
        split_batch=split_batch,
    ).fit()
    if loop.accelerator.is_main_process:
        captioner = FeatureCaptioner(trained, tokenizer, DecodingOptions())
        checkpoint.save(loop.out, name or loop.out.name, pair, captioner, dtype=torch.float32)
        click.echo(f"Saved the checkpoint {loop.out}")


if __name__ == "__main__":
    main()
