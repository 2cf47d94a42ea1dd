"""`python -m training.train`: train a mapping network, with GPT-2 frozen or tuned, on prepared embeddings.

As ClipCap does (arXiv 2111.09734), and with dev photos that decide when to stop. `accelerate launch -m training.train`
shares every batch among several GPUs; the loss is that of one process.
"""

from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor, nn

from model import checkpoint
from model.caption.decoding import DecodingOptions
from model.caption.feature_captioner import FeatureCaptioner
from model.clip.features import ImageFeatures
from model.clip.towers import GRID_CHANNELS
from training.captioning import dev_cider, encode_photos, row_losses, sample_captions, sample_evenly, supported_captions
from training.corpus import read_photos
from training.loop import LoopOptions, fit, loop_options, seed_everything
from training.prepare import open_views
from training.pretrained import load_language, load_start, new_clipcap

DEV_PHOTOS = 400
SMOOTHING = 0.1  # of the labels, arXiv 1512.00567


@click.command()
@click.option("--data", "folders", type=click.Path(path_type=Path, exists=True), multiple=True, required=True)
@click.option(
    "--pair",
    "source",
    required=True,
    help="Folder of `training.contrastive`, a checkpoint, or a CLIP of `model.hub`, by name.",
)
@click.option(
    "--embeddings", type=click.Path(path_type=Path, exists=True), required=True, help="Folder of `training.prepare`."
)
@click.option(
    "--language",
    help="Folder of `training.language`, or `gpt2` of `model.hub`; without it the captioner in --pair is trained on.",
)
@click.option("--mapper", type=click.Choice(["mlp", "transformer"]), default="mlp", show_default=True)
@click.option("--prefix-length", type=int, default=4, show_default=True, help="Prefix tokens from the embedding.")
@click.option(
    "--clip-length", type=int, default=10, show_default=True, help="Tokens made of the embedding (transformer)."
)
@click.option("--mapper-layers", type=int, default=8, show_default=True, help="Layers (transformer).")
@click.option("--mapper-heads", type=int, default=8, show_default=True, help="Heads (transformer).")
@click.option("--grid/--no-grid", default=True, help="Give the captioner the grid of features beside the embedding.")
@click.option("--freeze-language", is_flag=True, help="Leave GPT-2 as it is.")
@click.option(
    "--captions", type=int, default=6, show_default=True, help="Captions a photo and step, as far as it has them."
)
@click.option(
    "--dropout", type=float, default=0.1, show_default=True, help="Of GPT-2, unless frozen, and of the grid's cells."
)
@click.option(
    "--accumulate", type=click.IntRange(min=1), default=1, show_default=True, help="Parts that a batch is computed in."
)
@click.option(
    "--patience", type=int, default=0, show_default=True, help="Stop after so many epochs without a better dev CIDEr-D."
)
@click.option("--name", default="sightline", show_default=True, help="Name of the captioner.")
@click.option("--skip-bad", is_flag=True, help="Leave out and count what cannot be read.")
@loop_options(epochs=4, batch_size=64, learning_rate=5e-4)
def main(
    loop: LoopOptions, folders, source, embeddings, language, mapper, prefix_length, clip_length, mapper_layers,
    mapper_heads, grid, freeze_language, captions, dropout, accumulate, patience, name, skip_bad,
) -> None:  # fmt: skip
    """Train a mapping network between a CLIP pair and a GPT-2; OUT becomes a checkpoint that describes photos."""
    seed_everything(loop.seed)
    splits = read_photos(folders, skip_bad=skip_bad)
    start = load_start(source)
    pair, clipcap, tokenizer = start.pair, start.clipcap, start.tokenizer
    if language is not None:
        spoken = load_language(language)
        grid = grid and bool(pair.config.grid_side)
        shape = {
            "embedding_dim": pair.config.embedding_dim,
            "prefix_length": prefix_length,
            "mapper": mapper,
            "grid_cells": pair.config.grid_side**2 if grid else 0,
            "grid_channels": GRID_CHANNELS if grid else 0,
            "dropout": 0.0 if freeze_language else dropout,
        }
        if mapper == "transformer":
            shape |= {"clip_length": clip_length, "mapper_layers": mapper_layers, "mapper_heads": mapper_heads}
        clipcap, tokenizer = new_clipcap(spoken, **shape), spoken.tokenizer
    elif clipcap is None:
        raise click.UsageError(f"there is no captioner in {source}; give --language")
    clipcap.gpt.requires_grad_(not freeze_language)
    photos, dev = (
        supported_captions(splits["train"], tokenizer),
        sample_evenly(supported_captions(splits["dev"], tokenizer), DEV_PHOTOS),
    )
    if len(photos) < loop.batch_size:
        raise click.ClickException(
            f"only {len(photos)} training photos have a caption in {' or '.join(tokenizer.languages)}, and a batch has "
            f"{loop.batch_size}; give more photos or a smaller --batch-size"
        )
    views, (dev_features, *_) = open_views(embeddings, pair, photos, dev)
    encoded = encode_photos(photos, tokenizer)
    here, processes = loop.accelerator.process_index, loop.accelerator.num_processes
    if loop.batch_size < accumulate * processes:
        raise click.UsageError(f"a batch of {loop.batch_size} has too few photos for {accumulate * processes} parts")

    def batches(epoch: int, start: int) -> Iterator[tuple[int, np.ndarray]]:
        order = np.random.default_rng((loop.seed, epoch)).permutation(len(photos))
        for first in range(start * loop.batch_size, len(order) - loop.batch_size + 1, loop.batch_size):
            yield epoch, order[first : first + loop.batch_size]

    def parts_of(batch: tuple[int, np.ndarray]) -> list[tuple[ImageFeatures, list, int]]:
        """Of this process: photos, their sentences, and how many tokens the whole batch has."""
        epoch, indices = batch
        rows = [sample_captions(encoded[i], captions, (loop.seed, epoch, i)) for i in indices]
        tokens = sum(len(row) - tokenizer.prompt_length for own in rows for row in own)
        places = np.array_split(np.arange(len(indices)), accumulate * processes)[here::processes]
        features = views[epoch % len(views)]
        return [
            (features.select(indices[part], loop.device), [rows[place] for place in part], tokens) for part in places
        ]

    def loss_of(part: tuple[ImageFeatures, list, int]) -> dict[str, Tensor]:
        features, rows, tokens = part
        if features.grid is not None:
            kept = torch.rand(features.grid.shape[:2], device=features.grid.device) >= dropout
            features = features._replace(grid=features.grid * kept[..., None])
        losses, _ = row_losses(clipcap, features, rows, tokenizer, SMOOTHING)
        return {"loss": losses.sum() / tokens * processes}

    def validate(average: nn.Module) -> dict[str, float]:
        scores = dev_cider(FeatureCaptioner(average, tokenizer, DecodingOptions()), dev_features, dev)
        return scores | ({"dev_cider": float(np.mean(list(scores.values())))} if scores else {})

    groups = [
        {
            "params": [p for n, p in clipcap.named_parameters() if p.requires_grad and n.startswith("gpt.")],
            "scale": 0.5,
        },
        {"params": [p for n, p in clipcap.named_parameters() if not n.startswith("gpt.")]},
    ]
    groups = [group for group in groups if group["params"]]
    trained = fit(
        clipcap,
        groups,
        batches,
        len(photos) // loop.batch_size,
        loss_of,
        loop,
        validate=validate if dev else None,
        best_by="dev_cider",
        patience=patience,
        parts_of=parts_of,
    )
    if loop.accelerator.is_main_process:
        checkpoint.save(
            loop.out, name, pair, FeatureCaptioner(trained, tokenizer, DecodingOptions()), dtype=torch.float32
        )
        click.echo(f"Saved the checkpoint {loop.out}")


if __name__ == "__main__":
    main()
