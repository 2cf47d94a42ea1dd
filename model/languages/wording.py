"""The words around a description, by language: doubt before it, a caution after it.

Blind listeners fill the gaps of a wrong caption until it fits, and doubt comes back when the wording speaks of error
instead of confidence (MacLeod et al. 2017).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from model.certainty import Certainty


@dataclass(frozen=True)
class Wording:
    """`doubt`: before a description of that certainty; a certainty that is not there needs none. `otherwise`: before
    what else it could be. `cannot_tell`: in the place of a description. `kinds`: what a picture is that shows no scene.
    `named`: with a place for what a thing likely is. `unverified`: by kind, see `model.unverified_claims`. `cautions`:
    by kind, see `model.cautions`. `failed`: by sense, see `model.senses.senses`."""

    language: str
    doubt: Mapping[Certainty, str]
    otherwise: str
    cannot_tell: str
    kinds: Mapping[str, str]
    named: str
    unverified: Mapping[str, str]
    cautions: Mapping[str, str]
    failed: Mapping[str, str]


WORDINGS = {
    "en": Wording(
        "en",
        doubt={
            Certainty.MEDIUM: "I am not sure. It may be:",
            Certainty.LOW: "I cannot tell what this is. It could be:",
            Certainty.UNKNOWN: "How often this is right was not measured. It could be:",
        },
        otherwise="Or:",
        cannot_tell="I cannot tell what this is.",
        kinds={"page": "A page of text.", "screenshot": "A screenshot.", "text": "Mostly text."},
        named="Likely in it: {}.",
        unverified={
            "light": "I can't tell the colour of the light.",
            "stairs": "I can't tell whether the stairs go up or down.",
            "manhole": "I can't tell whether it is open.",
            "door": "I can't tell whether the door is open.",
            "banknote": "I can't tell the value of the banknote.",
            "motion": "I can't tell whether anything moves.",
            "side": "I can't tell left from right.",
        },
        cautions={
            "move": "Do not rely on it alone to walk or to cross.",
            "pay": "Do not rely on it alone to pay.",
            "medicine": "Do not rely on it alone to take medicine.",
        },
        failed={
            "quality": "How good the photo is could not be looked at.",
            "text": "Text could not be looked for.",
            "codes": "Codes could not be looked for.",
        },
    ),
    "id": Wording(
        "id",
        doubt={
            Certainty.MEDIUM: "Saya tidak yakin. Mungkin ini:",
            Certainty.LOW: "Saya tidak tahu ini gambar apa. Bisa jadi:",
            Certainty.UNKNOWN: "Belum diukur seberapa sering ini benar. Mungkin ini:",
        },
        otherwise="Atau:",
        cannot_tell="Saya tidak tahu ini gambar apa.",
        kinds={"page": "Halaman berisi teks.", "screenshot": "Tangkapan layar.", "text": "Sebagian besar teks."},
        named="Kemungkinan ada di dalamnya: {}.",
        unverified={
            "light": "Warna lampunya tidak dapat saya pastikan.",
            "stairs": "Saya tidak tahu tangganya naik atau turun.",
            "manhole": "Saya tidak tahu apakah lubangnya terbuka.",
            "door": "Saya tidak tahu apakah pintunya terbuka.",
            "banknote": "Nilai uangnya tidak dapat saya pastikan.",
            "motion": "Saya tidak tahu apakah ada yang bergerak.",
            "side": "Kiri dan kanan tidak dapat saya pastikan.",
        },
        cautions={
            "move": "Jangan hanya mengandalkan ini untuk berjalan atau menyeberang.",
            "pay": "Jangan hanya mengandalkan ini untuk membayar.",
            "medicine": "Jangan hanya mengandalkan ini untuk minum obat.",
        },
        failed={
            "quality": "Mutu foto tidak dapat diperiksa.",
            "text": "Teks tidak dapat dicari.",
            "codes": "Kode tidak dapat dicari.",
        },
    ),
}


def wording(language: str) -> Wording:
    """English for a language without words of its own; `Wording.language` says which they are."""
    return WORDINGS.get(language, WORDINGS["en"])
