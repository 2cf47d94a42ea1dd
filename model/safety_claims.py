"""Two things no description may say: that a way is empty, clear or safe or that one may go (a claim of safety), and
that the listener should move, or how (an order).

A photo shows a moment and an angle; such a sentence rests on what it does not show. The same patterns clean the
training text, forbid candidates while guides are decoded, and check what every captioner says. How often they are right
is measured by `python -m tests.benchmarks.safety` and told in docs/safety.md.
"""

import re
import unicodedata

LANGUAGES = ("en", "id")  # of the patterns; guides are given in no other

# The way somebody walks on.
_WAY_EN = (
    r"(?:road|roadway|street|path|pathway|footpath|way|sidewalk|pavement|walkway|lane|crossing|crosswalk|intersection|"
    r"junction|aisle|corridor|hallway|passage|passageway|stairs|staircase|stairway|steps|platform|coast|route|bridge|"
    r"ramp|alley|trail|area ahead|space ahead|area in front|ground ahead|floor ahead|view ahead|doorway|entrance|exit)"
)
_WAY_ID = (
    r"(?:jalan(?:an|nya|mu)?|jalur(?:nya)?|trotoar(?:nya)?|gang(?:nya)?|lorong(?:nya)?|penyeberangan(?:nya)?|"
    r"zebra cross(?:nya)?|persimpangan|perempatan|pertigaan|lintasan|rute(?:nya)?|jembatan|koridor|tangga(?:nya)?|peron|"
    r"lalu lintas(?:nya)?|di depan(?:nya| anda| sana)?|area(?: di depan)?|lantai(?:nya)?|pintu masuk)"
)
_ADVERBS_EN = (
    r"(?: (?:now|very|quite|pretty|mostly|completely|totally|all|almost|nearly|fairly|rather|still|just|perfectly|currently|"
    r"relatively|entirely|reasonably|generally|really|so|to be|nice and|and|both))*"
)
_ADVERBS_ID = (
    r"(?: (?:tampak(?:nya)?|terlihat|kelihatan(?:nya)?|terasa|sudah|masih|cukup|sangat|agak|hampir|relatif|sedang|benar-benar|"
    r"sepertinya|memang|nampak(?:nya)?|begitu|lumayan|sepenuhnya|kini|sekarang|pun|juga|dalam keadaan|yang|ini|itu))*"
)
_GO_EN = (
    r"(?:cross|go|walk|pass|proceed|continue|move|step|enter|advance|head|carry on|keep going|keep walking|drive|"
    r"get (?:across|through|past|by|around)|make it|come|climb|descend|start)"
)
_GO_ID = (
    r"(?:menyebe?rang(?:i|lah)?|dise?be?rangi|lewat(?:i)?|jalan|berjalan|melintas(?:i)?|maju|melangkah|dilewati|dilalui|"
    r"dilintasi|melalui|melewati|melanjutkan|lanjut|terus|masuk|naik|turun|bergerak)"
)
_HAZARDS_EN = (
    r"(?:cars?|traffic(?! lights?| signals?| signs?)|vehicles?(?! allowed| permitted)|bikes?|bicycles?|motor(?:cycles?|bikes?)|"
    r"trucks?|bus(?:es)?|trains?|obstacles?|obstructions?|obstruct\w+|hazards?|dangers?|risks?|barriers?|pedestrians?|holes?|"
    r"problems?|steps|threats?|hindrances?|blockages?|cyclists?)"
)
_HAZARDS_ID = (
    r"(?:mobil|motor|kendaraan|halangan|hambatan|rintangan|penghalang|bahaya|apa-apa|apa ?pun|lalu lintas|celah|"
    r"lubang|masalah|sepeda|truk|bus|gangguan|risiko|kereta|yang (?:menghalangi|melintas|lewat|datang|mendekat))"
)
_NOT_EN = r"(?<!not )(?<!n't )(?<!never )(?<!hardly )(?<!un)"
_NOT_ID = r"(?<!tidak )(?<!tak )(?<!belum )(?<!kurang )(?<!bukan )(?<!jangan )(?<!nggak )(?<!gak )"

