"""What went wrong, in one sentence: as problem+json (RFC 9457) on the API, as HTML on the pages."""

from flask import Flask, Response, current_app, json, render_template, request
from flask_babel import get_locale, lazy_gettext
from flask_babel import gettext as _
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.http import HTTP_STATUS_CODES

from deploy.library import NoRoom
from deploy.uploads import UploadError

API_PATHS = ("/api/", "/healthz", "/readyz", "/openapi.json")
DRAIN_BYTES = 64 * 2**20

# Uploads speak English; pages in other languages say as much in these words, by the title of the problem.
UPLOAD_SENTENCES = {
    "Empty upload": lazy_gettext("The upload is empty; choose a photo and send it again."),
    "Photo too large": lazy_gettext("The photo is too large; send a smaller copy of it."),
    "Not a supported photo format": lazy_gettext(
        "This is no photo that can be read; send it as JPEG, PNG, WebP, GIF, HEIC or AVIF."
    ),
    "Damaged photo": lazy_gettext("The photo is damaged or incomplete; send it again, or save it anew as JPEG or PNG."),
}


class Problem(Exception):
    """The request cannot be answered. `title` names the kind of problem, `detail` is one sentence with the way out."""

    def __init__(self, status: int, title: str, detail: str, headers: dict[str, str] | None = None):
        super().__init__(detail)
        self.status, self.title, self.detail, self.headers = status, title, detail, headers or {}


def install(app: Flask) -> None:
    app.register_error_handler(Problem, lambda problem: answer(problem, problem.headers))
    app.register_error_handler(UploadError, answer)
    app.register_error_handler(RecursionError, answer_too_deep)
    app.register_error_handler(NoRoom, lambda error: answer(no_room()))
    app.register_error_handler(HTTPException, lambda error: answer(explain(error), error.get_response().headers))
    app.after_request(drain)


def no_room() -> Problem:
    return Problem(
        507, "No room", _("There is no room for more photos here; delete some, or ask who runs this service for room.")
    )


def answer_too_deep(error: RecursionError) -> Response:
    """The JSON reader gives up so."""
    if not request.is_json:
        raise error
    return answer(Problem(422, "Too deep", "This JSON has lists within lists within lists; send a plain object."))


def is_api() -> bool:
    return request.path.startswith(API_PATHS)


def answer(problem: Problem | UploadError, headers=None) -> Response:
    """The problem in the form that this path speaks. Of `headers` only those are kept that belong to errors."""
    if is_api():
        body = {
            "type": "about:blank",
            "title": problem.title,
            "status": problem.status,
            "detail": problem.detail,
            "instance": request.path,
        }
        response = Response(json.dumps(body), problem.status, mimetype="application/problem+json")
    else:
        response = Response(render_template("error.html", sentence=sentence(problem)), problem.status)
    for name in ("Allow", "Content-Range", "Retry-After", "WWW-Authenticate"):
        if headers and name in headers:
            response.headers[name] = headers[name]
    return response


def sentence(problem: Problem | UploadError) -> str:
    """What went wrong, in the language of the page."""
    if get_locale().language == "en":
        return problem.detail
    return UPLOAD_SENTENCES.get(problem.title, problem.detail)


def explain(error: HTTPException) -> Problem:
    """Our sentence for an error of the framework."""
    status = error.code or 500
    if isinstance(error, RequestEntityTooLarge) and (request.content_length or 0) <= (request.max_content_length or 0):
        detail = _("The form has too many fields; send the photo, and nothing else that is not asked for.")
    elif isinstance(error, RequestEntityTooLarge):
        most = current_app.extensions["sightline"].settings.max_bytes / 2**20
        detail = _("The photo is larger than %(most)s MB; send a smaller copy of it.", most=f"{most:.3g}")
    elif status == 404:
        detail = _("There is nothing at %(path)s; /api/docs lists what there is.", path=request.path)
    elif status == 405:
        methods = ", ".join(sorted(set(error.valid_methods or ()) - {"OPTIONS"}))
        detail = _("%(method)s does not work here; use %(methods)s.", method=request.method, methods=methods)
    elif status >= 500:
        detail = _("Something went wrong here, not with your photo; please try again.")
    else:
        detail = error.description or HTTP_STATUS_CODES[status]
    return Problem(status, HTTP_STATUS_CODES.get(status, "Error"), detail)


def drain(response: Response) -> Response:
    """Read what is still being sent of too large a photo: many senders look at the answer only when they are done,
    and see a broken connection if we hang up before. Beyond DRAIN_BYTES we do hang up."""
    # Not every server tells where the body ends; gunicorn does.
    if response.status_code == 413 and request.environ.get("wsgi.input_terminated"):
        stream, left = request.environ["wsgi.input"], DRAIN_BYTES
        while left > 0 and (block := stream.read(min(left, 2**16))):
            left -= len(block)
    return response
