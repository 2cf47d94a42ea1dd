"""`python -m training.contrastive`: train a CLIP pair, with the captioning loss if asked (CoCa, arXiv 2205.01917)."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor, nn

from model.caption.clipcap import ClipCap
from model.caption.decoding import DecodingOptions
from model.caption.feature_captioner import FeatureCaptioner
from model.caption.tokenizer import CaptionTokenizer
from model.clip.features import ImageFeatures
from model.clip.pair import ClipPair, PairConfig
from model.clip.preprocess import MOBILENET
from model.clip.towers import GRID_CHANNELS, conv_layers
from training.backbone import load_backbone
from training.captioning import caption_loss, dev_cider, encode_photos, sample_captions
from training.corpus import read_photos
from training.language import read_plain_text
from training.loop import LoopOptions, fit, loop_options, seed_everything
from training.metrics import recall
from training.photos import Augment, PhotoSet, photo_batches, photos_in_order
from training.pretrained import PAIR, TOKENIZER, Start, load_language, load_start, new_clipcap

DEV_PHOTOS = 500  # enough to see progress, few enough not to be felt
TEXT_WEIGHT = 0.3  # of the loss between two captions of a photo
CAPTIONS_A_PHOTO = 5  # in a text file of captions, as Flickr30k has them


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


def paraphrases(file: Path, tokenizer: CaptionTokenizer) -> list[list[list[int]]]:
    """The captions of each photo as token ids, from a text file of one caption a line, a photo's five together."""
    sentences = read_plain_text(file)
    if not sentences or len(sentences) % CAPTIONS_A_PHOTO:
        raise click.ClickException(f"{file} has {len(sentences)} lines; {CAPTIONS_A_PHOTO} a photo are expected")
    encoded = [sentence.encode(tokenizer)[2:] for sentence in sentences]
    return [encoded[i : i + CAPTIONS_A_PHOTO] for i in range(0, len(encoded), CAPTIONS_A_PHOTO)]


def thinned(tokens: list[int], dropout: float, rng: np.random.Generator) -> list[int]:
    """The sentence without some of its words' tokens; the end token stays, and so does one other."""
    kept = [token for token, chance in zip(tokens[:-1], rng.random(len(tokens) - 1)) if chance >= dropout]
    return [*(kept or tokens[:1]), tokens[-1]]


def save_weights(joint: Joint, folder: Path) -> None:
    state = {
        "pair_config": joint.pair.config.__dict__,
        "pair": joint.pair.state_dict(),
        "captioner_config": joint.captioner.config.__dict__ if joint.captioner else None,
        "captioner": joint.captioner.state_dict() if joint.captioner else None,
        "words": joint.words.state_dict() if joint.words else None,
    }
    torch.save(state, folder / PAIR)
    joint.pair.tokenizer.save(folder / TOKENIZER)


