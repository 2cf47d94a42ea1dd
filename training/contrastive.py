"""`python -m training.contrastive`: train a CLIP pair, with the captioning loss if asked (CoCa, arXiv 2205.01917)."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor, nn

from model import checkpoint
from model.caption.captioner import Captioner
from model.caption.clipcap import ClipCap, ClipCapConfig
from model.caption.decoding import DecodingOptions
from model.caption.tokenizer import CaptionTokenizer
from model.clip.pair import ClipPair, PairConfig
from model.clip.preprocess import MOBILENET
from model.clip.seen import Seen
from model.clip.towers import GRID_CHANNELS, conv_layers
from training.backbone import load_backbone
from training.captioning import caption_loss, dev_cider, drawn, encode_photos, new_clipcap
from training.corpus import read_photos
from training.language import TOKENIZER
from training.loop import LoopOptions, fit, loop_options, seed_everything
from training.metrics import recall
from training.photos import Augment, PhotoSet, photo_batches, photos_in_order

WEIGHTS = "pair.pt"
DEV_PHOTOS = 500  # enough to see progress, few enough not to be felt


class Joint(nn.Module):
    """The pair and, where their losses are asked for, a captioner and a predictor of the captions' words."""

    def __init__(self, pair: ClipPair, captioner: ClipCap | None, words: nn.Linear | None):
        super().__init__()
        self.pair, self.captioner, self.words = pair, captioner, words


