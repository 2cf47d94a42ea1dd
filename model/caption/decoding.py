"""Prefix to tokens: greedy, beam search and sampling over a KV cache, many photos at once."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from model.caption.clipcap import ClipCap

Forbidden = Callable[[list[int]], bool]


@dataclass(frozen=True)
class DecodingOptions:
    """How to decode. `beams`: hypotheses a photo, 1 is greedy. `max_tokens`: of a caption, without its end token.
    `length_penalty`: a finished hypothesis scores sum of log-probabilities / length ** length_penalty (arXiv
    1609.08144 without its constant). `no_repeat_ngram`: no run of so many tokens twice, 0 for no limit. `samples`:
    captions drawn at random instead, with `temperature` and from the `top_p` likeliest tokens (arXiv 1904.09751)."""

    beams: int = 4
    max_tokens: int = 44
    length_penalty: float = 1.0
    no_repeat_ngram: int = 0
    samples: int = 0
    temperature: float = 1.0
    top_p: float = 1.0

    def __post_init__(self):
        if self.beams < 1 or self.max_tokens < 1:
            raise ValueError("beams and max_tokens must be at least 1")
        if self.samples < 0 or self.no_repeat_ngram < 0:
            raise ValueError("samples and no_repeat_ngram must not be negative")
        if self.samples and self.beams != 1:
            raise ValueError("samples are drawn without beams; give beams=1 with samples")
        if not self.samples and (self.temperature != 1.0 or self.top_p != 1.0):
            raise ValueError("temperature and top_p are for sampling; give samples as well")
        if self.temperature <= 0 or not 0 < self.top_p <= 1:
            raise ValueError("temperature must be above 0 and top_p above 0 and at most 1")
        if self.samples and self.length_penalty != 1.0:
            raise ValueError("length_penalty ranks beams; it does nothing to samples")


@dataclass(frozen=True)
class Hypothesis:
    """A decoded caption: token ids without prompt and end token; the natural log-probability of each, and of the end
    token last if it was reached; `score`, by which hypotheses of a photo are ranked."""

    token_ids: tuple[int, ...]
    log_probs: tuple[float, ...]
    score: float


@torch.inference_mode()
def decode(
    captioner: ClipCap,
    prefix: Tensor,
    prompt: list[int],
    end_id: int,
    options: DecodingOptions,
    forbidden: Forbidden | None = None,
) -> list[list[Hypothesis]]:
    """Caption a batch of photos, prefix (B, P, W), after the `prompt` tokens: for each its hypotheses, best first.

    No hypothesis has tokens for which `forbidden(token_ids)` is true.
    """
    copies = options.samples or options.beams
    stream = _Stream(captioner, prefix, prompt)
    search = _sample if options.samples else _beam_search
    return search(stream, prefix.shape[0], copies, end_id, options, forbidden or (lambda ids: False))


class _Stream:
    """Next-token log-probabilities of a batch of growing sequences; prefix and prompt are read once a photo."""

    def __init__(self, captioner: ClipCap, prefix: Tensor, prompt: list[int]):
        self._captioner = captioner
        _, self._cache = captioner.read(prefix=prefix, last_only=True)
        self.log_probs = self._read(torch.tensor(prompt, device=prefix.device).expand(prefix.shape[0], -1))  # (B, V)

    def copy(self, copies: int) -> None:
        """Each sequence `copies` times, in a row."""
        self._cache.batch_repeat_interleave(copies)

    def step(self, tokens: list[int], rows: list[int] | None = None) -> None:
        """Add a token to each sequence, after putting sequence `rows[i]` in place i."""
        device = self.log_probs.device
        if rows is not None and rows != list(range(len(rows))):
            self._cache.batch_select_indices(torch.tensor(rows, device=device))
        self.log_probs = self._read(torch.tensor(tokens, device=device)[:, None])  # (rows, V)

    def _read(self, tokens: Tensor) -> Tensor:
        logits, self._cache = self._captioner.read(tokens=tokens, cache=self._cache, last_only=True)
        return logits[:, -1].float().log_softmax(-1)


@dataclass
class _Beam:
    token_ids: list[int]
    log_probs: list[float]
    total: float = 0.0


def _beam_search(
    stream: _Stream, photos: int, beams: int, end_id: int, options: DecodingOptions, forbidden: Forbidden
) -> list[list[Hypothesis]]:
    alive = [[_Beam([], [])] for _ in range(photos)]
    finished: list[list[Hypothesis]] = [[] for _ in range(photos)]
    vocabulary = stream.log_probs.shape[-1]
    spare = 8  # candidates beyond the usual 2 K, for those that are forbidden

    def finish(photo: int, beam: _Beam, log_prob: float | None) -> None:
        log_probs = beam.log_probs if log_prob is None else [*beam.log_probs, log_prob]
        score = sum(log_probs) / max(1, len(log_probs)) ** options.length_penalty
        finished[photo].append(Hypothesis(tuple(beam.token_ids), tuple(log_probs), score))

    def done(photo: int) -> bool:
        if not alive[photo]:
            return True
        best = max(b.total / max(1, len(b.token_ids)) ** options.length_penalty for b in alive[photo])
        return len(finished[photo]) >= beams and max(h.score for h in finished[photo]) >= best

    for length in range(options.max_tokens + 1):
        width = stream.log_probs.shape[0] // photos  # 1 at first, then K
        totals = torch.full((photos, width), float("-inf"))
        for photo, own in enumerate(alive):
            totals[photo, : len(own)] = torch.tensor([beam.total for beam in own])
        log_probs = _without_repeats(stream.log_probs, alive, width, options.no_repeat_ngram)
        scores = totals.to(log_probs.device)[..., None] + log_probs.view(photos, width, vocabulary)
        top, flat = scores.flatten(1).topk(min(2 * beams + spare, width * vocabulary))  # (B, candidates)
        rows, tokens = [], []
        for photo in range(photos):
            parents, alive[photo] = alive[photo], []
            origins = []
            for rank, (total, index) in enumerate(zip(top[photo].tolist(), flat[photo].tolist())):
                source, token = divmod(index, vocabulary)
                if len(alive[photo]) == beams or total == float("-inf"):
                    break
                beam = parents[source]
                log_prob = total - beam.total
                if token == end_id:
                    if rank < beams:
                        finish(photo, beam, log_prob)
                elif length < options.max_tokens and not forbidden([*beam.token_ids, token]):
                    alive[photo].append(_Beam([*beam.token_ids, token], [*beam.log_probs, log_prob], total))
                    origins.append(source)
            if not alive[photo] and not finished[photo]:  # cut off, or all that could follow is forbidden
                for beam in parents:
                    finish(photo, beam, None)
            if done(photo):
                alive[photo], origins = [], []
            rows += [photo * beams + o for o in origins] + [photo * beams] * (beams - len(origins))
            tokens += [b.token_ids[-1] for b in alive[photo]] + [end_id] * (beams - len(origins))
        if not any(alive):
            break
        if length == 0:
            stream.copy(beams)
            rows = list(range(photos * beams))  # all copies are alike
        stream.step(tokens, rows)
    return [sorted(own, key=lambda h: -h.score)[:beams] for own in finished]


def _without_repeats(log_probs: Tensor, alive: list[list[_Beam]], width: int, n: int) -> Tensor:
    """Log-probabilities (B K, V) with -inf where a token would repeat a run of `n` tokens."""
    if not n:
        return log_probs
    log_probs = log_probs.clone()
    for photo, own in enumerate(alive):
        for place, beam in enumerate(own):
            ids = beam.token_ids
            if len(ids) < n - 1:
                continue
            tail = ids[len(ids) - n + 1 :]
            banned = [ids[i + n - 1] for i in range(len(ids) - n + 1) if ids[i : i + n - 1] == tail]
            log_probs[photo * width + place, banned] = float("-inf")
    return log_probs


def _sample(
    stream: _Stream, photos: int, samples: int, end_id: int, options: DecodingOptions, forbidden: Forbidden
) -> list[list[Hypothesis]]:
    stream.copy(samples)
    stream.log_probs = stream.log_probs.repeat_interleave(samples, dim=0)
    own = [_Beam([], []) for _ in range(photos * samples)]
    running = [True] * len(own)
    for length in range(options.max_tokens + 1):
        allowed = _without_repeats(stream.log_probs, [[beam] for beam in own], 1, options.no_repeat_ngram)
        drawn = torch.multinomial(_nucleus(allowed / options.temperature, options.top_p), 1)[:, 0]  # (rows,)
        picked = stream.log_probs.gather(1, drawn[:, None])[:, 0].tolist()
        tokens = drawn.tolist()
        for row, beam in enumerate(own):
            if not running[row]:
                tokens[row] = end_id
                continue
            if length == options.max_tokens or forbidden([*beam.token_ids, tokens[row]]):
                running[row] = False
            elif tokens[row] == end_id:
                beam.log_probs.append(picked[row])
                running[row] = False
            else:
                beam.token_ids.append(tokens[row])
                beam.log_probs.append(picked[row])
        if not any(running):
            break
        stream.step(tokens)
    made = [
        Hypothesis(tuple(b.token_ids), tuple(b.log_probs), sum(b.log_probs) / max(1, len(b.log_probs))) for b in own
    ]
    return [sorted(made[i : i + samples], key=lambda h: -h.score) for i in range(0, len(made), samples)]


def _nucleus(logits: Tensor, top_p: float) -> Tensor:
    """Probabilities (rows, V) of the likeliest tokens that together reach `top_p`; at least one a row."""
    probabilities = logits.softmax(-1)
    if top_p >= 1:
        return probabilities
    ordered, order = probabilities.sort(descending=True)
    ordered[ordered.cumsum(-1) - ordered >= top_p] = 0
    return torch.zeros_like(probabilities).scatter_(-1, order, ordered)
