"""`python -m training.contrastive`: train a CLIP pair, with the captioning loss if asked (CoCa, arXiv 2205.01917)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor, nn

from model.caption.clipcap import ClipCap
from model.caption.decoding import DecodingOptions
from model.caption.feature_captioner import FeatureCaptioner
from model.caption.tokenizer import CaptionTokenizer
from model.clip.features import ImageFeatures
from model.clip.pair import ClipPair, PairConfig
from model.clip.preprocess import MOBILENET
from model.clip.towers import GRID_CHANNELS, MobileNetTower, conv_layers
from training.backbone import load_backbone
from training.captioning import (
    caption_loss,
    dev_cider,
    encode_photos,
    report_measured,
    sample_captions,
    supported_captions,
)
from training.contrastive_losses import (
    drop_words,
    pair_losses,
    paraphrase_queries,
    paraphrases,
    word_loss,
    word_targets,
)
from training.corpus import Captioned, read_photos
from training.files import save_torch, writing
from training.loop import Trainer, seed_everything
from training.loop_options import LoopOptions, loop_options
from training.metrics import recall
from training.options import (
    AT_LEAST_0,
    COUNT,
    EXISTING,
    SHARE,
    WEIGHT,
    Number,
    TrainingCommand,
    data_options,
    workers_option,
)
from training.photos import Augment, PhotoSet, photo_batches, photos_in_order
from training.pretrained import PAIR, TOKENIZER, Language, Start, load_language, load_start, new_clipcap, same_tokenizer

DEV_PHOTOS = 500  # enough to see progress, few enough to take little time
TEXT_WEIGHT = 0.3  # of the loss between two captions of a photo


class Joint(nn.Module):
    """The pair and, where their losses are asked for, a captioner and a predictor of the captions' words."""

    def __init__(self, pair: ClipPair, captioner: ClipCap | None, words: nn.Linear | None):
        super().__init__()
        self.pair, self.captioner, self.words = pair, captioner, words


def starting_point(
    start: str | None, language: str | None, backbone: Path | None, needs_captioner: bool
) -> tuple[Start, Language | None]:
    """The pair to train, with its captioner if it has one, and the language for a new captioner. Raises
    click.ClickException for what cannot be trained here."""
    begun = load_start(start) if start else None
    trained_language = load_language(language) if language else None
    if begun is None:
        if trained_language is None:
            raise click.UsageError("give --language, or --start with a checkpoint that has a captioner")
        words = trained_language.tokenizer
        begun = Start(ClipPair(PairConfig(len(words), words.pad_id, words.end_id), words))
        if backbone and isinstance(begun.pair.image_tower, MobileNetTower):
            _fill_backbone(begun.pair.image_tower, backbone)
    elif backbone:
        raise click.UsageError("--backbone is for a new pair; leave it out, or leave --start out")
    pair = begun.pair
    if not (isinstance(pair.image_tower, MobileNetTower) and isinstance(pair.tokenizer, CaptionTokenizer)):
        raise click.UsageError(
            f"{start or language} has {_named(pair)}, and this step trains the MobileNet tower with the captioner's "
            "own tokenizer; to train a captioner on it, give it to training.prepare and training.train as --pair"
        )
    if needs_captioner and begun.clipcap is None and trained_language is None:
        raise click.UsageError("give --language, or --start with a checkpoint that has a captioner")
    captions_with = trained_language.tokenizer if begun.clipcap is None and trained_language else begun.tokenizer
    if needs_captioner and captions_with is not None and not same_tokenizer(captions_with, pair.tokenizer):
        raise click.UsageError(
            f"the captioner of {start or language} has another tokenizer than its pair; leave --caption-weight out"
        )
    return begun, trained_language


def _fill_backbone(tower: MobileNetTower, path: Path) -> None:
    try:
        load_backbone(tower, path)
    except Exception as error:  # what flatbuffers stumbles over in a file of another kind
        raise click.ClickException(f"{path} is no MobileNetV2 as .tflite ({error})") from None


def _named(pair: ClipPair) -> str:
    towers = {"resnet": "a ResNet image tower", "vit": "a ViT image tower"}
    return towers.get(pair.config.image, "another tokenizer")


