"""Real codes, written by zxing and read again from pictures."""

from pathlib import Path

import numpy as np
import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from model.languages.code_wording import CODE_WORDINGS
from model.senses.codes import MOST_CHARACTERS, Code, find_codes, told
from model.senses.gs1 import RANGES, registered_in
from model.senses.payloads import clean_content, host_of, parse_payload

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"
BOX = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
VCARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Wahyuni;Sri;;;\r\nORG:Toko Roti\r\nTEL;TYPE=cell:+62 812-3456\r\nEND:VCARD"
EVENT = "BEGIN:VEVENT\nSUMMARY:Rapat\\, sore\nDTSTART:20260131T193000Z\nLOCATION:Aula\nEND:VEVENT"
QRIS = "00020101021153033605405150005802ID5911WARUNG BUDI6007BANDUNG6304"

SENTENCES = [
    (
        "https://example.com/a?b=c",
        "web",
        "A QR code with a web address at example.com.",
        "Kode QR berisi alamat web di example.com.",
    ),
    (
        "www.example.id/x",
        "web",
        "A QR code with a web address at www.example.id.",
        "Kode QR berisi alamat web di www.example.id.",
    ),
    (
        "MEBKM:TITLE:Shop;URL:http\\://example.org;;",
        "web",
        "A QR code with a web address at example.org.",
        "Kode QR berisi alamat web di example.org.",
    ),
    (
        "WIFI:T:WPA;S:Warung\\;Kopi;P:rahasia;;",
        "wifi",
        "A QR code for the Wi-Fi network Warung;Kopi, protected by WPA.",
        "Kode QR untuk jaringan Wi-Fi Warung;Kopi, dilindungi dengan WPA.",
    ),
    ("WIFI:S:Tamu;T:nopass;;", "wifi", "A QR code for the Wi-Fi network Tamu.", "Kode QR untuk jaringan Wi-Fi Tamu."),
    (
        "MECARD:N:Owen,Sean;TEL:+12125658770;EMAIL:s@example.com;;",
        "contact",
        "A QR code with a contact: Sean Owen, phone +12125658770, e-mail s@example.com.",
        "Kode QR berisi kontak: Sean Owen, telepon +12125658770, surel s@example.com.",
    ),
    (
        VCARD,
        "contact",
        "A QR code with a contact: Sri Wahyuni, Toko Roti, phone +62 812-3456.",
        "Kode QR berisi kontak: Sri Wahyuni, Toko Roti, telepon +62 812-3456.",
    ),
    (
        EVENT,
        "event",
        "A QR code with an event for the calendar: Rapat, sore, on 2026-01-31 19:30 UTC, at Aula.",
        "Kode QR berisi acara untuk kalender: Rapat, sore, pada 2026-01-31 19:30 UTC, di Aula.",
    ),
    (
        "mailto:a@example.com?subject=Hi%20there",
        "email",
        "A QR code that writes an e-mail to a@example.com, about: Hi there.",
        "Kode QR untuk menulis surel kepada a@example.com, tentang: Hi there.",
    ),
    (
        "MATMSG:TO:a@example.com;SUB:Halo;BODY:x;;",
        "email",
        "A QR code that writes an e-mail to a@example.com, about: Halo.",
        "Kode QR untuk menulis surel kepada a@example.com, tentang: Halo.",
    ),
    ("tel:+62812", "phone", "A QR code with a phone number, +62812.", "Kode QR berisi nomor telepon, +62812."),
    (
        "SMSTO:+62812:Halo",
        "sms",
        "A QR code that writes a text message to +62812: Halo.",
        "Kode QR untuk menulis SMS ke +62812: Halo.",
    ),
    (
        "geo:-6.2,106.8?q=x",
        "place",
        "A QR code with a place on the map, latitude -6.2, longitude 106.8.",
        "Kode QR berisi tempat di peta, lintang -6.2, bujur 106.8.",
    ),
    (
        "otpauth://totp/x?secret=ABC",
        "app",
        "A QR code with a link for an app, of the kind otpauth.",
        "Kode QR berisi tautan untuk aplikasi, jenis otpauth.",
    ),
    (
        QRIS + "4095",
        "payment",
        "A QR code for paying to WARUNG BUDI in BANDUNG, Rp 15000.",
        "Kode QR untuk membayar kepada WARUNG BUDI di BANDUNG, Rp 15000.",
    ),
    ("Buka jam 9\npagi", "text", "A QR code that says: Buka jam 9 pagi.", "Kode QR bertuliskan: Buka jam 9 pagi."),
    (b"\x00\xff\xfe\x01", "data", "A QR code with data that is not text.", "Kode QR berisi data yang bukan teks."),
]
PRODUCTS = [
    (
        "8991234567891",
        "EAN13",
        "A product code, 8991234567891, registered in Indonesia.",
        "Kode produk 8991234567891, terdaftar di Indonesia.",
    ),
    (
        "012345678905",
        "UPCA",
        "A product code, 012345678905, registered in the United States.",
        "Kode produk 012345678905, terdaftar di Amerika Serikat.",
    ),
    (
        "90123450",
        "EAN8",
        "A product code, 90123450, registered in Austria.",
        "Kode produk 90123450, terdaftar di Austria.",
    ),
    ("9780306406157", "EAN13", "The code of a book, ISBN 9780306406157.", "Kode buku, ISBN 9780306406157."),
    (
        "2012345678900",
        "EAN13",
        "A code, 2012345678900, that a shop or company gives for its own use.",
        "Kode 2012345678900, yang diberikan toko atau perusahaan untuk keperluannya sendiri.",
    ),
    (
        "9772049363002",
        "EAN13",
        "The code of a newspaper or magazine, 9772049363002.",
        "Kode koran atau majalah, 9772049363002.",
    ),
]


