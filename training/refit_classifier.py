"""`python -m training.refit_classifier`: fit the classifier of a tuned tower anew to what the untouched one said.

Tuning moves the features away from the classifier that ImageNet came with. The untouched network's class logits of all
photos are kept beside their features, and a linear layer learns them from the tuned features in a minute.
"""

import click
import numpy as np
import torch
from torch import Tensor, nn

from model import checkpoint
from training.corpus import read_photos
from training.efficientnet import require_efficientnet
from training.features import LOWER, View, as_map, finished_views, open_view
from training.joint import forgetting_loss
from training.loop import autocast, learning_rate_at
from training.options import COUNT, EXISTING, FOLDER, Number, TrainingCommand, data_options, device_option


@torch.inference_mode()
def features_of(tower: nn.Module, view: View, count: int, device: str, batch_size: int = 64) -> tuple[Tensor, Tensor]:
    """Means of the tuned features (N, 1280) and the untouched logits (N, 1000) of a view's photos."""
    means, logits = [], []
    for rows in np.array_split(np.arange(count), -(-count // batch_size)):
        with autocast(device, "auto"):
            features = tower.backbone.upper(as_map(view.cells(rows).to(device)))
        means.append(features.float().mean((2, 3)))
        logits.append(view.vectors(rows).to(device))
    return torch.cat(means), torch.cat(logits)


def agreement(classifier: nn.Linear, means: Tensor, logits: Tensor) -> float:
    """How often, in per cent, the top class is the untouched one's."""
    with torch.inference_mode():
        return 100 * float((classifier(means).argmax(1) == logits.argmax(1)).float().mean())


def fit_classifier(
    classifier: nn.Linear, means: Tensor, logits: Tensor, epochs: int, rate: float, batch_size: int = 256
) -> None:
    """Adam on the divergence from the untouched probabilities, in place."""
    optimizer = torch.optim.Adam(classifier.parameters(), lr=rate)
    steps = -(-len(means) // batch_size)
    for epoch in range(epochs):
        order = torch.as_tensor(np.random.default_rng(epoch).permutation(len(means)), device=means.device)
        for step, rows in enumerate(order.split(batch_size)):
            for group in optimizer.param_groups:
                group["lr"] = rate * learning_rate_at(epoch * steps + step, epochs * steps, 20)
            optimizer.zero_grad()
            forgetting_loss(classifier(means[rows].clone()), logits[rows]).backward()
            optimizer.step()


@click.command(cls=TrainingCommand)
@data_options
@click.option("--features", "kept", type=EXISTING, required=True, help="Folder of `training.features`.")
@click.option("--start", type=EXISTING, required=True, help="Checkpoint.")
@click.option("--views", type=COUNT, default=1, show_default=True, help="Views of a photo that are learnt from.")
@click.option("--epochs", type=COUNT, default=8, show_default=True)
@click.option("--learning-rate", type=Number(min=0, min_open=True), default=1e-3, show_default=True)
@device_option
@click.option("--out", type=FOLDER, required=True, help="Folder for the checkpoint.")
def main(folders, skip_bad, kept, start, views, epochs, learning_rate, device, out) -> None:
    """Write the checkpoint --start to --out with a classifier that agrees with the untouched tower's again."""
    loaded = checkpoint.load(start, device)
    require_efficientnet(loaded.pair, start)
    splits = read_photos(folders, skip_bad=skip_bad)
    tower = loaded.pair.image_tower
    classifier = tower.backbone.classifier
    parts = [
        features_of(tower, open_view(kept, view, LOWER, splits["train"]), len(splits["train"]), device)
        for view in finished_views(kept, LOWER)[:views]
    ]
    means, logits = (torch.cat(part) for part in zip(*parts))
    dev = splits["dev"]
    dev_means, dev_logits = features_of(tower, open_view(kept, 0, LOWER, dev), len(dev), device)
    before = agreement(classifier, dev_means, dev_logits)
    fit_classifier(classifier, means, logits, epochs, learning_rate)
    after = agreement(classifier, dev_means, dev_logits)
    checkpoint.save(out, loaded.name, loaded.pair, loaded.captioner, torch.float32, loaded.calibration)
    click.echo(f"Top class as the untouched tower's on {len(dev)} dev photos: {before:.1f} %, now {after:.1f} %")


if __name__ == "__main__":
    main()
