"""What the steps that train a captioner share: captions chosen a photo, the loss, dev scores by greedy decoding."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from model.caption.captioner import Captioner
from model.caption.clipcap import ClipCap, ClipCapConfig
from model.caption.decoding import DecodingOptions
from model.caption.tokenizer import CaptionTokenizer
from model.clip.seen import Seen
from training.corpus import Captioned, pad
from training.language import WEIGHTS as LANGUAGE_WEIGHTS
from training.metrics import CiderD

GREEDY = DecodingOptions(beams=1)
LENGTHS = 6  # groups of like length in a batch


def new_clipcap(language: Path, **shape) -> ClipCap:
    """A ClipCap of `shape` (fields of ClipCapConfig) around the GPT-2 that `training.language` made."""
    trained = torch.load(language / LANGUAGE_WEIGHTS, weights_only=True)
    clipcap = ClipCap(ClipCapConfig(**{**trained["config"], **shape}))
    clipcap.gpt.load_state_dict(trained["state"])
    return clipcap


def encode_photos(photos: Sequence[Captioned], tokenizer: CaptionTokenizer) -> list[list[list[int]]]:
    """Each photo's sentences as token ids."""
    return [[sentence.encode(tokenizer) for sentence in photo.sentences] for photo in photos]


def spread(photos: list[Captioned], count: int) -> list[Captioned]:
    """At most `count` photos, evenly spread over the list."""
    return [photos[i] for i in np.linspace(0, len(photos) - 1, min(count, len(photos)), dtype=int)]


def drawn(sentences: list[list[int]], count: int, seed: Sequence[int]) -> list[list[int]]:
    """`count` of a photo's encoded sentences at random, or all of them if it has no more."""
    return [sentences[i] for i in np.random.default_rng(list(seed)).permutation(len(sentences))[:count]]


def row_losses(
    captioner: ClipCap, seen: Seen, sentences: list[list[list[int]]], pad_id: int, smoothing: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of each encoded sentence, summed over its tokens (N,), and how many tokens that are (N,).

    `sentences`: those of each of the B photos, N in all. The prefix is read once a photo; sentences of like length go
    together, so that little is padding.
    """
    device = seen.embedding.device
    rows = [row for own in sentences for row in own]
    photo_of_row = np.repeat(np.arange(len(sentences)), [len(own) for own in sentences])
    _, cache = captioner.read(prefix=captioner.prefix(seen.embedding, seen.grid), last_only=True)
    order = np.argsort([len(row) for row in rows], kind="stable")
    losses, counts = [], []
    for part in np.array_split(order, min(LENGTHS, len(rows))):
        tokens, labels = (t.to(device) for t in pad([rows[i] for i in part], pad_id))
        photos = torch.as_tensor(photo_of_row[part], device=device)
        logits = captioner.caption_logits(cache, photos, tokens).float().transpose(1, 2)  # (n, V, T)
        each = nn.functional.cross_entropy(
            logits, labels, ignore_index=-100, label_smoothing=smoothing, reduction="none"
        )
        losses.append(each.sum(1))
        counts.append((labels != -100).sum(1))
    back = torch.as_tensor(np.argsort(order), device=device)
    return torch.cat(losses)[back], torch.cat(counts)[back]


def caption_loss(
    captioner: ClipCap, seen: Seen, sentences: list[list[list[int]]], pad_id: int, smoothing: float = 0.1
) -> Tensor:
    """Mean cross-entropy of the next token over all `sentences` (see row_losses)."""
    losses, counts = row_losses(captioner, seen, sentences, pad_id, smoothing)
    return losses.sum() / counts.sum()


@torch.no_grad()
def dev_cider(captioner: Captioner, seen: Seen, photos: Sequence[Captioned], batch_size: int = 100) -> dict[str, float]:
    """CIDEr-D of greedy captions for every language and style that has references; `seen`: the photos', in order."""
    scores = {}
    groups: dict[tuple[str, str], list[int]] = {}
    for i, photo in enumerate(photos):
        for key in {(s.language, s.style) for s in photo.sentences}:
            groups.setdefault(key, []).append(i)
    for (language, style), members in sorted(groups.items()):
        if len(members) < 20:
            continue
        references = [
            [s.text for s in photos[i].sentences if (s.language, s.style) == (language, style)] for i in members
        ]
        texts = []
        for start in range(0, len(members), batch_size):
            rows = torch.tensor(members[start : start + batch_size])
            part = Seen(seen.embedding[rows], None if seen.grid is None else seen.grid[rows].float())
            texts += [own[0].text for own in captioner.caption(part, language, style, GREEDY)]
        scores[f"dev_cider_{language}_{style}"] = float(CiderD(references).scores(texts, range(len(texts))).mean())
    return scores
