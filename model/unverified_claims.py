"""Claims that can hurt if they are wrong, made neutral: the colour of a traffic light, whether stairs go up or down,
whether a manhole or a door is open, the value of a banknote, whether a vehicle moves, what is left and what is right.

No check was measured right often enough to let a captioner say these; that something moves no single photo can prove.
So the words are taken out of every candidate before one is chosen, and what was taken out is told as not known. The
captions of the training sets say what the patterns have to find; tests/model/test_unverified_claims.py has them.
"""

import re
from collections.abc import Callable

KINDS = ("light", "stairs", "manhole", "door", "banknote", "motion", "side")
Rule = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]


def _rules(*pairs: tuple[str, str | Callable[[re.Match[str]], str]]) -> tuple[Rule, ...]:
    return tuple((re.compile(pattern, re.IGNORECASE), instead) for pattern, instead in pairs)


# --- English
_COLOUR = r"(?:red|green|yellow|amber|orange)"
_SHADE = r"(?:bright(?:ly)?|glowing|lit|dark|pale|solid|round|steady)"
_LAMP = r"(?:lights?|lamps?|lens(?:es)?|signals?|man|figure|bulbs?|circles?|arrows?)"
_ON = r"(?:is|are|stays?|glows?|glowing|shines?|shining|shows?|showing|turns?|turned|turning|lit(?: up)?|lights? up|burns?|burning|on)"
_STAIRS = r"(?:stairs?|staircases?|stairways?|stairwells?|steps?|flights? of (?:\w+ ){0,2}(?:stairs|steps)|flights?|escalators?)"
_CLIMB = (
    r"(?:go(?:es|ing)?|lead(?:s|ing)?|run(?:s|ning)?|climb(?:s|ing)?|rise(?:s)?|rising|descend(?:s|ing)?|ascend(?:s|ing)?|"
    r"head(?:s|ing)?|drop(?:s|ping)?|slop(?:e|es|ing)|turn(?:s|ing)?|wind(?:s|ing)?|curv(?:e|es|ing)|fall(?:s|ing)?)"
)
_UP = r"(?:upwards?|downwards?|up|down|below|above)"
_MANNER = r"(?:steeply |straight |gently |sharply |slightly |right |away |on |\w+ly )?"
_OPEN = r"(?:open(?:ed)?|clos(?:ed|ing)|shut|ajar|uncovered|covered)"
_HALF = r"(?:wide |half[- ]?|partly |slightly |fully |almost |part |a little |both |all )?"
_DOOR = r"(?:doors?|doorways?|gates?|shutters?)"
_VEHICLE = (
    r"(?:cars?|bus(?:es)?|minivans?|vans?|trucks?|lorr(?:y|ies)|pickups?|taxis?|cabs?|vehicles?|jeeps?|suvs?|ambulances?|fire ?trucks?|"
    r"fire engines?|motor ?(?:cycles?|bikes?)|scooters?|trains?|trams?|auto[- ]?rickshaws?|rickshaws?|tuk-?tuks?|tractors?|traffic)"
)
_MOVES = (
    r"(?:driv(?:es?|ing)|mov(?:es?|ing)|com(?:es?|ing)|approach(?:es|ing)?|pass(?:es|ing)?|speed(?:s|ing)|travel(?:s|ling|ing)|"
    r"rac(?:es|ing)|turn(?:s|ing)|roll(?:s|ing)|cruis(?:es|ing)|head(?:s|ing)|wait(?:s|ing)?|stopped|stopping|idling|parked)"
)
_ALONG = r"(?:down|up|along|through|across)(?= (?:an?|the|[\w-]+ (?:road|street|track|highway|lane)s?) )"
_BESIDE = r"(?:past|by|over|towards?|away from|around|into|out of)(?= (?:an?|the|some|two|\w+) )"
_SIDE = r"(?:left|right(?! (?:ahead|in front|at|before|behind|beside|next|by|up|above|below|under|way)\b))(?: (?:and|or) (?:the )?(?:left|right))?"
_MONEY = r"(?:rupees?|dongs?|dollars?|euros?|pounds?|rupiahs?|ringgits?|bahts?|yen|yuan)"
_NUMBER = (
    r"(?:\d[\d.,]*|one|two|three|five|ten|twenty|fifty|hundred|thousand|hundreds|million|an? (?:hundred|thousand)|and)"
)
_NP = r"(?:(?:an?|the|this|some|another|one)\s+)?(?:(?!(?:of|on|in|at|with|and|is|are|the|an?|by|to|beside|near|under|over|holding|holds|hold)\b)[\w'-]+\s+){0,6}?"

