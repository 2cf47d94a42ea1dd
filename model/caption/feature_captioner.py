"""Image features to captions: a ClipCap with its tokenizer and its way of decoding."""

from dataclasses import replace
from math import exp

import torch
from torch import nn

from model.caption.clipcap import ClipCap
from model.caption.decoding import DecodingOptions, Hypothesis, decode
from model.caption.tokenizer import CaptionTokenizer, Gpt2Tokenizer
from model.clip.features import ImageFeatures
from model.protocols import Caption
from model.safety_claims import is_unsafe


class FeatureCaptioner(nn.Module):
    """A ClipCap with its tokenizer and its decoding options."""

    def __init__(self, clipcap: ClipCap, tokenizer: CaptionTokenizer | Gpt2Tokenizer, options: DecodingOptions):
        super().__init__()
        self.clipcap, self.tokenizer, self.options = clipcap, tokenizer, options

    @torch.inference_mode()
    def caption(
        self,
        features: ImageFeatures,
        language: str = "en",
        style: str = "caption",
        options: DecodingOptions | None = None,
    ) -> list[list[Caption]]:
        """Embedding (B, D) and grid (B, T, C) -> for each photo its captions, best first. Their confidence is the mean
        probability of their tokens.

        A guide is decoded without claims of safety and orders (`model.safety_claims`). Raises UnsupportedOption for a
        language or style that the tokenizer does not have.
        """
        prompt = self.tokenizer.prompt(language, style)
        prefix = self.clipcap.prefix(features.embedding, features.grid)
        options = options or self.options
        room = self.clipcap.config.positions - prefix.shape[1] - len(prompt)
        options = replace(options, max_tokens=min(options.max_tokens, room))

        def forbidden(token_ids: list[int]) -> bool:
            return is_unsafe(self.tokenizer.decode(token_ids), language)

        end_id = self.tokenizer.end_id
        if options.search == "clipcap" and isinstance(self.tokenizer, Gpt2Tokenizer):
            end_id = self.tokenizer.full_stop_id
        found = decode(self.clipcap, prefix, prompt, end_id, options, forbidden if style == "guide" else None)
        return [[self._caption(hypothesis) for hypothesis in own] for own in found]

    def _caption(self, hypothesis: Hypothesis) -> Caption:
        probabilities = [exp(log_prob) for log_prob in hypothesis.log_probs]
        confidence = sum(probabilities) / len(probabilities) if probabilities else 0.0
        text = self.tokenizer.decode(hypothesis.token_ids)
        return Caption(text, confidence, hypothesis.score, hypothesis.token_ids, hypothesis.log_probs)
