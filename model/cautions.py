"""Which descriptions come with a caution: guides, and whatever names something that can hurt if it is wrong."""

import re

KINDS = ("move", "pay", "medicine")

# Things that decide where somebody walks, what they pay, what they swallow.
_NAMED = {
    "en": {
        "move": (
            r"cross(?:ing|walk|e[sd])?s?|zebra|pedestrians?|traffic|stop ?lights?|(?:red|green|yellow) lights?|signals?"
            r"|roads?|streets?|intersections?|junctions?|sidewalks?|pavements?|driveways?|highways?|lanes?"
            r"|stair(?:s|case|cases|way|ways|well)?|steps?|escalators?|ladders?|curbs?|kerbs?|ledges?|platforms?|tracks?|railway|rails?"
            r"|cars?|bus|buses|minivans?|vans?|trucks?|lorry|lorries|pickups?|taxis?|cabs?|vehicles?|jeeps?|suvs?|ambulances?|fire engines?"
            r"|motor ?(?:cycl\w+|bikes?)|scooters?|bicycles?|bikes?|cyclists?|trains?|trams?|subway|rickshaws?|tuk-?tuks?|tractors?|excavators?"
            r"|holes?|potholes?|sinkholes?|manholes?|pits?|ditch(?:es)?|trench(?:es)?|drains?|gutters?|puddles?|cliffs?"
        ),
        "pay": (
            r"money|cash|currency|bank ?notes?|bills?|coins?|prices?|(?:rupee|pound|dollar|euro|yen|yuan|peso|baht|ringgit|franc|dong)s?"
            r"|rupiahs?|notes? of|\w+ (?:rupee|pound|dollar|euro) notes?"
        ),
        "medicine": (
            r"medicines?|medications?|pills?|tablets?|capsules?|drugs?|syringes?|insulin|ointments?|syrup|aspirin|ibuprofen|paracetamol"
            r"|vitamins?|antibiotics?|inhalers?|(?:eye|ear|nose) ?drops"
        ),
    },
    "id": {
        "move": (
            r"(?:me)?nyebe?rang(?:i|nya)?|menyebe?rang(?:i)?|penyebe?rangan(?:nya)?|zebra(?: cross)?|lampu (?:lalu[ -]lintas|merah|hijau|kuning)"
            r"|(?:jalan|jalanan|jalur|trotoar|persimpangan|perempatan|pertigaan|gang)(?:nya)?|(?:anak )?tangga(?:nya)?|undakan|eskalator|peron|rel(?:nya)?"
            r"|(?:mobil|bus|bis|truk|taksi|kendaraan|motor|sepeda|skuter|kereta|trem|bajaj|becak|bentor|traktor|angkot|ambulans|jip|pikap)(?:nya)?"
            r"|lalu[ -]lintas(?:nya)?|(?:ber)?lubang(?:nya)?|lobang|selokan(?:nya)?|parit|got|gorong-gorong|genangan"
        ),
        "pay": r"(?:uang|duit|koin|harga|mata uang)(?:nya)?|rupee|rupiah|dong|dolar|euro|ringgit|baht|yen|yuan",
        "medicine": r"(?:obat(?:-obatan)?|pil|tablet|kapsul|suntikan|insulin|salep|sirup|vitamin|aspirin|antibiotik)(?:nya)?|tetes mata",
    },
}
_PATTERNS = {
    language: {kind: re.compile(rf"\b(?:{words})\b") for kind, words in kinds.items()}
    for language, kinds in _NAMED.items()
}


def caution_kinds(text: str, language: str, style: str) -> tuple[str, ...]:
    """Those of KINDS that a description in `language` wants, in their order.

    A guide always wants "move", and so does any description in a language without patterns.
    """
    patterns = _PATTERNS.get(language, {})
    named = {kind for kind, pattern in patterns.items() if pattern.search(text.lower())}
    if style == "guide" or not patterns:
        named.add("move")
    return tuple(kind for kind in KINDS if kind in named)
