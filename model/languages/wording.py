"""The words around a description, by language: doubt before it, a caution after it.

Blind listeners fill the gaps of a wrong caption until it fits, and doubt comes back when the wording speaks of error
instead of confidence (MacLeod et al. 2017).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from model.certainty import Certainty


@dataclass(frozen=True)
class Wording:
    """`doubt`: before a description of that certainty; a certainty that is not there needs none. `cannot_tell`: in the
    place of a description. `cautions`: by kind, see `model.cautions`."""

    language: str
    doubt: Mapping[Certainty, str]
    cannot_tell: str
    cautions: Mapping[str, str]


WORDINGS = {
    "en": Wording(
        "en",
        {
            Certainty.MEDIUM: "I am not sure. It could be:",
            Certainty.LOW: "Probably wrong, at least in part. It could be:",
            Certainty.UNKNOWN: "How often this is right was not measured. It could be:",
        },
        "I cannot tell what this is.",
        {
            "move": "Do not rely on it alone to walk or to cross.",
            "pay": "Do not rely on it alone to pay.",
            "medicine": "Do not rely on it alone to take medicine.",
        },
    ),
    "id": Wording(
        "id",
        {
            Certainty.MEDIUM: "Saya tidak yakin. Mungkin ini:",
            Certainty.LOW: "Kemungkinan besar keliru, setidaknya sebagian. Mungkin ini:",
            Certainty.UNKNOWN: "Belum diukur seberapa sering ini benar. Mungkin ini:",
        },
        "Saya tidak tahu ini gambar apa.",
        {
            "move": "Jangan hanya mengandalkan ini untuk berjalan atau menyeberang.",
            "pay": "Jangan hanya mengandalkan ini untuk membayar.",
            "medicine": "Jangan hanya mengandalkan ini untuk minum obat.",
        },
    ),
}


def wording(language: str) -> Wording:
    """English for a language without words of its own; `Wording.language` says which they are."""
    return WORDINGS.get(language, WORDINGS["en"])


def spoken_text(description: str, certainty: Certainty, cautions: Iterable[str], language: str) -> str:
    """What is said aloud: doubt, description, cautions of those kinds."""
    words = wording(language)
    parts = (words.doubt.get(certainty, ""), description, *(words.cautions[kind] for kind in cautions))
    return " ".join(part for part in parts if part)
