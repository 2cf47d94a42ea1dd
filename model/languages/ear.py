"""Text as it is written -> text as it is said: numbers, prices, times, units and signs in words, for the voice.

A voice drops or misreads many of them (espeak-ng issue 1812). What is not understood stays as it is; nothing is
guessed, so no day is made of 3/4/2026.
"""

import re
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from functools import partial

from babel.dates import format_date
from babel.units import format_unit
from num2words import num2words

from model.languages.codes import primary_language
from model.languages.ear_words import CURRENCIES, EAR_WORDINGS, MAGNITUDES, UNITS, EarWording
from model.languages.number_words import YEARS, cardinal, digits, number_words, split_number, year_words

CODE_DIGITS = 7  # so many digits without a separator are a code, said one by one
MOST_EMOJI = 3  # said of a row of them


def for_ear(text: str, language: str) -> str:
    """`text` as it is to be spoken in `language`: "Rp 15.000" -> "lima belas ribu rupiah" in Indonesian.

    Addresses stay as they are. Of a language other than English and Indonesian, only signs that repeat are dropped.
    """
    text = EMOJI.sub(lambda found: "".join(list(dict.fromkeys(found[0]))[:MOST_EMOJI]), text)
    text = REPEATED.sub(r"\1", text)
    words = EAR_WORDINGS.get(primary_language(language))
    if words is None:
        return text
    pieces = ADDRESS.split(text)  # every second one is an address
    return "".join(piece if i % 2 else _said(piece, words) for i, piece in enumerate(pieces)).strip(" ")


def _said(text: str, words: EarWording) -> str:
    text = VULGAR.sub(lambda found: f" {unicodedata.normalize('NFKC', found[0])} ", text).replace("℃", "°C")
    for pattern, say in RULES:
        text = pattern.sub(partial(say, words), text)
    return re.sub(" {2,}", " ", text)


def _et_cetera(words: EarWording, found: re.Match) -> str:
    return words.et_cetera


def _iso_date(words: EarWording, found: re.Match) -> str:
    with suppress(ValueError):  # no day of any calendar
        return format_date(date.fromisoformat(found[0]), "long", locale=words.language)
    return digits(found[0], words.language)


def _phone(words: EarWording, found: re.Match) -> str:
    spoken = digits(found[0], words.language)
    return f"{words.plus} {spoken}" if found[0].startswith("+") else spoken


def _range(words: EarWording, found: re.Match) -> str:
    """Hours of opening are written with a dot, too; from here on they are times."""
    first, last = found["first"], found["last"]
    if all(re.fullmatch(r"(?:[01]\d|2[0-4])\.[0-5]\d", each) for each in (first, last)):
        first, last = first.replace(".", ":"), last.replace(".", ":")
    return f"{first} {words.range} {last}"


def _price(words: EarWording, found: re.Match) -> str:
    names = getattr(CURRENCIES[found["sign"]], words.language)
    written, times = found["number"], found["times"]
    if times:
        magnitude = MAGNITUDES[times][words.language != "en"]
        return f"{number_words(written, words.language)} {magnitude} {names[1]}"
    whole, decimals = split_number(written, words.language, is_price=True)
    if not decimals.strip("0"):
        return f"{number_words(whole, words.language)} {names[int(whole) != 1]}"
    if len(names) < 4 or len(decimals) != 2:
        return f"{number_words(written, words.language, is_price=True)} {names[1]}"
    hundredths = f"{cardinal(int(decimals), words.language)} {names[2 + (int(decimals) != 1)]}"
    if int(whole) == 0:
        return hundredths
    joint = " and " if words.language == "en" else " "
    return f"{number_words(whole, words.language)} {names[int(whole) != 1]}{joint}{hundredths}"


def _clock(words: EarWording, found: re.Match) -> str:
    hour, minute, half = int(found["hour"]), int(found["minute"] or 0), (found["half"] or "").lower()
    if hour > (12 if half else 24):
        return found[0]
    before = found["before"] or ""
    if words.language == "id":
        if half:
            hour = hour % 12 + 12 * (half == "p")
        past = "" if not minute else f" {'lewat ' if minute < 10 else ''}{cardinal(minute, 'id')}"
        return f"{before or 'pukul '}{cardinal(hour, 'id')}{past}"
    spoken = cardinal(hour, "en")
    if minute:
        spoken += f" {'oh ' if minute < 10 else ''}{cardinal(minute, 'en')}"
    elif not half:
        spoken = "midnight" if hour in (0, 24) else spoken + (" o'clock" if hour <= 12 else " hundred")
    return before + spoken + (f" {half}.m." if half else "")


