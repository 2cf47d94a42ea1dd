"""The command `sightline`, and what its commands share. The web is loaded by `serve` alone."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

import click

from deploy.config import Settings
from deploy.library import Library
from deploy.version import VERSION
from model.errors import SightlineError

# Command -> where it is; loaded when it is called or its help is asked for.
COMMANDS = {
    "serve": "deploy.serve_command:serve",
    "describe": "deploy.describe_command:describe",
    "bulk": "deploy.bulk:bulk",
    "keys": "deploy.keys_command:keys",
    "library": "deploy.library_command:library",
    "models": "deploy.models_command:models",
}
PLUGINS = "sightline.commands"  # entry points of commands that are not deploy's own, such as `train`


class Sightline(click.Group):
    """Loads a command when it is needed, and tells every error of ours in one sentence."""

    def list_commands(self, context: click.Context) -> list[str]:
        return [*COMMANDS, *sorted(point.name for point in entry_points(group=PLUGINS))]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name in COMMANDS:
            module, _, attribute = COMMANDS[name].partition(":")
            return getattr(import_module(module), attribute)
        return next((point.load() for point in entry_points(group=PLUGINS, name=name)), None)

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except SightlineError as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=Sightline, invoke_without_command=True)
@click.version_option(VERSION, prog_name="sightline")
@click.pass_context
def main(context: click.Context) -> None:
    """Hear what a photo shows. Runs `serve` if no command is given."""
    if context.invoked_subcommand is None:
        context.invoke(context.command.get_command(context, "serve"))  # type: ignore[attr-defined]


@contextmanager
def open_library(settings: Settings) -> Iterator[Library]:
    """Raises LibraryError."""
    library = Library(settings.instance, settings.database, settings.photos)
    try:
        yield library
    finally:
        library.close()


def print_any_name() -> None:
    """A file's name is bytes, and need not be text."""
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
