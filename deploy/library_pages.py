"""The pages of the library: photos found again, edited and deleted. Plain HTML that works without scripts."""

from dataclasses import replace

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import get_locale
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from deploy.access import find, is_mine, my_record, owner
from deploy.describing import cautions_of, certainty_of, edit_description, findings_of, spoken_text_of
from deploy.errors import as_problem
from deploy.fields import SearchFields
from deploy.library import ALWAYS, Hit, Record
from deploy.searching import SearchQuery, search, similar
from deploy.web import services
from model.errors import SightlineError
from model.languages.wording import wording
from model.telling import told_of_findings

pages = Blueprint("library_pages", __name__)
SIMILAR = 6


@pages.get("/library")
def library() -> str | tuple[str, int]:
    """The newest photos, or those that answer the search."""
    fields = {name: request.args[name] for name in ("q", "cursor", "since", "until") if name in request.args}
    query, problem = SearchQuery(), None
    try:
        query = SearchFields().load(fields | {"lang": str(get_locale())})
    except SightlineError as error:
        problem = as_problem(error)
    page = render_template(
        "library.html",
        query=query,
        fields=fields,
        page=search(services(), query, owner()),
        in_period=query.period != ALWAYS,
        match_reasons=match_reasons,
        problem=problem and str(problem),
        deleted="deleted" in request.args,
    )
    return page, problem.status if problem else 200


@pages.get("/photos/<id>")
def photo(id: str) -> str:
    return show_photo(find(id), edited="edited" in request.args)


@pages.post("/photos/<id>/edit")
def change(id: str) -> Response | tuple[str, int]:
    record = my_record(id)
    words = request.form.get("description", "")
    try:
        edit_description(services(), record, words)
    except SightlineError as error:
        problem = as_problem(error)
        return show_photo(record, problem=str(problem), words=words), problem.status
    return redirect(url_for(".photo", id=id, edited=1, lang=str(get_locale())), 303)


@pages.get("/photos/<id>/delete")
def ask_delete(id: str) -> str:
    return render_template("delete.html", record=my_record(id))


@pages.post("/photos/<id>/delete")
def delete(id: str) -> Response:
    """Gone already is as good as gone."""
    if services().library.get(id):
        services().library.delete(my_record(id).id)
    return redirect(url_for(".library", deleted=1, lang=str(get_locale())), 303)


@pages.get("/library/delete")
def ask_delete_all() -> str:
    return render_template("delete.html", record=None)


@pages.post("/library/delete")
def delete_all() -> Response:
    if mine := owner():
        services().library.delete_all(mine)
    return redirect(url_for(".library", deleted=1, lang=str(get_locale())), 303)


def show_photo(record: Record, **more) -> str:
    mine = is_mine(record)
    alike = similar(services(), record, SIMILAR) if mine else []
    return render_template("photo.html", record=record, mine=mine, similar=alike, **more)


@pages.app_context_processor
def for_templates() -> dict:
    return {
        "doubt_of": doubt_of,
        "page_cautions_of": page_cautions_of,
        "wording_language": wording_language,
        "machine_text_of": machine_text_of,
        "findings_of": findings_of,
        "told_beside": told_beside,
    }


def doubt_of(record: Record) -> str:
    """Words to put before what is said of a photo, in the language of the page where it has such words."""
    return wording(str(get_locale())).doubt.get(certainty_of(record), "")


def page_cautions_of(record: Record) -> list[str]:
    words = wording(str(get_locale()))
    return [words.cautions[kind] for kind in cautions_of(record)]


def told_beside(record: Record) -> list[str]:
    """What is told beside the description: what is not known of it, text, codes, advice, what failed."""
    locale, findings = str(get_locale()), findings_of(record)
    unverified = [] if record.user_description else record.unverified
    return [
        *(wording(locale).unverified[kind] for kind in unverified),
        *(told_of_findings(findings, locale) if findings else ()),
    ]


def machine_text_of(record: Record) -> str:
    """What the machine said of a photo that has its owner's words, with its doubt and cautions."""
    return spoken_text_of(replace(record, user_description=None))


def wording_language() -> str:
    """Of those words: English on a page in a language that has none."""
    return wording(str(get_locale())).language


def match_reasons(hit: Hit) -> str:
    """What makes the photo an answer, in the language of the page; nothing without a search."""
    reasons = [_("looks like it")] * hit.by_similarity
    if hit.words:
        reasons.append(_("says %(words)s", words=", ".join(f"“{word}”" for word in hit.words)))
    return "; ".join(reasons)