def _degrees(words: EarWording, found: re.Match) -> str:
    minus = f"{words.minus} " if found["minus"] else ""
    scale = f" {words.scales[found['scale']]}" if found["scale"] else ""
    return f"{minus}{number_words(found['number'], words.language)} {words.degree[found['number'] != '1']}{scale}"


def _percent(words: EarWording, found: re.Match) -> str:
    return f"{number_words(found['number'], words.language)} {words.percent}"


def _fraction(words: EarWording, found: re.Match) -> str:
    """Of 24/7, 12/15 or RT 03/04 only the numbers are said."""
    over, under, language = int(found["over"]), int(found["under"]), words.language
    unit = f" {_unit_name(found['unit'], bool(found['whole']), words)}" if found["unit"] else ""
    whole = f"{number_words(found['whole'], language)} " if found["whole"] else ""
    written_so = found["over"] == str(over) and found["under"] == str(under)
    if not written_so or under not in words.fractions or not 0 < over < under:
        first, second = (number_words(found[name], language) for name in ("over", "under"))
        return f"{whole}{first} {words.slash} {second}{unit}"
    if language == "id":
        short = {2: "setengah", 4: "seperempat"}.get(under) if over == 1 else None
        return whole + (short or f"{cardinal(over, 'id')} per{'' if over > 1 else ' '}{cardinal(under, 'id')}") + unit
    one, many = words.fractions[under]
    if over == 1:
        return (f"{whole}and a " if whole else "one ") + one + unit
    return (f"{whole}and " if whole else "") + f"{cardinal(over, 'en')} {many}{unit}"


def _unit(words: EarWording, found: re.Match) -> str:
    name = _unit_name(found["unit"], found["number"] != "1", words)
    return f"{number_words(found['number'], words.language)} {name}"


def _unit_name(written: str, is_many: bool, words: EarWording) -> str:
    return format_unit(1 + is_many, UNITS[written], "long", locale=words.language).lstrip("0123456789 ")


def _rank(words: EarWording, found: re.Match) -> str:
    return f"{words.number} {number_words(found['number'], words.language)}"


def _ordinal(words: EarWording, found: re.Match) -> str:
    return num2words(int(found["number"]), lang="en", to="ordinal") if words.language == "en" else found[0]


def _ke(words: EarWording, found: re.Match) -> str:
    return "ke" + cardinal(int(found["number"]), "id") if words.language == "id" else found[0]


def _plain(words: EarWording, found: re.Match) -> str:
    written, language = found["number"], words.language
    minus = f"{words.minus} " if found["minus"] else ""
    times = f" {MAGNITUDES[found['times']][language != 'en']}" if found["times"] else ""
    if written.isdigit() and len(written) >= CODE_DIGITS:
        return minus + digits(written, language) + times
    if language == "en" and not times and re.fullmatch(r"[12]\d{3}", written) and int(written) in YEARS:
        return minus + year_words(written)
    return minus + number_words(written, language) + times


def _mark(words: EarWording, found: re.Match) -> str:
    return f" {words.marks[found['mark']]} "


def _alternatives(names) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


NUMBER = r"\d{1,3}(?:[.,]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d+)?"
START = r"(?<!\w)(?<!\d[.,:])"  # a number begins here and does not go on to the left,
END = r"(?!\w|[.,:]\d)"  # nor to the right
AMOUNT = rf"{START}(?P<number>{NUMBER})"
MINUS = r"(?:(?<![\w)])(?P<minus>[-−])\s?)?"
UNIT = rf"(?P<unit>{_alternatives(UNITS)})(?![\w/])"
SIGN, TIMES = rf"(?P<sign>{_alternatives(CURRENCIES)})", rf"(?:\s?(?P<times>{_alternatives(MAGNITUDES)})\b)?"
CLOCK = r"(?P<hour>[01]?\d|2[0-4])"

