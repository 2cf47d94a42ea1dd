"""The web pages: plain HTML that works without scripts."""

from urllib.parse import urlencode

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask_babel import get_locale
from flask_babel import gettext as _
from model.ways import LANGUAGES
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response

from deploy.access import owner_from_now_on
from deploy.api import is_chosen
from deploy.describing import Options, describe_upload
from deploy.errors import Problem, explain, is_api, no_room, sentence
from deploy.library import NoRoom
from deploy.uploads import UploadError

pages = Blueprint("pages", __name__)
PICKERS = ("image", "camera")  # the form has two, for `capture` takes the gallery away where it works
LANGUAGE_NAMES = {"en": "English", "id": "Bahasa Indonesia"}


@pages.get("/")
def home() -> str:
    return show_form()


@pages.post("/")
def ask() -> Response | tuple[str, int]:
    """Describe the photo of the form, then send the browser to the answer, so that reloading asks nothing again."""
    try:
        fields = {name: request.form[name] for name in ("lang", "style") if name in request.form}
        record, _new = describe_upload(chosen_photo(), Options.read(fields), owner_from_now_on())
    except RequestEntityTooLarge as error:
        return failed(explain(error), {})
    except (Problem, UploadError) as problem:
        return failed(problem, fields)
    except NoRoom:
        return failed(no_room(), fields)
    return redirect(url_for("library_pages.photo", id=record.id, lang=str(get_locale())), 303)


@pages.get("/favicon.ico")
def icon() -> Response:
    """Browsers ask for it where a page cannot name its icon, beside a photo for example."""
    return current_app.send_static_file("icon.svg")


@pages.app_context_processor
def words() -> dict:
    """What every template may use."""
    return {"page_language": str(get_locale()), "language_names": LANGUAGE_NAMES, "in_language": in_language}


def in_language(code: str) -> str:
    """This page in another language; where a form was answered, the page of the form."""
    endpoint = request.endpoint if request.endpoint != "library_pages.change" else "library_pages.photo"
    # What was asked for is no argument of url_for, which would take `_scheme` and its like from anybody.
    return f"{url_for(endpoint, **(request.view_args or {}))}?{urlencode({**request.args, 'lang': code})}"


def page_language() -> str:
    """As the address says, else as the browser does. The API speaks English."""
    if is_api():
        return "en"
    asked = request.args.get("lang")
    return asked if asked in LANGUAGES else request.accept_languages.best_match(LANGUAGES, "en")


def chosen_photo() -> bytes:
    """The bytes of the one photo in the form. Raises Problem."""
    files = [request.files[name] for name in PICKERS if name in request.files and is_chosen(request.files[name])]
    if not files:
        raise Problem(400, "No photo", _("No photo was chosen; choose a photo or take one, then ask again."))
    if len(files) > 1:
        raise Problem(400, "Two photos", _("Two photos were sent; choose one or take one, not both."))
    return files[0].read()


def failed(problem: Problem | UploadError, fields: dict) -> tuple[str, int]:
    return show_form(problem=sentence(problem), answer_language=fields.get("lang")), problem.status


def show_form(**more) -> str:
    more["answer_language"] = more.get("answer_language") or str(get_locale())
    return render_template("home.html", **more)
