"""QR and bar codes in a photo, and what they hold, in words. Nothing in them is opened or trusted."""

import math
import re
from dataclasses import dataclass
from textwrap import shorten

from babel import Locale
from PIL import Image

from model.languages.code_wording import CODE_WORDINGS, CodeWording, filled
from model.languages.codes import primary_language
from model.senses.gs1 import registered_in
from model.senses.payloads import clean_content, parse_payload

MOST_CHARACTERS = 1000  # of a content that is kept
MOST_TOLD = 200  # characters of one value in a sentence
SMALL_SIDE = 1000  # pixels; a smaller photo in which nothing is found is looked at again at twice its size
TILTS = (30, 60)  # degrees
PRODUCT_FORMATS = {"EAN13", "EAN8", "UPCA", "UPCE"}
MATRIX_FORMATS = {"PDF417", "CompactPDF417", "MicroPDF417", "MaxiCode", "DataMatrix", "Aztec", "AztecCode", "AztecRune"}

Point = tuple[float, float]


@dataclass(frozen=True)
class Code:
    """`kind`: "product", "data" (no text) or a kind of `model.senses.payloads`. `content`: its text, cleaned.
    `format`: zxing's name of it, such as "QRCode" or "EAN13". `box`: corners in pixels, clockwise from its own upper
    left."""

    kind: str
    content: str
    format: str
    box: tuple[Point, Point, Point, Point]


def find_codes(photo: Image.Image) -> list[Code]:
    """The codes in a photo, turned or not, from top to bottom; each content once."""
    import zxingcpp

    grey = photo.convert("L")
    codes = _read(grey, zxingcpp.BarcodeFormat.All)
    if not codes and max(grey.size) < SMALL_SIDE:
        codes = _read(grey, zxingcpp.BarcodeFormat.All, scale=2)
    for angle in TILTS:  # bar codes are looked for along rows and columns only
        if not codes:
            codes = _read(grey, zxingcpp.BarcodeFormat.EANUPC, min(1.0, SMALL_SIDE / max(grey.size)), angle)
    return sorted(codes, key=lambda code: min((y, x) for x, y in code.box))


def _read(grey: Image.Image, formats, scale: float = 1.0, angle: float = 0.0) -> list[Code]:
    """The codes in a picture that is looked at scaled and then turned counterclockwise by `angle` degrees."""
    import zxingcpp

    seen = grey
    if scale != 1:
        width, height = (max(1, round(side * scale)) for side in grey.size)
        seen = grey.resize((width, height), Image.Resampling.BICUBIC)
    if angle:
        seen = seen.rotate(angle, Image.Resampling.BILINEAR, expand=True, fillcolor=255)
    turn = complex(math.cos(math.radians(angle)), math.sin(math.radians(angle))) / scale  # y points down
    codes: dict[tuple[str, str], Code] = {}
    for barcode in zxingcpp.read_barcodes(seen, formats, text_mode=zxingcpp.TextMode.Plain):
        position = barcode.position
        corners = (position.top_left, position.top_right, position.bottom_right, position.bottom_left)
        points = [complex(each.x - seen.width / 2, each.y - seen.height / 2) * turn for each in corners]
        a, b, c, d = ((point.real + grey.width / 2, point.imag + grey.height / 2) for point in points)
        name = barcode.format.name
        binary = barcode.content_type == zxingcpp.ContentType.Binary
        content = "" if binary else clean_content(barcode.text, MOST_CHARACTERS)
        codes.setdefault((name, content), Code(_kind(name, content), content, name, (a, b, c, d)))
    return list(codes.values())


def told(code: Code, language: str) -> str:
    """What the code holds, as one sentence; numbers and hosts as they are written. English where `language` has no
    words for it."""
    language = primary_language(language)
    language = language if language in CODE_WORDINGS else "en"
    words = CODE_WORDINGS[language]
    if code.kind == "product":
        return _product(code.content, words, language)
    if "QR" in code.format:
        name = words.qr_code
    else:
        name = words.matrix_code if code.format in MATRIX_FORMATS else words.bar_code
    fields = parse_payload(code.content).fields if code.kind not in ("text", "data") else {"text": code.content}
    values = {key: _short(value) for key, value in fields.items()}
    return name + filled(words.clauses[code.kind], values) + "."


def _kind(format_name: str, content: str) -> str:
    if not content:
        return "data"
    if format_name in PRODUCT_FORMATS or (format_name.startswith("DataBar") and re.match(r"01\d{14}", content)):
        return "product"
    return parse_payload(content).kind if "QR" in format_name or format_name in MATRIX_FORMATS else "text"


def _product(content: str, words: CodeWording, language: str) -> str:
    number = content[2:16] if len(content) > 14 else content
    number = number[1:] if len(number) == 14 and number[0] == "0" else number
    place = registered_in(number)
    number = number[1:] if len(number) == 13 and number[0] == "0" else number  # as it is printed below a UPC code
    if place is None:
        return words.product.format(number=number)
    if place in words.numbers:
        return words.numbers[place].format(number=number)
    territory = words.articles.get(place, "") + Locale(language).territories[place]
    return words.registered.format(number=number, territory=territory)


def _short(value: str) -> str:
    """In one line, cut at a word."""
    return shorten(value, MOST_TOLD, placeholder=" ...")