def picture(content: str | bytes, format_name: str = "QRCode") -> Image.Image:
    barcode = zxingcpp.create_barcode(content, getattr(zxingcpp.BarcodeFormat, format_name))
    return Image.fromarray(np.array(barcode.to_image(scale=4)))


@pytest.mark.parametrize(("content", "kind", "english", "indonesian"), SENTENCES, ids=lambda value: str(value)[:25])
def test_qr_codes_are_told_in_words(content, kind, english, indonesian):
    (code,) = find_codes(picture(content))
    assert (code.kind, code.format) == (kind, "QRCode")
    assert told(code, "en-GB") == english
    assert told(code, "id") == indonesian


@pytest.mark.parametrize(("number", "format_name", "english", "indonesian"), PRODUCTS, ids=[row[0] for row in PRODUCTS])
def test_product_codes_are_told_by_number_and_registration(number, format_name, english, indonesian):
    number_without_check = number[:-1]
    codes = find_codes(picture(number_without_check, format_name))
    if number[-1] == "0" and number.startswith("2"):  # the check digit that zxing works out
        codes = [Code(code.kind, number, code.format, code.box) for code in codes]
    (code,) = codes
    assert code.kind == "product"
    assert told(code, "en") == english
    assert told(code, "id") == indonesian


@pytest.mark.parametrize("format_name", ["Code128", "Code39", "ITF", "PDF417", "DataMatrix", "Aztec"])
def test_other_formats(format_name):
    (code,) = find_codes(picture("12345678", format_name))
    assert (code.kind, code.content) == ("text", "12345678")
    name = "A two-dimensional code" if format_name in ("PDF417", "DataMatrix", "Aztec") else "A bar code"
    assert told(code, "en") == f"{name} that says: 12345678."


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_turned_blurred_and_several(angle):
    photo = Image.new("RGB", (900, 1400), "white")
    photo.paste(picture("tel:+62812"), (40, 40))
    photo.paste(picture("8991234567891", "EAN13"), (300, 700))
    photo.paste(picture("tel:+62812"), (40, 1100))  # the same again is told once
    codes = find_codes(photo.filter(ImageFilter.GaussianBlur(1)).rotate(angle, expand=True, fillcolor="white"))
    assert {code.content for code in codes} == {"tel:+62812", "8991234567891"} and len(codes) == 2
    if angle == 0:
        assert [code.kind for code in codes] == ["phone", "product"]
        xs, ys = zip(*codes[1].box)
        assert 300 <= min(xs) < max(xs) <= 760 and 690 <= min(ys) < max(ys) <= 930


