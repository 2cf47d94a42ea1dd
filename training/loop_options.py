"""How to train: the options of the loop, as a dataclass and on the command line."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import click
from accelerate import Accelerator

from training.options import AT_LEAST_0, COUNT, FOLDER, WEIGHT, Number, device_option

MAX_SEED = 2**32 - 1  # numpy's


@dataclass(frozen=True)
class LoopOptions:
    """How to train.

    `learning_rate` is the peak of a linear warm-up and a cosine decay over `epochs`; `until` ends the run after that
    many of them (0: after all). `ema`: decay of the averaged weights, 0 for none. `clip`: greatest gradient norm.
    `precision`: "auto", "float32" or "bfloat16". `save_minutes`: between checkpoints.
    """

    out: Path
    epochs: int
    batch_size: int
    learning_rate: float
    until: int = 0
    warmup: int = 200
    weight_decay: float = 0.05
    ema: float = 0.999
    clip: float = 1.0
    seed: int = 0
    device: str = "cpu"
    precision: str = "auto"
    resume: bool = False
    save_minutes: float = 10.0

    @cached_property
    def accelerator(self) -> Accelerator:
        """The processes that train together: one, unless `accelerate launch` started more."""
        return Accelerator(cpu=self.device == "cpu")


def loop_options(epochs: int, batch_size: int, learning_rate: float) -> Callable:
    """Decorator: the command-line options of `LoopOptions`, with this step's defaults, as one argument `loop`."""
    names = [field.name for field in fields(LoopOptions)]

    def decorate(command: Callable) -> Callable:
        @functools.wraps(command)
        def with_loop(**given):
            return command(loop=LoopOptions(**{n: given.pop(n) for n in names if n in given}), **given)

        for option in reversed(_options(epochs, batch_size, learning_rate)):
            with_loop = option(with_loop)
        return with_loop

    return decorate


def _options(epochs: int, batch_size: int, learning_rate: float) -> list[Callable]:
    def option(name: str, kind: click.ParamType, default: object, help: str | None = None) -> Callable:
        return click.option(name, type=kind, default=default, show_default=True, help=help)

    return [
        click.option("--out", type=FOLDER, required=True, help="Folder for the result."),
        option("--epochs", COUNT, epochs),
        option("--until", AT_LEAST_0, 0, "End after that many of the epochs; 0: after all."),
        option("--batch-size", COUNT, batch_size),
        option("--learning-rate", Number(min=0, min_open=True), learning_rate, "Peak of the schedule."),
        option("--warmup", AT_LEAST_0, 200, "Steps of linear warm-up."),
        option("--weight-decay", WEIGHT, 0.05),
        option("--ema", Number(min=0, max=1, max_open=True), 0.999, "Decay of the averaged weights; 0: none."),
        option("--seed", click.IntRange(0, MAX_SEED), 0),
        device_option,
        option("--precision", click.Choice(["auto", "float32", "bfloat16"]), "auto"),
        option("--save-minutes", WEIGHT, 10.0, "Between checkpoints."),
        click.option("--resume", is_flag=True, help="Continue from the last checkpoint in OUT, to the same result."),
    ]