_SIGNAL = (
    r"\b(?:(?:traffic|pedestrian|crossing|stop|signal)[- ]?(?:lights?|signals?|lamps?)|the lights?|signals?|"
    r"(?:red|green|amber) lights?|stoplights?)\b"
)


def _without_colours(clause: re.Match[str]) -> str:
    return re.sub(rf",? (?:and )?\b{_COLOUR}\b|^{_COLOUR} ", "", clause[0], flags=re.IGNORECASE)


_ENGLISH: dict[str, tuple[re.Pattern[str], tuple[Rule, ...]]] = {
    "light": (
        re.compile(
            _SIGNAL, re.IGNORECASE
        ),
        _rules(
            (rf",? (?:and |with |its |the |all |both )*(?:top|bottom|upper|lower|middle|centre|center) {_LAMP}(?: (?:is |are )?(?:lit|on|{_COLOUR}))*", ""),
            (rf",? (?:that |which )?(?:{_ON}|with|at|in)(?: (?:both|all|the|its|an?|in|on|up|now|two|three|one|{_SHADE}))* {_COLOUR}"
             rf"(?: (?:and|or) {_COLOUR})?(?: {_LAMP})?(?: {_ON}| lit| up)*(?=$|[,.;]| (?:and|in|on|at|above|ahead|for|to|by|near|against|over|"
             r"behind|with|beside|under|below|of|while|as|next)\b)", ""),
            (rf"\b{_COLOUR},? (?:and |or )?(?={_COLOUR}\b)", ""),
            (rf"\b{_COLOUR}(?:-lit)? (?={_LAMP}\b|traffic|pedestrian|signal|stop)", ""),
            (rf"(?:^|[,;])[^,;]*{_SIGNAL}[^,;]*", _without_colours),
            (r"\b(traffic|pedestrian|signal|stop) light (?:is|are)(?: lit)?(?=$|[,.])", r"\1 light"),
        ),
    ),
    "stairs": (
        re.compile(rf"\b{_STAIRS}\b", re.IGNORECASE),
        _rules(
            (rf"({_STAIRS}) (?:that |which )?(?:are |is )?{_CLIMB} {_MANNER}(?:{_UP} )?(?:{_MANNER})?to (?:it|them)\b", r"\1"),
            (rf"({_STAIRS}) (?:that |which )?(?:are |is )?{_CLIMB} {_MANNER}(?:{_UP} )?(?:{_MANNER})?to\b", r"\1 and"),
            (rf"({_STAIRS}) (?:that |which )?(?:are |is )?(?:{_CLIMB}(?: and {_CLIMB})*) {_MANNER}{_UP}(?: and (?:\w+ing))?", r"\1"),
            (rf"({_STAIRS}) {_UP} to\b", r"\1 and"),
            (rf"({_STAIRS}) (?:rise|rises|rising|climb|climbs|climbing|descend|descends|descending|ascend|ascends|ascending|drop|drops|dropping)\b", r"\1"),
            (rf"\b(?:up|down)(?=,? (?:(?:a|an|the|some|his|her|their|\w+) ){{0,3}}{_STAIRS}\b)", "on"),
            (rf"({_STAIRS}) {_UP}\b", r"\1"),
            (rf",? (?:and )?(?:{_CLIMB}) {_MANNER}(?:upwards?|downwards?|up|down)\b", ""),
            (r"\b(?:ascending|descending|rising|downward|upward) (?=\w)", ""),
            (rf"\b(?:climb(?:s|ing)?|descend(?:s|ing)?|ascend(?:s|ing)?) (?=(?:[\w-]+ ){{0,3}}{_STAIRS}\b)", "on "),
        ),
    ),
    "manhole": (
        re.compile(r"\bmanholes?\b", re.IGNORECASE),
        _rules(
            (rf"{_NP}\b(?:{_OPEN}\s+)?manholes?(?: (?:covers?|lids?))?(?: (?:is|are|lies|stands|left))?(?: {_HALF}{_OPEN})?"
             r"(?:,? (?:with|without|and|missing|beside) (?:its |the |a |no |any )?(?:covers?|lids?)(?: (?:off|on|open|removed|missing|beside it|to one side|lying beside it|in place|closed))?)?",
             "a manhole cover or a hole"),
            (rf"a manhole cover or a hole(?:,? \w+){{0,2}} {_HALF}{_OPEN}\b", "a manhole cover or a hole"),
            (r"[,;] [^,;]*\b(?:lids?|its cover)\b[^,;]*", ""),
            (r"\bwith (?:its |the |a )?(?:covers?|lids?) (?:off|on|open|removed|missing|closed|in place|to one side)\b|\bwithout (?:its |a |the )?(?:covers?|lids?)\b", ""),
        ),
    ),
    "door": (
        re.compile(rf"\b{_DOOR}\b", re.IGNORECASE),
        _rules(
            (rf"({_DOOR}),? (?:that |which )?(?:(?:is|are|was|stands?|standing|lies|left|hangs?|hanging|swung|pushed|sits) )?{_HALF}{_OPEN}\b(?! sign)(?: to the (?:left|right))?", r"\1"),
            (rf"\b{_HALF}{_OPEN},? (?:and )?(?=(?:[\w-]+,? ){{0,4}}{_DOOR}\b)", ""),
            (r",? (?:and |is |are |has )*(?:swung|pushed|pulled|propped) (?:out|in|open|inwards?|outwards?|back)(?: to the (?:left|right))?", ""),
            (rf"({_DOOR}(?: [\w-]+){{0,4}}) (?:is|are|stands?|standing) {_HALF}{_OPEN}\b", r"\1"),
            (rf",? (?:and )?(?:is |are )?{_HALF}{_OPEN}\b(?= *(?:$|[,.]))", ""),
        ),
    ),
    "banknote": (
        re.compile(rf"\b(?:bank ?notes?|notes?|bills?|{_MONEY})\b", re.IGNORECASE),
        _rules(
            (rf"\b{_NP}(?:and )?{_NP}(?:{_NUMBER}[\s-]+)*(?:indian |us |vietnamese )?{_MONEY}[\s-]+(?:bank ?)?(?:notes?|bills?)\b", "a banknote"),
            (rf"\b{_NP}\b(?:{_NUMBER})[\s-]+(?:bank ?notes?|dollar bills?)\b", "a banknote"),
            (rf"\b(?:{_NUMBER}[\s-]+)+{_MONEY}\b", "money"),
            (r"[,;] [^,;]*\b(?:\d+|money)\b[^,;]*", ""),
            (rf"\b(?:bank ?)?notes? of (?:{_NUMBER}[\s-]*)+(?:{_MONEY})?", "a banknote"),
        ),
    ),
    "motion": (
        re.compile(rf"\b{_VEHICLE}\b", re.IGNORECASE),
        _rules(
            (rf"({_VEHICLE}) (?:that |which )?(?:(?:is|are|was|were) )?{_MOVES}(?: (?:fast|slowly|quickly))? {_ALONG}", r"\1 on"),
            (rf"({_VEHICLE}) (?:that |which )?(?:(?:is|are|was|were) )?{_MOVES}(?: (?:fast|slowly|quickly))? {_BESIDE}", r"\1 near"),
            (rf"({_VEHICLE}) (?:that |which )?(?:(?:is|are|was|were) )?{_MOVES}\b(?: (?:fast|slowly|quickly|by|past|up|down))?", r"\1"),
            (rf"\b(?:moving|passing|approaching|oncoming|speeding|parked|stopped|waiting|driving) (?=(?:[\w-]+ ){{0,3}}{_VEHICLE}\b)", ""),
        ),
    ),
    "side": (
        re.compile(r"\b(?:left|right)\b", re.IGNORECASE),
        _rules(
            (rf",? ?(?:\b(?:is|are|stands?|lies?|sits?|hangs?|seen) )?\b(?:on|at|to|from|along|near|towards?|in|of) (?:both |the |your |its |their |his |her )*"
             rf"(?:far |lower |upper |front |near |top |bottom |very )*{_SIDE}(?:[- ]hand)?(?: (?:side|edge|half|corner|end|part|third|of (?:the |it\b|you\b)?(?:\w+)?))*", ""),
            (rf",? ?\b(?:ahead |in front |behind |close |just |far |turned |facing |pointing )?(?:a little |slightly |more )?{_SIDE} of (?=(?:the|it|you|a)\b)", " beside "),
            (rf"\b(?:upper |lower |far )?{_SIDE}(?:[- ]hand)? (?=(?:side|edge|half|corner|wall|lane|end|kerb|curb|foot|hand|arm|door|leaf)\b)", ""),
            (rf",? \b{_SIDE}(?= *(?:$|[,.;]))", ""),
            (r"\bleft (?=\w)", ""),
        ),
    ),
}  # fmt: skip

