"""`python -m training.selfcritical`: tune a captioner on CIDEr-D itself, by self-critical sequence training.

The reward of a sampled caption counts against the mean of the photo's other samples (arXiv 1612.00563; the mean as in
arXiv 2003.09971).
"""

from collections.abc import Iterator, Sequence
from itertools import product

import click
import numpy as np
import torch
from torch import Tensor

from model import checkpoint
from model.caption.clipcap import ClipCap
from model.caption.decoding import DecodingOptions, decode
from model.caption.feature_captioner import FeatureCaptioner
from model.safety_claims import is_unsafe
from training.captioning import (
    caption_loss,
    dev_cider,
    encode_photos,
    report_measured,
    row_losses,
    sample_captions,
    sample_evenly,
    supported_captions,
)
from training.corpus import Captioned, Tokenizer, read_photos
from training.loop import Trainer, seed_everything
from training.loop_options import LoopOptions, loop_options
from training.metrics import CiderD
from training.options import COUNT, EXISTING, WEIGHT, TrainingCommand, data_options
from training.prepare import open_embeddings
from training.pretrained import report_lost_calibration

DEV_PHOTOS = 400
MAX_SAMPLED, MAX_SAMPLED_LONG = 30, 44  # tokens of a sampled caption


class Task:
    """The photos that have references in one language and style, and the reward against them."""

    def __init__(self, photos: Sequence[Captioned], members: list[int], language: str, style: str):
        self.language, self.style, self.members = language, style, members
        references = [
            [s.text for s in photos[i].sentences if (s.language, s.style) == (language, style)] for i in members
        ]
        self.cider = CiderD(references)

    def rewards(self, texts: list[str], places: list[int]) -> np.ndarray:
        """CIDEr-D of each text for the photo at that place of `members`; an unsafe guide earns nothing."""
        scores = self.cider.scores(texts, places)
        if self.style == "guide":
            scores[[is_unsafe(text, self.language) for text in texts]] = 0
        return scores


def parse_tasks(names: Sequence[str], tokenizer: Tokenizer) -> list[tuple[str, str]]:
    """("en", "caption") for "en/caption" of each name, by default all that the tokenizer has. Raises click.UsageError
    for one that it does not have."""
    known = list(product(tokenizer.languages, tokenizer.styles))
    pairs = []
    for name in names:
        language, _, style = name.partition("/")
        if (language, style) not in known:
            raise click.UsageError(
                f"--task {name} is not what this captioner can be asked for; use one of "
                + ", ".join("/".join(pair) for pair in known)
            )
        pairs.append((language, style))
    return list(dict.fromkeys(pairs)) or known


def make_tasks(photos: Sequence[Captioned], pairs: Sequence[tuple[str, str]]) -> list[Task]:
    """A task for each (language, style) that has photos. Raises click.UsageError if none has."""
    tasks = []
    for language, style in pairs:
        members = [
            i for i, p in enumerate(photos) if any((s.language, s.style) == (language, style) for s in p.sentences)
        ]
        if members:
            tasks.append(Task(photos, members, language, style))
    if not tasks:
        wanted = " or ".join("/".join(pair) for pair in pairs)
        raise click.UsageError(f"no training photo has a caption for {wanted}; give other photos or another --task")
    return tasks


@click.command(cls=TrainingCommand)
@data_options
@click.option("--start", type=EXISTING, required=True, help="Checkpoint of `sightline train captioner`.")
@click.option("--embeddings", type=EXISTING, required=True, help="Of `sightline train prepare`, with the same pair.")
@click.option(
    "--samples", type=click.IntRange(min=2), default=5, show_default=True, help="Captions sampled a photo and step."
)
@click.option(
    "--caption-weight",
    type=WEIGHT,
    default=0.1,
    show_default=True,
    help="Weight of the ordinary loss, which keeps sentences whole.",
)
@click.option("--steps", type=COUNT, default=400, show_default=True, help="Steps an epoch.")
@click.option(
    "--task",
    "names",
    multiple=True,
    metavar="LANGUAGE/STYLE",
    help="What is tuned, such as en/guide; repeat for several. By default all that the captioner can be asked for.",
)
@click.option("--name", help="Name of the captioner; by default that of the folder --out.")
@loop_options(epochs=1, batch_size=32, learning_rate=5e-5)
def main(loop: LoopOptions, folders, skip_bad, start, embeddings, samples, caption_weight, steps, names, name) -> None:
    """Tune the mapping network and GPT-2 of a checkpoint so that its captions score higher on CIDEr-D."""
    seed_everything(loop.seed)
    loaded = checkpoint.load(start, loop.device)
    pair, captioner = loaded.pair, loaded.captioner
    tokenizer, clipcap = captioner.tokenizer, captioner.clipcap
    pairs = parse_tasks(names, tokenizer)
    splits = read_photos(folders, skip_bad=skip_bad)
    photos = supported_captions(splits["train"], tokenizer)
    dev = sample_evenly(supported_captions(splits["dev"], tokenizer), DEV_PHOTOS)
    tasks = make_tasks(photos, pairs)
    report_lost_calibration(start, loaded.calibration)
    report_measured(dev)
    features, dev_features = open_embeddings(embeddings, pair, photos, dev)
    shares = np.array([len(task.members) for task in tasks], dtype=float)
    encoded = encode_photos(photos, tokenizer)
    longest = clipcap.config.positions - clipcap.config.prefix_total - tokenizer.prompt_length

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
        most = min(MAX_SAMPLED_LONG if task.style == "long" else MAX_SAMPLED, longest)
        sampling = DecodingOptions(beams=1, samples=samples, max_tokens=most)
        clipcap.eval()
        with torch.no_grad():
            prefix = clipcap.prefix(batch_features.embedding, batch_features.grid)
        sampled = decode(clipcap, prefix, prompt, tokenizer.end_id, sampling)
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

    def validate(average: ClipCap) -> dict[str, float]:
        return dev_cider(FeatureCaptioner(average, tokenizer, DecodingOptions()), dev_features, dev)

    groups = [{"params": list(clipcap.parameters())}]
    trained = Trainer(clipcap, groups, batches, steps, loss_of, loop, validate=validate if dev else None).fit()
    tuned = FeatureCaptioner(trained, tokenizer, captioner.options)
    checkpoint.save(loop.out, name or loop.out.name, pair, tuned, dtype=torch.float32)
    click.echo(f"Saved the checkpoint {loop.out}")


if __name__ == "__main__":
    main()
