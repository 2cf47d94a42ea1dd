"""Writing results: whole or not at all, and one sentence where there is no room."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import torch

from model.errors import SightlineError


@contextmanager
def writing(path: Path, advice: str = "make room, or give another --out") -> Iterator[None]:
    """Turns whatever keeps `path` from being written, such as a full disk, into a click.ClickException."""
    try:
        yield
    except (click.ClickException, SightlineError):
        raise
    except Exception as error:  # OSError, RuntimeError of torch.save, bare Exception of tokenizers
        reason = getattr(error, "strerror", None) or (str(error) or type(error).__name__).splitlines()[0]
        raise click.ClickException(f"{path} cannot be written ({reason}); {advice}") from None


def save_torch(content: dict[str, Any], path: Path, advice: str = "make room, or give another --out") -> None:
    """`torch.save` under another name, then a rename. Raises click.ClickException and leaves what was there."""
    temporary = path.with_suffix(".tmp")
    try:
        with writing(path, advice):
            torch.save(content, temporary)
            temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_torch(path: Path) -> dict[str, Any]:
    """What `save_torch` wrote. Raises click.ClickException for a damaged file."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # OSError, EOFError, RuntimeError, pickle.UnpicklingError, ...
        reason = (str(error) or "it ends too early").splitlines()[0].rstrip(":.")
        raise click.ClickException(f"{path} is damaged ({reason}); run the step that wrote it again") from None