# --- Indonesian
_WARNA = r"(?:merah|hijau|kuning|oranye)"
_TANGGA = r"(?:(?:anak )?tangga(?:nya)?|undakan|eskalator)"
_NAIK = r"(?:naik|turun|menaik|menurun|menanjak|mendaki)"
_TERBUKA = r"(?:terbuka|tertutup|dibuka|ditutup|menganga|dibiarkan terbuka)"
_AGAK = r"(?:setengah |sedikit |agak |sebagian |hampir |yang |sedang |dalam keadaan |masih |lebar )*"
_KENDARAAN = r"(?:mobil|bus|bis|truk|taksi|kendaraan|motor|sepeda motor|skuter|kereta(?: api)?|trem|bajaj|becak|traktor|angkot|ambulans|jip|pikap)"
_BERGERAK = (
    r"(?:melaju|bergerak|datang|mendekati?|melintas|lewat|berjalan|berbelok|parkir|terparkir|diparkir|berhenti|"
    r"menunggu|menjauh|berlalu|mengebut)"
)
_BILANGAN = (
    r"(?:\d[\d.,]*|satu|dua|tiga|empat|lima|enam|tujuh|delapan|sembilan|sepuluh|puluh|seratus|ratus|seribu|ribu|belas)"
)
_WARNA_UANG = r"(?:cokelat|oranye|ungu|hijau|kehijauan|biru|toska|kuning|kekuningan|abu-abu|lavender|merah muda|merah|pucat|tua|muda|lama)\b"
_MATA_UANG = r"(?:rupee|rupiah|dong|dolar|euro|ringgit)"

