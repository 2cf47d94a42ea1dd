"""`python -m deploy.main describe`: what photos show, in the terminal; `keys`: who may use the API as whom."""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from model.ways import LANGUAGES, STYLES, UnsupportedOption

from deploy.config import Settings
from deploy.inference import ModelError, load_describer
from deploy.library import Library, LibraryError, NameTaken
from deploy.limits import read_rate
from deploy.uploads import Photo, UploadError, read_photo


@click.command()
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Language of the answer.")
@click.option("--style", type=click.Choice(STYLES), default="caption", show_default=True, help="Way of telling.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line and photo.")
@click.argument("photos", metavar="PHOTO...", nargs=-1, required=True)
@click.pass_context
def describe(context: click.Context, lang: str, style: str, as_json: bool, photos: tuple[str, ...]) -> None:
    """Print what photos show. A bad photo is told in its place, and the exit status is then 1."""
    print_any_name()
    try:
        describer = load_describer(context.obj.model, context.obj.precision)
    except ModelError as error:
        raise click.ClickException(str(error)) from None
    bad = 0
    for path in photos:
        try:
            told = describer.describe(open_photo(path, context.obj).image, lang, style)
        except UploadError as error:
            bad += 1
            if as_json:
                click.echo(json.dumps({"path": path, "error": error.detail}, ensure_ascii=False))
            else:
                click.echo(f"{path}: {error.detail}", err=True)
            continue
        except UnsupportedOption as error:
            raise click.ClickException(f"the captioner cannot do that: {error}") from None
        if as_json:
            click.echo(json.dumps({"path": path} | as_dict(told), ensure_ascii=False))
        else:
            click.echo(told.text if len(photos) == 1 else f"{path}: {told.text}")
    context.exit(1 if bad else 0)


def print_any_name() -> None:
    """A file's name is bytes, and need not be text."""
    sys.stdout.reconfigure(errors="backslashreplace")


def open_photo(path: str | Path, settings: Settings) -> Photo:
    """Checked as an upload is. Raises UploadError."""
    try:
        with open(path, "rb") as file:
            data = file.read(settings.max_bytes + 1)
    except OSError as error:
        raise UploadError(400, "Unreadable file", f"The file cannot be read: {error.strerror}.") from None
    return read_photo(data, max_bytes=settings.max_bytes, max_pixels=settings.max_pixels)


def as_dict(told) -> dict:
    """A model.describe.Description as the API would have it."""
    return {
        "description": told.text,
        "caption": told.caption.text,
        "confidence": round(told.caption.confidence, 4),
        "alternatives": [{"text": other.text, "confidence": round(other.confidence, 4)} for other in told.alternatives],
        "language": told.language,
        "style": told.style,
        "model": told.model,
        "timings_ms": told.timings_ms,
    }


@click.group()
def keys() -> None:
    """Keys for API clients. What a key sends is kept for it alone."""


def rate(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    try:
        read_rate(value or Settings.rate)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return value


@keys.command()
@click.argument("name")
@click.option("--rate", callback=rate, metavar="60/m", help="Requests it may make; by default as SIGHTLINE_RATE says.")
@click.pass_obj
def create(settings: Settings, name: str, rate: str | None) -> None:
    """Make a key called NAME and show it, this once."""
    if not re.fullmatch(r"[\w.-]{1,60}", name):
        raise click.ClickException(f"{name!r} is no name for a key; use up to 60 letters, digits, dots and dashes.")
    with open_library(settings) as library:
        try:
            key = library.keys.create(name, rate)
        except NameTaken as error:
            raise click.ClickException(str(error)) from None
    click.echo(key)
    click.echo("Keep it; it is not shown again. Send it as the header Authorization: Bearer KEY.", err=True)


@keys.command("list")
@click.pass_obj
def list_keys(settings: Settings) -> None:
    """The keys there are, without themselves."""
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
            raise click.ClickException(f"There is no key {name!r} in use; see keys list.")
    click.echo(f"{name} is revoked.")


@contextmanager
def open_library(settings: Settings) -> Iterator[Library]:
    try:
        library = Library(settings.instance, settings.database, settings.photos)
    except LibraryError as error:
        raise click.ClickException(str(error)) from None
    yield library
    library.close()
