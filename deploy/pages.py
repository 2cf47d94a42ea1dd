"""The web pages: plain HTML that works without scripts."""

from urllib.parse import urlencode

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask_babel import get_locale
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response

from deploy.access import ensure_owner
from deploy.describing import describe_upload
from deploy.errors import Problem, as_problem, explain
from deploy.fields import DescribeFields
from deploy.uploads import form_upload
from deploy.web import LOCALES, services
from model.errors import SightlineError

pages = Blueprint("pages", __name__)
UPLOAD_S = 30  # what a page waits for a photo to be sent, beside the work on it


@pages.get("/")
def home() -> str:
    return show_form()


@pages.post("/")
def ask() -> Response | tuple[str, int]:
    """Describe the photo of the form, then send the browser to the answer, so that reloading asks nothing again."""
    try:
        fields = {name: request.form[name] for name in ("lang", "style") if name in request.form}
    except RequestEntityTooLarge as error:
        return failed(explain(error), {})
    try:
        record, _new = describe_upload(services(), form_upload(), DescribeFields().load(fields), ensure_owner())
    except SightlineError as error:
        return failed(as_problem(error), fields)
    return redirect(url_for("library_pages.photo", id=record.id, lang=str(get_locale())), 303)


@pages.get("/favicon.ico")
def icon() -> Response:
    """Browsers ask for it where a page cannot name its icon, beside a photo for example."""
    return current_app.send_static_file("icon.svg")


@pages.app_context_processor
def for_templates() -> dict:
    return {
        "page_locale": str(get_locale()),
        "locales": LOCALES,
        "in_locale": in_locale,
        "runs_elsewhere": runs_elsewhere,
    }


def runs_elsewhere() -> bool:
    """Whether photos leave this machine to be described."""
    info = services().inference.info
    return info is not None and info.runs_elsewhere


def in_locale(code: str) -> str:
    """This page in another language; where a form was answered, the page of the form."""
    endpoint = request.endpoint if request.endpoint != "library_pages.change" else "library_pages.photo"
    # What was asked for is no argument of url_for, which would take `_scheme` and its like from anybody.
    return (
        f"{url_for(endpoint or 'pages.home', **(request.view_args or {}))}?{urlencode({**request.args, 'lang': code})}"
    )


def answer_languages() -> dict[str, str]:
    """What an answer can be given in, by code, with the name of each."""
    info = services().inference.info
    return {code: LOCALES.get(code, code) for code in (info.languages if info else LOCALES)}


def failed(problem: Problem, fields: dict) -> tuple[str, int]:
    return show_form(problem=str(problem), answer_language=fields.get("lang")), problem.status


def show_form(problem: str | None = None, answer_language: str | None = None) -> str:
    languages = answer_languages()
    chosen = next((code for code in (answer_language, str(get_locale())) if code in languages), next(iter(languages)))
    settings = services().settings
    longest_s = settings.captioner_timeout + 2 * settings.speech_timeout + UPLOAD_S
    return render_template(
        "home.html", problem=problem, answer_languages=languages, answer_language=chosen, longest_s=longest_s
    )