_CLAIMS = {
    "en": (
        rf"{_WAY_EN}(?: (?:ahead|in front|before|of|you|to|the|left|right|on|your|side|here|there|itself|straight|both|sides)){{0,5}}"
        rf"(?:'s| is| are| looks?| seems?| appears?| remains?| stays?| feels?| lies| (?:should|must|may|might|will|would|has to) be)"
        rf"{_ADVERBS_EN} (?:clear|empty|free|deserted|vacant|wide open|safe|quiet|usable|good|fine)\b"
        r"(?! of charge|ed)(?! (?:enough )?for (?:cars|vehicles))",
        rf"(?:clear|empty|free|safe|unobstructed|deserted|quiet|wide open)(?:,? (?:and )?(?:clear|wide|safe|open|straight|quiet|empty|"
        rf"flat|dry|unobstructed|free|smooth))* {_WAY_EN}\b(?! (?:sign|lights?|signs|of life))",
        rf"{_NOT_EN}\b(?:safe|fine|ok(?:ay)?|all right|alright|good|possible|allowed|clear|permitted|free|easy|able|time|"
        rf"enough|room|space|cleared|set|green light|no problem) (?:for you )?(?:now )?to (?:safely |easily |just |now )?{_GO_EN}\b",
        rf"\b(?:it|this|that|everything|all|things?|here|there|you|crossing|walking|going|passing)(?:'s|'re| is| are| looks?| seems?|"
        rf" appears?| feels?| should be| must be){_ADVERBS_EN} (?:safe(?! with)|clear(?= |$)(?! that)|in the clear|walkable|passable)\b",
        rf"\b(?:safe|easy) (?:crossing|passage|passing|walking|walk|way|here|now|ahead)\b|\bsafely {_GO_EN}\b|\b{_GO_EN} safely\b",
        rf"\b(?:safe|fine|ok(?:ay)?|good|free) (?:just )?(?:walking|crossing|going|passing|moving|stepping)\b|{_NOT_EN}\bsafe to use\b"
        r"|\bcan be (?:safely |easily |freely )?(?:crossed|walked|passed|used safely)\b|\bwithout (?:any )?(?:trouble|difficulty|worry|worries)\b"
        r"|\b(?:not|n't|never) (?:bump|run|walk|trip|hit|stumble) (?:into|over|on|against)? ?(?:anything|anyone|any|something)\b"
        rf"|{_WAY_EN}(?: \w+){{0,5}} (?:clear|cleared|free|empty) of\b",
        rf"{_NOT_EN}\b(?:walkable|passable|unobstructed|unblocked|unimpeded|obstacle[- ]free|traffic[- ]free|hazard[- ]free|barrier[- ]free|"
        r"all[- ]clear|let's (?:cross|go|walk)|good to go|go ahead\b(?! of)|your turn|coast (?:is|looks) (?:wide|clear|open)|in the clear(?=$|[,.])|plain sailing)",
        rf"\b(?:no|zero) (?:\w+ ){{0,2}}?{_HAZARDS_EN}\b",
        r"\b(?:no one|nobody|no (?:\w+ )?(?:people|person|body))\b(?:(?: is| are|'s)?(?: currently| else| actually| there)? (?:coming|around|ahead|approaching|"
        r"in (?:the|your|sight|view|front)|on (?:the|it|your)\b|near(?:by)?|here|there|blocking|crossing|walking|standing|using)|$)",
        rf"\b(?:without|free of|free from|clear of|devoid of|empty of|lacks?|lacking) (?:any |all |other |visible |oncoming )*{_HAZARDS_EN}\b",
        r"\bnothing(?: else)?(?: is| seems| appears| stands| lies| that| to| you)?(?: (?:could|can|will|would|is|be|need))? ?"
        r"(?:in (?:the|your|our)|ahead|block\w*|in front|com(?:es|ing)|obstruct\w*|on (?:the|your)\b|avoid|trip|worry|stop\w*|parked|"
        r"standing|approaching|dangerous|hinder\w*|prevent\w*|stands|fear|bump)",
        rf"\b(?:not|isn't|aren't|never)(?: (?:very|at all|too|really|that))? (?:busy|dangerous|blocked|crowded|obstructed|risky)\b"
        rf"|\b(?:isn't|aren't|is not|are not|not) (?:any|a single) (?:\w+ )?{_HAZARDS_EN}\b",
        rf"\b(?:you|one|we|anyone|pedestrians|people)(?:'ll| will)?(?:'re| are)? ?(?:can|may|could|might|be able to|able to|free to|"
        rf"allowed to|clear to|welcome to|good to|safe to|fine to|ok(?:ay)? to)(?: (?:now|also|just|easily|safely|simply|then|"
        rf"probably|still|comfortably|freely|always|go ahead and))* {_GO_EN}\b",
        rf"(?:^|[,.;:] |\b(?:now|then|so) )(?:can|may|could)(?: now| safely| easily)* {_GO_EN}\b",
        r"(?<!little )(?<!no )\b(?:room|space|width)(?: left| enough| here| on \w+ \w+)? (?:to|for (?:you|walking|passing|crossing|a person)\b)"
        r"|\b(?:plenty of|enough|ample|sufficient) (?:room|space)\b|\bwide enough (?:to|for you)\b",
        r"\b(?:light|signal|man|sign) is green for (?:you|pedestrians|walking)\b|\bgreen for you\b|\bno need to (?:wait|worry|stop)\b"
        r"|\b(?:traffic|cars|vehicles|everyone|everything|the cars?) (?:has|have|is|are) (?:all )?(?:stopped for you|gone|waiting for you|far away)\b",
    ),
    "id": (
        rf"\b{_WAY_ID}(?: (?:di|ke|yang|ini|itu|depan|anda|kiri|kanan|sana|sini|raya|setapak|tersebut|menuju|arah|kecil|utama|pejalan|"
        rf"kaki|masuk|samping|sebelah|kita|kamu|seberang|sekitar|dari|dua|kedua|sisi|bagian|tengah)){{0,5}}{_ADVERBS_ID} "
        r"(?:kosong(?:nya)?|sepi|lengang|aman(?:nya)?|bebas|lapang|leluasa|lancar|senggang|terbuka lebar|clear|steril)\b"
        r"(?! dari (?:biaya|pungutan))(?! barang| botol)",
        rf"\b{_WAY_ID}(?: (?!tidak|tak|belum|kurang|bukan|ada|dengan|berisi)\w+){{0,6}}? (?:tampak|terlihat|kelihatan|sepertinya|nampak) "
        r"(?:kosong|sepi|lengang|aman|lapang|bebas)\b",
        rf"\b{_WAY_ID}(?: (?!tidak|tak|belum|kurang|ada|dengan|berisi|dan)\w+){{0,2}} yang (?:\w+ dan )?(?:kosong|sepi|lengang|aman|lapang|bebas)\b",
        rf"{_NOT_ID}\baman(?: (?:untuk|buat|bagi|kok|saja|jika|kalau|anda|bila|kalian|dan|mudah))* {_GO_ID}\b|\bdengan aman\b",
        rf"{_NOT_ID}\b(?:sudah|semua(?:nya)?|kondisi(?:nya)?|situasi(?:nya)?|keadaan(?:nya)?|tampak(?:nya)?|terlihat|kelihatan(?:nya)?|cukup|"
        r"sepertinya|di sini|di sana|di sekitar|sekitar(?:nya)?|sekarang|rasanya) (?:sudah |cukup |sangat |pun |juga |tampak |terlihat )*aman\b",
        rf"\b(?:tidak|tak|nggak|gak|enggak|belum|ndak) (?:ada|terlihat|tampak|melihat|kelihatan|terdapat)(?: ada)? (?:\w+ ){{0,2}}?(?:{_HAZARDS_ID}|orang|siapa|yang lain|lain)\b",
        rf"\btanpa (?:ada )?(?:\w+ )?{_HAZARDS_ID}\b|\b(?:bebas|bersih|kosong|steril|sepi) (?:dari )?{_HAZARDS_ID}\b|\bnihil {_HAZARDS_ID}\b",
        r"\b(?:tidak|tak|nggak|gak) (?:sedang |terlalu |begitu |akan )?(?:ramai|berbahaya|terhalang|tertutup|terblokir|menabrak|tersandung|macet|padat|terhambat|membahayakan|dihalangi|"
        r"(?:perlu|usah) (?:khawatir|menunggu|takut|cemas))\b",
        rf"\b(?:silakan|silahkan|dipersilakan|boleh|diperbolehkan|diizinkan)\b(?: \w+){{0,2}}? ?{_GO_ID}\b",
        rf"{_NOT_ID}\b(?:bisa|dapat|mampu|saatnya|waktunya|tinggal|leluasa|gampang|mudah|bebas)(?: (?:untuk|langsung|segera|anda|kamu|kita|dengan|"
        rf"mudah|tenang|terus|saja|nyaman|sekarang|pun|juga|mulai))* {_GO_ID}\b",
        r"\b(?:cukup|ada|tersedia|masih ada|banyak) (?:ruang|celah|tempat|jarak)(?: yang)?(?: cukup| luas| kosong| lapang)* (?:untuk|buat|bagi)\b"
        rf"|\bcukup (?:lebar|lapang|luas|aman) (?:untuk|buat)(?: \w+)? {_GO_ID}\b|\bcukup ruang\b",
        r"\b(?:giliran anda|lampu(?:nya)? (?:sudah |sedang )?hijau (?:untuk|bagi|buat) (?:anda|pejalan|penyeberang))\b"
        r"|\b(?:mobil|kendaraan|semua kendaraan|lalu lintas|motor) (?:sudah |telah )?(?:berhenti untuk|menunggu anda|habis|masih jauh|sudah lewat)\b",
    ),
}