Say = Callable[[EarWording, re.Match], str]
RULES: list[tuple[re.Pattern, Say]] = [
    (re.compile(r"(?<!\w)&c\b\.?"), _et_cetera),
    (re.compile(rf"{START}\d{{4}}-\d\d-\d\d(?![\w-])"), _iso_date),
    (re.compile(rf"(?<![\w+])\+\d[\d ().-]{{5,20}}\d{END}"), _phone),
    (re.compile(rf"{START}\(?0\d{{1,3}}\)?[ -]\d{{3,4}}(?:[ -]?\d{{2,5}}){{0,2}}{END}(?!-\d)"), _phone),
    (re.compile(rf"{START}\d{{1,6}}(?:[ -]\d{{3,6}}){{2,}}{END}(?!-\d)"), _phone),
    (
        re.compile(
            rf"{START}(?<!\d-)(?P<first>\d\d?[:.]\d\d|{NUMBER})\s?[-–]\s?(?P<last>\d\d?[:.]\d\d|{NUMBER}){END}(?!-\d)"
        ),
        _range,
    ),
    (re.compile(rf"(?<!\w){SIGN}\s?(?P<number>{NUMBER}){TIMES}(?:,-|\.-)?{END}"), _price),
    (re.compile(rf"{AMOUNT}{TIMES}\s?{SIGN}(?!\w)"), _price),
    (re.compile(rf"(?P<before>){START}{CLOCK}(?:[:.](?P<minute>[0-5]\d))?\s?(?P<half>[AaPp])\.?[Mm]\b\.?"), _clock),
    (re.compile(rf"(?P<before>(?i:\b(?:pukul|jam)\s+)?){START}{CLOCK}:(?P<minute>[0-5]\d)(?P<half>){END}"), _clock),
    (re.compile(rf"(?P<before>(?i:\b(?:pukul|jam)\s+)){CLOCK}(?:\.(?P<minute>[0-5]\d))?(?P<half>){END}"), _clock),
    (re.compile(rf"(?P<before>){START}{CLOCK}\.(?P<minute>[0-5]\d)(?P<half>)(?=\s?WI(?:B|TA|T)\b)"), _clock),
    (re.compile(rf"{MINUS}{AMOUNT}\s?°(?:\s?(?P<scale>[CF])\b)?"), _degrees),
    (re.compile(rf"{AMOUNT}\s?%"), _percent),
    (
        re.compile(
            rf"{START}(?<!/)(?:(?P<whole>\d{{1,3}})\s)?(?P<over>\d{{1,3}})[/⁄](?P<under>\d{{1,3}})"
            rf"(?!\d|[.,]\d)(?:\s*{UNIT}|(?![\w/]))"
        ),
        _fraction,
    ),
    (re.compile(rf"{AMOUNT}\s?{UNIT}"), _unit),
    (re.compile(rf"(?:#|№\s?|\b[Nn]o\.\s?)(?P<number>\d{{1,6}}){END}"), _rank),
    (re.compile(rf"{START}(?P<number>\d{{1,4}})(?:st|nd|rd|th)\b"), _ordinal),
    (re.compile(r"(?i:\bke)-(?P<number>\d{1,4})\b"), _ke),
    (re.compile(rf"{MINUS}{AMOUNT}{TIMES}{END}"), _plain),
    (re.compile(r"#(?=[^\W\d])"), lambda words, found: f"{words.hashtag} "),
    (re.compile(rf"\s*(?P<mark>[{re.escape(''.join(EAR_WORDINGS['en'].marks))}])\s*"), _mark),
    (re.compile(r"[•|_*©®™~^]+"), lambda words, found: " "),
]
ADDRESS = re.compile(r"((?:https?://|www\.)\S+|[\w.+-]+@[\w-]+\.[\w.-]+)")
REPEATED = re.compile(r"([^\w\s]{1,3}?)(?:\s?\1){2,}")
EMOJI = re.compile(r"[\U0001F000-\U0001FAFF\u2600-\u27BF\uFE0F\u200D]{2,}")
VULGAR = re.compile(r"[¼½¾⅐-⅞]")
