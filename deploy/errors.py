"""What went wrong, in one sentence: as problem+json (RFC 9457) on the API, as HTML on the pages.

The application layer raises errors of its own; STATUS is the one table from them to the web.
"""

from collections.abc import Iterable, Mapping

from flask import Flask, Response, current_app, json, render_template, request
from flask_babel import get_locale, lazy_gettext
from flask_babel import gettext as _
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge
from werkzeug.http import HTTP_STATUS_CODES

from deploy.describing import DescriptionTooLong
from deploy.inference import RETRY_S, ModelBusyError, ModelError
from deploy.library import NoRoom
from deploy.web import is_api, services
from model.errors import SightlineError, UnsupportedOption
from model.imaging import PhotoError

DRAIN_BYTES = 64 * 2**20
PASSED_HEADERS = ("Allow", "Content-Range", "Retry-After", "WWW-Authenticate")


class Problem(SightlineError):
    """The request cannot be answered. `title` names the kind of problem; the message says what would work."""

    def __init__(self, status: int, title: str, message: str, headers: Mapping[str, str] | None = None, **values):
        super().__init__(message, **values)
        self.status, self.title, self.headers = status, title, headers or {}


class InvalidField(SightlineError):
    """A field of a request that cannot be used."""


STATUS: dict[type[SightlineError], tuple[int, str]] = {
    InvalidField: (422, "Unusable field"),
    UnsupportedOption: (422, "Unsupported option"),
    DescriptionTooLong: (422, "Too long"),
    ModelError: (503, "No captioner"),
    ModelBusyError: (503, "Captioner busy"),
    NoRoom: (507, "No room"),
}
PHOTO_STATUS = {
    "empty": (400, "Empty upload"),
    "too_large": (413, "Photo too large"),
    "unsupported": (415, "Not a supported photo format"),
    "damaged": (422, "Damaged photo"),
}
# Errors about photos are in English; pages in other languages use these sentences instead.
PHOTO_SENTENCES = {
    "empty": lazy_gettext("The file is empty; choose a photo and try again."),
    "too_large": lazy_gettext("The photo is too large; send a smaller copy of it."),
    "unsupported": lazy_gettext("This is not a photo that can be read; send it as JPEG, PNG, WebP, GIF, HEIC or AVIF."),
    "damaged": lazy_gettext("The photo is damaged or incomplete; send it again, or save it again as JPEG or PNG."),
}


def install(app: Flask) -> None:
    app.register_error_handler(SightlineError, lambda error: answer(as_problem(error)))
    app.register_error_handler(RecursionError, answer_too_deep)
    app.register_error_handler(HTTPException, lambda error: answer(explain(error)))
    app.after_request(drain)


def as_problem(error: SightlineError) -> Problem:
    """An error of the application layer as the web tells it, in the language of the page."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, PhotoError):
        status, title = PHOTO_STATUS[error.kind]
        english = get_locale().language == "en"
        return Problem(status, title, str(error) if english else str(PHOTO_SENTENCES[error.kind]))
    if isinstance(error, ModelError):  # the reason names files, which are nobody's business
        current_app.logger.error("no description: %s", error)
        return Problem(503, "No captioner", _("The captioner could not be started; the log of the service says why."))
    for kind, (status, title) in STATUS.items():
        if isinstance(error, kind):
            headers = {"Retry-After": str(RETRY_S)} if kind is ModelBusyError else {}
            message = str(error)
            if isinstance(error, UnsupportedOption):
                message = f"The captioner in use cannot do that: {message}."
            elif kind in (NoRoom, DescriptionTooLong, ModelBusyError):  # InvalidField is translated where it is raised
                message = _(error.message, **error.values)
            return Problem(status, title, message, headers)
    raise error


def answer_too_deep(error: RecursionError) -> Response:
    """The JSON reader gives up so."""
    if not request.is_json:
        raise error
    return answer(Problem(422, "Too deep", "This JSON has lists within lists within lists; send a plain object."))


def answer(problem: Problem) -> Response:
    """The problem in the form that this path speaks."""
    if is_api():
        body = {
            "type": "about:blank",
            "title": problem.title,
            "status": problem.status,
            "detail": str(problem),
            "instance": request.path,
        }
        response = Response(json.dumps(body), problem.status, mimetype="application/problem+json")
    else:
        response = Response(render_template("error.html", sentence=str(problem)), problem.status)
    response.headers.update({name: value for name, value in problem.headers.items() if name in PASSED_HEADERS})
    return response


def explain(error: HTTPException) -> Problem:
    """Our sentence for an error of the framework."""
    status = error.code or 500
    if isinstance(error, RequestEntityTooLarge) and (request.content_length or 0) <= (request.max_content_length or 0):
        detail = _("The form has too many fields; send the photo, and nothing else that is not asked for.")
    elif isinstance(error, RequestEntityTooLarge):
        most = services().settings.max_bytes / 2**20
        detail = _("The photo is larger than %(most)s MB; send a smaller copy of it.", most=f"{most:.3g}")
    elif status == 404:
        detail = _("There is nothing at %(path)s; /api/docs lists what there is.", path=request.path)
    elif status == 405:
        allowed: Iterable[str] = (error.valid_methods if isinstance(error, MethodNotAllowed) else None) or ()
        methods = ", ".join(sorted(set(allowed) - {"OPTIONS"}))
        detail = _("%(method)s does not work here; use %(methods)s.", method=request.method, methods=methods)
    elif status == 400 and request.is_json:
        detail = _("This is not JSON that can be read; send an object in braces.")
    elif status >= 500:
        detail = _("Something went wrong here, not with your photo; please try again.")
    else:
        detail = error.description or HTTP_STATUS_CODES[status]
    return Problem(status, HTTP_STATUS_CODES.get(status, "Error"), detail, dict(error.get_response().headers))


def drain(response: Response) -> Response:
    """Read what is still being sent of too large a photo: many senders look at the answer only when they are done,
    and see a broken connection if we hang up before. Beyond DRAIN_BYTES we do hang up."""
    # Not every server tells where the body ends; gunicorn does.
    if response.status_code == 413 and request.environ.get("wsgi.input_terminated"):
        stream, left = request.environ["wsgi.input"], DRAIN_BYTES
        while left > 0 and (block := stream.read(min(left, 2**16))):
            left -= len(block)
    return response
