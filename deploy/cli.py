"""`python -m deploy.main describe`: what photos show, in the terminal."""

import json
from pathlib import Path

import click

from deploy.config import Settings
from deploy.inference import ModelError, load_describer
from deploy.uploads import UploadError, read_photo
from model.ways import LANGUAGES, STYLES, NotTaught


@click.command()
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Language of the answer.")
@click.option("--style", type=click.Choice(STYLES), default="caption", show_default=True, help="Way of telling.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line and photo.")
@click.argument("photos", metavar="PHOTO...", nargs=-1, required=True)
@click.pass_context
def describe(context: click.Context, lang: str, style: str, as_json: bool, photos: tuple[str, ...]) -> None:
    """Print what photos show. A bad photo is told in its place, and the exit status is then 1."""
    try:
        describer = load_describer(context.obj.model, context.obj.precision)
    except ModelError as error:
        raise click.ClickException(str(error)) from None
    bad = 0
    for path in photos:
        try:
            told = describer.describe(open_photo(path, context.obj), lang, style)
        except UploadError as error:
            bad += 1
            if as_json:
                click.echo(json.dumps({"path": path, "error": error.detail}, ensure_ascii=False))
            else:
                click.echo(f"{path}: {error.detail}", err=True)
            continue
        except NotTaught as error:
            raise click.ClickException(f"the captioner cannot do that: {error}") from None
        if as_json:
            click.echo(json.dumps({"path": path} | as_dict(told), ensure_ascii=False))
        else:
            click.echo(told.text if len(photos) == 1 else f"{path}: {told.text}")
    context.exit(1 if bad else 0)


def open_photo(path: str, settings: Settings):
    """-> PIL image, checked as an upload is. Raises UploadError."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UploadError(400, "Unreadable file", f"The file cannot be read: {error.strerror}.") from None
    return read_photo(data, max_bytes=settings.max_bytes, max_pixels=settings.max_pixels).image


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
