"""The application: `create_app()`, `app` for any WSGI server, and `python -m deploy.main`."""

from pathlib import Path

from apiflask import APIFlask
from flask_babel import Babel

from deploy import access, api, errors, openapi, pages
from deploy.config import Settings
from deploy.describing import Parts
from deploy.inference import Inference, ModelError
from deploy.library import Library
from deploy.speech import Speaker

VERSION = "0.1.0"
MULTIPART_ROOM = 64 * 1024  # what a form may weigh beside its photo


def create_app(settings=None, describer=None, speaker=None, library=None) -> APIFlask:
    """Build the service; nothing heavy is loaded before `inference.start()` or the first request that needs it.

    settings: Settings, or None for those of the environment. describer: a model.describe.Describer, or None to load
    `settings.model` in the background. speaker, library: None makes them as `settings` say.
    Raises SettingsError and LibraryError.
    """
    settings = settings or Settings.from_environment()
    if library is None:
        library = Library(settings.instance)
        library.sweep()
    inference = Inference(lambda: describer or load_describer(settings.model))
    parts = Parts(settings, inference, speaker or Speaker(float(settings.speech_timeout)), library)

    app = APIFlask("deploy", title="Sightline", version=VERSION, docs_path=None, json_errors=False)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_bytes + MULTIPART_ROOM
    app.config["MAX_FORM_MEMORY_SIZE"] = settings.max_bytes + MULTIPART_ROOM
    app.json.sort_keys = False
    app.json.ensure_ascii = False
    app.extensions["sightline"] = parts
    Babel(app, locale_selector=pages.page_language)
    for part in (errors, access, openapi):
        part.install(app)
    app.register_blueprint(api.api)
    app.register_blueprint(api.states)
    app.register_blueprint(pages.pages)
    return app


def load_describer(folder: Path | None):
    """The captioner in `folder`, or the embedded one. Imports torch. Raises ModelError."""
    from model.checkpoint import CheckpointError
    from model.describe import Describer

    try:
        return Describer.load(folder)
    except CheckpointError as error:
        raise ModelError(str(error)) from error


def __getattr__(name: str):
    """Make `app` when a server asks for it, so that importing this module stays light.

    Its model starts loading at once: let the server import it after its fork (gunicorn does unless told to preload).
    """
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    app = create_app()
    app.extensions["sightline"].inference.start()
    globals()["app"] = app
    return app


if __name__ == "__main__":
    from deploy.cli import cli

    cli(prog_name="python -m deploy.main")
