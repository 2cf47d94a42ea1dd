"""The state of a training run on disk: everything that a resumed run needs to come to the same result."""

from pathlib import Path
from typing import Any

import click
import torch

from training.files import save_torch
from training.loop_options import LoopOptions

# Options that decide about the result: a run is only resumed with its own.
FIXED = ("batch_size", "learning_rate", "warmup", "weight_decay", "ema", "clip", "seed")
ADVICE = "give the options of that run, or begin anew without --resume"


def save_state(path: Path, state: dict[str, Any], total: int, options: LoopOptions) -> None:
    """Write `state`, with the random state of this process, for a run of `total` steps. Raises click.ClickException."""
    kept = state | {
        "rng": torch.get_rng_state(),
        "cuda_rng": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "total": total,
        "options": {name: getattr(options, name) for name in FIXED},
    }
    save_torch(kept, path, "make room and continue with --resume")


def load_state(path: Path, total: int, options: LoopOptions) -> dict[str, Any]:
    """What `save_state` wrote, if it is of this run. Raises click.UsageError for the state of another run, and what
    torch raises for a damaged file."""
    state = torch.load(path, map_location=options.device, weights_only=True)
    if state["total"] != total:
        raise click.UsageError(f"{path} is of a run of {state['total']} steps, this one has {total}; {ADVICE}")
    for name in FIXED:
        if state["options"][name] != getattr(options, name):
            was, option = state["options"][name], name.replace("_", "-")
            raise click.UsageError(f"{path} is of a run with --{option} {was}; {ADVICE}")
    return state


def damaged(path: Path, error: Exception) -> click.UsageError:
    reason = (str(error) or "it ends too early").splitlines()[0].rstrip(":")
    return click.UsageError(f"{path} is damaged or of another model ({reason}); {ADVICE}")


def restore_random(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["rng"].cpu())
    torch.cuda.set_rng_state_all([one.cpu() for one in state["cuda_rng"]])