_START_EN = (
    r"(?:^|[,.;:!?] (?:and |but |so |or )?|\b(?:then|please|better|just|slowly|carefully|and then|so|otherwise|now|instead|therefore|always|simply) |"
    r"\b(?:make sure|be sure|try|remember|be ready|take care|need|have|ought|going|want|better|best|advised) to |"
    r"\b(?:should|must|shall|you'd better|had better|you will|please do) (?:\w+ly )?)"
)
_START_ID = (
    r"(?:^|[,.;:!?] (?:dan |tapi |tetapi |lalu |jadi |maka |atau )?|"
    r"\b(?:lalu|kemudian|jadi|maka|lebih baik|sebaiknya|harap|mohon|tolong|silakan|usahakan|pastikan|cukup|ayo|mari|harus|perlu|mesti|wajib|"
    r"terus|segera|hendaknya|hati-hati dan|pelan-pelan|perlahan|langsung|coba)(?: anda| kamu| untuk| segera| tetap| terus)* )"
)
_BEGIN_ID = r"(?:^|\b(?:lalu|kemudian|jadi|maka|lebih baik|tolong|silakan|harap|mohon|sebaiknya|ayo|mari|coba) )"
_ORDERS = {
    "en": (
        rf"{_START_EN}(?:keep\b(?!er)|stay\b|continue\b|proceed\b|follow\b|avoid\b|wait\b|veer\b|beware and|"
        r"stop\b(?! signs?| lights?| lines?| bars?)|cross\b(?!-| country| section| bars?| stitch| on top)|walk\b(?! signs?| signals?| lights?| ?way)|"
        r"go\b(?! ?karts?)|pass\b(?! is)|turn\b(?! signals?| lanes?| lights?)|move\b|step\b(?!-|s\b| ladder| stool)|bear (?:left|right|to)|"
        r"head (?:left|right|straight|to|toward|towards|for|down|up|back|forward|over|north|south|east|west)|"
        r"slow (?:down|your)|hold (?:on|the|onto|your|tight)|use (?:the|your|a|caution)|watch (?:your|where|for|the)|mind (?:your|the)|"
        r"take (?:the|a|your|one|two|three|small|short|big|large|it|another|few|some|smaller|slow)|look (?:left|right|both|down|up|around|where)|"
        r"climb\b|descend\b|approach\b|enter\b|exit (?:through|by|via|to|at|on|the)|leave (?:the|by|through|it|via)|"
        r"stand (?:back|still|aside|clear|here|away)|give way|let (?:the|them|it|him|her|others|cars)|duck(?: under| down| your|,|$)|lean (?:left|right|back)|"
        r"reach (?:out|for)|lift your|feel (?:for|your|with)|come (?:back|closer|to|forward|this)|get (?:off|on|out|across|back|closer|down|up|in|to|away)|"
        r"advance\b|back (?:up|away|off)|sidestep\b|detour\b|circle\b|skirt\b|squeeze\b|edge (?:left|right|past|around|along)|aim for|trail your|"
        r"swing (?:left|right|wide)|shift (?:left|right|to|your)|pause\b|halt\b|hug the|start (?:walking|moving|crossing)|begin (?:walking|to)|run\b(?!ning|way|s\b)|hurry\b|"
        r"put your|place your|place one|face the|find the|press on|tread\b|drop (?:down|back)|ease (?:past|to|left|right|over)|inch\b|sweep your|tap your|"
        r"return to|sit down|detour|make (?:a|your) (?:left|right|u|way|detour|turn|step))\b",
        r"(?<!to )(?<!cars )(?<!people )(?<!signs )(?<!they )(?<!vehicles )(?<!says )(?<!and )\b(?:keep|veer|turn|stay|bear(?! on)) "
        r"(?:to (?:the|your) |slightly |hard |on the |on your |a bit |a little )?(?:left|right)\b(?! (?:signs?|lanes?|arrows?|signals?))",
        r"(?<!to )(?<!people )(?<!they )(?<!cars )\b(?:go|walk|step|move) (?:around|over|past|between) (?:it|them|this)\b",
        r"\bwatch (?:your|where you) (?:step|head|footing|go|walk|are)\b|\byou(?:'ll| will)? (?:should|must|need to|have to|ought to|want to|'d better)\b"
        r"(?! (?:be|see|know|find|not|hear)\b)|\b(?:it is|it's) (?:best|better|advisable|wise) to\b|\band (?:keep|stay) (?:to|on|left|right|close|near)\b"
        r"|\band (?:walk|step|go|move|turn|proceed|continue) (?:up|down|slowly|carefully|left|right|around|over|straight|with care|to your|to the (?:left|right))",
    ),
    "id": (
        # Bare verbs, which tell somebody to do it wherever a clause begins.
        rf"{_START_ID}(?:tetap(?:lah)? (?:di|ke|ber|pada|lurus|jalan|pelan|diam|tenang|waspada dan)|terus(?:lah| (?:jalan|lurus|maju|ke|berjalan|saja))|"
        r"jalan(?:lah| (?:terus|pelan|perlahan|maju|mundur|saja|hati-hati|lurus (?:saja|terus)|ke (?:kiri|kanan|arah)|memutar|merapat))|belok(?:lah)?\b|"
        r"putar\b|mundur(?:lah)?\b|maju(?:lah)?\b|tunggu(?:lah)?\b|hindari(?:lah)?\b|ikuti(?:lah)?\b|pegang(?:lah)?\b|pelan-pelan\b|pelankan\b|perlambat\b|"
        r"perlahan(?:lah)?\b|geser(?:lah)?\b|menepi(?:lah)?\b|minggir(?:lah)?\b|seberangi(?:lah)?\b|turun(?:i|kan)\b|naiki\b|lewati\b|masuki\b|"
        r"lewat (?:sisi|sebelah|kiri|kanan|samping|pinggir|jalan|jalur|trotoar|sini|sana|tengah)|ambil(?:lah)? (?:jalur|sisi|arah|jalan|langkah|dua|satu|posisi|rute)|"
        r"gunakan(?:lah)?\b|pakai(?:lah)?\b|langkah(?:kan|i)(?:lah)?\b|angkat (?:kaki|kakimu)|injak(?:lah)?\b|perhatikan (?:langkah|pijakan|jalan)|"
        r"lihat(?:lah)? (?:ke |kiri|kanan)|tengok(?:lah)?\b|kitari\b|dekati\b|jauhi\b|jaga (?:jarak|langkah|keseimbangan)|arahkan\b|cari(?:lah)? (?:jalan|jalur|sisi)|"
        r"dahulukan\b|beri(?:kan)?(?:lah)? jalan|raba(?:lah)?\b|lanjut(?:kan|lah)?\b|kembali(?:lah| (?:ke|dan))|susuri\b|telusuri\b|"
        r"ke (?:kiri|kanan) (?:sedikit|saja|lalu|sebentar|dulu)|tunduk(?:kan|lah)?\b|lompat(?:i|lah)?\b|condongkan\b|percepat\b|pindah(?:lah)?\b|biarkan\b|"
        r"buka(?:lah)? pintu|dorong(?:lah)? pintu|tarik(?:lah)? pintu|lurus (?:saja|terus)|tinggalkan\b|ayunkan\b|berpegang(?:an|lah)?\b|"
        r"waspada (?:saat|ketika) (?:melangkah|berjalan)|diam(?:lah)? (?:di|dulu|sebentar|sejenak))",
        # Verbs that also tell what others do: only at the beginning, or with words that tell how.
        r"^(?:berhenti|menepi|minggir|merunduk)$",
        rf"{_BEGIN_ID}(?:berjalan|melangkah|berhenti|naik(?! sepeda| motor| kuda| mobil| bus)|turun(?! hujan| salju)|masuk|keluar|bergeser|menyingkir|memutar|berputar|"
        r"berbelok|menyebe?rang|merapat|mendekat|menjauh|menghindar|bergerak|menunduk|merunduk|menuju|berdiri) (?:pelan|perlahan|hati-hati|lurus|terus|satu|dua|tiga|dengan|"
        r"ke|di (?:sisi|sebelah|pinggir|tepi)|lewat|melalui|dulu|sebentar|sejenak|sampai|sebelum|saat|setelah|ketika|jika|kalau|sedikit|tangga(?! di| ada| berada)|dari)",
        r"\b(?:jalan|belok|naik|turun|berhenti|tunggu|ikuti|pegang|maju|mundur|geser|lewat|seberangi|menyebe?rang|melangkah|berjalan|berputar|hindari|"
        r"menepi|bergeser|tetap|masuk|keluar|kembali|berbelok|memutar|menunduk|merapat|teruskan|lanjutkan|menyingkir|bergerak|menuju|minggir)lah\b",
        r"\bhati-hati (?:saat |ketika |waktu |jika |kalau )?(?:melangkah|berjalan|menyebe?rang|turun|naik|melewati|melintas)\b",
        r"\b(?:anda|kamu) (?:harus|sebaiknya|perlu|mesti|wajib|hendaknya)\b(?! (?:tahu|waspada|berhati-hati|hati-hati)$)",
        r"\b(?:sebaiknya|harap|mohon|usahakan|hendaknya) (?:anda )?(?:ber|me|meny?|ke|lewat|jalan|tunggu|hati)\w*",
    ),
}


