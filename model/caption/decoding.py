"""Prefix to tokens: greedy, beam search and sampling over a KV cache, many photos at once."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from model.caption.cached_gpt2 import CachedGpt2
from model.caption.clipcap import ClipCap

Forbidden = Callable[[list[int]], bool]


@dataclass(frozen=True)
class DecodingOptions:
    """How to decode. `beams`: hypotheses a photo, 1 is greedy. `max_tokens`: of a caption, without its end token.
    `length_penalty`: a finished hypothesis scores sum of log-probabilities / length ** length_penalty (arXiv
    1609.08144 without its constant). `no_repeat_ngram`: no run of so many tokens twice, 0 for no limit. `samples`:
    captions sampled at random instead, with `temperature` and from the `top_p` likeliest tokens (arXiv 1904.09751).
    `likeness_weight`, `agreement_weight`: how much the cosine of a caption in the CLIP pair with the photo, and with
    the mean of the photo's captions, counts beside its score when a Describer ranks them (the second is a consensus
    of hypotheses, arXiv 1505.04467, by embeddings).
    `search`: "beam", or "clipcap" for that of the original ClipCap (`DecodingOptions.clipcap()`), which knows only
    `beams` and `max_tokens`."""

    beams: int = 4
    max_tokens: int = 44
    length_penalty: float = 1.0
    no_repeat_ngram: int = 0
    samples: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    likeness_weight: float = 0.0
    agreement_weight: float = 0.0
    search: str = "beam"

    @classmethod
    def clipcap(cls, beams: int = 7, max_tokens: int = 40) -> "DecodingOptions":
        """Token for token what the original ClipCap decodes: captions end with a full stop."""
        return cls(beams=beams, max_tokens=max_tokens, search="clipcap")

    def __post_init__(self):
        if self.beams < 1 or self.max_tokens < 1:
            raise ValueError("beams and max_tokens must be at least 1")
        if self.samples < 0 or self.no_repeat_ngram < 0:
            raise ValueError("samples and no_repeat_ngram must not be negative")
        if self.samples and self.beams != 1:
            raise ValueError("samples are taken without beams; give beams=1 with samples")
        if not self.samples and (self.temperature != 1.0 or self.top_p != 1.0):
            raise ValueError("temperature and top_p are for sampling; give samples as well")
        if self.temperature <= 0 or not 0 < self.top_p <= 1:
            raise ValueError("temperature must be above 0 and top_p above 0 and at most 1")
        if self.samples and self.length_penalty != 1.0:
            raise ValueError("length_penalty ranks beams; it does nothing to samples")
        for name in ("likeness_weight", "agreement_weight"):
            weight = getattr(self, name)
            if weight < 0 or weight and self.beams == 1:
                raise ValueError(f"{name} ranks beams; it must not be negative, and wants more than one beam")
        if self.search not in ("beam", "clipcap"):
            raise ValueError(f"search is {self.search!r}; use beam or clipcap")
        asked = {field.name for field in fields(self) if getattr(self, field.name) != field.default}
        if self.search == "clipcap" and (foreign := asked - {"beams", "max_tokens", "search"}):
            raise ValueError(f"the search clipcap knows beams and max_tokens, not {' nor '.join(sorted(foreign))}")


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
    if options.search == "clipcap" and forbidden is not None:
        raise ValueError("the search clipcap cannot leave captions out; use the search beam")
    stream = _Stream(captioner, prefix, prompt, copies, options.max_tokens)
    if options.search == "clipcap":
        return _clipcap_search(stream, prefix.shape[0], copies, end_id, options.max_tokens)
    search = _sample if options.samples else _beam_search
    return search(stream, prefix.shape[0], copies, end_id, options, forbidden or (lambda ids: False))


class _Stream:
    """Next-token log-probabilities of a batch of growing sequences; prefix and prompt are read once a photo."""

    def __init__(self, captioner: ClipCap, prefix: Tensor, prompt: list[int], copies: int, max_tokens: int):
        photos, length, _ = prefix.shape
        self._gpt2 = CachedGpt2(captioner.gpt, photos * copies, length + len(prompt) + max_tokens + 1)
        asked = torch.tensor(prompt, dtype=torch.long, device=prefix.device).expand(photos, -1)
        self.log_probs = self._gpt2.next_log_probs(torch.cat([prefix, self._gpt2.embed(asked)], dim=1))  # (B, V)

    def copy(self, copies: int) -> None:
        """Each sequence `copies` times, in a row."""
        self._gpt2.repeat(len(self.log_probs), copies)

    def step(self, tokens: list[int], rows: list[int] | None = None) -> None:
        """Add a token to each sequence, after putting sequence `rows[i]` in place i."""
        device = self.log_probs.device
        if rows is not None and rows != list(range(len(rows))):
            self._gpt2.select(torch.tensor(rows, device=device))
        self.log_probs = self._gpt2.next_log_probs(
            self._gpt2.embed(torch.tensor(tokens, device=device)[:, None])
        )  # (rows, V)


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


def _clipcap_search(stream: _Stream, photos: int, beams: int, stop_id: int, max_tokens: int) -> list[list[Hypothesis]]:
    """The original's beam search: the K best of (B, K, V) by mean log-probability at every step. A stopped beam stays
    among them, its mean unchanged, and goes on with token 0 at no cost; all ends when every beam has stopped."""
    totals, tokens = stream.log_probs.topk(beams)  # (B, K)
    steps, sequences = totals[..., None], tokens[..., None]  # (B, K, T): log-probabilities and tokens
    lengths, stopped = torch.ones_like(totals), tokens == stop_id
    stream.copy(beams)
    sources = torch.arange(beams, device=totals.device).expand(photos, beams)
    first = torch.arange(photos, device=totals.device)[:, None] * beams
    while sequences.shape[-1] < max_tokens and not stopped.all():
        stream.step(tokens.flatten().tolist(), (first + sources).flatten().tolist())
        log_probs = stream.log_probs.view(photos, beams, -1)
        log_probs = log_probs.masked_fill(stopped[..., None], float("-inf"))
        log_probs[..., 0] = log_probs[..., 0].masked_fill(stopped, 0.0)
        lengths = lengths + ~stopped
        means, flat = ((totals[..., None] + log_probs) / lengths[..., None]).flatten(1).topk(beams)
        sources, tokens = flat // log_probs.shape[-1], flat % log_probs.shape[-1]
        step = log_probs.flatten(1).gather(1, flat)
        lengths, stopped = lengths.gather(1, sources), stopped.gather(1, sources)
        totals = means * lengths
        along = sources[..., None].expand_as(sequences)
        steps = torch.cat([steps.gather(1, along), step[..., None]], dim=-1)
        sequences = torch.cat([sequences.gather(1, along), tokens[..., None]], dim=-1)
        stopped = stopped | (tokens == stop_id)
    found = []
    for own in zip((totals / lengths).tolist(), lengths.int().tolist(), sequences.tolist(), steps.tolist()):
        rows = sorted(zip(*own), key=lambda row: -row[0])
        found.append([Hypothesis(tuple(ids[:n]), tuple(log_probs[:n]), score) for score, n, ids, log_probs in rows])
    return found


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
        sampled = torch.multinomial(_nucleus(allowed / options.temperature, options.top_p), 1)[:, 0]  # (rows,)
        picked = stream.log_probs.gather(1, sampled[:, None])[:, 0].tolist()
        tokens = sampled.tolist()
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
