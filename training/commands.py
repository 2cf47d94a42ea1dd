"""`sightline train ...`: the training steps as one group of commands, each imported when it is called."""

from importlib import import_module

import click

# Command -> its module, whose `main` it is, and its help in the list, for which nothing has to be imported.
COMMANDS = {
    "language": ("training.language", "Learn a tokenizer and a small GPT-2 from caption text."),
    "contrastive": ("training.contrastive", "Train an image tower and a text tower."),
    "prepare": ("training.prepare", "Embed the photos of data sets, each photo once."),
    "captioner": ("training.train", "Train a mapping network, with GPT-2 frozen or tuned."),
    "selfcritical": ("training.selfcritical", "Tune a captioner on CIDEr-D itself."),
    "flaws": ("training.flaws", "Make photos that show nothing, pages, screens, walls."),
    "features": ("training.features", "Keep what a frozen EfficientNet-Lite sees."),
    "joint": ("training.joint", "Train pair and captioner together on kept features."),
    "embed-kept": ("training.embed_kept", "Embed kept features with a trained pair."),
    "refit-classifier": ("training.refit_classifier", "Fit the ImageNet classifier of a tuned tower anew."),
    "tune-decoding": ("training.tune_decoding", "Choose decoding weights on dev photos."),
    "calibrate": ("training.calibrate", "Fit how often captions are right, for certainty."),
    "evaluate": ("training.evaluate", "Measure captions and retrieval against references."),
    "photo-pairs": ("training.photo_pairs", "Choose from which cosine two photos look alike."),
    "export": ("training.export", "Write a trained checkpoint as it ships."),
}


class StepGroup(click.Group):
    """The commands of COMMANDS."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _ = COMMANDS[name]
        try:
            return import_module(module).main
        except ModuleNotFoundError as error:
            raise click.ClickException(
                f"{error.name} is not installed; install what training needs: pip install 'sightline[train]'"
            ) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=StepGroup, name="train")
def train() -> None:
    """Train a captioner, step by step; see docs/training.md."""
