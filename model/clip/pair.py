"""A CLIP pair behind one interface: photos and sentences to embeddings of the same space (arXiv 2103.00020)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from model.clip.efficientnet import VARIANTS, EfficientNetTower
from model.clip.features import ImageFeatures
from model.clip.preprocess import MOBILENET, Preprocess
from model.clip.resnet import ModifiedResNet
from model.clip.towers import GRID_CHANNELS, MobileNetTower, ViTTower, text_tower
from model.protocols import EmbeddingSpace

TEXTS_AT_ONCE = 64


class TextTokenizer(Protocol):
    """What a pair needs of a tokenizer."""

    def encode(self, text: str) -> list[int]: ...

    def save(self, path: Path | str) -> None: ...


@dataclass(frozen=True)
class PairConfig:
    """Shape of a pair. `image`: "mobilenet" (with a grid of `grid_side`), "efficientnet-lite0" to "-lite2" (likewise;
    `image_layers`, `image_width` and `image_heads` are its neck's), "resnet" (CLIP's RN family) or "vit"; the other
    `image_` fields are the latter two's. `start_id`: token before every sentence, if there is one.
    `tokenizer`: "caption" (the captioner's own) or "clip". `text_context`: longest sentence in tokens.
    `least_cosine`: a photo and a text below it do not fit each other; `least_photo_cosine`: two photos below it do not
    look alike; both chosen on dev photos, -1 if not measured. `least_name`, `least_kind`: probability of an ImageNet
    class, and of a kind of them, from which it is named; 1 if that was not measured."""

    vocabulary: int
    pad_id: int
    end_id: int
    embedding_dim: int = 640
    grid_side: int = 4
    text_width: int = 256
    text_layers: int = 3
    text_heads: int = 4
    text_context: int = 48
    start_id: int | None = None
    tokenizer: str = "caption"
    activation: str = "gelu"
    image: str = "mobilenet"
    image_layers: tuple[int, ...] = ()
    image_width: int = 0
    image_heads: int = 0
    image_size: int = 0
    image_patch: int = 0
    least_cosine: float = -1.0
    least_photo_cosine: float = -1.0
    least_name: float = 1.0
    least_kind: float = 1.0

    def __post_init__(self):
        for name, known in (("image", ("mobilenet", *VARIANTS, "resnet", "vit")), ("tokenizer", ("caption", "clip"))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}; use one of {', '.join(known)}")

    @property
    def grid_channels(self) -> int:
        """Channels of a cell of the grid, 0 where the tower has none."""
        if not self.grid_side:
            return 0
        return self.image_width if self.image in VARIANTS else GRID_CHANNELS


def _image_tower(config: PairConfig) -> nn.Module:
    if config.image == "mobilenet":
        return MobileNetTower(config.embedding_dim, config.grid_side)
    if config.image in VARIANTS:
        return EfficientNetTower(
            config.embedding_dim, config.grid_side, config.image, config.image_width, config.image_layers[0],
            config.image_heads,
        )  # fmt: skip
    if config.image == "resnet":
        return ModifiedResNet(
            config.image_layers, config.image_width, config.image_heads, config.image_size, config.embedding_dim
        )
    return ViTTower(
        config.embedding_dim, config.image_width, config.image_layers[0], config.image_heads, config.image_size,
        config.image_patch, config.activation,
    )  # fmt: skip


def weights_sha256(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of a pair's weights as float32, in hex: the same whichever file and precision hold these numbers."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].detach().cpu().float().contiguous().numpy())
    return digest.hexdigest()


class ClipPair(nn.Module):
    """An Embedder: image tower, text tower, temperature, with the preprocessing and the tokenizer that belong to them.

    `space_id`: digest of the weights as they were loaded, None until `checkpoint.load` or `load_clip` sets it; it then
    stands for the weights in every precision. `space_name`: for people.
    """

    def __init__(self, config: PairConfig, tokenizer: TextTokenizer, preprocess: Preprocess = MOBILENET):
        super().__init__()
        self.config, self.tokenizer, self.preprocess = config, tokenizer, preprocess
        self.image_tower = _image_tower(config)
        self.text_tower = text_tower(
            config.vocabulary, config.embedding_dim, config.text_width, config.text_layers, config.text_heads,
            config.text_context, config.pad_id, config.end_id, config.activation,
        )  # fmt: skip
        self.logit_scale = nn.Parameter(torch.tensor(np.log(1 / 0.07), dtype=torch.float32))
        self.space_id: str | None = None
        self.space_name = config.image

    @property
    def space(self) -> EmbeddingSpace:
        """Computed from the weights where nobody said it, which takes a moment for a large pair."""
        id = self.space_id or weights_sha256(self.state_dict())
        bounds = self.config.least_cosine, self.config.least_photo_cosine
        return EmbeddingSpace(id, self.space_name, self.config.embedding_dim, *bounds)

    def encode_image(self, pixels: Tensor) -> ImageFeatures:
        """Pixels (B, 3, S, S) -> ImageFeatures."""
        dtype = next(self.image_tower.parameters()).dtype
        features = self.image_tower(pixels.to(dtype, memory_format=torch.channels_last))
        return features._replace(embedding=features.embedding.float())

    def text_ids(self, text: str) -> list[int]:
        """Token ids of a sentence, cut to the context and closed by the end token."""
        start = [] if self.config.start_id is None else [self.config.start_id]
        return [*start, *self.tokenizer.encode(text)[: self.config.text_context - 1 - len(start)], self.config.end_id]

    def encode_tokens(self, rows: list[list[int]]) -> Tensor:
        """Token ids of N sentences -> embeddings (N, D) of length 1. Like lengths go together: little is padding."""
        device = self.logit_scale.device
        if self.text_tower.dtype != self.logit_scale.dtype:  # still mapped from its file, in the file's precision
            with torch.inference_mode(False):
                self.text_tower.to(self.logit_scale.dtype)
        order = np.argsort([len(row) for row in rows], kind="stable")
        parts = []
        for places in np.array_split(order, -(-len(rows) // TEXTS_AT_ONCE)):
            ids = [torch.tensor(rows[place]) for place in places]
            padded = nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=self.config.pad_id)
            parts.append(self.text_tower(input_ids=padded.to(device)).text_embeds.float())
        return nn.functional.normalize(torch.cat(parts)[torch.as_tensor(np.argsort(order), device=device)], dim=-1)

    @torch.inference_mode()
    def embed_photos(self, photos: Sequence[Image.Image], batch_size: int = 32) -> np.ndarray:
        """RGB photos -> (N, D) float32, length 1."""
        device = self.logit_scale.device
        parts = [
            self.encode_image(self.preprocess(photos[i : i + batch_size]).to(device)).embedding
            for i in range(0, len(photos), batch_size)
        ]
        parts = [nn.functional.normalize(part, dim=-1).cpu().numpy() for part in parts]
        return np.concatenate(parts) if parts else np.zeros((0, self.config.embedding_dim), np.float32)

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Sentences -> (N, D) float32, length 1."""
        if not texts:
            return np.zeros((0, self.config.embedding_dim), np.float32)
        return self.encode_tokens([self.text_ids(text) for text in texts]).cpu().numpy()
