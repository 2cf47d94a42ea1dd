"""`python -m training.language`: learn a tokenizer and a small GPT-2 from caption text."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor, nn

from model.caption.clipcap import ClipCapConfig, build_gpt
from model.caption.tokenizer import CaptionTokenizer
from training.corpus import Sentence, pad, read_photos
from training.loop import LoopOptions, fit, loop_options, seed_everything
from training.pretrained import LANGUAGE, TOKENIZER

DEV_SENTENCES = 4000


def read_plain_text(path: Path) -> list[Sentence]:
    """English captions, one a line, from a text file or its .gz."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [Sentence.of(line) for line in content.decode("utf-8").splitlines() if line.strip()]


def length_batches(lengths: np.ndarray, batch_size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Indices in batches of like lengths, so that little is padding; shuffled with `rng`."""
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


@click.command()
@click.option("--data", "folders", type=click.Path(path_type=Path, exists=True), multiple=True, required=True)
@click.option(
    "--text", "texts", type=click.Path(path_type=Path, exists=True), multiple=True, help="English captions, one a line."
)
@click.option("--text-lines", type=int, help="Only so many lines of each text, evenly spread.")
@click.option("--vocabulary", type=int, default=8000, show_default=True)
@click.option("--width", type=int, default=384, show_default=True)
@click.option("--layers", type=int, default=4, show_default=True)
@click.option("--heads", type=int, default=6, show_default=True)
@click.option(
    "--prefix-total", type=int, default=20, show_default=True, help="Prefix tokens that will stand before a caption."
)
@click.option("--skip-bad", is_flag=True, help="Leave out and count what cannot be read.")
@loop_options(epochs=2, batch_size=128, learning_rate=1e-3)
def main(
    loop: LoopOptions, folders, texts, text_lines, vocabulary, width, layers, heads, prefix_total, skip_bad
) -> None:
    """Learn a tokenizer and a small GPT-2 from the training captions of every --data folder and from --text files."""
    seed_everything(loop.seed)
    splits = read_photos(folders, skip_bad=skip_bad)
    sentences = [s for photo in splits["train"] for s in photo.sentences]
    for text in texts:
        lines = read_plain_text(text)
        chosen = np.linspace(0, len(lines) - 1, min(text_lines or len(lines), len(lines)), dtype=int)
        sentences += [lines[i] for i in chosen]
    loop.out.mkdir(parents=True, exist_ok=True)
    if loop.resume and (loop.out / TOKENIZER).exists():
        tokenizer = CaptionTokenizer.load(loop.out / TOKENIZER)
    else:
        tokenizer = CaptionTokenizer.train((s.text for s in sentences), vocabulary)
        tokenizer.save(loop.out / TOKENIZER)
    click.echo(f"{len(sentences)} sentences, {len(tokenizer)} tokens in the vocabulary")
    encoded = [s.encode(tokenizer) for s in sentences]
    dev = [s.encode(tokenizer) for photo in splits["dev"] for s in photo.sentences][:DEV_SENTENCES]
    config = ClipCapConfig(
        embedding_dim=640, prefix_length=prefix_total, vocabulary=len(tokenizer), width=width, layers=layers,
        heads=heads, positions=prefix_total + 64,
    )  # fmt: skip
    gpt = build_gpt(config)
    lengths = np.array([len(e) for e in encoded])

    def batches(epoch: int, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        for indices in length_batches(lengths, loop.batch_size, np.random.default_rng((loop.seed, epoch)))[start:]:
            yield pad([encoded[i] for i in indices], tokenizer.pad_id)

    @torch.no_grad()
    def validate(gpt: nn.Module) -> dict[str, float]:
        losses = [
            float(language_loss(gpt, *pad(dev[i : i + 200], tokenizer.pad_id), prefix_total))
            for i in range(0, len(dev), 200)
        ]
        return {"dev_loss": float(np.mean(losses))} if losses else {}

    def loss_of(batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        tokens, labels = (t.to(loop.device) for t in batch)
        return {"loss": language_loss(gpt, tokens, labels, prefix_total)}

    trained = fit(
        gpt,
        [{"params": list(gpt.parameters())}],
        batches,
        len(encoded) // loop.batch_size,
        loss_of,
        loop,
        validate=validate,
    )
    torch.save({"config": config.__dict__, "state": trained.state_dict()}, loop.out / LANGUAGE)
    click.echo(f"Saved {loop.out / LANGUAGE}")


if __name__ == "__main__":
    main()
