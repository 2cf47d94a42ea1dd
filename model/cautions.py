"""Which descriptions come with a caution: guides, and whatever names something that can hurt if it is wrong."""

import re

KINDS = ("move", "pay", "medicine")

# Things that decide where somebody walks, what they pay, what they swallow.
_NAMED = {
    "en": {
        "move": (
            r"cross(?:ing|walk)s?|zebra|pedestrian|traffic (?:lights?|signals?)|stop ?lights?|(?:red|green|yellow) lights?"
            r"|stair(?:s|case|cases|way|ways|well)?|steps|escalators?|ladders?|curbs?|kerbs?|ledges?|platforms?|tracks?|railway"
            r"|cars?|bus|buses|vans?|trucks?|lorry|lorries|taxis?|cabs?|vehicles?|motor ?(?:cycles?|bikes?)|scooters?"
            r"|bicycles?|bikes?|cyclists?|trains?|trams?|rickshaws?|tractors?|traffic"
            r"|holes?|potholes?|manholes?|pits?|ditch(?:es)?|trench(?:es)?|drains?|gutters?"
        ),
        "pay": r"money|cash|bank ?notes?|notes? of|rupees?|rupiahs?|dongs?|dollars?|euros?|coins?|bills?|price(?: tag)?s?",
        "medicine": r"medicines?|medications?|pills?|tablets?|capsules?|drugs?|syringes?|insulin|ointments?|syrup",
    },
    "id": {
        "move": (
            r"penyeberangan|zebra(?: cross)?|lampu (?:lalu lintas|merah|hijau|kuning)|tangga|anak tangga|undakan|eskalator|trotoar"
            r"|peron|rel|mobil|bus|bis|truk|taksi|kendaraan|motor|sepeda(?: motor)?|skuter|kereta|trem|bajaj|becak|bentor|traktor"
            r"|lalu lintas|lubang|berlubang|lobang|selokan|parit|got|gorong-gorong"
        ),
        "pay": r"uang(?: kertas| koin| logam)?|rupee|rupiah|dong|dolar|euro|koin|harga",
        "medicine": r"obat(?:-obatan)?|pil|tablet|kapsul|suntikan|insulin|salep|sirup",
    },
}
_PATTERNS = {
    language: {kind: re.compile(rf"\b(?:{words})\b") for kind, words in kinds.items()}
    for language, kinds in _NAMED.items()
}


def caution_kinds(text: str, language: str, style: str) -> tuple[str, ...]:
    """Those of KINDS that a description in `language` wants, in their order; a guide always wants "move".

    In a language without patterns only guides are recognised.
    """
    patterns = _PATTERNS.get(language, {})
    named = {kind for kind, pattern in patterns.items() if pattern.search(text.lower())}
    if style == "guide":
        named.add("move")
    return tuple(kind for kind in KINDS if kind in named)
