"""`python -m training.joint`: train CLIP pair and captioner together on features kept by `training.features`.

The captioning loss beside the contrastive one is CoCa's (arXiv 2205.01917). With `--tune-upper` the layers of the
image tower above stride 16 are trained as well, held near ImageNet's by the class logits that they gave before
(learning without forgetting, arXiv 1606.09282); what lies below never is, so that its output can be kept.
"""

from collections.abc import Iterator
from typing import NamedTuple

import click
import numpy as np
import torch
from torch import Tensor, nn

from model import checkpoint
from model.caption.clipcap import ClipCap
from model.caption.decoding import DecodingOptions
from model.caption.feature_captioner import FeatureCaptioner
from model.caption.tokenizer import CaptionTokenizer
from model.clip.efficientnet import VARIANTS
from model.clip.features import ImageFeatures
from model.clip.pair import ClipPair
from training.captioning import (
    caption_loss,
    dev_cider,
    encode_photos,
    report_measured,
    sample_captions,
    sample_evenly,
    supported_captions,
)
from training.contrastive_losses import drop_words, pair_losses, paraphrase_queries, paraphrases
from training.corpus import Captioned, read_photos
from training.efficientnet import with_efficientnet
from training.features import GRID_SIDE, LOWER, POOLED, View, as_map, finished_views, open_view
from training.loop import Trainer, seed_everything
from training.loop_options import LoopOptions, loop_options
from training.metrics import recall
from training.options import COUNT, EXISTING, SHARE, WEIGHT, Number, TrainingCommand, data_options
from training.pretrained import load_start, report_lost_calibration

DEV_PHOTOS = 400
RETRIEVAL_PHOTOS = 1000
QUERIES_A_PHOTO = 2  # of its captions, for the text tower
TEXT_WEIGHT = 0.3  # of the loss between two captions of a photo
NECK_WIDTH, NECK_LAYERS, NECK_HEADS = 384, 2, 6


class JointModel(nn.Module):
    """Pair and captioner, and what the tower makes of kept features. `tuned`: they are those at stride 16."""

    def __init__(self, pair: ClipPair, captioner: ClipCap, tuned: bool):
        super().__init__()
        self.pair, self.captioner, self.tuned = pair, captioner, tuned

    def encode_kept(
        self, vectors: Tensor, cells: Tensor, dropout: float = 0.0, crop: float = 1.0
    ) -> tuple[ImageFeatures, Tensor | None]:
        """As a `View` gives them -> image features and, if tuned, ImageNet's class logits (B, 1000). `dropout`: of
        cells of the grid. `crop`: least part of a side that a random window keeps, one for the batch, at stride 16."""
        tower, logits = self.pair.image_tower, None
        if self.tuned:
            lower = as_map(cells)
            down, across = (_window(lower.shape[-1], crop) for _ in range(2))
            vectors, cells = tower.pooled(tower.backbone.upper(lower[:, :, down, across]))
            logits = tower.class_logits(vectors).float()
        kept = torch.rand(cells.shape[:2], device=cells.device) >= dropout if dropout else None
        features = tower.neck(vectors, cells, kept)
        return ImageFeatures(features.embedding.float(), features.grid), logits


def _window(side: int, crop: float) -> slice:
    """A random run of at least `crop` of the cells of a side."""
    kept = side - int(torch.randint(round(side * (1 - crop)) + 1, ()))
    first = int(torch.randint(side - kept + 1, ()))
    return slice(first, first + kept)


class Batch(NamedTuple):
    """Kept features of B photos, the sentences of each, and sentences for the text tower alone."""

    vectors: Tensor
    cells: Tensor
    sentences: list[list[list[int]]]
    queries: list[list[int]]


