"""Finding a set's photos on disk, and whether they can be read."""

from pathlib import Path, PurePosixPath

from PIL import Image

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")


def safe_name(name: str) -> str | None:
    """The name as a set gives it, tidied (`./a.jpg` is `a.jpg`); None if it is empty or leaves the set's folder."""
    path = PurePosixPath(name.strip().replace("\\", "/"))
    if not path.parts or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        return None
    if any(len(part.encode(errors="replace")) > 255 for part in path.parts):  # no file system has such a name
        return None
    return str(path)


def unreadable_because(path: Path) -> str | None:
    """Why Pillow cannot read the whole photo, in a few words; None when it can."""
    try:
        with Image.open(path) as photo:
            # A JPEG is decoded at an eighth of its size: all its bytes are still read, so a cut file still shows.
            photo.draft("RGB", (1, 1))
            photo.load()
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged bytes
        return str(error).replace(str(path), path.name).rstrip(".") or type(error).__name__
    return None
