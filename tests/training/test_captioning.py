"""The captioning loss is that of each sentence alone, whatever else is in the batch; what dev scores measure."""

import pytest
import torch
from torch import nn

from model.clip.features import ImageFeatures
from tests.model.tiny import clipcap, tokenizer
from training.captioning import caption_loss, row_losses, sample_captions

WORDS = tokenizer()
# Of three photos: two sentences, one and three.
SENTENCES = [
    [[3, 5, 9, 1], [3, 5, 8, 7, 6, 9, 11, 1]],
    [[4, 5, 1]],
    [[3, 6, 12, 13, 1], [3, 5, 20, 21, 22, 23, 1], [4, 6, 30, 1]],
]


def test_each_row_is_scored_alone():
    model, features = clipcap(), ImageFeatures(torch.randn(3, 12), None)
    losses, counts = row_losses(model, features, SENTENCES, WORDS)
    for i, (photo, row) in enumerate((photo, row) for photo, own in enumerate(SENTENCES) for row in own):
        prefix = model.prefix(features.embedding[photo : photo + 1])
        whole = torch.cat([prefix, model.gpt.transformer.wte(torch.tensor([row]))], dim=1)
        log_probs = model.gpt(inputs_embeds=whole).logits[0, 3:].log_softmax(-1)
        wanted = -sum(log_probs[t, row[t + 1]] for t in range(1, len(row) - 1))  # the style is not to be guessed
        assert losses[i].item() == pytest.approx(wanted.item(), abs=1e-3) and counts[i] == len(row) - 2
    mean = caption_loss(model, features, SENTENCES, WORDS, smoothing=0.0)
    assert mean.item() == pytest.approx((losses.sum() / counts.sum()).item())


def test_gradient_reaches_the_mapping_network():
    model = clipcap().train()
    caption_loss(model, ImageFeatures(torch.randn(3, 12), None), SENTENCES, WORDS).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.mapper.parameters())


def test_training_on_a_caption_makes_it_likelier():
    model, features = clipcap(), ImageFeatures(torch.randn(3, 12), None)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    before = caption_loss(model, features, SENTENCES, WORDS)
    for _ in range(20):
        optimizer.zero_grad()
        caption_loss(model, features, SENTENCES, WORDS).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    assert caption_loss(model, features, SENTENCES, WORDS) < 0.5 * before


def test_each_sentence_is_sampled_at_most_once():
    own = [[i] for i in range(9)]
    assert sorted(sample_captions(own, 20, (0, 1))) == own
    assert sample_captions(own, 4, (0, 1)) == sample_captions(own, 4, (0, 1)) != sample_captions(own, 4, (0, 2))
    assert len({tuple(s) for s in sample_captions(own, 4, (0, 1))}) == 4
