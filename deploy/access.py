"""Who asks and what they own; how often they may; where a request may come from; headers of every answer."""

import os
import secrets
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response, g, request, session
from flask.sessions import SecureCookieSessionInterface
from flask_babel import gettext as _
from werkzeug.middleware.proxy_fix import ProxyFix

from deploy.config import Settings
from deploy.errors import Problem
from deploy.library import KEY, VISITOR, Library, Record
from deploy.limits import Limiter, read_rate
from deploy.web import services

# Everything comes from here; nothing runs that is not a file of ours; nobody frames us.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "img-src 'self'",
        "media-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # an address with an id in it is a key
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
    "Cross-Origin-Resource-Policy": "same-origin",
}
COOKIE_LIFE = timedelta(days=400)  # as long as browsers keep one
UNCOUNTED = {"static", "states.health", "states.readiness"}
SECRET_KEY = "secret_key"


class Sessions(SecureCookieSessionInterface):
    """A cookie that was given over TLS is not sent without."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure


def install(app: Flask, settings: Settings, library: Library) -> None:
    app.config.update(
        SECRET_KEY=secret_key(settings.instance),
        SESSION_COOKIE_NAME="sightline",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=COOKIE_LIFE,
    )
    app.session_interface = Sessions()
    if settings.proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies
        )
    limiter, usual_rate = Limiter(), read_rate(settings.rate)

    @app.before_request
    def authenticate() -> None:
        """Raises Problem 401, 403 or 429. What is refused counts for the address: keys cannot be guessed any faster."""
        given = given_key()
        key = g.key = library.keys.find(given) if given else None
        if request.endpoint not in UNCOUNTED:
            rate = read_rate(key.rate) if key and key.rate else usual_rate
            if wait := limiter.wait_s(rate, KEY + key.name if key else f"address:{request.remote_addr}"):
                raise Problem(
                    429,
                    "Too many requests",
                    _("Too many requests; try again in %(wait)s seconds.", wait=wait),
                    {"Retry-After": str(wait)},
                )
        if given and key is None:
            raise Problem(
                401,
                "Unknown key",
                "This key is not known or was revoked; ask whoever runs this service for a new one.",
                {"WWW-Authenticate": "Bearer"},
            )
        if not given and comes_from_elsewhere():
            raise Problem(
                403, "From another site", _("This was sent by another site; send it from a page of Sightline.")
            )

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if request.endpoint != "static":  # what is whose, and what was deleted, no cache and no way back shows
            response.headers.setdefault("Cache-Control", "no-store")
        return response


def secret_key(folder: Path) -> bytes:
    """The key that signs cookies, made at the first start; only its owner may read the file."""
    path = folder / SECRET_KEY
    if path.exists():
        return path.read_bytes()
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f".{SECRET_KEY}.{secrets.token_hex(4)}"
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(32))
    try:
        os.link(made, path)  # whole or not at all, and never over another worker's
    except FileExistsError:
        pass
    finally:
        made.unlink()
    return path.read_bytes()


def given_key() -> str | None:
    """From `Authorization: Bearer` or `X-API-Key`."""
    given = request.authorization
    return (given.token if given and given.type == "bearer" else None) or request.headers.get("X-API-Key")


def comes_from_elsewhere() -> bool:
    """A page of another site makes the visitor's browser send something (OWASP's fetch-metadata rule; browsers before
    2023 say at least the origin)."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return False
    if site := request.headers.get("Sec-Fetch-Site"):
        return site not in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is not None and urlsplit(origin).netloc != request.host


def owner() -> str | None:
    """Whose photos the request may see; None for a visitor who never sent one."""
    if g.key:
        return KEY + g.key.name
    return session.get("owner")


def ensure_owner() -> str:
    """The same, and a new visitor gets a name in the cookie."""
    known = owner()
    if known is None:
        known = session["owner"] = VISITOR + secrets.token_urlsafe(16)
        session.permanent = True
    return known


def is_mine(record: Record) -> bool:
    return bool(record.owner) and record.owner == owner()


def my_record(id: str) -> Record:
    """The record, if it is the asker's. Raises Problem 404 or 403."""
    record = find(id)
    if not is_mine(record):
        raise Problem(403, "Not yours", _("Only the person who sent this photo can do that."))
    return record


def find(id: str) -> Record:
    """The record, whoever asks: its id is the permission to read it. Raises Problem 404."""
    # Not every id that can be sent can be asked for: PostgreSQL refuses a NUL.
    record = services().library.get(id) if id.isprintable() else None
    if record is None:
        raise unknown_id()
    return record


def unknown_id() -> Problem:
    return Problem(404, "Not found", _("There is no description with this id; it may have been deleted."))
