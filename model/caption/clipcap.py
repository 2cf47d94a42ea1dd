"""ClipCap: a mapping network whose prefix a GPT-2 continues with a caption."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.cache_utils import DynamicCache

from model.caption.mapping import MAPPERS, GridMapper


@dataclass(frozen=True)
class ClipCapConfig:
    """Shape of a ClipCap. `mapper`: "mlp" or "transformer" (`clip_length`, `mapper_layers`, `mapper_heads` are the
    latter's). `grid_cells`, `grid_channels`: the image tower's grid beside the embedding, 0 for none.
    `normalized`: whether the mapping network wants embeddings of length 1."""

    embedding_dim: int
    prefix_length: int
    vocabulary: int
    width: int
    layers: int
    heads: int
    positions: int
    mapper: str = "mlp"
    clip_length: int = 0
    mapper_layers: int = 0
    mapper_heads: int = 0
    grid_cells: int = 0
    grid_channels: int = 0
    normalized: bool = True
    dropout: float = 0.1

    def __post_init__(self):
        if self.mapper not in MAPPERS:
            raise ValueError(f"mapper is {self.mapper!r}; use one of {', '.join(MAPPERS)}")
        if self.mapper == "transformer" and not (self.clip_length and self.mapper_layers and self.mapper_heads):
            raise ValueError("the transformer mapper needs clip_length, mapper_layers and mapper_heads")
        if self.mapper == "transformer" and (self.mapper_heads < 1 or self.width % self.mapper_heads):
            raise ValueError(f"a width of {self.width} cannot be parted among {self.mapper_heads} mapper_heads")

    @property
    def prefix_total(self) -> int:
        """Prefix tokens before the first caption token, the grid's among them."""
        return self.prefix_length + self.grid_cells


class ClipCap(nn.Module):
    """`prefix` makes (B, P, W) from embeddings; `forward` runs GPT-2 over prefix or tokens with a KV cache."""

    def __init__(self, config: ClipCapConfig):
        super().__init__()
        self.config = config
        extra = {}
        if config.mapper == "transformer":
            extra = {"clip_length": config.clip_length, "layers": config.mapper_layers, "heads": config.mapper_heads}
        self.mapper = MAPPERS[config.mapper](config.embedding_dim, config.width, config.prefix_length, **extra)
        self.grid_mapper = (
            GridMapper(config.grid_channels, config.width, config.grid_cells) if config.grid_cells else None
        )
        self.gpt = build_gpt(config)

    def prefix(self, embeddings: Tensor, grid: Tensor | None = None) -> Tensor:
        """Embeddings (B, D) and, if the model wants it, grid (B, T, C) -> prefix (B, P + T, W)."""
        if self.config.normalized:
            embeddings = nn.functional.normalize(embeddings, dim=-1)
        dtype = self.gpt.transformer.wpe.weight.dtype
        prefix = self.mapper(embeddings.to(dtype))
        if self.grid_mapper is None:
            return prefix
        if grid is None:
            raise ValueError("this captioner wants the grid of features beside the embedding")
        return torch.cat([prefix, self.grid_mapper(grid.to(dtype))], dim=1)

    def forward(
        self,
        *,
        prefix: Tensor | None = None,
        tokens: Tensor | None = None,
        cache: DynamicCache | None = None,
        last_only: bool = False,
    ) -> tuple[Tensor, DynamicCache]:
        """Run GPT-2 over a prefix (B, P, W) or tokens (B, T) after what `cache` holds.

        Returns logits, (B, T, V) or (B, 1, V) with `last_only`, and the cache grown by T.
        """
        out = self.gpt(
            inputs_embeds=prefix,
            input_ids=tokens,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1 if last_only else 0,
        )
        return out.logits, out.past_key_values

    def caption_logits(self, cache: DynamicCache, photos: Tensor, tokens: Tensor) -> Tensor:
        """Teacher-forced logits: tokens (N, T), row i after the prefix of photo `photos[i]` (N,), which `cache`
        holds and which stays as it is -> (N, T, V); position t predicts token t + 1."""
        rows = DynamicCache()
        for number, layer in enumerate(cache.layers):
            rows.update(layer.keys[photos], layer.values[photos], number)
        return self(tokens=tokens, cache=rows)[0]


def build_gpt(config: ClipCapConfig) -> GPT2LMHeadModel:
    """An untrained GPT-2 of the configured size."""
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=config.vocabulary,
            n_positions=config.positions,
            n_embd=config.width,
            n_layer=config.layers,
            n_head=config.heads,
            activation_function="gelu_pytorch_tanh",  # GPT-2's own, as one kernel
            resid_pdrop=config.dropout,
            embd_pdrop=config.dropout,
            attn_pdrop=0.0,  # attention dropout rules out the fused kernel
            bos_token_id=None,
            eos_token_id=None,
        )
    )
