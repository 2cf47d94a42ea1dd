"""`sightline describe`: what photos show, in the terminal."""

import json
from dataclasses import asdict

import click

from deploy.cli import print_any_name
from deploy.config import Settings
from deploy.describing import alternatives, findings_as_json, rounded
from deploy.inference import load_describer
from model.describe import Description
from model.imaging import PhotoError, open_photo
from model.languages.codes import primary_language
from model.languages.wording import wording
from model.protocols import STYLES
from model.senses.senses import Findings
from model.telling import DETAILS, ORDERS, USUAL, Telling


class LanguageCode(click.ParamType):
    """A code as apps and people write it: id, ID, id-ID."""

    name = "language"

    def convert(self, value, param, ctx) -> str:
        return primary_language(value)


@click.command()
@click.option("--lang", type=LanguageCode(), default="en", show_default=True, help="Language of the answer.")
@click.option("--style", type=click.Choice(STYLES), default="caption", show_default=True, help="Level of detail.")
@click.option("--order", type=click.Choice(ORDERS), default=USUAL.order, show_default=True,
              help="What is told first: the text in the photo or the scene.")  # fmt: skip
@click.option("--detail", type=click.Choice(DETAILS), default=USUAL.detail, show_default=True, help="How much is told.")
@click.option("--read/--no-read", default=True, show_default=True, help="Look for text and codes, too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per photo, one per line.")
@click.argument("photos", metavar="PHOTO...", nargs=-1, required=True)
@click.pass_context
def describe(context: click.Context, lang, style, order, detail, read, as_json, photos) -> None:
    """Print what photos show, and how sure that is. An unusable photo gets an error; the exit status is 1."""
    print_any_name()
    settings = Settings.from_environment()
    describer = load_describer(settings.model, settings.precision)
    bad = 0
    for path in photos:
        try:
            photo = open_photo(path, max_bytes=settings.max_bytes, max_pixels=settings.max_pixels)
        except PhotoError as error:
            bad += 1
            if as_json:
                click.echo(json.dumps({"path": path, "error": str(error)}, ensure_ascii=False))
            else:
                click.echo(f"{path}: {error}", err=True)
            continue
        found = describer.describe(photo.image, lang, style, Telling(order, detail), read)
        if as_json:
            click.echo(json.dumps({"path": path} | as_dict(found), ensure_ascii=False))
        else:
            click.echo(found.spoken if len(photos) == 1 else f"{path}: {found.spoken}")
    context.exit(1 if bad else 0)


def as_dict(found: Description) -> dict:
    """With the names that the API has for them."""
    return {
        "description": found.text,
        "certainty": found.certainty,
        "cautions": [wording(found.language).cautions[kind] for kind in found.cautions],
        "spoken_text": found.spoken,
        "caption": found.caption.text if found.caption else None,
        "confidence": rounded(found.caption.confidence) if found.caption else None,
        "alternatives": alternatives(found),
        "claims": [asdict(claim) for claim in found.claims],
        "unverified": list(found.unverified),
        **findings_as_json(found.findings or Findings(), found.language),
        "language": found.language,
        "style": found.style,
        "model": found.captioner,
        "timings_ms": found.timings_ms,
    }
