"""`python -m training.selfcritical`: tune a captioner on CIDEr-D itself, by self-critical sequence training.

The reward of a sampled caption counts against the mean of the photo's other samples (arXiv 1612.00563; the mean as in
arXiv 2003.09971).
"""

from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor, nn

from model import checkpoint
from model.caption.decoding import DecodingOptions, decode
from model.caption.feature_captioner import FeatureCaptioner
from model.safety_claims import claims_safety
from training.captioning import caption_loss, dev_cider, encode_photos, row_losses, sample_captions, sample_evenly
from training.corpus import Captioned, read_photos
from training.loop import LoopOptions, fit, loop_options, seed_everything
from training.metrics import CiderD
from training.prepare import open_embeddings

DEV_PHOTOS = 400


class Task:
    """The photos that have references in one language and style, and the reward against them."""

    def __init__(self, photos: list[Captioned], members: list[int], language: str, style: str):
        self.language, self.style, self.members = language, style, members
        references = [
            [s.text for s in photos[i].sentences if (s.language, s.style) == (language, style)] for i in members
        ]
        self.cider = CiderD(references)

    def rewards(self, texts: list[str], places: list[int]) -> np.ndarray:
        """CIDEr-D of each text for the photo at that place of `members`; a guide with a promise earns nothing."""
        scores = self.cider.scores(texts, places)
        if self.style == "guide":
            scores[[claims_safety(text, self.language) for text in texts]] = 0
        return scores


def tasks_of(photos: list[Captioned], ways: tuple[str, ...]) -> list[Task]:
    """A task for each of `ways` that has photos. Raises click.UsageError if none has."""
    tasks = []
    for language, _, style in (way.partition("/") for way in ways):
        members = [
            i for i, p in enumerate(photos) if any((s.language, s.style) == (language, style) for s in p.sentences)
        ]
        if members:
            tasks.append(Task(photos, members, language, style))
    if not tasks:
        raise click.UsageError(f"no training photo has a caption for {' or '.join(ways)}; use language/style")
    return tasks


@click.command()
@click.option("--data", "folders", type=click.Path(path_type=Path, exists=True), multiple=True, required=True)
@click.option(
    "--start", type=click.Path(path_type=Path, exists=True), required=True, help="Checkpoint of `training.train`."
)
@click.option(
    "--embeddings",
    type=click.Path(path_type=Path, exists=True),
    required=True,
    help="Folder of `training.prepare`, of the same pair.",
)
@click.option(
    "--samples", type=click.IntRange(min=2), default=5, show_default=True, help="Captions drawn a photo and step."
)
@click.option(
    "--caption-weight",
    type=float,
    default=0.1,
    show_default=True,
    help="Weight of the ordinary loss, which keeps sentences whole.",
)
@click.option("--steps", type=int, default=400, show_default=True, help="Steps an epoch.")
@click.option(
    "--way",
    "ways",
    multiple=True,
    metavar="LANGUAGE/STYLE",
    default=["en/caption", "id/caption", "en/guide", "id/guide"],
    show_default=True,
    help="Way of telling that is tuned; give it once or several times.",
)
@click.option("--name", default="sightline", show_default=True, help="Name of the captioner.")
@click.option("--skip-bad", is_flag=True, help="Leave out and count what cannot be read.")
@loop_options(epochs=1, batch_size=32, learning_rate=5e-5)
def main(loop: LoopOptions, folders, start, embeddings, samples, caption_weight, steps, ways, name, skip_bad) -> None:
    """Tune the mapping network and GPT-2 of a checkpoint so that what they say scores higher on CIDEr-D."""
    seed_everything(loop.seed)
    splits = read_photos(folders, skip_bad=skip_bad)
    photos, dev = splits["train"], sample_evenly(splits["dev"], DEV_PHOTOS)
    try:
        loaded = checkpoint.load(start, loop.device)
    except checkpoint.CheckpointError as error:
        raise click.ClickException(str(error)) from None
    pair, captioner = loaded.pair, loaded.captioner
    features, dev_features = open_embeddings(embeddings, pair, photos, dev)
    tokenizer, clipcap = captioner.tokenizer, captioner.clipcap
    tasks = tasks_of(photos, ways)
    shares = np.array([len(task.members) for task in tasks], dtype=float)
    encoded = encode_photos(photos, tokenizer)
    drawing = DecodingOptions(beams=1, samples=samples, max_tokens=30)

    def batches(epoch: int, first: int) -> Iterator[tuple[int, Task, list[int]]]:
        for step in range(first, steps):
            rng = np.random.default_rng((loop.seed, epoch, step))
            task = tasks[rng.choice(len(tasks), p=shares / shares.sum())]
            places = rng.choice(len(task.members), min(loop.batch_size, len(task.members)), replace=False)
            yield epoch * steps + step, task, places.tolist()

    def loss_of(batch: tuple[int, Task, list[int]]) -> dict[str, Tensor]:
        step, task, places = batch
        indices = [task.members[place] for place in places]
        batch_features = features.select(indices, loop.device)
        prompt = tokenizer.prompt(task.language, task.style)
        clipcap.eval()
        with torch.no_grad():
            prefix = clipcap.prefix(batch_features.embedding, batch_features.grid)
        sampled = decode(clipcap, prefix, prompt, tokenizer.end_id, drawing)
        texts = [tokenizer.decode(h.token_ids) for own in sampled for h in own]
        # Gradients go through the model as it sampled: dropout stays off.
        rewards = task.rewards(texts, np.repeat(places, samples).tolist()).reshape(-1, samples)
        others = (rewards.sum(1, keepdims=True) - rewards) / (samples - 1)
        advantage = torch.tensor(rewards - others, dtype=torch.float32, device=loop.device).flatten()
        end = [tokenizer.end_id]
        rows = [
            [[*prompt, *h.token_ids, *(end if len(h.log_probs) > len(h.token_ids) else [])] for h in own]
            for own in sampled
        ]
        negative, counts = row_losses(clipcap, batch_features, rows, tokenizer)
        critical = (negative * advantage).sum() / counts.sum()
        clipcap.train()
        given = [sample_captions(encoded[i], 2, (loop.seed, step, i)) for i in indices]
        plain = caption_loss(clipcap, batch_features, given, tokenizer)
        return {
            "loss": critical + caption_weight * plain,
            "reward": torch.tensor(float(rewards.mean())),
            "caption": plain,
        }

    def validate(average: nn.Module) -> dict[str, float]:
        return dev_cider(FeatureCaptioner(average, tokenizer, DecodingOptions()), dev_features, dev)

    groups = [{"params": list(clipcap.parameters())}]
    trained = fit(clipcap, groups, batches, steps, loss_of, loop, validate=validate if dev else None)
    checkpoint.save(loop.out, name, pair, FeatureCaptioner(trained, tokenizer, captioner.options), dtype=torch.float32)
    click.echo(f"Saved the checkpoint {loop.out}")


if __name__ == "__main__":
    main()