def forgetting_loss(logits: Tensor, before: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the class probabilities (B, 1000) from those before any tuning."""
    log_p, log_q = logits.log_softmax(-1), before.log_softmax(-1)
    return nn.functional.kl_div(log_p, log_q, log_target=True, reduction="batchmean")


@torch.no_grad()
def features_of_view(
    joint: JointModel, view: View, photos: np.ndarray, device: str, batch_size: int = 100
) -> ImageFeatures:
    """What the tower makes of the kept photos, on the CPU."""
    parts = []
    for rows in np.array_split(photos, -(-len(photos) // batch_size)):
        features, _ = joint.encode_kept(view.vectors(rows).to(device), view.cells(rows).to(device))
        parts.append(ImageFeatures(features.embedding, features.grid))
    return ImageFeatures(torch.cat([p.embedding for p in parts]), torch.cat([p.grid for p in parts]))


def dev_recall(pair: ClipPair, embeddings: Tensor, photos: list[Captioned]) -> dict[str, float]:
    """Text to image among the photos, each English caption a query."""
    wanted = ("en", "caption")
    asked = [(i, s.text) for i, p in enumerate(photos) for s in p.sentences if (s.language, s.style) == wanted]
    texts = pair.embed_texts([text for _, text in asked])
    scores = recall(nn.functional.normalize(embeddings, dim=-1).cpu().numpy(), texts, np.array([i for i, _ in asked]))
    return {f"dev_{name}": value for name, value in scores.items() if name.startswith("text_to_image")}


@click.command(cls=TrainingCommand)
@data_options
@click.option("--features", "kept", type=EXISTING, required=True,
              help="Folder of `training.features`; each epoch takes the views that are whole by then.")  # fmt: skip
@click.option("--start", type=EXISTING, required=True,
              help="Checkpoint to continue; if it has another image tower, --variant replaces that.")  # fmt: skip
@click.option("--variant", type=click.Choice(list(VARIANTS)), default="efficientnet-lite2", show_default=True)
@click.option("--tune-upper", is_flag=True, help="Train the image tower above stride 16 as well.")
@click.option("--upper-rate", type=WEIGHT, default=0.2, show_default=True, help="Factor of its learning rate.")
@click.option("--language-rate", type=WEIGHT, default=0.5, show_default=True, help="Of GPT-2's and the text tower's.")
@click.option("--captions", type=COUNT, default=3, show_default=True, help="Captions a photo and step.")
@click.option("--caption-weight", type=WEIGHT, default=2.0, show_default=True, help="Weight of the captioning loss.")
@click.option("--keep-weight", type=WEIGHT, default=0.5, show_default=True, help="Weight of not forgetting ImageNet.")
@click.option("--text", type=EXISTING,
              help="Captions, a photo's five lines together: two of one photo get similar embeddings.")  # fmt: skip
@click.option("--word-dropout", type=SHARE, default=0.1, show_default=True, help="Words hidden from the text tower.")
@click.option("--dropout", type=SHARE, default=0.1, show_default=True, help="Of the grid's cells.")
@click.option("--crop", type=Number(min=0, max=1, min_open=True), default=0.75, show_default=True,
              help="Least part of a side that a window of the features keeps, with --tune-upper.")  # fmt: skip
@click.option("--name", default="sightline", show_default=True, help="Name of the captioner.")
@loop_options(epochs=4, batch_size=96, learning_rate=8e-4)
def main(
    loop: LoopOptions, folders, skip_bad, kept, start, variant, tune_upper, upper_rate, language_rate, captions,
    caption_weight, keep_weight, text, word_dropout, dropout, crop, name,
) -> None:  # fmt: skip
    """Train what comes after the kept features; OUT becomes a checkpoint that describes photos."""
    seed_everything(loop.seed)
    begun = load_start(start)
    pair, clipcap, tokenizer = begun.pair, begun.clipcap, begun.tokenizer
    if clipcap is None or not isinstance(tokenizer, CaptionTokenizer):
        raise click.UsageError(f"there is no captioner of this project in {start}")
    report_lost_calibration(start, begun.calibration)
    splits = read_photos(folders, skip_bad=skip_bad)
    if pair.config.image != variant:
        pair, clipcap = with_efficientnet(pair, clipcap, variant, GRID_SIDE, NECK_WIDTH, NECK_LAYERS, NECK_HEADS)
    kind = LOWER if tune_upper else POOLED
    backbone = pair.image_tower.backbone
    backbone.requires_grad_(False)
    upper = backbone.pointwise_parameters() if tune_upper else []
    for parameter in upper:
        parameter.requires_grad_(True)
    joint = JointModel(pair, clipcap, tune_upper)
    photos, dev_photos = (supported_captions(splits[name], tokenizer) for name in ("train", "dev"))
    encoded, prompt = encode_photos(photos, tokenizer), tokenizer.prompt_length
    same_photo = paraphrases(text, tokenizer) if text else []
    dev, searched = sample_evenly(dev_photos, DEV_PHOTOS), dev_photos[:RETRIEVAL_PHOTOS]
    report_measured(dev)

    def batches(epoch: int, first: int) -> Iterator[Batch]:
        known = finished_views(kept, kind)
        view = open_view(kept, known[epoch % len(known)], kind, photos)
        order = np.random.default_rng((loop.seed, epoch)).permutation(len(photos))
        for begin in range(first * loop.batch_size, len(order) - loop.batch_size + 1, loop.batch_size):
            indices = order[begin : begin + loop.batch_size]
            sentences = [sample_captions(encoded[i], captions, (loop.seed, epoch, i)) for i in indices]
            rng = np.random.default_rng((loop.seed, epoch, begin))
            # Without control tokens: a query has none.
            queries = [drop_words(s[prompt:], word_dropout, rng) for own in sentences for s in own[:QUERIES_A_PHOTO]]
            queries += paraphrase_queries(same_photo, len(indices), word_dropout, rng)
            yield Batch(view.vectors(indices), view.cells(indices), sentences, queries)

    def loss_of(batch: Batch) -> dict[str, Tensor]:
        vectors = batch.vectors.to(loop.device)
        features, logits = joint.encode_kept(vectors, batch.cells.to(loop.device), dropout, crop)
        texts = pair.encode_tokens(batch.queries)
        counts = [len(own[:QUERIES_A_PHOTO]) for own in batch.sentences]
        losses = pair_losses(features.embedding, texts, counts, QUERIES_A_PHOTO, pair.logit_scale)
        losses["caption"] = caption_loss(joint.captioner, features, batch.sentences, tokenizer)
        if logits is not None:
            losses["keep"] = forgetting_loss(logits, vectors)
        weights = {"contrastive": 1.0, "text": TEXT_WEIGHT, "caption": caption_weight, "keep": keep_weight}
        total = torch.stack([weights[part] * loss for part, loss in losses.items()]).sum()
        return {"loss": total, **losses}

    def validate(average: JointModel) -> dict[str, float]:
        features = features_of_view(average, open_view(kept, 0, kind, dev), np.arange(len(dev)), loop.device)
        captioner = FeatureCaptioner(average.captioner, tokenizer, DecodingOptions())
        scores = dev_cider(captioner, features, dev)
        view = open_view(kept, 0, kind, searched)
        features = features_of_view(average, view, np.arange(len(searched)), loop.device)
        return scores | dev_recall(average.pair, features.embedding, searched)

    ids = {id(p) for p in upper}
    language = [*joint.captioner.gpt.parameters(), *pair.text_tower.parameters()]
    ids |= {id(p) for p in language}
    groups = [
        {"params": [p for p in joint.parameters() if p.requires_grad and id(p) not in ids]},
        {"params": language, "scale": language_rate},
    ]
    if upper:
        groups.append({"params": upper, "scale": upper_rate})
    steps = len(photos) // loop.batch_size
    trained = Trainer(joint, groups, batches, steps, loss_of, loop, validate=validate if dev else None).fit()
    captioner = FeatureCaptioner(trained.captioner, tokenizer, DecodingOptions())
    checkpoint.save(loop.out, name, trained.pair, captioner, dtype=torch.float32)
    click.echo(f"Saved the checkpoint {loop.out}")


if __name__ == "__main__":
    main()
