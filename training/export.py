"""`python -m training.export`: a trained checkpoint as it ships: half precision, its name, its way of decoding."""

from dataclasses import replace
from pathlib import Path

import click
import torch
from torch import Tensor, nn

from model import checkpoint
from training.decoding_options import changed, decoding_options


@click.command()
@click.option(
    "--start",
    "starts",
    type=click.Path(path_type=Path, exists=True),
    required=True,
    multiple=True,
    help="Trained checkpoint; of several, one tuned from the other, the mean of their weights is taken.",
)
@click.option("--name", required=True, help="Name of the captioner.")
@decoding_options
@click.option("--least-cosine", type=float, help="Of a photo and a text below it, neither answers the other.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the checkpoint.")
def main(starts, name, least_cosine, out, **asked) -> None:
    """Write the checkpoint --start to --out with float16 weights, for the service to load."""
    try:
        first, *others = [checkpoint.load(start) for start in starts]
        if others:
            average(modules(first), [modules(other) for other in others])
        captioner = first.captioner
        captioner.options = changed(captioner.options, asked)
        if least_cosine is not None:
            first.pair.config = replace(first.pair.config, least_cosine=least_cosine)
        checkpoint.save(out, name, first.pair, captioner)
    except (checkpoint.CheckpointError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    size = sum(file.stat().st_size for file in out.iterdir()) / 2**20
    click.echo(f"Wrote {out}, {size:.1f} MB")


def modules(loaded: checkpoint.Checkpoint) -> nn.Module:
    return nn.ModuleDict({"pair": loaded.pair, "captioner": loaded.captioner})


@torch.no_grad()
def average(module: nn.Module, others: list[nn.Module]) -> None:
    """Give `module` the mean of its weights and the others' (arXiv 2203.05482). Raises ValueError for misfits."""
    tensors, *states = [_weights(each) for each in (module, *others)]
    for state in states:
        if {name: tensor.shape for name, tensor in state.items()} != {n: t.shape for n, t in tensors.items()}:
            raise ValueError("the checkpoints to average are of different shapes; give such as were tuned from another")
    for name, tensor in tensors.items():
        if tensor.is_floating_point():
            tensor.copy_(torch.stack([tensor, *(state[name] for state in states)]).mean(0))


def _weights(module: nn.Module) -> dict[str, Tensor]:
    """Each once: in `state_dict()` GPT-2's token embedding is there again as its output layer."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


if __name__ == "__main__":
    main()
