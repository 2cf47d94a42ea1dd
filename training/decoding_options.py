"""The command-line options that change a checkpoint's way of decoding."""

from collections.abc import Callable
from dataclasses import replace

import click

from model.caption.decoding import DecodingOptions

KINDS = {
    "beams": int,
    "length_penalty": float,
    "no_repeat_ngram": int,
    "likeness_weight": float,
    "agreement_weight": float,
}


def decoding_options(command: Callable) -> Callable:
    """Give `command` an option for each of KINDS, None where it is not given."""
    for name, kind in reversed(KINDS.items()):
        command = click.option(f"--{name.replace('_', '-')}", type=kind, help="Instead of the checkpoint's.")(command)
    return command


def changed(options: DecodingOptions, asked: dict[str, float | None]) -> DecodingOptions:
    """`options` with what was asked for. Raises ValueError for a contradiction."""
    return replace(options, **{name: value for name, value in asked.items() if value is not None})