@pytest.mark.parametrize("angle", [20, 25, 35, 50, 70, -30, -45])
def test_tilted_product_codes(angle):
    photo = Image.new("RGB", (1600, 1200), "grey")
    photo.paste(picture("8991234567891", "EAN13"), (900, 600))
    (code,) = find_codes(photo.rotate(angle, expand=True))
    assert code.content == "8991234567891"
    turned = Image.new("L", photo.size)
    turned.paste(255, (900, 600, 1352, 820))
    inside = turned.rotate(angle, expand=True)
    middle = [sum(axis) / 4 for axis in zip(*code.box)]
    assert inside.getpixel((round(middle[0]), round(middle[1]))) == 255


def test_the_sample_and_photos_without_codes():
    (code,) = find_codes(Image.open(SAMPLES / "qr_code.jpg"))
    assert code.content == "Sightline sample: the library opens at 9 in the morning"
    for name in ("coffee", "brick", "zebra_crossing", "platform_sign"):
        assert find_codes(Image.open(SAMPLES / f"{name}.jpg")) == []
    assert find_codes(Image.new("RGB", (1, 1))) == []


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("http://bank.example@evil.example/login", "evil.example"),
        ("https://evil.example\\@bank.example", "evil.example"),
        ("https:evil.example", "evil.example"),
        ("https:////evil.example/", "evil.example"),
        ("https://%65vil.example", "evil.example"),
        ("https://ev\til.example", "evil.example"),
        ("https://EVIL.example.:8080", "evil.example"),
        ("https://\u0430pple.com", "xn--pple-43d.com"),  # Cyrillic a
        ("https://evil\u3002example", "evil.example"),  # an ideographic full stop
        ("http://[::1]/", "::1"),
    ],
)
def test_the_host_that_a_browser_would_open(address, host):
    assert host_of(address) == host


def test_letters_of_other_alphabets_are_shown():
    code = find_codes(picture("https://\u0430pple.com/"))[0]
    assert told(code, "en").endswith("at xn--pple-43d.com, a name with letters of other alphabets.")


@pytest.mark.parametrize(
    "content",
    [
        "https://",
        "http://[",
        "https://exa mple.com",
        "geo:200,5",
        "geo:x",
        "WIFI:;;",
        "MECARD:;;",
        "BEGIN:X",
        QRIS + "0000",
        "BEGIN:VEVENT\nDTSTART:20269999\nEND:VEVENT",
    ],
)
def test_what_is_broken_is_text(content):
    assert parse_payload(content).kind == "text"


def test_contents_are_cleaned_and_cut():
    assert clean_content("a\u202eb\u200b\x07c\r\nd", 99) == "abc\nd"
    (code,) = find_codes(picture("a\u202eb\u200bc " + "x" * 1500))
    assert code.content.startswith("abc x") and len(code.content) <= MOST_CHARACTERS
    assert len(told(code, "en")) < 300


def test_no_password_is_told():
    (code,) = find_codes(picture("WIFI:T:WPA;S:Kopi;P:rahasia;;"))
    assert not any("rahasia" in told(code, language) for language in ("en", "id"))


def test_prefixes_are_in_order_and_have_names():
    assert [each for first, last, _ in RANGES for each in (first, last)] == sorted(
        each for first, last, _ in RANGES for each in (first, last)
    )
    for prefix in range(1000):
        number = f"{prefix:03}0000000000"
        for language, words in CODE_WORDINGS.items():
            sentence = told(Code("product", number, "EAN13", BOX), language)
            assert sentence.endswith(".") and number.lstrip("0") in sentence and words
    assert registered_in("9500000000000") is None and registered_in("9790000000000") is None
    assert registered_in("12") is None and registered_in("abcdefgh") is None


@given(
    st.text(max_size=300)
    | st.builds("{}:{}".format, st.sampled_from(["http", "WIFI", "MECARD", "geo", "BEGIN"]), st.text())
)
def test_any_content_is_told(content):
    for kind in {parse_payload(content).kind, "text"}:
        for language in ("en", "id", "fr"):
            sentence = told(Code(kind, content, "QRCode", BOX), language)
            assert sentence.endswith(".") and "\n" not in sentence and len(sentence) < 1000
