"""Names -> files: public weights that Sightline can run, from the hub's cache or, when asked by name, downloaded there.

`python -m model.hub pull NAME | list | verify`. The cache is the hub's own, with its variables (HF_HOME, HF_HUB_CACHE,
HF_ENDPOINT, HF_HUB_OFFLINE); a download has a temporary name until it is whole, goes on where it stopped, and is held
to the sha256 that the hub publishes for it.
"""

import errno
import hashlib
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import click

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # before the hub's client is imported


class HubError(Exception):
    """Files cannot be had; one sentence that says what to do."""


@dataclass(frozen=True)
class Known:
    """Something that can be pulled. `needs`: names that it does not work without."""

    what: str
    repo: str
    files: tuple[str, ...]
    megabytes: int
    licence: str
    needs: tuple[str, ...] = ()


CLIP_WEIGHTS = "open_clip_model.safetensors"
TOKENIZER = "tokenizer.json"
KNOWN = {
    "clip-rn50x4": Known(
        "CLIP RN50x4, photos and English sentences",
        "timm/resnet50x4_clip.openai",
        (CLIP_WEIGHTS, TOKENIZER),
        717,
        "MIT",
    ),
    "clip-vit-b32": Known(
        "CLIP ViT-B/32, photos and English sentences",
        "openai/clip-vit-base-patch32",
        ("pytorch_model.bin", TOKENIZER),
        607,
        "MIT",
    ),
    "gpt2": Known("GPT-2 small, English", "openai-community/gpt2", ("model.safetensors", TOKENIZER), 550, "MIT"),
    "clipcap-coco": Known(
        "ClipCap, MLP mapping network, trained on COCO",
        "akhaliq/CLIP-prefix-captioning-COCO-weights",
        ("coco_weights.pt",),
        636,
        "MIT",
        needs=("clip-vit-b32", "gpt2"),
    ),
    "clipcap-conceptual": Known(
        "ClipCap, MLP mapping network, trained on Conceptual Captions",
        "akhaliq/CLIP-prefix-captioning-conceptual-weights",
        ("conceptual_weights.pt",),
        636,
        "MIT",
        needs=("clip-vit-b32", "gpt2"),
    ),
}
TRIES = 4
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # disk full, quota used up, file larger than may be
BLOB_SHA256 = re.compile(r"[0-9a-f]{64}")  # how the cache names a large file; small ones go by git's own digest


def cached(name: str) -> list[Path]:
    """The files of NAME, which must have been pulled; nothing is downloaded. Raises HubError."""
    known = _known(name)
    found = [path for file in known.files if (path := _in_cache(known, file))]
    if len(found) < len(known.files):
        raise HubError(f"{name} is not on this machine; get it with: python -m model.hub pull {name}")
    return found


def pull(name: str) -> list[Path]:
    """Download what is missing of NAME, not of what it needs. Returns its files. Raises HubError."""
    known = _known(name)
    return [_pull_file(known, file) for file in known.files]


def with_needs(name: str) -> list[str]:
    """NAME and all that it does not work without."""
    return [*_known(name).needs, name]


def damaged(name: str) -> list[Path]:
    """Those files of NAME whose content is not what the hub published. Raises HubError if it was not pulled."""
    return [path for path in cached(name) if not _is_whole(path)]


def _known(name: str) -> Known:
    if name not in KNOWN:
        raise HubError(f"there is no {name!r}; choose one of {', '.join(KNOWN)}")
    return KNOWN[name]


def _in_cache(known: Known, file: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(known.repo, file)
    return Path(found) if isinstance(found, str) else None


def _pull_file(known: Known, file: str) -> Path:
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    if constants.HF_HUB_OFFLINE:
        if path := _in_cache(known, file):
            return path
        raise HubError(f"{file} of {known.repo} is not in the cache and HF_HUB_OFFLINE is set; unset it to download")
    reason = ""
    for attempt in range(TRIES):
        try:
            path = Path(hf_hub_download(known.repo, file))
        except GatedRepoError:
            raise HubError(f"{known.repo} asks for a login; accept its terms there and set HF_TOKEN") from None
        except (RepositoryNotFoundError, EntryNotFoundError) as error:
            if isinstance(error, LocalEntryNotFoundError):  # its client has tried several times already
                raise HubError(f"{file} is not here and the hub cannot be reached; check the network") from None
            raise HubError(f"the hub has no {file} in {known.repo}; it may have moved, look for it there") from None
        except HfHubHTTPError as error:
            status = error.response.status_code if error.response is not None else "no answer"
            reason = f"the hub answered {status}"
        except Exception as error:  # the transfer's own errors, of whichever library the hub's client uses
            if isinstance(error, OSError) and error.errno in NO_ROOM:
                raise HubError(
                    f"the disk is full; {known.repo} needs {known.megabytes} MB: make room, or set HF_HOME elsewhere"
                ) from None
            reason = str(error).split("\n")[0] or type(error).__name__
        else:
            if _is_whole(path):
                return path
            _forget(path)
            reason = "what came is not what the hub published (wrong sha256)"
        if attempt + 1 < TRIES:
            time.sleep(float(os.environ.get("SIGHTLINE_HUB_WAIT", "1")) * 2**attempt)
    raise HubError(f"{file} of {known.repo} could not be downloaded: {reason}; try again later")


def _is_whole(path: Path) -> bool:
    """Whether a cached file has the sha256 that its place in the cache is named after, where that is one."""
    wanted = path.resolve().name
    if not BLOB_SHA256.fullmatch(wanted):
        return True
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == wanted


def _forget(path: Path) -> None:
    path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)


@click.group()
def main() -> None:
    """Public weights that Sightline can run."""


@main.command("pull")
@click.argument("name")
def pull_command(name: str) -> None:
    """Download NAME and what it needs, as far as they are not here."""
    try:
        for one in with_needs(name):
            for path in pull(one):
                click.echo(f"{one}: {path}")
    except HubError as error:
        _fail(error)


@main.command("list")
def list_command() -> None:
    """What can be pulled, and what is here."""
    for name, known in KNOWN.items():
        here = "here" if _is_here(name) else "-"
        needs = f", with {' and '.join(known.needs)}" if known.needs else ""
        click.echo(f"{name:20}{here:6}{known.megabytes:5} MB  {known.licence:5}{known.what}{needs}")


@main.command("verify")
@click.argument("names", nargs=-1)
def verify_command(names: tuple[str, ...]) -> None:
    """Hold the files of NAMES, or of all that is here, to their published sha256."""
    try:
        bad = []
        for name in names or [name for name in KNOWN if _is_here(name)]:
            wrong = damaged(name)
            click.echo(f"{name}: {'damaged' if wrong else 'whole'}")
            bad += wrong
    except HubError as error:
        _fail(error)
    if bad:
        _fail(HubError(f"{', '.join(path.name for path in bad)}: damaged; delete {bad[0].resolve()} and pull again"))


def _is_here(name: str) -> bool:
    try:
        cached(name)
    except HubError:
        return False
    return True


def _fail(error: HubError) -> None:
    click.echo(f"Error: {error}.", err=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
