"""The mapping networks have the shapes and the arithmetic of ClipCap's."""

import pytest
import torch

from model.caption.clipcap import ClipCap, ClipCapConfig
from model.caption.mapping import MLPMapper, TransformerMapper


def test_mlp_shapes():
    mapper = MLPMapper(embedding_dim=640, width=64, prefix_length=10)
    assert mapper(torch.randn(3, 640)).shape == (3, 10, 64)
    assert [tuple(p.shape) for p in mapper.parameters()] == [(320, 640), (320,), (640, 320), (640,)]


def test_transformer_equals_its_formula():
    torch.manual_seed(0)
    mapper = TransformerMapper(embedding_dim=6, width=8, prefix_length=3, clip_length=2, layers=2, heads=2)
    embeddings = torch.randn(2, 6)
    x = torch.cat([mapper.linear(embeddings).view(2, 2, 8), mapper.prefix_const.expand(2, 3, 8)], 1)
    for layer in mapper.transformer["layers"]:
        h = layer.norm1(x)
        keys_values = layer.attn.to_keys_values(h).view(2, 5, 2, 2, 4)  # keys first, then values; heads; head width
        queries, keys, values = layer.attn.to_queries(h).view(2, 5, 2, 4), keys_values[:, :, 0], keys_values[:, :, 1]
        weights = (torch.einsum("bnhd,bmhd->bnmh", queries, keys) * 4**-0.5).softmax(dim=2)
        x = x + layer.attn.project(torch.einsum("bnmh,bmhd->bnhd", weights, values).reshape(2, 5, 8))
        x = x + layer.mlp["fc2"](layer.mlp["fc1"](layer.norm2(x)).relu())
    torch.testing.assert_close(mapper(embeddings), x[:, 2:])


def test_normalized_embeddings_do_not_depend_on_length():
    shape = {
        "embedding_dim": 6,
        "prefix_length": 2,
        "vocabulary": 20,
        "width": 8,
        "layers": 1,
        "heads": 2,
        "positions": 16,
    }
    embeddings = torch.randn(2, 6)
    wants_normalized = ClipCap(ClipCapConfig(**shape))
    torch.testing.assert_close(wants_normalized.prefix(embeddings), wants_normalized.prefix(7 * embeddings))
    wants_raw = ClipCap(ClipCapConfig(**shape, normalized=False))
    assert not torch.allclose(wants_raw.prefix(embeddings), wants_raw.prefix(7 * embeddings))


def test_grid_is_asked_for():
    model = ClipCap(
        ClipCapConfig(
            embedding_dim=6, prefix_length=2, vocabulary=20, width=8, layers=1, heads=2, positions=16,
            grid_cells=4, grid_channels=5,
        )
    )  # fmt: skip
    assert model.prefix(torch.randn(1, 6), torch.randn(1, 4, 5)).shape == (1, 6, 8)
    with pytest.raises(ValueError, match="grid"):
        model.prefix(torch.randn(1, 6))


@pytest.mark.parametrize("wrong", [{"mapper": "lstm"}, {"mapper": "transformer"}])
def test_config_is_refused(wrong):
    with pytest.raises(ValueError):
        ClipCapConfig(
            embedding_dim=6, prefix_length=2, vocabulary=20, width=8, layers=1, heads=2, positions=16, **wrong
        )
