"""Mapping networks: a photo's embedding to a prefix for the language model (ClipCap, arXiv 2111.09734)."""

import torch
from torch import Tensor, nn


class MLPMapper(nn.Module):
    """Two linear layers with tanh between, D -> W P / 2 -> W P. Embeddings (B, D) -> prefix (B, P, W)."""

    def __init__(self, embedding_dim: int, width: int, prefix_length: int):
        super().__init__()
        self.prefix_length, self.width = prefix_length, width
        hidden = width * prefix_length // 2
        self.model = nn.Sequential(
            nn.Linear(embedding_dim, hidden), nn.Tanh(), nn.Linear(hidden, width * prefix_length)
        )

    def forward(self, embeddings: Tensor) -> Tensor:
        return self.model(embeddings).view(-1, self.prefix_length, self.width)  # (B, P, W)


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.to_queries = nn.Linear(width, width, bias=False)
        self.to_keys_values = nn.Linear(width, 2 * width, bias=False)
        self.project = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        B, T, W = x.shape
        keys, values = self.to_keys_values(x).chunk(2, dim=-1)
        split = lambda t: t.view(B, T, self.heads, W // self.heads).transpose(1, 2)  # (B, H, T, W/H)  # noqa: E731
        attended = nn.functional.scaled_dot_product_attention(split(self.to_queries(x)), split(keys), split(values))
        return self.project(attended.transpose(1, 2).reshape(B, T, W))


class _Layer(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = _Attention(width, heads)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 2 * width), "fc2": nn.Linear(2 * width, width)})

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp["fc2"](torch.relu(self.mlp["fc1"](self.norm2(x))))


class TransformerMapper(nn.Module):
    """`clip_length` tokens made from the embedding, then `prefix_length` learnt constants, through pre-norm layers
    without a mask; the last P outputs are the prefix. Embeddings (B, D) -> (B, P, W). Names and shapes as in
    ClipCap's `TransformerMapper`, so that its weights fit."""

    def __init__(
        self, embedding_dim: int, width: int, prefix_length: int, clip_length: int, layers: int = 8, heads: int = 8
    ):
        super().__init__()
        self.prefix_length, self.clip_length, self.width = prefix_length, clip_length, width
        self.linear = nn.Linear(embedding_dim, clip_length * width)
        self.prefix_const = nn.Parameter(torch.randn(prefix_length, width) * 0.02)
        self.transformer = nn.ModuleDict({"layers": nn.ModuleList(_Layer(width, heads) for _ in range(layers))})

    def forward(self, embeddings: Tensor) -> Tensor:
        B = embeddings.shape[0]
        tokens = self.linear(embeddings).view(B, self.clip_length, self.width)  # (B, clip_length, W)
        x = torch.cat([tokens, self.prefix_const.expand(B, -1, -1)], dim=1)  # (B, clip_length + P, W)
        for layer in self.transformer["layers"]:
            x = layer(x)
        return x[:, self.clip_length :]  # (B, P, W)


class GridMapper(nn.Module):
    """Features of the image tower's grid, one prefix token a cell. (B, T, C) -> (B, T, W)."""

    def __init__(self, channels: int, width: int, cells: int):
        super().__init__()
        self.cells = cells
        self.norm = nn.LayerNorm(channels)
        self.project = nn.Linear(channels, width)

    def forward(self, grid: Tensor) -> Tensor:
        return self.project(self.norm(grid))


MAPPERS = {"mlp": MLPMapper, "transformer": TransformerMapper}