def save_weights(joint: Joint, folder: Path) -> None:
    """Raises click.ClickException."""
    state = {
        "pair_config": joint.pair.config.__dict__,
        "pair": joint.pair.state_dict(),
        "captioner_config": joint.captioner.config.__dict__ if joint.captioner else None,
        "captioner": joint.captioner.state_dict() if joint.captioner else None,
        "words": joint.words.state_dict() if joint.words else None,
    }
    with writing(folder / TOKENIZER):
        joint.pair.tokenizer.save(folder / TOKENIZER)
    save_torch(state, folder / PAIR, "make room and run the same command with --resume")


@dataclass(frozen=True)
class DevPhotos:
    """The dev photos, and how well a pair and its captioner do on them."""

    examples: Sequence[Captioned]
    photos: PhotoSet
    tokenizer: CaptionTokenizer
    device: str
    workers: int

    @torch.no_grad()
    def scores(self, average: Joint) -> dict[str, float]:
        """Recall and median rank, text to image, with each photo's first sentence; CIDEr-D if there is a captioner."""
        batches = [
            average.pair.encode_image(MOBILENET.normalize(pixels.to(self.device)))
            for _, pixels in photos_in_order(self.photos, 50, self.workers)
        ]
        grids = [batch.grid for batch in batches if batch.grid is not None]
        features = ImageFeatures(torch.cat([batch.embedding for batch in batches]), torch.cat(grids) if grids else None)
        texts = average.pair.embed_texts([photo.sentences[0].text for photo in self.examples])
        embeddings = nn.functional.normalize(features.embedding, dim=-1).cpu().numpy()
        found = recall(embeddings, texts, np.arange(len(self.examples)))
        scores = {"dev_" + name: value for name, value in found.items() if name.startswith("text_to_image")}
        if average.captioner is not None:
            captioner = FeatureCaptioner(average.captioner, self.tokenizer, DecodingOptions())
            scores |= dev_cider(captioner, features, self.examples)
        return scores


