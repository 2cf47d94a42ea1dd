"""Whether a text names what a street photo's label says is there."""

import re
from collections.abc import Sequence

_ANIMALS_EN = r"animal|dog|puppy|cow|bull|calf|cattle|goat|sheep|lamb|horse|donkey|camel|cat|monkey|elephant|deer|pig|duck|goose|bird|buffalo|zebra|flock|herd"
_ANIMALS_ID = r"hewan|binatang|anjing|sapi|banteng|kambing|domba|kuda|keledai|unta|kucing|monyet|gajah|rusa|babi|bebek|angsa|burung|kerbau|kawanan|ternak"

# label -> words that name it, in English and in Indonesian; all patterns of a tuple must be found
LABEL_WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "crosswalk": {"en": (r"crossing|zebra|crosswalk",), "id": (r"zebra|penyeberangan",)},
    "pothole": {
        "en": (r"(?:pot)?holes?|broken|crack\w*|hollow\w*|damage\w*|pits?|peel\w*|collapsed|eroded|dips?|uneven",),
        "id": (r"lubang|berlubang|rusak|retak\w*|cekung\w*|terkelupas|mengelupas|ambles|kerusakan|bolong|tergerus",),
    },
    "door": {"en": (r"doors?|doorway|gate",), "id": (r"pintu|pintunya|gerbang",)},
    "rickshaw": {"en": (r"rickshaws?",), "id": (r"bajaj|becak|bentor",)},
    "barricade": {
        "en": (r"barricades?|barriers?|fence|railings?|roadblock|boards?",),
        "id": (r"barikade|pagar|palang|penghalang|pembatas|papan",),
    },
    "stairs": {"en": (r"stairs?|staircase|stairway|steps?",), "id": (r"tangga",)},
    "animal": {"en": (rf"(?:{_ANIMALS_EN})s?",), "id": (_ANIMALS_ID,)},
    "red traffic light": {"en": (r"red", r"lights?"), "id": (r"merah", r"lampu")},
    "green traffic light": {"en": (r"green", r"lights?"), "id": (r"hijau", r"lampu")},
    "yellow traffic light": {"en": (r"yellow|amber|orange", r"lights?"), "id": (r"kuning|jingga|oranye", r"lampu")},
    "traffic light": {"en": (r"lights?|signals?|stoplights?",), "id": (r"lampu",)},
    "open manhole": {"en": (r"manholes?|holes?",), "id": (r"lubang",)},
    "closed manhole cover": {"en": (r"manholes?|covers?",), "id": (r"tutup|lubang",)},
}


def names_label(text: str, labels: tuple[str, ...], language: str) -> bool | None:
    """Whether `text` names at least one of `labels`; None if LABEL_WORDS has none of them in that language."""
    known = [LABEL_WORDS[label][language] for label in labels if language in LABEL_WORDS.get(label, {})]
    if not known:
        return None
    return any(all(re.search(rf"\b(?:{words})\b", text.lower()) for words in patterns) for patterns in known)


def neutral_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """The labels without the colour of a light, which is never told."""
    return tuple("traffic light" if label.endswith("traffic light") else label for label in labels)
