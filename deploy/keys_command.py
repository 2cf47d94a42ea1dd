"""`sightline keys`: who may use the API as whom."""

import re

import click

from deploy.cli import open_library
from deploy.config import Settings
from deploy.limits import read_rate


@click.group()
@click.pass_context
def keys(context: click.Context) -> None:
    """Keys for API clients. What a key sends is kept for it alone."""
    context.obj = Settings.from_environment()


def _rate(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    try:
        if value is not None:
            read_rate(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return value


@keys.command()
@click.argument("name")
@click.option("--rate", callback=_rate, metavar="60/m", help="Requests it may make; by default as SIGHTLINE_RATE says.")
@click.pass_obj
def create(settings: Settings, name: str, rate: str | None) -> None:
    """Make a key called NAME and show it, this once."""
    if not re.fullmatch(r"[\w.-]{1,60}", name):
        raise click.ClickException(f"{name!r} is not a valid name; use up to 60 letters, digits, dots and dashes.")
    with open_library(settings) as library:
        key = library.keys.create(name, rate)
    click.echo(key)
    click.echo("Keep it; it is not shown again. Send it as the header Authorization: Bearer KEY.", err=True)


@keys.command("list")
@click.pass_obj
def list_keys(settings: Settings) -> None:
    """The names of the keys, never the keys themselves."""
    with open_library(settings) as library:
        for key in library.keys.all():
            state = f"revoked {key.revoked:%Y-%m-%d}" if key.revoked else "in use"
            click.echo(f"{key.name:<24} {key.rate or settings.rate:>10}  made {key.created:%Y-%m-%d}  {state}")


@keys.command()
@click.argument("name")
@click.pass_obj
def revoke(settings: Settings, name: str) -> None:
    """Refuse the key called NAME from now on. Its photos stay."""
    with open_library(settings) as library:
        if not library.keys.revoke(name):
            raise click.ClickException(f"There is no key {name!r} in use; see `sightline keys list`.")
    click.echo(f"{name} is revoked.")
