"""`sightline library`: care of the photos that are kept."""

import click
from tqdm import tqdm

from deploy.cli import open_library
from deploy.config import Settings
from deploy.inference import load_describer
from deploy.reembedding import reembed


@click.group()
def library() -> None:
    """Care of the photos that are kept."""


@library.command("reembed")
def reembed_command() -> None:
    """Embed kept photos again with the captioner in use, so that they are found by what they look like.

    For after a change of the captioner. The service may run meanwhile; stopped and started again, it continues.
    """
    settings = Settings.from_environment()
    embedder = load_describer(settings.model, settings.precision).embedder
    if embedder is None:
        raise click.ClickException("The captioner in use has no embedder, so its photos are found by words alone.")
    with open_library(settings) as kept, tqdm(unit="photo", desc="reembed", mininterval=1) as bar:
        unreadable = reembed(kept, embedder, bar.update)
        for id in unreadable:
            click.echo(f"{id}: its photo cannot be read; it is found by its words alone.", err=True)
        click.echo(f"{bar.n - len(unreadable)} photos were embedded again, {len(unreadable)} could not be.")