def _compile(patterns: dict[str, tuple[str, ...]]) -> dict[str, re.Pattern[str]]:
    return {language: re.compile("|".join(f"(?:{each})" for each in own)) for language, own in patterns.items()}


# What is asked or left open claims nothing.
_OPEN = {
    "en": re.compile(
        r"\b(?:whether|(?:cannot|can't|hard to|difficult to|impossible to) (?:tell|see|say|know) if|not sure (?:that|if))\b[^,.;]*"
    ),
    "id": re.compile(r"\b(?:apakah|(?:tidak|tak) (?:tahu|yakin|jelas))\b[^,.;]*"),
}

# "two men, one in red, wait": what follows it is what others do.
_APPOSITION = re.compile(
    r", (?:at least )?(?:one|some|each|both|most|all|two|three|a \w+ one|satu|salah satunya|keduanya)\b[^,]*(?=,|$),?"
)

# Typography that means nothing here: curly quotes, emphasis, dashes and brackets around a clause.
_TYPOGRAPHY = str.maketrans(
    {"’": "'", "‘": "'", "“": " ", "”": " ", '"': " ", "*": " ", "_": " ", "–": ",", "—": ",", "(": ",", ")": ","}
)

_CLAIM, _ORDER = _compile(_CLAIMS), _compile(_ORDERS)


