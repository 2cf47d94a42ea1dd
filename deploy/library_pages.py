"""The pages of the library: your photos found again, mended and deleted. Plain HTML that works without scripts."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import get_locale
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from deploy.access import find, is_mine, my_record, owner
from deploy.describing import doubt_about, mend, parts
from deploy.errors import Problem, sentence
from deploy.finding import Wish, look
from deploy.library import ALWAYS, Found, Record

pages = Blueprint("library_pages", __name__)
SIMILAR = 6


@pages.get("/library")
def library() -> str | tuple[str, int]:
    """The newest photos, or those that answer the search."""
    fields = {name: request.args[name] for name in ("q", "cursor", "since", "until") if name in request.args}
    try:
        wish, problem = Wish.read(fields | {"lang": str(get_locale())}), None
    except Problem as error:
        wish, problem = Wish(), error
    answer = look(wish, owner())
    page = render_template(
        "library.html",
        wish=wish,
        fields=fields,
        answer=answer,
        in_period=wish.period != ALWAYS,
        why=why,
        problem=problem and sentence(problem),
        deleted="deleted" in request.args,
    )
    return page, problem.status if problem else 200


@pages.get("/photos/<id>")
def photo(id: str) -> str:
    return show_photo(find(id), mended="mended" in request.args)


@pages.post("/photos/<id>/mend")
def change(id: str) -> Response | tuple[str, int]:
    record = my_record(id)
    try:
        mend(record, request.form.get("description", ""))
    except Problem as problem:
        return show_photo(record, problem=sentence(problem), words=request.form["description"]), problem.status
    return redirect(url_for(".photo", id=id, mended=1, lang=str(get_locale())), 303)


@pages.get("/photos/<id>/delete")
def ask_delete(id: str) -> str:
    return render_template("delete.html", record=my_record(id))


@pages.post("/photos/<id>/delete")
def delete(id: str) -> Response:
    """Gone already is as good as gone."""
    if parts().library.get(id):
        parts().library.delete(my_record(id).id)
    return redirect(url_for(".library", deleted=1, lang=str(get_locale())), 303)


@pages.get("/library/delete")
def ask_delete_all() -> str:
    return render_template("delete.html", record=None)


@pages.post("/library/delete")
def delete_all() -> Response:
    if owner():
        parts().library.delete_all(owner())
    return redirect(url_for(".library", deleted=1, lang=str(get_locale())), 303)


def show_photo(record: Record, **more) -> str:
    mine = is_mine(record)
    similar = parts().library.search.similar(record, SIMILAR) if mine else []
    return render_template("photo.html", record=record, doubt=doubt_of(record), mine=mine, similar=similar, **more)


@pages.app_context_processor
def words() -> dict:
    return {"doubt_of": doubt_of}


def doubt_of(record: Record) -> str:
    """Words to put before what is said of a photo; none before its owner's."""
    return "" if record.mended else doubt_about(record.confidence)


def why(found: Found) -> str:
    """What makes the photo an answer, in the language of the page; nothing without a search."""
    reasons = [_("looks like it")] * found.looks
    if found.words:
        reasons.append(_("says %(words)s", words=", ".join(f"“{word}”" for word in found.words)))
    return "; ".join(reasons)
