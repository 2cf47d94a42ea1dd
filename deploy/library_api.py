"""The JSON API of the library: what was described, found again, mended, taken along and deleted, by its owner."""

import tempfile

from apiflask import APIBlueprint
from apiflask.schemas import EmptySchema, FileSchema
from flask import request, send_file

from deploy.access import my_record, owner
from deploy.api import NO_STORE, as_json
from deploy.describing import mend, parts
from deploy.errors import Problem
from deploy.finding import Answer, Wish, look
from deploy.library import Found
from deploy.schemas import Description, Images, Mend, Similar

api = APIBlueprint("library_api", __name__, url_prefix="/api/v1", tag="Library")
SIMILAR = 20
SPOOL_BYTES = 2**20


@api.get("/images")
@api.output(Images)
def images():
    """Find your photos again

    By what they show (q), else the newest first. Only photos that were sent with the same key or cookie.
    """
    wish = Wish.read(request.args.to_dict())
    answer = look(wish, owner())
    told = [as_json(found.record) | {"score": round(found.score, 6), "why": why(found)} for found in answer.found]
    body = {
        "images": told,
        "next": None if answer.next is None else str(answer.next),
        "message": message(wish, answer),
    }
    return body, 200, NO_STORE


@api.get("/images/<id>/similar")
@api.output(Similar)
def similar(id: str):
    """Show your photos that look like this one of yours"""
    found = parts().library.search.similar(my_record(id), SIMILAR)
    told = [as_json(each.record) | {"score": round(each.score, 4), "near_duplicate": each.duplicate} for each in found]
    return {"images": told}, 200, NO_STORE


@api.patch("/images/<id>")
@api.input(Mend, validation=False)
@api.output(Description)
def change(id: str, **_kwargs):
    """Put your own words in the place of the description

    They are spoken, shown and searched from then on; the captioner's stay in the record. Empty words give them back.
    """
    wish = request.get_json(silent=True)
    if not isinstance(wish, dict) or set(wish) != {"description"} or not isinstance(wish["description"], str):
        raise Problem(422, "No words", 'Send your words as JSON: {"description": "..."}.')
    return as_json(mend(my_record(id), wish["description"])), 200, NO_STORE


@api.delete("/images/<id>")
@api.output(EmptySchema, 204, description="Photo, description and sound are gone.")
def remove(id: str):
    """Delete a photo of yours and all that was told about it"""
    parts().library.delete(my_record(id).id)
    return ""


@api.delete("/images")
@api.output(EmptySchema, 204, description="All your photos, descriptions and sounds are gone.")
def remove_all():
    """Delete all your photos and all that was told about them"""
    if request.args:
        raise Problem(422, "Unknown field", "This deletes all your photos and takes no fields; leave them out.")
    if owner():
        parts().library.delete_all(owner())
    return ""


@api.get("/export")
@api.output(FileSchema(type="string", format="binary"), content_type="application/zip", description="A ZIP archive.")
def export():
    """Take all along: your photos, captions.json and captions.csv in a ZIP archive"""
    if owner() is None or not parts().library.records.newest(owner(), 1):
        raise Problem(404, "Nothing kept", "Nothing is kept for you; describe a photo first.")
    file = tempfile.SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115 (the response closes it)
    parts().library.export(owner(), file, as_json)
    file.seek(0)
    return send_file(file, "application/zip", as_attachment=True, download_name="sightline.zip")


def why(found: Found) -> list[str]:
    """In a few words each: what makes the photo an answer."""
    says = "says " + ", ".join(f"'{word}'" for word in found.words)
    return ["looks like it"] * found.looks + [says] * bool(found.words)


ONLY_WORDS = {
    "language": "The captioner in use does not know the language of the search; only words were searched.",
    "captioner": "The captioner could not be started; only words were searched.",
    "others": "Photos that another captioner described were searched by words alone; send them again to change that.",
}


def message(wish: Wish, answer: Answer) -> str | None:
    """What a list of photos does not say."""
    said = [ONLY_WORDS[answer.only_words]] if answer.only_words else []
    if wish.query and not answer.found and not wish.cursor:
        said.append("No good match.")
    return " ".join(said) or None
