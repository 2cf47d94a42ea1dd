"""`python -m training.release`: a trained checkpoint as it ships: half precision, its name, its way of decoding."""

from pathlib import Path

import click

from model import checkpoint
from training.decoding_options import changed, decoding_options


@click.command()
@click.option("--start", type=click.Path(path_type=Path, exists=True), required=True, help="Trained checkpoint.")
@click.option("--name", required=True, help="Name of the captioner.")
@decoding_options
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the checkpoint.")
def main(start, name, out, **asked) -> None:
    """Write the checkpoint --start to --out with float16 weights, for the service to load."""
    try:
        loaded = checkpoint.load(start)
        captioner = loaded.captioner
        captioner.options = changed(captioner.options, asked)
    except (checkpoint.CheckpointError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    checkpoint.save(out, name, loaded.pair, captioner)
    size = sum(file.stat().st_size for file in out.iterdir()) / 2**20
    click.echo(f"Wrote {out}, {size:.1f} MB")


if __name__ == "__main__":
    main()
