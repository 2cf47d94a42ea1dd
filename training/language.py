"""`python -m training.language`: learn a tokenizer and a small GPT-2 from caption text."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor, nn

from model.caption.clipcap import ClipCapConfig, build_gpt
from model.caption.tokenizer import CaptionTokenizer
from model.checkpoint_files import read_tokenizer
from training.corpus import MAX_TOKENS, Sentence, languages_and_styles, pad, read_photos
from training.files import save_torch, writing
from training.loop import Trainer, seed_everything
from training.loop_options import LoopOptions, loop_options
from training.options import COUNT, EXISTING, TrainingCommand, data_options
from training.pretrained import LANGUAGE, TOKENIZER

DEV_SENTENCES = 4000


def read_plain_text(path: Path) -> list[Sentence]:
    """English captions, one a line, from a text file or its .gz. Raises click.ClickException."""
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        lines = content.decode("utf-8").splitlines()
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise click.ClickException(f"{path} cannot be read as UTF-8 text, one caption a line ({error})") from None
    return [Sentence.from_text(line) for line in lines if line.strip()]


def length_batches(lengths: np.ndarray, batch_size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Indices in batches of similar lengths, so that little is padding; shuffled with `rng`."""
    order = np.argsort(lengths + rng.uniform(0, 2, len(lengths)), kind="stable")
    batches = [order[i : i + batch_size] for i in range(0, len(order) - batch_size + 1, batch_size)]
    rng.shuffle(batches)
    return batches


def language_loss(gpt: nn.Module, tokens: Tensor, labels: Tensor, offset: int, smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy of the next token. Tokens and labels (B, T); labels of -100 do not count. Positions start at
    `offset`, where a caption stands after its prefix."""
    positions = torch.arange(offset, offset + tokens.shape[1], device=tokens.device)[None]
    logits = gpt(input_ids=tokens, position_ids=positions).logits
    return nn.functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=-100, label_smoothing=smoothing
    )


def read_sentences(photos, texts: list[Path], text_lines: int | None) -> list[Sentence]:
    """The captions of the photos and the lines of the texts, or `text_lines` of each, evenly sampled."""
    sentences = [s for photo in photos for s in photo.sentences]
    for text in texts:
        lines = read_plain_text(text)
        chosen = np.linspace(0, len(lines) - 1, min(text_lines or len(lines), len(lines)), dtype=int)
        sentences += [lines[i] for i in chosen]
    if not sentences:
        raise click.ClickException("there is no training caption in these sets and texts; give others")
    return sentences


def make_tokenizer(sentences: list[Sentence], vocabulary: int, loop: LoopOptions) -> CaptionTokenizer:
    """That of the run that is resumed, or a new one with the languages and styles of the sentences, saved."""
    path = loop.out / TOKENIZER
    if loop.resume and path.exists():
        return read_tokenizer(path, CaptionTokenizer)
    languages, styles = languages_and_styles(sentences)
    tokenizer = CaptionTokenizer.train((s.text for s in sentences), vocabulary, languages, styles)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        tokenizer.save(path)
    return tokenizer


@click.command(cls=TrainingCommand)
@data_options
@click.option("--text", "texts", type=EXISTING, multiple=True, help="English captions, one a line; repeat for several.")
@click.option("--text-lines", type=COUNT, help="Only so many lines of each text, evenly sampled.")
@click.option("--vocabulary", type=click.IntRange(300, 100_000), default=8000, show_default=True, help="Tokens.")
@click.option("--width", type=COUNT, default=384, show_default=True)
@click.option("--layers", type=COUNT, default=4, show_default=True)
@click.option("--heads", type=COUNT, default=6, show_default=True)
@click.option("--prefix-total", type=COUNT, default=20, show_default=True, help="Prefix tokens before a caption.")
@loop_options(epochs=2, batch_size=128, learning_rate=1e-3)
def main(
    loop: LoopOptions, folders, skip_bad, texts, text_lines, vocabulary, width, layers, heads, prefix_total
) -> None:
    """Learn a tokenizer and a small GPT-2 from the training captions of every --data folder and from --text files."""
    if width % heads:
        raise click.UsageError(f"a --width of {width} cannot be divided among {heads} --heads")
    seed_everything(loop.seed)
    splits = read_photos(folders, skip_bad=skip_bad)
    sentences = read_sentences(splits["train"], texts, text_lines)
    tokenizer = make_tokenizer(sentences, vocabulary, loop)
    asked_for = [s for s in sentences if s.language in tokenizer.languages and s.style in tokenizer.styles]
    encoded = [s.encode(tokenizer) for s in asked_for]
    click.echo(
        f"{len(encoded)} sentences, {len(tokenizer)} tokens in the vocabulary; "
        f"languages {', '.join(tokenizer.languages)}; styles {', '.join(tokenizer.styles)}"
    )
    dev_sentences = [s for photo in splits["dev"] for s in photo.sentences]
    dev = [
        s.encode(tokenizer) for s in dev_sentences if s.language in tokenizer.languages and s.style in tokenizer.styles
    ][:DEV_SENTENCES]
    config = ClipCapConfig(
        embedding_dim=640, prefix_length=prefix_total, vocabulary=len(tokenizer), width=width, layers=layers,
        heads=heads, positions=prefix_total + MAX_TOKENS + 16,
    )  # fmt: skip
    gpt = build_gpt(config)
    lengths = np.array([len(e) for e in encoded])

    def batches(epoch: int, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        for indices in length_batches(lengths, loop.batch_size, np.random.default_rng((loop.seed, epoch)))[start:]:
            yield pad([encoded[i] for i in indices], tokenizer.pad_id)

    @torch.no_grad()
    def validate(gpt: nn.Module) -> dict[str, float]:
        losses = []
        for i in range(0, len(dev), 200):
            tokens, labels = (t.to(loop.device) for t in pad(dev[i : i + 200], tokenizer.pad_id))
            losses.append(float(language_loss(gpt, tokens, labels, prefix_total)))
        return {"dev_loss": float(np.mean(losses))} if losses else {}

    def loss_of(batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        tokens, labels = (t.to(loop.device) for t in batch)
        return {"loss": language_loss(gpt, tokens, labels, prefix_total)}

    groups = [{"params": list(gpt.parameters())}]
    steps = len(encoded) // loop.batch_size
    trained = Trainer(gpt, groups, batches, steps, loss_of, loop, validate=validate).fit()
    save_torch({"config": config.__dict__, "state": trained.state_dict()}, loop.out / LANGUAGE)
    click.echo(f"Saved {loop.out / LANGUAGE}")


if __name__ == "__main__":
    main()
