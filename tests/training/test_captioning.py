"""The captioning loss is that of each sentence alone, whatever else is in the batch; what dev scores measure."""

from pathlib import Path

import pytest
import torch
from torch import nn

from data.datasets import CaptionText, Example
from model.caption.tokenizer import CaptionTokenizer, Gpt2Tokenizer
from model.clip.features import ImageFeatures
from tests.model.original import gpt2_tokenizer
from tests.model.tiny import clipcap, tokenizer
from training.captioning import caption_loss, dev_groups, row_losses, sample_captions, supported_captions
from training.corpus import Captioned, Sentence, languages_and_styles, sentences_of

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


def photo(*sentences: tuple[str, str]) -> Captioned:
    """One with a sentence in each (language, style)."""
    own = tuple(Sentence("a dog", language, style) for language, style in sentences)
    return Captioned("set/1", Example("1", Path("1.jpg"), (), "dev"), own)


def test_captions_are_those_that_the_tokenizer_can_be_asked_for():
    photos = [photo(("en", "caption"), ("id", "guide")), photo(("fr", "caption")), photo(("en", "guide"))]
    of = {len(kept.sentences): kept for kept in supported_captions(photos, WORDS)}
    assert set(of) == {1, 2} and of[2] == photos[0]
    english = supported_captions(photos, Gpt2Tokenizer(gpt2_tokenizer()))  # one style: a guide is learned as a caption
    assert [[(s.language, s.style) for s in kept.sentences] for kept in english] == [[("en", "caption")]] * 2
    plain = CaptionTokenizer.train(["a dog"] * 9, 300, ["en", "fr"], ["caption", "long"])
    kept = supported_captions(photos, plain)
    assert [s.language for p in kept for s in p.sentences] == ["en", "fr"]


def test_dev_groups_are_languages_and_styles():
    photos = [photo(("id", "caption"), ("en", "guide"), ("en", "guide")), photo(("en", "guide"))]
    assert dev_groups(photos) == {("en", "guide"): [0, 1], ("id", "caption"): [0]}


def test_languages_come_from_the_captions_in_a_fixed_order():
    sentences = [Sentence("x", language, style) for language, style in
                 (("sw", "guide"), ("id", "caption"), ("fr", "guide"), ("en", "guide"))]  # fmt: skip
    assert languages_and_styles(sentences) == (("en", "id", "fr", "sw"), ("caption", "guide"))


def test_captions_as_they_are_trained_on():
    long = "a " * 15 + "dog"
    captions = [
        CaptionText("A dog.", "en-US"),
        CaptionText(long, "en"),
        CaptionText("a step up, keep to the right", "en", "guide"),
        CaptionText("keep to the right", "en", "guide"),
    ]
    assert sentences_of(captions) == [
        Sentence("a dog"),
        Sentence(long, style="long"),
        Sentence("a step up", style="guide"),
    ]
