"""`python -m training.embed_kept`: the embeddings of a trained pair from features kept at stride 16.

What `training.prepare` computes from the photos, four times as fast; `training.train` and `training.selfcritical` take
it. Numbers differ from those by the half precision in which the features were kept.
"""

import click
import numpy as np
import torch
from tqdm import tqdm

from data.embeddings import EmbeddingStore
from model import checkpoint
from training.corpus import read_photos
from training.efficientnet import require_efficientnet
from training.features import LOWER, finished_views, open_view
from training.joint import JointModel
from training.loop import autocast
from training.options import COUNT, EXISTING, FOLDER, TrainingCommand, data_options, device_option
from training.prepare import view_key


@click.command(cls=TrainingCommand)
@data_options
@click.option("--features", "kept", type=EXISTING, required=True, help="Folder of `training.features`.")
@click.option("--pair", "source", type=EXISTING, required=True, help="Checkpoint.")
@click.option("--out", type=FOLDER, required=True, help="Folder for the embeddings.")
@click.option("--batch-size", type=COUNT, default=64, show_default=True)
@device_option
def main(folders, skip_bad, kept, source, out, batch_size, device) -> None:
    """Embed all views of the training photos and the dev photos; a run that was stopped goes on where it was."""
    torch.set_flush_denormal(True)
    splits = read_photos(folders, skip_bad=skip_bad)
    loaded = checkpoint.load(source)
    require_efficientnet(loaded.pair, source)
    joint = JointModel(loaded.pair, loaded.captioner.clipcap, tuned=True).to(device).eval()
    joint.pair.image_tower.to(memory_format=torch.channels_last)
    made_by = {
        "model": f"{source.name}, kept features",
        "checkpoint_sha256": loaded.pair.space.id,
        "normalised": False,
        "dataset": ", ".join(folder.name for folder in folders),
    }
    config = loaded.pair.config
    grid = (config.grid_side**2, config.grid_channels)
    with EmbeddingStore.create(out, config.embedding_dim, made_by, grid=grid) as writer, torch.inference_mode():
        for number in finished_views(kept, LOWER):
            photos = splits["train"] if number else splits["train"] + splits["dev"]
            todo = [photo for photo in photos if view_key(photo, number) not in writer]
            view = open_view(kept, number, LOWER, todo)
            for begin in tqdm(range(0, len(todo), batch_size), desc=f"view {number}", mininterval=10):
                rows = np.arange(begin, min(begin + batch_size, len(todo)))
                with autocast(device, "auto"):
                    features, _ = joint.encode_kept(view.vectors(rows).to(device), view.cells(rows).to(device))
                keys = [view_key(todo[row], number) for row in rows]
                writer.append(keys, features.embedding.cpu().numpy(), features.grid.float().cpu().numpy())
    click.echo(f"Embedded {len(splits['train'])} training and {len(splits['dev'])} dev photos into {out}")


if __name__ == "__main__":
    main()
