"""Names -> files: public weights that Sightline can run, from the hub's cache or, when asked by name, downloaded there.

The cache is the hub's own, with its variables (HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_HUB_OFFLINE); a download has a
temporary name until it is complete, is resumed after an interruption, and is checked against the sha256 that the hub
publishes for it. A pinned name is pulled at its pinned revision and checked against the pinned sha256 as well: `pin`
keeps both, of what was pulled, in the user's configuration folder.
"""

import errno
import hashlib
import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from model.errors import SightlineError

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # before the hub's client is imported


class HubError(SightlineError):
    """Files cannot be had; one sentence that says what to do."""


@dataclass(frozen=True)
class Known:
    """Something that can be pulled. `family`: of `model.families`, None for a part of captioners; `needs`: names that
    it does not work without."""

    what: str
    repo: str
    files: tuple[str, ...]
    megabytes: int
    licence: str
    family: str | None = None
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pin:
    """What a name is from now on: a `revision` of its repository, and the SHA-256 in hex of each file."""

    revision: str
    sha256: dict[str, str]


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
        "clipcap",
        needs=("clip-vit-b32", "gpt2"),
    ),
    "clipcap-conceptual": Known(
        "ClipCap, MLP mapping network, trained on Conceptual Captions",
        "akhaliq/CLIP-prefix-captioning-conceptual-weights",
        ("conceptual_weights.pt",),
        636,
        "MIT",
        "clipcap",
        needs=("clip-vit-b32", "gpt2"),
    ),
}
TRIES = 4
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # disk full, quota used up, file larger than may be
# Published by its makers for the file of this name (OpenAI's TorchScript archive).
PUBLISHED_SHA256 = {"RN50x4.pt": "7e526bd135e493cef0776de27d5f42653e6b4c8bf9e0f653bb11773263205fdd"}
BLOB_SHA256 = re.compile(r"[0-9a-f]{64}")  # how the cache names a large file; small ones go by git's own digest


def cached(name: str) -> list[Path]:
    """The files of NAME, which must have been pulled; nothing is downloaded. Raises HubError."""
    known, pinned = _known(name), pin_of(name)
    found = [path for file in known.files if (path := _in_cache(known, file, pinned))]
    if len(found) < len(known.files):
        raise HubError(f"{name} is not on this machine; get it with: sightline models pull {name}")
    return found


def pull(name: str) -> list[Path]:
    """Download what is missing of NAME, not of what it needs. Returns its files. Raises HubError."""
    known, pinned = _known(name), pin_of(name)
    return [_pull_file(known, file, pinned) for file in known.files]


def with_needs(name: str) -> list[str]:
    """NAME and all that it does not work without."""
    return [*_known(name).needs, name]


def damaged(name: str) -> list[Path]:
    """Those files of NAME whose content is not what the hub published or what was pinned. Raises HubError if it was
    not pulled."""
    pinned = pin_of(name)
    return [path for path in cached(name) if not _is_whole(path, pinned)]


def is_here(name: str) -> bool:
    """Whether all files of NAME were pulled."""
    try:
        cached(name)
    except HubError:
        return False
    return True


def pin(name: str) -> Pin:
    """Keep revision and SHA-256 of what was pulled of NAME, to be the only NAME from now on. Raises HubError."""
    files = cached(name)
    if bad := damaged(name):
        raise HubError(f"{bad[0].name} of {name} is damaged; delete {bad[0].resolve()} and pull it again")
    made = Pin(files[0].parent.name, {path.name: _sha256(path) for path in files})  # snapshots/REVISION/FILE
    pins = _read_pins() | {name: {"revision": made.revision, "sha256": made.sha256}}
    path = pins_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".tmp").write_text(json.dumps(pins, indent=1) + "\n")
        path.with_suffix(".tmp").replace(path)
    except OSError as error:
        raise HubError(f"{path} cannot be written ({error.strerror}); see that you may write there") from None
    return made


def pin_of(name: str) -> Pin | None:
    """Raises HubError if the file with the pins is damaged."""
    found = _read_pins().get(name)
    try:
        return Pin(str(found["revision"]), dict(found["sha256"])) if found else None
    except (KeyError, TypeError, ValueError):
        raise HubError(f"{pins_file()} has a damaged entry for {name}; delete it and pin it again") from None


def pins_file() -> Path:
    return platformdirs.user_config_path("sightline") / "pins.json"


def check_published(path: Path) -> None:
    """Raise HubError if the file has the name of a published one but not its content."""
    wanted = PUBLISHED_SHA256.get(path.name)
    if wanted and path.is_file() and _sha256(path) != wanted:
        raise HubError(
            f"{path} is not the file that was published under this name (wrong sha256); get it again, or rename it if "
            "these weights are your own"
        )


def _read_pins() -> dict:
    path = pins_file()
    if not path.exists():
        return {}
    try:
        pins = json.loads(path.read_text())
    except (OSError, ValueError):
        pins = None
    if not isinstance(pins, dict):
        raise HubError(f"{path} cannot be read; delete it, and pin again what should be pinned")
    return pins


def _known(name: str) -> Known:
    if name not in KNOWN:
        raise HubError(f"there is no {name!r}; choose one of {', '.join(KNOWN)}")
    return KNOWN[name]


def _in_cache(known: Known, file: str, pinned: Pin | None) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(known.repo, file, revision=pinned.revision if pinned else None)
    return Path(found) if isinstance(found, str) else None


def _pull_file(known: Known, file: str, pinned: Pin | None) -> Path:
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    if constants.HF_HUB_OFFLINE:
        if path := _in_cache(known, file, pinned):
            return path
        raise HubError(f"{file} of {known.repo} is not in the cache and HF_HUB_OFFLINE is set; unset it to download")
    reason = ""
    for attempt in range(TRIES):
        try:
            path = Path(hf_hub_download(known.repo, file, revision=pinned.revision if pinned else None))
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
            if _is_whole(path, pinned):
                return path
            _forget(path)
            reason = f"what came is not what {'was pinned' if pinned else 'the hub published'} (wrong sha256)"
        if attempt + 1 < TRIES:
            time.sleep(float(os.environ.get("SIGHTLINE_HUB_WAIT", "1")) * 2**attempt)
    raise HubError(f"{file} of {known.repo} could not be downloaded: {reason}; try again later")


def _is_whole(path: Path, pinned: Pin | None) -> bool:
    """Whether a cached file has the pinned sha256, or else that which its place in the cache is named after, where that
    is one."""
    wanted = (pinned and pinned.sha256.get(path.name)) or path.resolve().name
    return not BLOB_SHA256.fullmatch(wanted) or _sha256(path) == wanted


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _forget(path: Path) -> None:
    path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)