def contrastive_loss(photos: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
    """Symmetric InfoNCE (arXiv 2103.00020, figure 3). Embeddings (B, D) of length 1; row i belongs to row i."""
    logits = scale.exp().clamp(max=100) * photos @ texts.T  # (B, B)
    target = torch.arange(len(photos), device=photos.device)
    return (nn.functional.cross_entropy(logits, target) + nn.functional.cross_entropy(logits.T, target)) / 2


def word_targets(encoded: list[list[list[int]]], vocabulary: int) -> list[tuple[Tensor, Tensor]]:
    """For each photo the tokens of its captions and their weights, rare tokens heavier; weights sum to 1."""
    sets = [sorted({t for sentence in photo for t in sentence[2:-1]}) for photo in encoded]
    counts = np.bincount([t for tokens in sets for t in tokens], minlength=vocabulary)
    rarity = np.log(len(sets) / np.maximum(1, counts)).clip(0, 6)
    targets = []
    for tokens in sets:
        weights = rarity[tokens]
        targets.append((torch.tensor(tokens), torch.tensor(weights / max(weights.sum(), 1e-6), dtype=torch.float32)))
    return targets


def word_loss(logits: Tensor, targets: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Cross-entropy of a softmax over the vocabulary, (B, V), with each photo's weighted tokens (arXiv 1805.00932)."""
    log_p = logits.float().log_softmax(-1)
    each = [(row[tokens] * weights.to(row.device)).sum() for row, (tokens, weights) in zip(log_p, targets)]
    return -torch.stack(each).mean()


def save_weights(joint: Joint, folder: Path) -> None:
    state = {
        "pair_config": joint.pair.config.__dict__,
        "pair": joint.pair.state_dict(),
        "captioner_config": joint.captioner.config.__dict__ if joint.captioner else None,
        "captioner": joint.captioner.state_dict() if joint.captioner else None,
        "words": joint.words.state_dict() if joint.words else None,
    }
    torch.save(state, folder / WEIGHTS)
    joint.pair.tokenizer.save(folder / TOKENIZER)


def weights_file(folder: Path) -> Path:
    """The file with a folder's pair: of `training.contrastive`, or of a checkpoint such as `model/default`."""
    return folder / WEIGHTS if (folder / WEIGHTS).exists() else folder / checkpoint.WEIGHTS


def load_weights(folder: Path) -> tuple[ClipPair, ClipCap | None, dict]:
    """The pair, the captioner or None, and what else was kept, of a folder as `weights_file` knows it.

    Raises click.ClickException with one sentence where the folder cannot be used.
    """
    if weights_file(folder).name != WEIGHTS:
        try:
            loaded = checkpoint.load(folder)
        except checkpoint.CheckpointError as error:
            raise click.ClickException(str(error)) from None
        return loaded.pair, loaded.captioner.clipcap, {}
    state = torch.load(folder / WEIGHTS, weights_only=True)
    pair = ClipPair(PairConfig(**state["pair_config"]), CaptionTokenizer.load(folder / TOKENIZER))
    pair.load_state_dict(state["pair"])
    captioner = None
    if state["captioner"] is not None:
        captioner = ClipCap(ClipCapConfig(**state["captioner_config"]))
        captioner.load_state_dict(state["captioner"])
    return pair, captioner, state


@click.command()
@click.option("--data", "folders", type=click.Path(path_type=Path, exists=True), multiple=True, required=True)
@click.option(
    "--language",
    type=click.Path(path_type=Path, exists=True),
    required=True,
    help="Folder of `training.language`: tokenizer and GPT-2.",
)
@click.option("--start", type=click.Path(path_type=Path, exists=True), help="Go on from the pair in this folder.")
@click.option(
    "--backbone", type=click.Path(path_type=Path, exists=True), help="MobileNetV2 as .tflite; without it, from scratch."
)
@click.option("--size", type=int, default=224, show_default=True, help="Pixels a side while training.")
@click.option(
    "--frozen-layers", type=int, default=0, show_default=True, help="Convolutions next to the pixels left as they are."
)
@click.option(
    "--backbone-rate",
    type=float,
    default=0.3,
    show_default=True,
    help="Learning rate of the backbone, as a part of the rest's.",
)
@click.option("--captions", type=int, default=2, show_default=True, help="Captions a photo and step.")
@click.option("--caption-weight", type=float, default=0.0, show_default=True, help="Weight of the captioning loss.")
@click.option(
    "--word-weight", type=float, default=0.0, show_default=True, help="Weight of predicting the captions' words."
)
@click.option(
    "--prefix-length",
    type=int,
    default=4,
    show_default=True,
    help="Prefix tokens from the embedding, beside the grid's.",
)
@click.option("--workers", type=int, default=1, show_default=True, help="Processes that read photos.")
@click.option("--skip-bad", is_flag=True, help="Leave out and count what cannot be read.")
@loop_options(epochs=8, batch_size=96, learning_rate=1e-3)
def main(
    loop: LoopOptions, folders, language, start, backbone, size, frozen_layers, backbone_rate, captions,
    caption_weight, word_weight, prefix_length, workers, skip_bad,
) -> None:  # fmt: skip
    """Train an image tower and a text tower so that a photo and its captions have like embeddings."""
    seed_everything(loop.seed)
    sides = read_photos(folders, skip_bad=skip_bad)
    examples, dev = sides["train"], sides["dev"][:DEV_PHOTOS]
    state: dict = {}
    captioner = None
    if start:
        pair, captioner, state = load_weights(start)
    else:
        tokenizer = CaptionTokenizer.load(language / TOKENIZER)
        pair = ClipPair(PairConfig(len(tokenizer), tokenizer.pad_id, tokenizer.end_id), tokenizer)
        if backbone:
            load_backbone(pair.image_tower, backbone)
    if caption_weight and captioner is None:
        captioner = new_clipcap(
            language,
            embedding_dim=pair.config.embedding_dim,
            prefix_length=prefix_length,
            grid_cells=pair.config.grid_side**2,
            grid_channels=GRID_CHANNELS,
        )
    words = nn.Linear(GRID_CHANNELS, pair.config.vocabulary) if word_weight else None
    if words is not None and state.get("words"):
        words.load_state_dict(state["words"])
    pair.to(memory_format=torch.channels_last)
    layers = conv_layers(pair.image_tower.backbone)
    for layer in layers[:frozen_layers]:
        layer.requires_grad_(False)
    joint = Joint(pair, captioner if caption_weight else None, words)

    tokenizer = pair.tokenizer
    encoded = encode_photos(examples, tokenizer)
    targets = word_targets(encoded, len(tokenizer)) if word_weight else None
    photos = PhotoSet([photo.example for photo in examples], replace(MOBILENET, size=size), Augment(), loop.seed)

    def batches(epoch: int, first: int) -> Iterator:
        for indices, pixels in photo_batches(photos, loop.batch_size, epoch, first, workers):
            yield indices, pixels, [drawn(encoded[i], captions, (loop.seed, epoch, i)) for i in indices]

    def loss_of(batch) -> dict[str, Tensor]:
        indices, pixels, sentences = batch
        seen = pair.see(MOBILENET.normalize(pixels.to(loop.device)))
        # Without control tokens: a query has none.
        texts = pair.read([sentence[2:] for own in sentences for sentence in own])  # (N, D)
        counts = torch.tensor([len(own) for own in sentences])
        first = counts.cumsum(0) - counts
        embeddings = nn.functional.normalize(seen.embedding, dim=-1)
        rounds = [contrastive_loss(embeddings, texts[first + k % counts], pair.logit_scale) for k in range(captions)]
        losses = {"contrastive": torch.stack(rounds).mean()}
        if words is not None:
            losses["words"] = word_loss(words(seen.grid.mean(1)), [targets[i] for i in indices])
        if joint.captioner is not None:
            losses["caption"] = caption_loss(joint.captioner, seen, sentences, tokenizer.pad_id)
        weights = {"contrastive": 1.0, "words": word_weight, "caption": caption_weight}
        return {"loss": sum(weights[name] * loss for name, loss in losses.items()), **losses}

    dev_photos = PhotoSet([photo.example for photo in dev], replace(MOBILENET, size=size), None, loop.seed)

    @torch.no_grad()
    def validate(average: nn.Module) -> dict[str, float]:
        parts = [
            average.pair.see(MOBILENET.normalize(pixels.to(loop.device)))
            for _, pixels in photos_in_order(dev_photos, 50, workers)
        ]
        seen = Seen(torch.cat([p.embedding for p in parts]), torch.cat([p.grid for p in parts]))
        texts = average.pair.embed_texts([photo.sentences[0].text for photo in dev])
        scores = recall(nn.functional.normalize(seen.embedding, dim=-1).cpu().numpy(), texts, np.arange(len(dev)))
        scores = {"dev_" + name: value for name, value in scores.items() if name.startswith("text_to_image")}
        if average.captioner is not None:
            scores |= dev_cider(Captioner(average.captioner, tokenizer, DecodingOptions()), seen, dev)
        return scores

    fast = [p for p in joint.parameters() if p.requires_grad]
    backbone_ids = {id(p) for p in pair.image_tower.backbone.parameters()}
    groups = [
        {"params": [p for p in fast if id(p) not in backbone_ids]},
        {"params": [p for p in fast if id(p) in backbone_ids], "scale": backbone_rate},
    ]
    trained = fit(
        joint, groups, batches, len(examples) // loop.batch_size, loss_of, loop, validate=validate if dev else None
    )
    save_weights(trained, loop.out)
    click.echo(f"Saved {loop.out / WEIGHTS}")


if __name__ == "__main__":
    main()
