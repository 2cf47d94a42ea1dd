"""A set's photo files: their names, their fingerprints, and whether they can be decoded."""

import hashlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath

import pillow_heif
from PIL import Image

pillow_heif.register_heif_opener(thumbnails=False)  # once a process; AVIF comes with Pillow itself

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "HEIF", "AVIF")  # those that training and the service decode
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".heic", ".heif", ".avif")
MAX_NAME, MAX_PART = 1024, 255  # bytes of a name inside its set and of each of its parts; file systems allow no more


@dataclass(frozen=True)
class PhotoCheck:
    """What was found out about a photo file. `sha256`: of its bytes, in hex. `unreadable`: why it cannot be decoded, in
    a few words, "" if it can, None if nobody tried."""

    sha256: str
    unreadable: str | None = None


def safe_name(name: str) -> str | None:
    """The name as a set gives it, normalised (`./a.jpg` is `a.jpg`); None if no file inside the set's folder can have
    it."""
    try:
        length = len(name.encode())
    except UnicodeEncodeError:  # half of a surrogate pair
        return None
    if length > MAX_NAME or "\0" in name:
        return None
    path = PurePosixPath(name.strip().replace("\\", "/"))
    if not path.parts or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        return None
    if any(len(part.encode()) > MAX_PART for part in path.parts):
        return None
    return str(path)


def fingerprint(path: Path) -> str:
    """SHA-256 of the file's bytes, in hex. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_photo(path: Path, decode: bool = True) -> PhotoCheck:
    """Read the file once: its fingerprint and, with `decode`, whether the whole photo can be decoded. Raises OSError if
    the file cannot be read at all."""
    if not decode:
        return PhotoCheck(fingerprint(path))
    content = path.read_bytes()
    return PhotoCheck(hashlib.sha256(content).hexdigest(), _undecodable_because(content))


def _undecodable_because(content: bytes) -> str:
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as photo:
            # A JPEG is decoded at an eighth of its size: all its bytes are still read, so a cut file still shows.
            photo.draft("RGB", (1, 1))
            photo.load()
    except Image.UnidentifiedImageError:
        return "it is no JPEG, PNG, WebP, GIF, HEIC or AVIF"
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged bytes
        return str(error).rstrip(".") or type(error).__name__
    return ""