_INDONESIAN: dict[str, tuple[re.Pattern[str], tuple[Rule, ...]]] = {
    "light": (
        re.compile(r"\blampu (?:lalu[ -]lintas|pejalan kaki|penyeberangan|merah|hijau|sinyal)|\blampu (?:ini|di depan)\b|\brambu lampu\b", re.IGNORECASE),
        _rules(
            (rf",? (?:dan |dengan )?(?:lampu )?(?:paling )?(?:atas|bawah|tengah)(?:nya)? (?:yang )?(?:menyala|{_WARNA})(?: {_WARNA})?", ""),
            (r"\blampu (?:merah|hijau)(?: muda| tua)?(?= |$|,|\.)", "lampu lalu lintas"),
            (rf",? (?:yang |sedang |dengan |dua |semua |warna |berwarna |cahaya |sinyal |lampu )*(?:menyala |menunjukkan |berwarna |bersinar |bercahaya )*"
             rf"(?:warna |lampu |cahaya )*{_WARNA}(?: (?:dan|atau) {_WARNA})?(?: menyala)?\b", ""),
            (r"(?:,? (?:dan|dengan|adalah))? (?:yang )?(?:sedang )?menyala\b", ""),
        ),
    ),
    "stairs": (
        re.compile(rf"\b{_TANGGA}\b", re.IGNORECASE),
        _rules(
            (r"\b(?:menuruni|menaiki|mendaki)\b", "di"),
            (rf",? (?:yang |dan |sedang |mengarah |menuju |berbelok |lurus )*{_NAIK}(?: (?:ke (?:atas|bawah)))?\b", ""),
            (r",? (?:yang |mengarah |menuju )*ke (?:atas|bawah)\b", ""),
        ),
    ),
    "manhole": (
        re.compile(r"\b(?:manhole|lubang got|(?:pe)?nutup (?:lubang|got|selokan)|tutup (?:lubang|got|selokan)|lubang (?:bundar |bulat |persegi |besar |dalam )*(?:terbuka|tertutup|kontrol)|gorong-gorong)\b", re.IGNORECASE),
        _rules(
            (rf"(?:(?:sebuah|dua|tiga) )?(?:(?:lubang |tutup |penutup )?manhole|lubang got|(?:penutup|tutup) (?:lubang|got|selokan|gorong-gorong)(?: got| jalan)?|lubang kontrol|gorong-gorong"
             rf"|lubang(?= (?:bundar |bulat |persegi |besar |dalam )*{_TERBUKA}))(?: (?:bundar|bulat|persegi|logam|besi|besar|dalam|gelap|oranye|kuning|berkarat))*"
             rf"(?: (?:yang )?(?:tidak |sudah )?{_AGAK}{_TERBUKA})?(?:,? (?:tanpa|dengan) (?:tutup|penutup)(?:nya)?(?: {_TERBUKA})?)?",
             "penutup lubang atau lubang"),
            (rf"(penutup lubang atau lubang(?: \w+){{0,3}}?) {_AGAK}{_TERBUKA}\b", r"\1"),
        ),
    ),
    "door": (
        re.compile(r"\b(?:ber)?(?:pintu|gerbang)(?:nya)?\b", re.IGNORECASE),
        _rules((rf",? {_AGAK}{_TERBUKA}(?: lebar)?\b(?! (?:oleh|kain|salju|rumput|debu|cat|daun))", "")),
    ),
    "banknote": (
        re.compile(rf"\b(?:uang|lembar(?:an)?|{_MATA_UANG})\b", re.IGNORECASE),
        _rules(
            (rf"(?:(?:selembar|lembaran|sebuah) )?(?:uang )?(?:kertas )?(?:pecahan |senilai |nominal )?(?:{_BILANGAN}[\s-]+)+{_MATA_UANG}(?: (?:dan )?{_WARNA_UANG})*", "uang kertas"),
            (r"[,;] [^,;]*\b\d+\b[^,;]*", ""),
            (rf"\b(?:pecahan|senilai|nominal) (?:{_BILANGAN}[\s-]*)+", ""),
        ),
    ),
    "motion": (
        re.compile(rf"\b{_KENDARAAN}\b", re.IGNORECASE),
        _rules(
            (rf"({_KENDARAAN}(?: (?!(?:di|dan|yang|dengan|pada)\b)[\w-]+){{0,3}}?),? (?:yang |sedang |akan |masih |tampak )*"
             r"(?:melintasi|menyusuri|melewati|menuruni|menaiki)\b", r"\1 di"),
            (rf"({_KENDARAAN}(?: (?!(?:di|dan|yang|dengan|pada)\b)[\w-]+){{0,3}}?),? (?:yang |sedang |akan |masih |tampak )*{_BERGERAK}\b(?: (?:kencang|cepat|pelan))?", r"\1"),
        ),
    ),
    "side": (
        re.compile(r"\b(?:kiri|kanan)(?:nya)?\b", re.IGNORECASE),
        _rules(
            (r",? ?(?:\b(?:ada|terletak|berdiri|terlihat|berada) )?\b(?:di|ke|dari|pada|sebelah)(?: (?:kedua|sebelah|sisi|tepi|bagian|ujung|arah|depan|dekat|agak|sudut|paling|dinding))*"
             r" (?:kiri|kanan)(?:nya)?(?: (?:dan|atau) (?:kiri|kanan)(?:nya)?)?(?: (?:atas|bawah|depan|belakang|anda|foto))*", ""),
            (r",? ?\b(?:agak |sebelah |sisi )?(?:kiri|kanan)(?:nya)?\b", ""),
        ),
    ),
}  # fmt: skip

