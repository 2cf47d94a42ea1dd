"""Language codes as apps send them."""

import re

from babel.core import get_global


def primary_language(tag: str) -> str:
    """`id` for `ID`, `id-ID`, `id_ID` and the old code `in`; `en` for `en-US`. What is no tag stays as it is."""
    found = re.match(r"([A-Za-z]{2,8})(?:[-_]|$)", tag.strip())
    if not found:
        return tag
    code = found[1].lower()
    return get_global("language_aliases").get(code, code)
