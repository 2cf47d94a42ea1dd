"""`sightline serve`."""

import click

from deploy.config import Settings


@click.command()
def serve() -> None:
    """Start the web service; SIGHTLINE_HOST, SIGHTLINE_PORT and the other settings come from the environment."""
    from deploy import server  # gunicorn and the web are for this command alone
    from deploy.main import create_app

    server.serve(Settings.from_environment(), create_app)