@click.command()
@click.option("--data", "folders", type=click.Path(path_type=Path, exists=True), multiple=True, required=True)
@click.option(
    "--language",
    type=click.Path(path_type=Path, exists=True),
    help="Folder of `training.language`: tokenizer and GPT-2; not needed where --start has them.",
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
@click.option(
    "--text",
    type=click.Path(path_type=Path, exists=True),
    help="Captions, a photo's five lines together (plain or .gz): two of a photo are to have like embeddings.",
)
@click.option(
    "--word-dropout", type=float, default=0.0, show_default=True, help="Part of the words that the text tower misses."
)
@click.option("--crop", type=float, default=0.6, show_default=True, help="Least part of a photo that a crop keeps.")
@click.option("--workers", type=int, default=1, show_default=True, help="Processes that read photos.")
@click.option("--skip-bad", is_flag=True, help="Leave out and count what cannot be read.")
@loop_options(epochs=8, batch_size=96, learning_rate=1e-3)
def main(
    loop: LoopOptions, folders, language, start, backbone, size, frozen_layers, backbone_rate, captions,
    caption_weight, word_weight, prefix_length, text, word_dropout, crop, workers, skip_bad,
) -> None:  # fmt: skip
    """Train an image tower and a text tower so that a photo and its captions have like embeddings."""
    seed_everything(loop.seed)
    splits = read_photos(folders, skip_bad=skip_bad)
    examples, dev = splits["train"], splits["dev"][:DEV_PHOTOS]
    begun = load_start(start) if start else None
    spoken = load_language(language) if language else None
    if spoken is None and (begun is None or (caption_weight and begun.clipcap is None)):
        raise click.UsageError("give --language, or --start with a checkpoint that has a captioner")
    if begun is None:
        tokenizer = spoken.tokenizer
        begun = Start(ClipPair(PairConfig(len(tokenizer), tokenizer.pad_id, tokenizer.end_id), tokenizer))
        if backbone:
            load_backbone(begun.pair.image_tower, backbone)
    pair, captioner = begun.pair, begun.clipcap
    if caption_weight and captioner is None:
        captioner = new_clipcap(
            spoken,
            embedding_dim=pair.config.embedding_dim,
            prefix_length=prefix_length,
            grid_cells=pair.config.grid_side**2,
            grid_channels=GRID_CHANNELS,
        )
    words = nn.Linear(GRID_CHANNELS, pair.config.vocabulary) if word_weight else None
    if words is not None and begun.words:
        words.load_state_dict(begun.words)
    pair.to(memory_format=torch.channels_last)
    layers = conv_layers(pair.image_tower.backbone)
    for layer in layers[:frozen_layers]:
        layer.requires_grad_(False)
    joint = Joint(pair, captioner if caption_weight else None, words)

    tokenizer = pair.tokenizer
    encoded = encode_photos(examples, tokenizer)
    targets = word_targets(encoded, len(tokenizer)) if word_weight else None
    photos = PhotoSet([photo.example for photo in examples], replace(MOBILENET, size=size), Augment(crop), loop.seed)
    groups_of_text = paraphrases(text, tokenizer) if text else []

    def batches(epoch: int, first: int) -> Iterator:
        for indices, pixels in photo_batches(photos, loop.batch_size, epoch, first, workers):
            sentences = [sample_captions(encoded[i], captions, (loop.seed, epoch, i)) for i in indices]
            rng = np.random.default_rng((loop.seed, epoch, int(indices[0])))
            # Without control tokens: a query has none.
            queries = [thinned(sentence[2:], word_dropout, rng) for own in sentences for sentence in own]
            if groups_of_text:
                chosen = rng.choice(len(groups_of_text), min(len(groups_of_text), len(indices)), replace=False)
                pairs = [rng.permutation(CAPTIONS_A_PHOTO)[:2] for _ in chosen]
                for side in (0, 1):
                    queries += [thinned(groups_of_text[g][p[side]], word_dropout, rng) for g, p in zip(chosen, pairs)]
            yield indices, pixels, sentences, queries

    def loss_of(batch) -> dict[str, Tensor]:
        indices, pixels, sentences, queries = batch
        features = pair.encode_image(MOBILENET.normalize(pixels.to(loop.device)))
        texts = pair.encode_tokens(queries)  # (N, D), after them two for each group of text
        counts = torch.tensor([len(own) for own in sentences])
        first = counts.cumsum(0) - counts
        embeddings = nn.functional.normalize(features.embedding, dim=-1)
        rounds = [contrastive_loss(embeddings, texts[first + k % counts], pair.logit_scale) for k in range(captions)]
        losses = {"contrastive": torch.stack(rounds).mean()}
        if groups_of_text:
            losses["text"] = contrastive_loss(*texts[counts.sum() :].chunk(2), pair.logit_scale)
        if words is not None:
            losses["words"] = word_loss(words(features.grid.mean(1)), [targets[i] for i in indices])
        if joint.captioner is not None:
            losses["caption"] = caption_loss(joint.captioner, features, sentences, tokenizer)
        weights = {"contrastive": 1.0, "text": TEXT_WEIGHT, "words": word_weight, "caption": caption_weight}
        return {"loss": sum(weights[name] * loss for name, loss in losses.items()), **losses}

    dev_photos = PhotoSet([photo.example for photo in dev], replace(MOBILENET, size=size), None, loop.seed)

    @torch.no_grad()
    def validate(average: nn.Module) -> dict[str, float]:
        parts = [
            average.pair.encode_image(MOBILENET.normalize(pixels.to(loop.device)))
            for _, pixels in photos_in_order(dev_photos, 50, workers)
        ]
        features = ImageFeatures(torch.cat([p.embedding for p in parts]), torch.cat([p.grid for p in parts]))
        texts = average.pair.embed_texts([photo.sentences[0].text for photo in dev])
        scores = recall(nn.functional.normalize(features.embedding, dim=-1).cpu().numpy(), texts, np.arange(len(dev)))
        scores = {"dev_" + name: value for name, value in scores.items() if name.startswith("text_to_image")}
        if average.captioner is not None:
            scores |= dev_cider(FeatureCaptioner(average.captioner, tokenizer, DecodingOptions()), features, dev)
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
    click.echo(f"Saved {loop.out / PAIR}")


if __name__ == "__main__":
    main()
