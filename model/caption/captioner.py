"""What a captioner says of a photo: texts with the probability of every token."""

from dataclasses import dataclass, replace
from math import exp

import torch
from torch import nn

from model.caption.clipcap import ClipCap
from model.caption.decoding import DecodingOptions, Hypothesis, decode
from model.caption.promises import makes_promise
from model.caption.tokenizer import CaptionTokenizer, Gpt2Tokenizer
from model.clip.seen import Seen


@dataclass(frozen=True)
class Caption:
    """`text`; its token ids; the natural log-probability of each (the end token's last, if reached); `confidence`: the
    mean probability of the tokens, 0 to 1; `score`: by which decoding ranked it."""

    text: str
    token_ids: tuple[int, ...]
    log_probs: tuple[float, ...]
    confidence: float
    score: float


class Captioner(nn.Module):
    """A ClipCap with its tokenizer and its way of decoding."""

    def __init__(self, clipcap: ClipCap, tokenizer: CaptionTokenizer | Gpt2Tokenizer, options: DecodingOptions):
        super().__init__()
        self.clipcap, self.tokenizer, self.options = clipcap, tokenizer, options

    @torch.inference_mode()
    def caption(
        self, seen: Seen, language: str = "en", style: str = "caption", options: DecodingOptions | None = None
    ) -> list[list[Caption]]:
        """Embedding (B, D) and grid (B, T, C) -> for each photo its captions, best first.

        A guide never holds a promise (`model.caption.promises`). Raises NotTaught for a language or style of
        which it knows nothing.
        """
        prompt = self.tokenizer.prompt(language, style)
        prefix = self.clipcap.prefix(seen.embedding, seen.grid)
        options = options or self.options
        room = self.clipcap.config.positions - prefix.shape[1] - len(prompt)
        options = replace(options, max_tokens=min(options.max_tokens, room))

        def promise(token_ids: list[int]) -> bool:
            return makes_promise(self.tokenizer.decode(token_ids), language)

        end_id = self.tokenizer.full_stop_id if options.search == "clipcap" else self.tokenizer.end_id
        found = decode(self.clipcap, prefix, prompt, end_id, options, promise if style == "guide" else None)
        return [[self._caption(hypothesis) for hypothesis in own] for own in found]

    def _caption(self, hypothesis: Hypothesis) -> Caption:
        probabilities = [exp(log_prob) for log_prob in hypothesis.log_probs]
        confidence = sum(probabilities) / len(probabilities) if probabilities else 0.0
        text = self.tokenizer.decode(hypothesis.token_ids)
        return Caption(text, hypothesis.token_ids, hypothesis.log_probs, confidence, hypothesis.score)
