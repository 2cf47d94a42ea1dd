"""Decoding by cache equals decoding from scratch, a batch equals its photos one by one, and the best is found."""

import itertools

import pytest
import torch

from model.caption.cached_gpt2 import CachedGpt2
from model.caption.decoding import DecodingOptions, decode
from tests.model.tiny import clipcap

PROMPT, END = [3, 5], 1


def embeddings(count: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(count, 12, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def naive_logits(model, prefix: torch.Tensor, ids: list[int]) -> torch.Tensor:
    """Next-token log-probabilities without any cache: the whole sequence anew."""
    tokens = model.gpt.transformer.wte(torch.tensor([PROMPT + ids]))
    return model.gpt(inputs_embeds=torch.cat([prefix, tokens], dim=1)).logits[0, -1].log_softmax(-1)


def naive_beam_search(model, prefix: torch.Tensor, options: DecodingOptions) -> list[tuple[list[int], float]]:
    """Beam search written down again in its plainest form, without cache, batch or tensors of beams."""
    alive, finished = [([], 0.0)], []
    for length in range(options.max_tokens + 1):
        candidates = []
        for ids, total in alive:
            for token, log_prob in enumerate(naive_logits(model, prefix, ids).tolist()):
                candidates.append((total + log_prob, ids, token))
        candidates.sort(key=lambda c: -c[0])
        new = []
        for rank, (total, ids, token) in enumerate(candidates[: 2 * options.beams]):
            if len(new) == options.beams:
                break
            if token == END:
                if rank < options.beams:
                    finished.append((ids, total / (len(ids) + 1) ** options.length_penalty))
            elif length < options.max_tokens:
                new.append(([*ids, token], total))
        if not new and not finished:
            finished = [(ids, total / len(ids) ** options.length_penalty) for ids, total in alive]
        alive = new
        best = max((t / max(1, len(i)) ** options.length_penalty for i, t in alive), default=float("-inf"))
        if not alive or (len(finished) >= options.beams and max(s for _, s in finished) >= best):
            break
    return sorted(finished, key=lambda f: -f[1])[: options.beams]


@pytest.mark.parametrize("mapper", ["mlp", "transformer"])
@pytest.mark.parametrize("beams", [1, 2, 5])
@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_cached_equals_naive(mapper, beams, length_penalty):
    shape = {"clip_length": 4, "mapper_layers": 2, "mapper_heads": 4} if mapper == "transformer" else {}
    model = clipcap(mapper=mapper, **shape)
    options = DecodingOptions(beams=beams, max_tokens=9, length_penalty=length_penalty)
    for row in embeddings(4):
        prefix = model.prefix(row[None])
        got = decode(model, prefix, PROMPT, END, options)[0]
        wanted = naive_beam_search(model, prefix, options)
        assert [list(h.token_ids) for h in got] == [ids for ids, _ in wanted]
        assert [h.score for h in got] == pytest.approx([score for _, score in wanted], abs=1e-4)


@pytest.mark.parametrize("beams", [1, 4])
def test_batched_equals_single(beams):
    model, options = clipcap(), DecodingOptions(beams=beams, max_tokens=12)
    prefix = model.prefix(embeddings(7))
    together = decode(model, prefix, PROMPT, END, options)
    alone = [decode(model, prefix[i : i + 1], PROMPT, END, options)[0] for i in range(7)]
    assert [[h.token_ids for h in own] for own in together] == [[h.token_ids for h in own] for own in alone]
    assert len({own[0].token_ids for own in together}) > 1  # the photos do differ


def test_log_probs_are_the_models():
    model = clipcap()
    prefix = model.prefix(embeddings(1))
    for hypothesis in decode(model, prefix, PROMPT, END, DecodingOptions(beams=3, max_tokens=6))[0]:
        ids = list(hypothesis.token_ids)
        steps = [*ids, END][: len(hypothesis.log_probs)]
        wanted = [naive_logits(model, prefix, ids[:i])[token].item() for i, token in enumerate(steps)]
        assert list(hypothesis.log_probs) == pytest.approx(wanted, abs=1e-4)


def test_wide_beam_finds_the_likeliest_sequence():
    model = clipcap(vocabulary=8)
    prefix = model.prefix(embeddings(1))
    best = max(
        (
            sum(naive_logits(model, prefix, list(ids[:i]))[t].item() for i, t in enumerate([*ids, END]))
            for length in range(4)
            for ids in itertools.product([t for t in range(8) if t != END], repeat=length)
        ),
    )
    found = decode(model, prefix, PROMPT, END, DecodingOptions(beams=300, max_tokens=3, length_penalty=0.0))[0]
    finished = [h for h in found if len(h.log_probs) > len(h.token_ids)]
    assert finished[0].score == pytest.approx(best, abs=1e-4)


def test_no_repeat_ngram():
    model = clipcap()
    prefix = model.prefix(embeddings(6))
    plain = decode(model, prefix, PROMPT, END, DecodingOptions(beams=2, max_tokens=20))
    repeats = [ids for own in plain for ids in [own[0].token_ids] if has_repeat(ids, 2)]
    assert repeats  # without the option they do repeat
    for own in decode(model, prefix, PROMPT, END, DecodingOptions(beams=2, max_tokens=20, no_repeat_ngram=2)):
        assert not any(has_repeat(h.token_ids, 2) for h in own)


def has_repeat(ids: tuple[int, ...], n: int) -> bool:
    runs = [ids[i : i + n] for i in range(len(ids) - n + 1)]
    return len(set(runs)) < len(runs)


def test_forbidden_never_comes():
    model = clipcap()
    prefix = model.prefix(embeddings(3))
    first = decode(model, prefix, PROMPT, END, DecodingOptions(beams=3))[0][0].token_ids
    bad = first[0]
    for options in (DecodingOptions(beams=3), DecodingOptions(beams=1, samples=8)):
        for own in decode(model, prefix, PROMPT, END, options, forbidden=lambda ids: ids[-1] == bad):
            assert all(bad not in h.token_ids for h in own)


def test_all_forbidden_ends_empty():
    model = clipcap()
    found = decode(model, model.prefix(embeddings(1)), PROMPT, END, DecodingOptions(beams=2), lambda ids: True)
    assert all(h.token_ids == () for h in found[0])


def test_samples_follow_the_distribution():
    model = clipcap()
    prefix = model.prefix(embeddings(1))
    torch.manual_seed(0)
    drawn = decode(model, prefix, PROMPT, END, DecodingOptions(beams=1, samples=4000, max_tokens=1))[0]
    probabilities = naive_logits(model, prefix, []).exp()
    for token in probabilities.topk(3).indices.tolist():
        share = sum(h.token_ids[:1] == (() if token == END else (token,)) for h in drawn) / len(drawn)
        assert share == pytest.approx(probabilities[token].item(), abs=0.04)


def test_top_p_keeps_to_the_likeliest():
    model = clipcap()
    prefix = model.prefix(embeddings(1))
    ordered, order = naive_logits(model, prefix, []).exp().sort(descending=True)
    kept = set(order[(ordered.cumsum(0) - ordered) < 0.5].tolist())
    drawn = decode(model, prefix, PROMPT, END, DecodingOptions(beams=1, samples=500, max_tokens=1, top_p=0.5))[0]
    assert {h.token_ids[0] if h.token_ids else END for h in drawn} <= kept


@pytest.mark.parametrize(
    "options",
    [
        {"beams": 0},
        {"max_tokens": 0},
        {"samples": -1, "beams": 1},
        {"samples": 3, "beams": 4},
        {"temperature": 0.7, "beams": 1},
        {"top_p": 0.9, "beams": 1},
        {"samples": 2, "beams": 1, "temperature": 0},
        {"samples": 2, "beams": 1, "top_p": 0},
        {"samples": 2, "beams": 1, "length_penalty": 0.5},
        {"no_repeat_ngram": -1},
        {"likeness_weight": -1},
        {"likeness_weight": 1, "beams": 1},
        {"agreement_weight": -1},
        {"agreement_weight": 1, "beams": 1},
        {"likeness_weight": 1, "search": "clipcap"},
    ],
)
def test_contradictory_options_are_refused(options):
    with pytest.raises(ValueError):
        DecodingOptions(**options)


def test_prefix_is_read_once_a_photo(monkeypatch):
    model = clipcap()
    sizes = []
    read = CachedGpt2.next_log_probs
    monkeypatch.setattr(
        CachedGpt2, "next_log_probs", lambda reader, x: sizes.append(tuple(x.shape[:2])) or read(reader, x)
    )
    decode(model, model.prefix(embeddings(2)), PROMPT, END, DecodingOptions(beams=5, max_tokens=4))
    assert sizes[0] == (2, 5)  # two photos, three prefix tokens and two of the prompt
    assert len(sizes) > 1 and all(size == (10, 1) for size in sizes[1:])  # then one token a beam


def test_teacher_forcing_equals_reading_it_all():
    model = clipcap()
    prefix = model.prefix(embeddings(2))
    tokens, photos = torch.tensor([[3, 5, 7, 9], [4, 5, 7, 7], [3, 5, 8, 1]]), torch.tensor([0, 1, 0])
    _, cache = model(prefix=prefix)
    got = [model.caption_logits(cache, photos, tokens) for _ in range(2)][-1]  # the cache is not used up
    whole = torch.cat([prefix[photos], model.gpt.transformer.wte(tokens)], dim=1)
    torch.testing.assert_close(got, model.gpt(inputs_embeds=whole).logits[:, 3:], atol=1e-4, rtol=1e-4)
