"""GPT-2 with cached keys and values for decoding: the numbers of transformers' own forward, without its cost a call."""

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import GPT2LMHeadModel


class CachedGpt2:
    """A batch of growing sequences with their keys and values, in memory that is allocated once.

    `max_batch`: sequences at most; `max_length`: tokens of each at most.
    """

    def __init__(self, gpt: GPT2LMHeadModel, max_batch: int, max_length: int):
        config, weight = gpt.config, gpt.transformer.wpe.weight
        self._gpt = gpt
        self._heads = config.n_head
        shape = (config.n_layer, 2, max_batch, config.n_head, max_length, config.n_embd // config.n_head)
        self._cache = torch.empty(shape, dtype=weight.dtype, device=weight.device)  # (L, 2, B, H, T, W/H)
        self._length = self._shared = 0  # tokens of each sequence; those that all copies of it have in common

    def embed(self, tokens: Tensor) -> Tensor:
        """Tokens (R, T) -> what `next_log_probs` takes (R, T, W)."""
        return self._gpt.transformer.wte(tokens).to(
            self._cache.dtype
        )  # it may be mapped from a file, in another precision

    def next_log_probs(self, x: Tensor) -> Tensor:
        """Add T tokens (R, T, W), as embedded, to every sequence -> log-probabilities of the next one (R, V) float32.

        More than one token can be added at the start only.
        """
        transformer = self._gpt.transformer
        rows, count, width = x.shape
        start, end = self._length, self._length + count
        x = x + transformer.wpe.weight[start:end]
        for layer, block in enumerate(transformer.h):
            y = F.layer_norm(x, (width,), block.ln_1.weight, block.ln_1.bias, block.ln_1.eps)
            queries, keys, values = (
                part.view(rows, count, self._heads, -1).transpose(1, 2)  # (R, H, T, W/H)
                for part in block.attn.c_attn(y).split(width, dim=2)
            )
            kept_keys, kept_values = self._cache[layer, 0, :rows], self._cache[layer, 1, :rows]
            kept_keys[:, :, start:end], kept_values[:, :, start:end] = keys, values
            y = F.scaled_dot_product_attention(
                queries, kept_keys[:, :, :end], kept_values[:, :, :end], is_causal=count > 1
            )
            x = x + block.attn.c_proj(y.transpose(1, 2).reshape(rows, count, width))
            y = F.layer_norm(x, (width,), block.ln_2.weight, block.ln_2.bias, block.ln_2.eps)
            x = x + block.mlp.c_proj(F.gelu(block.mlp.c_fc(y), approximate="tanh"))
        self._length = end
        last = transformer.ln_f(x[:, -1])
        return self._gpt.lm_head(last).float().log_softmax(-1)

    def repeat(self, count: int, copies: int) -> None:
        """Each of the first `count` sequences `copies` times, in a row."""
        self.select(torch.arange(count, device=self._cache.device).repeat_interleave(copies))
        self._shared = self._length

    def select(self, rows: Tensor) -> None:
        """Put sequence `rows[i]` in place i; after `repeat`, one that is a copy of the same."""
        kept = self._cache[:, :, :, :, self._shared : self._length]
        kept[:, :, : len(rows)] = kept.index_select(2, rows)
