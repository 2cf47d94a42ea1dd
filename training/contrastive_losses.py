"""What a CLIP pair is trained on: the contrastive loss, the words of the captions, and sentences without photos."""

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor, nn

from model.caption.tokenizer import CaptionTokenizer
from training.corpus import MAX_TOKENS
from training.language import read_plain_text

CAPTIONS_A_PHOTO = 5  # in a text file of captions, as Flickr30k has them


def contrastive_loss(photos: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
    """Symmetric InfoNCE (arXiv 2103.00020, figure 3). Embeddings (B, D) of length 1; row i belongs to row i."""
    logits = scale.exp().clamp(max=100) * photos @ texts.T  # (B, B)
    target = torch.arange(len(photos), device=photos.device)
    return (nn.functional.cross_entropy(logits, target) + nn.functional.cross_entropy(logits.T, target)) / 2


def pair_losses(photos: Tensor, texts: Tensor, counts: Sequence[int], rounds: int, scale: Tensor) -> dict[str, Tensor]:
    """Losses: "contrastive", the mean over `rounds` of that between the photos' embeddings (B, D), of any length, and
    one sentence each; "text", between the two of each pair of `paraphrase_queries`, if there are any. `texts` (N, D) of
    length 1: `counts` (B,) sentences for each photo in turn, after them those pairs."""
    of_photo = torch.tensor(counts)
    first = of_photo.cumsum(0) - of_photo
    photos = nn.functional.normalize(photos, dim=-1)
    each = [contrastive_loss(photos, texts[first + k % of_photo], scale) for k in range(rounds)]
    losses = {"contrastive": torch.stack(each).mean()}
    pairs = texts[sum(counts) :]
    if len(pairs):
        one, other = pairs.chunk(2)
        losses["text"] = contrastive_loss(one, other, scale)
    return losses


def word_targets(encoded: list[list[list[int]]], vocabulary: int, prompt: int) -> list[tuple[Tensor, Tensor]]:
    """For each photo the tokens of its captions, without the `prompt` control tokens, and their weights, rare tokens
    heavier; weights sum to 1."""
    sets = [sorted({t for sentence in photo for t in sentence[prompt:-1]}) for photo in encoded]
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
    """The captions of each photo as token ids without control tokens, from a text file of one caption a line, a photo's
    five together. Raises click.ClickException."""
    sentences = read_plain_text(file)
    if not sentences or len(sentences) % CAPTIONS_A_PHOTO:
        raise click.ClickException(f"{file} has {len(sentences)} lines; {CAPTIONS_A_PHOTO} a photo are expected")
    encoded = [[*tokenizer.encode(s.text)[: MAX_TOKENS - 3], tokenizer.end_id] for s in sentences]
    return [encoded[i : i + CAPTIONS_A_PHOTO] for i in range(0, len(encoded), CAPTIONS_A_PHOTO)]


def paraphrase_queries(
    groups: list[list[list[int]]], count: int, dropout: float, rng: np.random.Generator
) -> list[list[int]]:
    """Two captions of each of `count` photos of `paraphrases`, without some of their words: all first, then all second
    ones."""
    if not groups:
        return []
    chosen = rng.choice(len(groups), min(len(groups), count), replace=False)
    pairs = [rng.permutation(CAPTIONS_A_PHOTO)[:2] for _ in chosen]
    return [drop_words(groups[g][p[which]], dropout, rng) for which in (0, 1) for g, p in zip(chosen, pairs)]


def drop_words(tokens: list[int], dropout: float, rng: np.random.Generator) -> list[int]:
    """The sentence without some of its words' tokens; the end token stays, and so does one other."""
    kept = [token for token, chance in zip(tokens[:-1], rng.random(len(tokens) - 1)) if chance >= dropout]
    return [*(kept or tokens[:1]), tokens[-1]]
