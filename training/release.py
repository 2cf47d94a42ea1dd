"""`python -m training.release`: a trained checkpoint as it ships: half precision, its name, its way of decoding."""

from dataclasses import replace
from pathlib import Path

import click

from model import checkpoint
from model.caption.decoding import DecodingOptions


@click.command()
@click.option("--start", type=click.Path(path_type=Path, exists=True), required=True, help="Trained checkpoint.")
@click.option("--name", required=True, help="Name of the captioner.")
@click.option("--beams", type=int, default=DecodingOptions.beams, show_default=True)
@click.option("--length-penalty", type=float, default=DecodingOptions.length_penalty, show_default=True)
@click.option("--no-repeat-ngram", type=int, default=DecodingOptions.no_repeat_ngram, show_default=True)
@click.option("--likeness-weight", type=float, default=DecodingOptions.likeness_weight, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the checkpoint.")
def main(start, name, beams, length_penalty, no_repeat_ngram, likeness_weight, out) -> None:
    """Write the checkpoint --start to --out with float16 weights, for the service to load."""
    try:
        loaded = checkpoint.load(start)
        captioner = loaded.captioner
        captioner.options = replace(
            captioner.options,
            beams=beams,
            length_penalty=length_penalty,
            no_repeat_ngram=no_repeat_ngram,
            likeness_weight=likeness_weight,
        )
    except (checkpoint.CheckpointError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    checkpoint.save(out, name, loaded.pair, captioner)
    size = sum(file.stat().st_size for file in out.iterdir()) / 2**20
    click.echo(f"Wrote {out}, {size:.1f} MB")


if __name__ == "__main__":
    main()
