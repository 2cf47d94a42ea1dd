"""Words for what is written in signs: currencies, units, marks; by language."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Currency:
    """Names by language: one, many, a hundredth, hundredths; without hundredths where nothing is priced in them."""

    en: tuple[str, ...]
    id: tuple[str, ...]


RUPIAH = Currency(("rupiah", "rupiah"), ("rupiah", "rupiah"))
CENTS, SEN = ("cent", "cents"), ("sen", "sen")
DOLLAR = Currency(("dollar", "dollars", *CENTS), ("dolar", "dolar", *SEN))
US_DOLLAR = Currency(("US dollar", "US dollars", *CENTS), ("dolar Amerika", "dolar Amerika", *SEN))
SG_DOLLAR = Currency(("Singapore dollar", "Singapore dollars", *CENTS), ("dolar Singapura", "dolar Singapura", *SEN))
AU_DOLLAR = Currency(("Australian dollar", "Australian dollars", *CENTS), ("dolar Australia", "dolar Australia", *SEN))
EURO = Currency(("euro", "euros", *CENTS), ("euro", "euro", *SEN))
POUND = Currency(("pound", "pounds", "penny", "pence"), ("pound", "pound", "penny", "pence"))
YEN = Currency(("yen", "yen"), ("yen", "yen"))
YUAN = Currency(("yuan", "yuan"), ("yuan", "yuan"))
YEN_OR_YUAN = Currency(("yen or yuan", "yen or yuan"), ("yen atau yuan", "yen atau yuan"))  # both write ¥
RUPEE = Currency(("rupee", "rupees"), ("rupee", "rupee"))
RINGGIT = Currency(("ringgit", "ringgit", "sen", "sen"), ("ringgit", "ringgit", *SEN))
BAHT = Currency(("baht", "baht"), ("baht", "baht"))
DONG = Currency(("dong", "dong"), ("dong", "dong"))
PESO = Currency(("peso", "pesos"), ("peso", "peso"))
WON = Currency(("won", "won"), ("won", "won"))
FRANC = Currency(("Swiss franc", "Swiss francs"), ("franc Swiss", "franc Swiss"))

CURRENCIES = {
    "Rp.": RUPIAH, "Rp": RUPIAH, "RP": RUPIAH, "rp": RUPIAH, "IDR": RUPIAH, "rupiah": RUPIAH,
    "US$": US_DOLLAR, "USD": US_DOLLAR, "S$": SG_DOLLAR, "SGD": SG_DOLLAR, "A$": AU_DOLLAR, "AUD": AU_DOLLAR,
    "$": DOLLAR, "€": EURO, "EUR": EURO, "£": POUND, "GBP": POUND, "¥": YEN_OR_YUAN, "JPY": YEN, "CNY": YUAN,
    "RMB": YUAN, "₹": RUPEE, "INR": RUPEE, "Rs.": RUPEE, "Rs": RUPEE, "RM": RINGGIT, "MYR": RINGGIT, "฿": BAHT,
    "THB": BAHT, "₫": DONG, "VND": DONG, "₱": PESO, "PHP": PESO, "₩": WON, "KRW": WON, "CHF": FRANC,
}  # fmt: skip

MAGNITUDES = {  # how many times: English, Indonesian
    "rb": ("thousand", "ribu"), "ribu": ("thousand", "ribu"), "k": ("thousand", "ribu"), "K": ("thousand", "ribu"),
    "jt": ("million", "juta"), "juta": ("million", "juta"), "million": ("million", "juta"),
    "miliar": ("billion", "miliar"), "billion": ("billion", "miliar"),
}  # fmt: skip

UNITS = {  # written -> Unicode's name of the unit, which Babel says in every language
    "km/h": "speed-kilometer-per-hour", "km/jam": "speed-kilometer-per-hour", "kph": "speed-kilometer-per-hour",
    "mph": "speed-mile-per-hour", "m/s": "speed-meter-per-second",
    "km²": "area-square-kilometer", "km2": "area-square-kilometer", "m²": "area-square-meter",
    "m2": "area-square-meter", "cm²": "area-square-centimeter", "cm2": "area-square-centimeter",
    "m³": "volume-cubic-meter", "m3": "volume-cubic-meter",
    "km": "length-kilometer", "m": "length-meter", "cm": "length-centimeter", "mm": "length-millimeter",
    "ft": "length-foot", "kg": "mass-kilogram", "g": "mass-gram", "gr": "mass-gram", "mg": "mass-milligram",
    "lb": "mass-pound", "lbs": "mass-pound", "oz": "mass-ounce",
    "l": "volume-liter", "ml": "volume-milliliter", "mL": "volume-milliliter", "cl": "volume-centiliter",
    "kWh": "energy-kilowatt-hour", "kW": "power-kilowatt", "kcal": "energy-kilocalorie", "kkal": "energy-kilocalorie",
    "kJ": "energy-kilojoule", "Hz": "frequency-hertz", "GB": "digital-gigabyte", "MB": "digital-megabyte",
    "TB": "digital-terabyte",
}  # fmt: skip


@dataclass(frozen=True)
class EarWording:
    """Words of one language. `marks`: signs that are said; `fractions`: by denominator, one and many."""

    language: str
    range: str
    percent: str
    degree: tuple[str, str]
    scales: Mapping[str, str]
    minus: str
    plus: str
    number: str
    hashtag: str
    slash: str
    et_cetera: str
    marks: Mapping[str, str]
    fractions: Mapping[int, tuple[str, str]]


EAR_WORDINGS = {
    "en": EarWording(
        language="en",
        range="to",
        percent="percent",
        degree=("degree", "degrees"),
        scales={"C": "Celsius", "F": "Fahrenheit"},
        minus="minus",
        plus="plus",
        number="number",
        hashtag="hashtag",
        slash="slash",
        et_cetera="et cetera",
        marks={
            "&": "and", "+": "plus", "=": "equals", "×": "times", "@": "at", "%": "percent", "§": "section",
            "←": "arrow left", "→": "arrow right", "↑": "arrow up", "↓": "arrow down",
        },
        fractions={
            2: ("half", "halves"), 3: ("third", "thirds"), 4: ("quarter", "quarters"), 5: ("fifth", "fifths"),
            6: ("sixth", "sixths"), 8: ("eighth", "eighths"), 10: ("tenth", "tenths"),
        },
    ),
    "id": EarWording(
        language="id",
        range="sampai",
        percent="persen",
        degree=("derajat", "derajat"),
        scales={"C": "Celsius", "F": "Fahrenheit"},
        minus="minus",
        plus="plus",
        number="nomor",
        hashtag="tagar",
        slash="garis miring",
        et_cetera="dan seterusnya",
        marks={
            "&": "dan", "+": "plus", "=": "sama dengan", "×": "kali", "@": "at", "%": "persen", "§": "pasal",
            "←": "panah kiri", "→": "panah kanan", "↑": "panah atas", "↓": "panah bawah",
        },
        fractions=dict.fromkeys((2, 3, 4, 5, 6, 8, 10), ("", "")),  # made of the numbers
    ),
}  # fmt: skip
