"""The JSON API of the library: find, edit, export and delete, by the owner alone."""

import tempfile

from apiflask import APIBlueprint
from apiflask.schemas import EmptySchema, FileSchema
from flask import request, send_file

from deploy import searching
from deploy.access import my_record, owner
from deploy.api import NO_STORE, as_json
from deploy.describing import edit_description
from deploy.errors import Problem
from deploy.fields import EditFields, SearchFields
from deploy.library import Hit
from deploy.schemas import DescriptionSchema, SearchPageSchema, SimilarSchema
from deploy.searching import SearchPage, SearchQuery, search
from deploy.web import services

api = APIBlueprint("library_api", __name__, url_prefix="/api/v1", tag="Library")
SIMILAR = 20
SPOOL_BYTES = 2**20
NOT_YOURS = {403: "Not yours."}


@api.get("/images")
@api.input(SearchFields, location="query", arg_name="query")
@api.output(SearchPageSchema)
@api.doc(responses={422: "Unusable field."})
def images(query: SearchQuery):
    """Find your photos again

    By what they show (q), else the newest first. Only photos that were sent with the same key or cookie.
    """
    page = search(services(), query, owner())
    found = [
        as_json(hit.record) | {"score": round(hit.score, 6), "match_reasons": match_reasons(hit)} for hit in page.hits
    ]
    body = {"images": found, "next": None if page.next is None else str(page.next), "message": message(query, page)}
    return body, 200, NO_STORE


@api.get("/images/<id>/similar")
@api.output(SimilarSchema)
@api.doc(responses=NOT_YOURS)
def similar(id: str):
    """Show your photos that look like this one of yours"""
    hits = searching.similar(services(), my_record(id), SIMILAR)
    found = [as_json(hit.record) | {"score": round(hit.score, 4), "near_duplicate": hit.duplicate} for hit in hits]
    return {"images": found}, 200, NO_STORE


@api.patch("/images/<id>")
@api.input(EditFields, validation=False)
@api.output(DescriptionSchema)
@api.doc(responses=NOT_YOURS | {422: "No words, or too many.", 507: "There is no room for their sound."})
def change(id: str, **_unread):
    """Put your own words in the place of the description

    They are spoken, shown and searched from then on; the captioner's stay in the record. null gives them back.
    """
    sent = request.get_json(silent=True)
    words = EditFields().load(sent if isinstance(sent, dict) else {})
    return as_json(edit_description(services(), my_record(id), words)), 200, NO_STORE


@api.delete("/images/<id>")
@api.output(EmptySchema, 204, description="Photo, description and sound are gone.")
@api.doc(responses=NOT_YOURS)
def remove(id: str):
    """Delete a photo of yours and all that is kept with it"""
    services().library.delete(my_record(id).id)
    return ""


@api.delete("/images")
@api.output(EmptySchema, 204, description="All your photos, descriptions and sounds are gone.")
@api.doc(responses={422: "It takes no fields."})
def remove_all():
    """Delete all your photos and all that is kept with them"""
    if request.args:
        raise Problem(422, "Unusable field", "This deletes all your photos and takes no fields; leave them out.")
    if mine := owner():
        services().library.delete_all(mine)
    return ""


@api.get("/export")
@api.output(FileSchema(type="string", format="binary"), content_type="application/zip", description="A ZIP archive.")
@api.doc(responses={404: "Nothing is kept for you."})
def export():
    """Download everything: your photos, captions.json and captions.csv in a ZIP archive"""
    mine = owner()
    if mine is None or not services().library.records.newest(mine, 1):
        raise Problem(404, "Nothing kept", "Nothing is kept for you; describe a photo first.")
    file = tempfile.SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115 (the response closes it)
    services().library.export(mine, file, as_json)
    file.seek(0)
    return send_file(file, "application/zip", as_attachment=True, download_name="sightline.zip")


def match_reasons(hit: Hit) -> list[str]:
    """In a few words each: what makes the photo an answer."""
    says = "says " + ", ".join(f"'{word}'" for word in hit.words)
    return ["looks like it"] * hit.by_similarity + [says] * bool(hit.words)


WORDS_ONLY = {
    "language": "The captioner in use does not know the language of the search; only words were searched.",
    "captioner": "The captioner is not available; only the words of descriptions were searched.",
    "space": "Some photos were embedded by another captioner; they were searched by their words alone.",
}


def message(query: SearchQuery, page: SearchPage) -> str | None:
    """What a list of photos does not say."""
    sentences = [WORDS_ONLY[page.words_only]] if page.words_only else []
    if query.text and not page.hits and not query.cursor:
        sentences.append("No good match.")
    return " ".join(sentences) or None
