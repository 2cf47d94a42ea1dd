"""The application: `create_app()`, `app` for any WSGI server, and `python -m deploy.main`, which is `sightline`."""

from apiflask import APIFlask
from flask_babel import Babel, format_date

from deploy import access, api, errors, library_api, library_pages, openapi, pages
from deploy.config import Settings
from deploy.library import Library
from deploy.services import Services
from deploy.speech import Speaker
from deploy.version import VERSION
from deploy.web import EXTENSION, page_locale
from model.describe import Describer

MULTIPART_ROOM = 64 * 1024  # what a form may weigh beside its photo


def create_app(
    settings: Settings | None = None,
    describer: Describer | None = None,
    speaker: Speaker | None = None,
    library: Library | None = None,
) -> APIFlask:
    """Build the service; nothing heavy is loaded before `Services.start` or the first request that needs it.

    settings: None for those of the environment. describer: None to load `settings.model` in the background. speaker,
    library: None makes them as `settings` say. Raises SettingsError and LibraryError.
    """
    settings = settings or Settings.from_environment()
    services = Services.make(settings, describer, speaker, library)
    app = APIFlask("deploy", title="Sightline", version=VERSION, docs_path=None, json_errors=False)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_bytes + MULTIPART_ROOM
    app.config["MAX_FORM_MEMORY_SIZE"] = settings.max_bytes + MULTIPART_ROOM
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.extensions[EXTENSION] = services
    Babel(app, locale_selector=page_locale)
    app.jinja_env.filters["dateformat"] = format_date
    errors.install(app)
    access.install(app, settings, services.library)
    openapi.install(app)
    for blueprint in (api.api, library_api.api, api.states, pages.pages, library_pages.pages):
        app.register_blueprint(blueprint)
    return app


def __getattr__(name: str) -> APIFlask:
    """Make `app` when a server asks for it, so that importing this module stays light.

    Its captioner starts loading at once: let the server import it after its fork (gunicorn does unless told to
    preload).
    """
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    app = create_app()
    app.extensions[EXTENSION].start()
    globals()["app"] = app
    return app


if __name__ == "__main__":
    from deploy.cli import main

    main(prog_name="python -m deploy.main")
