"""What a guide may never say: that a way is empty, clear or safe, or that one may cross.

A photo shows a moment and an angle; a promise about the way rests on what it does not show. The same patterns clean the
training text (`without_promises`) and forbid candidates while decoding (`makes_promise`).
"""

import re

_PATTERNS = {
    "en": (
        r"clear|clears|cleared|clearly|empty|safe|safely|safer|free|deserted|vacant|unobstructed|unblocked|passable|walkable|quiet",
        r"no (?:\w+ )?(?:cars?|traffic|vehicles?|bikes?|one|body|people|person|obstacles?|hazards?|dangers?|risks?|problems?)",
        r"nobody|nothing|without (?:any )?(?:cars|traffic|vehicles|obstacles|danger)|not (?:busy|dangerous|blocked)",
        r"(?:can|may|could|should|able to|allowed to|ok to|okay to|time to) (?:now )?(?:cross|go|walk|pass|proceed|continue|move)",
        r"(?<!not )cross (?:now|here|over)|room to|space to|good to go|go on|green for you|your turn",
    ),
    "id": (
        r"kosong|kosongnya|sepi|lengang|aman|amannya|bebas|lapang|leluasa|lancar|silakan|boleh|senggang",
        r"(?:tidak|tak) ada (?:\w+ )?(?:mobil|motor|kendaraan|halangan|hambatan|rintangan|bahaya|orang|lalu lintas|celah|lain|yang)",
        r"tanpa (?:mobil|kendaraan|halangan|hambatan|rintangan|bahaya|orang|lalu lintas)|(?:tidak|tak) (?:ramai|berbahaya|terhalang)",
        r"(?:bisa|dapat|saatnya|waktunya) (?:\w+ )?(?:menyeberang|menyebrang|lewat|jalan|berjalan|dilewati|melintas|maju|dilalui)",
        r"(?<!jangan )(?:menyeberanglah|menyebranglah|majulah|jalanlah)",
    ),
}
_PROMISE = {language: re.compile(rf"\b(?:{'|'.join(patterns)})\b") for language, patterns in _PATTERNS.items()}

# Adjectives of a thing, not of the way: "a clear plastic bottle", "an empty rickshaw". Training text keeps the thing.
_OF_A_THING = {
    "en": re.compile(r"\b(?:clear|empty)(?: looking|-looking)? (?!and |with |in |on |at |of |then )"),
    "id": re.compile(r" (?:yang |dan )?kosong\b(?=$| (?:parkir|berdiri|di|ada|dengan|yang|menghadap|ini))"),
}
_ABOUT_THE_WAY = {
    "en": re.compile(r"\b(?:is|are|looks?|seems?|appears?|mostly|to)(?: (?!an?\b)\w+)? (?:clear|empty)\b"),
    "id": re.compile(
        r"\b(?:jalan(?:nya)?|jalur|lantai|tanah|trotoar|halaman|bagian tengah|sisi|tampak|agak|hampir|depan|depannya)\b[^,]* kosong"
    ),
}


def makes_promise(text: str, language: str) -> bool:
    """Whether `text` (in `language`, "en" or "id") says that a way is empty, clear or safe, or that one may go."""
    return _PROMISE[language].search(text.lower()) is not None


def without_promises(text: str, language: str) -> str:
    """`text` without the comma-separated clauses that make a promise; the empty string if none is left."""
    kept = []
    for clause in re.split(r",\s", text):
        clause = clause.strip()
        if makes_promise(clause, language) and not _ABOUT_THE_WAY[language].search(clause):
            clause = _OF_A_THING[language].sub("", clause).strip()
            clause = re.sub(r"\ban? (?=([a-z]))", lambda m: "an " if m[1] in "aeiou" else "a ", clause)
        if clause and not makes_promise(clause, language):
            kept.append(clause)
    return re.sub(r"^(?:then|and|but|lalu(?! lintas)|dan|tetapi|tapi) ", "", ", ".join(kept))
