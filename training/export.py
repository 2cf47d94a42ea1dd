"""`python -m training.export`: a trained checkpoint as it ships: half precision, name, decoding options, thresholds."""

import re
from dataclasses import replace
from typing import Any

import click
import torch
from torch import Tensor, nn

from model import checkpoint
from model.caption.feature_captioner import FeatureCaptioner
from model.certainty import Calibration, Thresholds
from training.files import writing
from training.options import EXISTING, FOLDER, Number, TrainingCommand, decoding_options, with_given


class ThresholdType(click.ParamType):
    """`en/caption=0.5,0.4,0.2` -> (("en", "caption"), Thresholds)."""

    name = "threshold"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = re.fullmatch(r"([a-z]+)/([a-z]+)=([^,]+),([^,]+),([^,]+)", value)
        if not found:
            self.fail(f"{value!r} is not LANGUAGE/STYLE=HIGH,MEDIUM,LOW, such as en/caption=0.5,0.4,0.2.", param, ctx)
        try:
            high, medium, low = (float(number) for number in found.groups()[2:])
            return (found[1], found[2]), Thresholds(high, medium, low)
        except ValueError as error:
            self.fail(f"{value}: {error}.", param, ctx)


@click.command(cls=TrainingCommand)
@click.option(
    "--start",
    "starts",
    type=EXISTING,
    required=True,
    multiple=True,
    help="Trained checkpoint; of several, one tuned from the other, the mean of their weights is taken.",
)
@click.option("--name", required=True, help="Name of the captioner.")
@decoding_options
@click.option("--least-cosine", type=Number(min=-1, max=1), help="A photo and a text below it do not fit each other.")
@click.option("--least-photo-cosine", type=Number(min=-1, max=1), help="Two photos below it do not look alike.")
@click.option(
    "--threshold",
    "thresholds",
    type=ThresholdType(),
    multiple=True,
    metavar="LANGUAGE/STYLE=HIGH,MEDIUM,LOW",
    help="Least confidence of a caption of high, medium and low certainty, as measured on dev photos; repeat.",
)
@click.option("--out", type=FOLDER, required=True, help="Folder for the checkpoint.")
def main(starts, name, least_cosine, least_photo_cosine, thresholds, out, **given) -> None:
    """Write the checkpoint --start to --out with float16 weights, for the service to load."""
    first, *others = [checkpoint.load(start) for start in starts]
    captioner = first.captioner
    before = captioner.options
    captioner.options = with_given(before, given)
    if others:
        average(modules(first), [modules(other) for other in others])
    if least_cosine is not None:
        first.pair.config = replace(first.pair.config, least_cosine=least_cosine)
    if least_photo_cosine is not None:
        first.pair.config = replace(first.pair.config, least_photo_cosine=least_photo_cosine)
    kept = first.calibration
    if kept is not None and (others or captioner.options != before):
        what = "the mean of several checkpoints" if others else "other decoding options"
        click.echo(
            f"The thresholds of {starts[0]} do not hold for {what} and are not kept; give new ones with --threshold."
        )
        kept = None
    calibration = with_thresholds(kept, dict(thresholds), captioner)
    checkpoint.save(out, name, first.pair, captioner, calibration=calibration)
    with writing(out):
        size = sum(file.stat().st_size for file in out.iterdir()) / 2**20
    click.echo(f"Wrote {out}, {size:.1f} MB")


def with_thresholds(
    calibration: Calibration | None, given: dict[tuple[str, str], Thresholds], captioner: FeatureCaptioner
) -> Calibration | None:
    """`calibration` with the given thresholds in the place of its own. Raises click.UsageError for a language or style
    that the captioner cannot be asked for."""
    tokenizer = captioner.tokenizer
    for language, style in given:
        if language not in tokenizer.languages or style not in tokenizer.styles:
            raise click.UsageError(
                f"--threshold {language}/{style}: the captioner has the languages {', '.join(tokenizer.languages)} and "
                f"the styles {', '.join(tokenizer.styles)}"
            )
    if not given:
        return calibration
    return Calibration({**(calibration.thresholds if calibration else {}), **given})


def modules(loaded: checkpoint.Checkpoint) -> nn.Module:
    return nn.ModuleDict({"pair": loaded.pair, "captioner": loaded.captioner})


@torch.no_grad()
def average(module: nn.Module, others: list[nn.Module]) -> None:
    """Give `module` the mean of its weights and the others' (arXiv 2203.05482). Raises click.UsageError for checkpoints
    of different shapes."""
    tensors, *states = [_weights(each) for each in (module, *others)]
    for state in states:
        if {name: tensor.shape for name, tensor in state.items()} != {n: t.shape for n, t in tensors.items()}:
            raise click.UsageError(
                "the checkpoints to average are of different shapes; give checkpoints that were tuned from one another"
            )
    for name, tensor in tensors.items():
        if tensor.is_floating_point():
            tensor.copy_(torch.stack([tensor, *(state[name] for state in states)]).mean(0))


def _weights(module: nn.Module) -> dict[str, Tensor]:
    """Each once: in `state_dict()` GPT-2's token embedding is there again as its output layer."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


if __name__ == "__main__":
    main()