@click.command(cls=TrainingCommand)
@data_options
@click.option(
    "--language",
    type=EXISTING,
    help="Folder of `sightline train language`: tokenizer and GPT-2; not needed if --start has them.",
)
@click.option("--start", help="Continue with the pair of this folder of `sightline train contrastive` or checkpoint.")
@click.option("--backbone", type=EXISTING, help="MobileNetV2 as .tflite; without it, from scratch.")
@click.option(
    "--size", type=click.IntRange(32, 1024), default=224, show_default=True, help="Width and height while training."
)
@click.option(
    "--frozen-layers", type=AT_LEAST_0, default=0, show_default=True, help="First convolutions that are not trained."
)
@click.option(
    "--backbone-rate", type=WEIGHT, default=0.3, show_default=True, help="Factor of the backbone's learning rate."
)
@click.option("--captions", type=COUNT, default=2, show_default=True, help="Captions a photo and step.")
@click.option("--caption-weight", type=WEIGHT, default=0.0, show_default=True, help="Weight of the captioning loss.")
@click.option(
    "--word-weight", type=WEIGHT, default=0.0, show_default=True, help="Weight of predicting the captions' words."
)
@click.option(
    "--prefix-length",
    type=COUNT,
    default=4,
    show_default=True,
    help="Prefix tokens from the embedding, of a new captioner.",
)
@click.option(
    "--text",
    type=EXISTING,
    help="Captions, a photo's five lines together (plain or .gz): two of one photo get similar embeddings.",
)
@click.option(
    "--word-dropout", type=SHARE, default=0.0, show_default=True, help="Share of words hidden from the text tower."
)
@click.option(
    "--crop",
    type=Number(min=0, max=1, min_open=True),
    default=0.6,
    show_default=True,
    help="Least share of a photo that a crop keeps.",
)
@workers_option
@loop_options(epochs=8, batch_size=96, learning_rate=1e-3)
def main(
    loop: LoopOptions, folders, skip_bad, language, start, backbone, size, frozen_layers, backbone_rate, captions,
    caption_weight, word_weight, prefix_length, text, word_dropout, crop, workers,
) -> None:  # fmt: skip
    """Train an image tower and a text tower so that a photo and its captions have similar embeddings."""
    seed_everything(loop.seed)
    begun, trained_language = starting_point(start, language, backbone, caption_weight > 0)
    pair, captioner, tokenizer = begun.pair, begun.clipcap, begun.pair.tokenizer
    assert isinstance(tokenizer, CaptionTokenizer) and isinstance(pair.image_tower, MobileNetTower)
    splits = read_photos(folders, skip_bad=skip_bad)
    examples = supported_captions(splits["train"], tokenizer)
    dev = supported_captions(splits["dev"], tokenizer)[:DEV_PHOTOS]
    if caption_weight and captioner is None:
        assert trained_language is not None
        captioner = new_clipcap(
            trained_language,
            embedding_dim=pair.config.embedding_dim,
            prefix_length=prefix_length,
            grid_cells=pair.config.grid_side**2,
            grid_channels=GRID_CHANNELS,
        )
    words = nn.Linear(GRID_CHANNELS, pair.config.vocabulary) if word_weight else None
    if words is not None and begun.words:
        words.load_state_dict(begun.words)
    pair.image_tower.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for layer in conv_layers(pair.image_tower.backbone)[:frozen_layers]:
        layer.requires_grad_(False)
    joint = Joint(pair, captioner if caption_weight else None, words)
    if joint.captioner is not None:
        report_measured(dev)

    encoded = encode_photos(examples, tokenizer)
    prompt = tokenizer.prompt_length
    targets = word_targets(encoded, len(tokenizer), prompt) if word_weight else []
    preprocess = replace(MOBILENET, size=size)
    photos = PhotoSet([photo.example for photo in examples], preprocess, Augment(crop), loop.seed)
    groups_of_text = paraphrases(text, tokenizer) if text else []

    def batches(epoch: int, first: int) -> Iterator[tuple]:
        for indices, pixels in photo_batches(photos, loop.batch_size, epoch, first, workers):
            sentences = [sample_captions(encoded[i], captions, (loop.seed, epoch, i)) for i in indices]
            rng = np.random.default_rng((loop.seed, epoch, int(indices[0])))
            # Without control tokens: a query has none.
            queries = [drop_words(sentence[prompt:], word_dropout, rng) for own in sentences for sentence in own]
            queries += paraphrase_queries(groups_of_text, len(indices), word_dropout, rng)
            yield indices, pixels, sentences, queries

    def loss_of(batch: tuple) -> dict[str, Tensor]:
        indices, pixels, sentences, queries = batch
        features = pair.encode_image(MOBILENET.normalize(pixels.to(loop.device)))
        texts = pair.encode_tokens(queries)  # (N, D), after them two for each group of text
        losses = pair_losses(features.embedding, texts, [len(own) for own in sentences], captions, pair.logit_scale)
        if words is not None and features.grid is not None:
            losses["words"] = word_loss(words(features.grid.mean(1)), [targets[i] for i in indices])
        if joint.captioner is not None:
            losses["caption"] = caption_loss(joint.captioner, features, sentences, tokenizer)
        weights = {"contrastive": 1.0, "text": TEXT_WEIGHT, "words": word_weight, "caption": caption_weight}
        total = torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
        return {"loss": total, **losses}

    dev_set = PhotoSet([photo.example for photo in dev], preprocess, None, loop.seed)
    measure = DevPhotos(dev, dev_set, tokenizer, loop.device, workers).scores if dev else None
    trainable = [p for p in joint.parameters() if p.requires_grad]
    backbone_ids = {id(p) for p in pair.image_tower.backbone.parameters()}
    groups = [
        {"params": [p for p in trainable if id(p) not in backbone_ids]},
        {"params": [p for p in trainable if id(p) in backbone_ids], "scale": backbone_rate},
    ]
    steps = len(examples) // loop.batch_size
    trained = Trainer(joint, groups, batches, steps, loss_of, loop, validate=measure).fit()
    save_weights(trained, loop.out)
    click.echo(f"Saved {loop.out / PAIR}")


if __name__ == "__main__":
    main()
