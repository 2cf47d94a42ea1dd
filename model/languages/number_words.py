"""Numbers in words, in English and Indonesian."""

import re

from num2words import num2words

MOST_DIGITS = 15  # of a number that is said as one; a longer one is said digit by digit
GROUPING = {"en": ",", "id": "."}  # between thousands; the other sign stands before decimals
POINT = {"en": "point", "id": "koma"}
YEARS = range(1100, 2100)  # four bare digits that English says in pairs


def cardinal(number: int, language: str) -> str:
    """1000 -> "one thousand", "seribu"."""
    words = num2words(number, lang=language).replace(",", "")
    # num2words says "satu juta satu ribu"; one thousand alone is "seribu" everywhere (KBBI).
    return re.sub(r"(?<=liun |liar |juta )satu ribu", "seribu", words) if language == "id" else words


def digits(written: str, language: str) -> str:
    """Digit by digit; what stands between groups of them becomes a pause."""
    groups = re.findall(r"\d+", written)
    return ", ".join(" ".join(num2words(int(digit), lang=language) for digit in group) for group in groups)


def split_number(written: str, language: str, is_price: bool = False) -> tuple[str, str]:
    """Digits before and after the decimal sign, as the language writes it where both readings are possible.

    1,5 and 1.50 have decimals in every language; so do 1.500 in English and 1,500 in Indonesian, but a price never has
    three.
    """
    signs = re.findall(r"[.,]", written)
    whole, sign, decimals = written.rpartition(signs[-1]) if signs else (written, "", "")
    grouped = len(signs) > 1 and len(set(signs)) == 1
    ambiguous = len(signs) == 1 and len(decimals) == 3 and not whole.startswith("0")
    if grouped or (ambiguous and (is_price or sign == GROUPING[language])):
        whole, decimals = whole + decimals, ""
    return re.sub(r"[.,]", "", whole), decimals


def number_words(written: str, language: str, is_price: bool = False) -> str:
    """15.000 or 4,5 or 007, as it is written -> in words."""
    whole, decimals = split_number(written, language, is_price)
    if len(whole) > MOST_DIGITS or (len(whole) > 1 and whole.startswith("0")):
        words = digits(whole, language)
    else:
        words = cardinal(int(whole), language)
    return f"{words} {POINT[language]} {digits(decimals, language)}" if decimals else words


def year_words(written: str) -> str:
    """1999 -> "nineteen ninety-nine", 2026 -> "twenty twenty-six"."""
    return num2words(int(written), lang="en", to="year")
