"""Alt text inside a photo's own file, where screen readers and other programs look for it."""

import shutil
from pathlib import Path

ALT_TEXT = "Xmp.iptc.AltTextAccessibility"  # IPTC Photo Metadata Standard 2021.1
NO_WARNINGS = 4  # pyexiv2's level; it would speak of cameras' own fields


class AltTextError(Exception):
    """The format holds no alt text, or the copy cannot be written; the message is one sentence."""


def write_copy(photo: Path, copy: Path, text: str, language: str) -> None:
    """Copy the photo's file as it is, but for its alt text. Raises AltTextError and leaves no half copy."""
    import pyexiv2  # for those alone who write

    pyexiv2.set_log_level(NO_WARNINGS)
    made = copy.with_name(f".{copy.name}.part")
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(photo, made)
        with pyexiv2.Image(str(made)) as image:
            image.modify_xmp({ALT_TEXT: {'lang="x-default"': text, f'lang="{language}"': text}})
        made.replace(copy)
    except (OSError, RuntimeError) as error:
        made.unlink(missing_ok=True)
        raise AltTextError(f"No alt text can be written into it ({error}); save it as JPEG, PNG or WebP.") from None
