"""`sightline models`: public weights by name, and captioners made from files of the original ClipCap."""

from pathlib import Path

import click

from model import hub
from model.checkpoint_files import TOKENIZER, WEIGHTS


@click.group()
def models() -> None:
    """Captioners other than the embedded one."""


@models.command("list")
def list_models() -> None:
    """What can be pulled, what is here, and whether its revision and sha256 are pinned."""
    for name, known in hub.KNOWN.items():
        here = "here" if hub.is_here(name) else "-"
        pinned = hub.pin_of(name)
        state = f"pinned to {pinned.revision[:12]}" if pinned else "not pinned"
        needs = f", with {' and '.join(known.needs)}" if known.needs else ""
        family = f"{known.family}: " if known.family else ""
        click.echo(f"{name:20}{here:6}{known.megabytes:5} MB  {known.licence:5}{state:24}{family}{known.what}{needs}")


@models.command()
@click.argument("name")
def pull(name: str) -> None:
    """Download NAME and what it needs, as far as they are not here."""
    for one in hub.with_needs(name):
        for path in hub.pull(one):
            click.echo(f"{one}: {path}")


@models.command()
@click.argument("names", nargs=-1)
def verify(names: tuple[str, ...]) -> None:
    """Check the files of NAMES, or of all that is here, against their published or pinned sha256."""
    bad: list[Path] = []
    for name in names or [name for name in hub.KNOWN if hub.is_here(name)]:
        wrong = hub.damaged(name)
        click.echo(f"{name}: {'damaged' if wrong else 'whole'}")
        bad += wrong
    if bad:
        files = ", ".join(path.name for path in bad)
        raise click.ClickException(f"{files}: damaged; delete {bad[0].resolve()} and pull again.")


@models.command()
@click.argument("names", nargs=-1, required=True)
def pin(names: tuple[str, ...]) -> None:
    """Accept only what was pulled of NAMES from now on: its revision and the sha256 of its files."""
    for name in names:
        made = hub.pin(name)
        click.echo(f"{name}: pinned to revision {made.revision}")
        for file, digest in made.sha256.items():
            click.echo(f"  {digest}  {file}")


@models.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the checkpoint.")
@click.option("--clip", help="CLIP that it was trained with: a name of `models list`, or a file of weights.")
@click.option(
    "--clip-tokenizer", type=click.Path(path_type=Path), help="CLIP's tokenizer.json, if not beside the file."
)
@click.option(
    "--gpt2",
    default="gpt2",
    show_default=True,
    help="A name of `models list`, or a folder with tokenizer.json and, if FILE holds no GPT-2, model.safetensors.",
)
@click.option("--name", help="Name of the captioner; by default the file's.")
@click.option(
    "--mapper-heads", type=click.IntRange(min=1), default=8, show_default=True, help="Attention heads of the mapper."
)
@click.option("--normalized", is_flag=True, help="It was trained on embeddings of length 1; the original was not.")
@click.option("--half", is_flag=True, help="Keep 16 bits a weight: half the size, no longer exact.")
def import_model(file, out, clip, clip_tokenizer, gpt2, name, mapper_heads, normalized, half) -> None:
    """Make a checkpoint of the original ClipCap's FILE.pt. Nothing in such a file is ever run."""
    import torch  # for this command alone

    from model import checkpoint
    from model.caption.clipcap_import import import_original

    if clip is not None and clip not in hub.KNOWN:
        clip = (Path(clip), clip_tokenizer or Path(clip).with_name(TOKENIZER))
    if gpt2 not in hub.KNOWN:
        gpt2 = (Path(gpt2) / WEIGHTS, Path(gpt2) / TOKENIZER)
    loaded = import_original(file, clip, gpt2, name=name, mapper_heads=mapper_heads, normalized=normalized)
    checkpoint.save(out, loaded.name, loaded.pair, loaded.captioner, torch.float16 if half else torch.float32)
    shape = loaded.captioner.clipcap.config
    click.echo(f"Saved {loaded.name} into {out}: {shape.mapper} mapping network, prefix {shape.prefix_length}.")
