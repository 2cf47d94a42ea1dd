"""What the steps that train a captioner share: sampled captions, the loss, dev scores by greedy decoding."""

from collections.abc import Sequence
from dataclasses import replace

import click
import numpy as np
import torch
from torch import Tensor, nn

from model.caption.clipcap import ClipCap
from model.caption.decoding import DecodingOptions
from model.caption.feature_captioner import FeatureCaptioner
from model.clip.features import ImageFeatures
from training.corpus import Captioned, Tokenizer, pad
from training.metrics import CiderD

GREEDY = DecodingOptions(beams=1)
LENGTHS = 6  # groups of similar length in a batch
MIN_DEV_PHOTOS = 20  # fewer in a language and style say nothing


def supported_captions(photos: Sequence[Captioned], tokenizer: Tokenizer) -> list[Captioned]:
    """The photos with those sentences that the tokenizer can be asked for: in its languages and styles, or, if it has
    only one style, all as that one. A photo without any is left out."""
    kept = []
    for photo in photos:
        own = tuple(s for s in photo.sentences if s.language in tokenizer.languages)
        if len(tokenizer.styles) == 1:
            own = tuple(replace(s, style=tokenizer.styles[0]) for s in own)
        own = tuple(s for s in own if s.style in tokenizer.styles)
        if own:
            kept.append(replace(photo, sentences=own))
    return kept


def encode_photos(photos: Sequence[Captioned], tokenizer: Tokenizer) -> list[list[list[int]]]:
    """Each photo's sentences as token ids."""
    return [[sentence.encode(tokenizer) for sentence in photo.sentences] for photo in photos]


def sample_evenly(photos: list[Captioned], count: int) -> list[Captioned]:
    """At most `count` photos, evenly sampled from the list."""
    return [photos[i] for i in np.linspace(0, len(photos) - 1, min(count, len(photos)), dtype=int)]


def sample_captions(sentences: list[list[int]], count: int, seed: Sequence[int]) -> list[list[int]]:
    """`count` of a photo's encoded sentences at random, or all of them if it has no more."""
    return [sentences[i] for i in np.random.default_rng(list(seed)).permutation(len(sentences))[:count]]


def row_losses(
    captioner: ClipCap,
    features: ImageFeatures,
    sentences: list[list[list[int]]],
    tokenizer: Tokenizer,
    smoothing: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of each encoded sentence, summed over its tokens after the control tokens (N,), and how many
    tokens that are (N,).

    `sentences`: those of each of the B photos, N in all. The prefix is computed once a photo; sentences of similar
    length go together, so that little is padding.
    """
    prompt = tokenizer.prompt_length
    device = features.embedding.device
    rows = [row for own in sentences for row in own]
    photo_of_row = np.repeat(np.arange(len(sentences)), [len(own) for own in sentences])
    start, cache = captioner(prefix=captioner.prefix(features.embedding, features.grid), last_only=True)
    order = np.argsort([len(row) for row in rows], kind="stable")
    losses, counts = [], []
    for part in np.array_split(order, min(LENGTHS, len(rows))):
        tokens, labels = (t.to(device) for t in pad([rows[i] for i in part], tokenizer.pad_id, prompt))
        photos = torch.as_tensor(photo_of_row[part], device=device)
        logits = captioner.caption_logits(cache, photos, tokens).float()  # (n, T, V)
        each = nn.functional.cross_entropy(  # flat: twice as fast on a CPU as with the classes in the middle
            logits.flatten(0, 1), labels.flatten(), ignore_index=-100, label_smoothing=smoothing, reduction="none"
        )
        each = each.view(labels.shape).sum(1)
        if not prompt:  # the first word follows the prefix itself
            first = start[photos, 0].float()
            each = each + nn.functional.cross_entropy(first, tokens[:, 0], label_smoothing=smoothing, reduction="none")
        losses.append(each)
        counts.append((labels != -100).sum(1) + (not prompt))
    back = torch.as_tensor(np.argsort(order), device=device)
    return torch.cat(losses)[back], torch.cat(counts)[back]


def caption_loss(
    captioner: ClipCap,
    features: ImageFeatures,
    sentences: list[list[list[int]]],
    tokenizer: Tokenizer,
    smoothing: float = 0.1,
) -> Tensor:
    """Mean cross-entropy of the next token over all `sentences` (see row_losses)."""
    losses, counts = row_losses(captioner, features, sentences, tokenizer, smoothing)
    return losses.sum() / counts.sum()


def dev_groups(photos: Sequence[Captioned]) -> dict[tuple[str, str], list[int]]:
    """(language, style) -> which of the photos have a reference in it, sorted by language and style."""
    groups: dict[tuple[str, str], list[int]] = {}
    for i, photo in enumerate(photos):
        for key in {(s.language, s.style) for s in photo.sentences}:
            groups.setdefault(key, []).append(i)
    return dict(sorted(groups.items()))


def report_measured(photos: Sequence[Captioned], patience: int = 0) -> None:
    """Say in one sentence what `dev_cider` will not measure. Raises click.UsageError if `patience` waits for it in
    vain."""
    groups = dev_groups(photos)
    small = {key: members for key, members in groups.items() if len(members) < MIN_DEV_PHOTOS}
    if len(small) == len(groups):
        if patience:
            raise click.UsageError(
                f"--patience waits for a better dev CIDEr-D, which needs {MIN_DEV_PHOTOS} dev photos with captions in "
                f"one language and style, and there are {max(map(len, groups.values()), default=0)}; give more dev "
                "photos, or leave --patience out"
            )
        click.echo(f"No dev CIDEr-D is measured: fewer than {MIN_DEV_PHOTOS} dev photos in any language and style.")
    elif small:
        named = ", ".join(f"{language}/{style} ({len(own)} photos)" for (language, style), own in small.items())
        click.echo(f"Dev CIDEr-D is not measured for {named}: fewer than {MIN_DEV_PHOTOS} dev photos.")


@torch.no_grad()
def dev_cider(
    captioner: FeatureCaptioner, features: ImageFeatures, photos: Sequence[Captioned], batch_size: int = 100
) -> dict[str, float]:
    """CIDEr-D of greedy captions for every language and style of at least MIN_DEV_PHOTOS photos; `features`: the
    photos', in order."""
    scores = {}
    for (language, style), members in dev_groups(photos).items():
        if len(members) < MIN_DEV_PHOTOS:
            continue
        references = [
            [s.text for s in photos[i].sentences if (s.language, s.style) == (language, style)] for i in members
        ]
        texts = []
        for start in range(0, len(members), batch_size):
            part = features.select(members[start : start + batch_size], features.embedding.device)
            texts += [own[0].text for own in captioner.caption(part, language, style, GREEDY)]
        scores[f"dev_cider_{language}_{style}"] = float(CiderD(references).scores(texts, range(len(texts))).mean())
    return scores
