"""What the commands of this package share: option types that refuse what cannot work, options, one-line errors."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import torch

from data.datasets import DatasetError
from data.embedding_files import EmbeddingsError
from model.caption.decoding import DecodingOptions
from model.errors import SightlineError

FOLDER = click.Path(path_type=Path)
EXISTING = click.Path(path_type=Path, exists=True)
COUNT = click.IntRange(min=1)
AT_LEAST_0 = click.IntRange(min=0)
SPLIT = click.Choice(["train", "dev", "test"])


class Number(click.FloatRange):
    """A FloatRange without NaN and infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number

    def _describe_range(self) -> str:
        """Nothing for a number that may be any."""
        return "" if self.min is None and self.max is None else super()._describe_range()


WEIGHT = Number(min=0)
SHARE = Number(min=0, max=1)


class Device(click.ParamType):
    """`cpu`, `cuda` or `cuda:N`, if this machine has it."""

    name = "device"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        found = re.fullmatch(r"cpu|cuda(?::(\d+))?", value)
        if not found:
            self.fail(f"{value!r} is not a device; use cpu, cuda or cuda:1.", param, ctx)
        if value != "cpu":
            count = torch.cuda.device_count()
            if not count:
                self.fail(f"{value} is not there: this machine has no CUDA device; use cpu.", param, ctx)
            if int(found[1] or 0) >= count:
                self.fail(
                    f"{value} is not there: the last CUDA device of this machine is cuda:{count - 1}.", param, ctx
                )
        return value


DEVICE = Device()


class TrainingCommand(click.Command):
    """A command that ends in one sentence for what its user can mend."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (SightlineError, DatasetError, EmbeddingsError) as error:
            raise click.ClickException(str(error)) from None
        except (torch.OutOfMemoryError, MemoryError):
            raise click.ClickException(
                "there is not enough memory; use a smaller --batch-size, or more pieces with --accumulate"
            ) from None


def data_options(command: Callable) -> Callable:
    """`--data` (any number of folders) and `--skip-bad`, as arguments `folders` and `skip_bad`."""
    command = click.option("--skip-bad", is_flag=True, help="Leave out and count what cannot be read.")(command)
    return click.option(
        "--data", "folders", type=EXISTING, multiple=True, required=True, help="Data set; repeat for several."
    )(command)


workers_option = click.option(
    "--workers", type=AT_LEAST_0, default=1, show_default=True, help="Processes that read photos."
)
device_option = click.option("--device", type=DEVICE, default="cpu", show_default=True, help="cpu or cuda.")

DECODING: dict[str, click.ParamType] = {
    "beams": COUNT,
    "length_penalty": Number(),
    "no_repeat_ngram": AT_LEAST_0,
    "likeness_weight": WEIGHT,
    "agreement_weight": WEIGHT,
}


def decoding_options(command: Callable) -> Callable:
    """An option for each of DECODING, None where it is not given; see model.caption.decoding.DecodingOptions."""
    for name, kind in reversed(DECODING.items()):
        option = click.option(f"--{name.replace('_', '-')}", type=kind, help="Instead of the checkpoint's value.")
        command = option(command)
    return command


def with_given(options: DecodingOptions, given: dict[str, float | None]) -> DecodingOptions:
    """`options` with the values that were given. Raises click.UsageError for a contradiction."""
    changed: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    try:
        return replace(options, **changed)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