_BY_LANGUAGE = {"en": _ENGLISH, "id": _INDONESIAN}
LANGUAGES = tuple(_BY_LANGUAGE)


def without_unverified(text: str, language: str) -> tuple[str, tuple[str, ...]]:
    """A caption without these claims, and the KINDS that it made. A text in another language stays as it is."""
    found = []
    for kind, (named, rules) in _BY_LANGUAGE.get(language, {}).items():
        if not named.search(text):
            continue
        before = text
        for pattern, instead in rules:
            text = pattern.sub(instead, text)
        if text != before:
            found.append(kind)
    return (_tidy(text, language), tuple(found)) if found else (text, ())


def _tidy(text: str, language: str) -> str:
    """Spaces, commas and articles as they belong after words were taken out."""
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"(?:\s*,)+\s*(?=,|$|\.)|^[\s,]+", "", text)
    text = re.sub(r"\s+([,.;])", r"\1", text).strip()
    text = re.sub(r"(?:,? (?:and|is|are|with|that|which|dan|dengan|yang))+(?=[,.]|$)", "", text)
    if language == "en":
        text = re.sub(r"\b([Aa])n(?= [bcdfgjklmnpqrstvwxyz])(?! (?:hour|honest))", r"\1", text)
        text = re.sub(r"\b([Aa])(?= [aeio]\w)(?! (?:one|uni|eu))", r"\1n", text)
    return text
