"""The application: `create_app()`, `app` for any WSGI server, and `python -m deploy.main`."""

import click
from apiflask import APIFlask
from flask_babel import Babel, format_date

from deploy import access, api, errors, library_api, library_pages, openapi, pages
from deploy.cli import describe, keys
from deploy.config import Settings, SettingsError
from deploy.describing import Parts
from deploy.housekeeping import Housekeeper
from deploy.inference import Inference, load_describer
from deploy.library import Library, LibraryError
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
    library = library or Library(settings.instance, settings.database, settings.photos)
    inference = Inference(lambda: describer or load_describer(settings.model, settings.precision))
    housekeeper = Housekeeper(library, settings.visitor_days)
    parts = Parts(settings, inference, speaker or Speaker(float(settings.speech_timeout)), library, housekeeper)

    app = APIFlask("deploy", title="Sightline", version=VERSION, docs_path=None, json_errors=False)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_bytes + MULTIPART_ROOM
    app.config["MAX_FORM_MEMORY_SIZE"] = settings.max_bytes + MULTIPART_ROOM
    app.json.sort_keys = False
    app.json.ensure_ascii = False
    app.extensions["sightline"] = parts
    Babel(app, locale_selector=pages.page_language)
    app.jinja_env.filters["dateformat"] = format_date
    errors.install(app)
    access.install(app, settings, library)
    openapi.install(app)
    app.register_blueprint(api.api)
    app.register_blueprint(library_api.api)
    app.register_blueprint(api.states)
    app.register_blueprint(pages.pages)
    app.register_blueprint(library_pages.pages)
    return app


def __getattr__(name: str):
    """Make `app` when a server asks for it, so that importing this module stays light.

    Its model starts loading at once: let the server import it after its fork (gunicorn does unless told to preload).
    """
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    app = create_app()
    app.extensions["sightline"].inference.start()
    app.extensions["sightline"].housekeeper.start()
    globals()["app"] = app
    return app


@click.group(invoke_without_command=True)
@click.pass_context
def cli(context: click.Context) -> None:
    """Hear what a photo shows. Without a command: serve."""
    try:
        context.obj = Settings.from_environment()
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    if context.invoked_subcommand is None:
        context.invoke(serve)


@cli.command()
@click.pass_obj
def serve(settings: Settings) -> None:
    """Start the web service; SIGHTLINE_HOST, SIGHTLINE_PORT and the other settings come from the environment."""
    from deploy import server  # gunicorn is for this command alone

    try:
        server.serve(settings, create_app)
    except (server.ServerError, LibraryError) as error:
        raise click.ClickException(str(error)) from None


cli.add_command(describe)
cli.add_command(keys)

if __name__ == "__main__":
    cli(prog_name="python -m deploy.main")