def _plain(text: str) -> str:
    """Lower case, single spaces, and clauses parted by ", " whatever stood between them."""
    text = unicodedata.normalize("NFKC", text).translate(_TYPOGRAPHY).lower()
    text = re.sub(r"(?:^|\s)[-•]\s", ", ", text)
    text = re.sub(r"(?<!\w)'|'(?!\w)", " ", text)
    return re.sub(r"\s*,[\s,]*", ", ", " ".join(text.split())).strip(" ,")


def claims_safety(text: str, language: str) -> bool:
    """Whether `text` says that a way is empty, clear or safe, or that one may go; False in other languages than
    LANGUAGES."""
    return language in _CLAIM and _CLAIM[language].search(_OPEN[language].sub("", _plain(text))) is not None


def gives_order(text: str, language: str) -> bool:
    """Whether `text` tells the listener to move, or how; False in other languages than LANGUAGES."""
    return language in _ORDER and _ORDER[language].search(_APPOSITION.sub("", _plain(text))) is not None


def is_unsafe(text: str, language: str) -> bool:
    """Whether `text` does either."""
    return claims_safety(text, language) or gives_order(text, language)


def without_unsafe_clauses(text: str, language: str) -> str:
    """`text` without the clauses, parted by commas or at the end of sentences, that are unsafe; "" if none is left."""
    if not is_unsafe(text, language):
        return text
    pieces = re.split(r"(,\s+|(?<=[.;!?])\s+)", text)  # clauses and what parts them, in turn
    kept = ""
    for clause, before in zip(pieces[::2], ["", *pieces[1::2]], strict=True):
        clause = clause.strip()
        if clause and not is_unsafe(clause, language):
            kept += (before if kept else "") + clause
    kept = re.sub(r"^(?:then|and|but|so|lalu(?! lintas)|dan|tetapi|tapi|jadi) ", "", kept).strip(" ,")
    return "" if is_unsafe(kept, language) else kept  # clauses that are harmless alone may not be together
