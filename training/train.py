"""`python -m training.train`: train a mapping network, with GPT-2 frozen or tuned, on prepared embeddings."""

from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor, nn

from model import checkpoint
from model.caption.captioner import Captioner
from model.caption.decoding import DecodingOptions
from model.clip.seen import Seen
from model.clip.towers import GRID_CHANNELS
from training.captioning import caption_loss, dev_cider, drawn, encode_photos, new_clipcap, spread
from training.contrastive import load_weights
from training.corpus import read_photos
from training.loop import LoopOptions, fit, loop_options, seed_everything
from training.prepare import open_embeddings

DEV_PHOTOS = 400
GRID_DROPOUT = 0.1


@click.command()
@click.option("--data", "folders", type=click.Path(path_type=Path, exists=True), multiple=True, required=True)
@click.option(
    "--pair",
    "pair_folder",
    type=click.Path(path_type=Path, exists=True),
    required=True,
    help="Folder of `training.contrastive`.",
)
@click.option(
    "--embeddings", type=click.Path(path_type=Path, exists=True), required=True, help="Folder of `training.prepare`."
)
@click.option(
    "--language",
    type=click.Path(path_type=Path, exists=True),
    help="Folder of `training.language`; without it the captioner in --pair is trained on.",
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
@click.option("--name", default="sightline", show_default=True, help="Name of the captioner.")
@click.option("--skip-bad", is_flag=True, help="Leave out and count what cannot be read.")
@loop_options(epochs=4, batch_size=64, learning_rate=5e-4)
def main(
    loop: LoopOptions, folders, pair_folder, embeddings, language, mapper, prefix_length, clip_length, mapper_layers,
    mapper_heads, grid, freeze_language, captions, name, skip_bad,
) -> None:  # fmt: skip
    """Train a mapping network between a CLIP pair and a GPT-2; OUT becomes a checkpoint that describes photos."""
    seed_everything(loop.seed)
    sides = read_photos(folders, skip_bad=skip_bad)
    photos, dev = sides["train"], spread(sides["dev"], DEV_PHOTOS)
    pair, clipcap, _ = load_weights(pair_folder)
    if language is not None:
        shape = {
            "embedding_dim": pair.config.embedding_dim,
            "prefix_length": prefix_length,
            "mapper": mapper,
            "grid_cells": pair.config.grid_side**2 if grid else 0,
            "grid_channels": GRID_CHANNELS if grid else 0,
        }
        if mapper == "transformer":
            shape |= {"clip_length": clip_length, "mapper_layers": mapper_layers, "mapper_heads": mapper_heads}
        clipcap = new_clipcap(language, **shape)
    elif clipcap is None:
        raise click.UsageError(f"there is no captioner in {pair_folder}; give --language")
    clipcap.gpt.requires_grad_(not freeze_language)
    seen, dev_seen = open_embeddings(embeddings, pair, photos, dev)
    encoded = encode_photos(photos, pair.tokenizer)

    def batches(epoch: int, start: int) -> Iterator[np.ndarray]:
        order = np.random.default_rng((loop.seed, epoch)).permutation(len(photos))
        for first in range(start * loop.batch_size, len(order) - loop.batch_size + 1, loop.batch_size):
            yield epoch, order[first : first + loop.batch_size]

    def loss_of(batch: tuple[int, np.ndarray]) -> dict[str, Tensor]:
        epoch, indices = batch
        rows = [drawn(encoded[i], captions, (loop.seed, epoch, i)) for i in indices]
        cells = None
        if clipcap.grid_mapper is not None:
            cells = seen.grid[indices].float().to(loop.device)
            cells = cells * (torch.rand(cells.shape[:2], device=cells.device) > GRID_DROPOUT)[..., None]
        part = Seen(seen.embedding[indices].to(loop.device), cells)
        return {"loss": caption_loss(clipcap, part, rows, pair.tokenizer.pad_id)}

    def validate(average: nn.Module) -> dict[str, float]:
        return dev_cider(Captioner(average, pair.tokenizer, DecodingOptions()), dev_seen, dev)

    groups = [
        {
            "params": [p for n, p in clipcap.named_parameters() if p.requires_grad and n.startswith("gpt.")],
            "scale": 0.5,
        },
        {"params": [p for n, p in clipcap.named_parameters() if not n.startswith("gpt.")]},
    ]
    groups = [group for group in groups if group["params"]]
    trained = fit(
        clipcap, groups, batches, len(photos) // loop.batch_size, loss_of, loop, validate=validate if dev else None
    )
    checkpoint.save(loop.out, name, pair, Captioner(trained, pair.tokenizer, DecodingOptions()), dtype=torch.float32)
    click.echo(f"Saved the checkpoint {loop.out}")


if __name__ == "__main__":
    main()
