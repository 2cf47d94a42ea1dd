"""The words in which QR and bar codes are told, by language."""

from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter


@dataclass(frozen=True)
class CodeWording:
    """`product`, `registered` and `numbers` (by use of the number, see `model.senses.gs1`): whole sentences.
    `articles`: by territory, what stands before its name. `clauses`: by kind of code, what follows its name; a clause
    is said where the code has all that it names."""

    qr_code: str
    matrix_code: str
    bar_code: str
    product: str
    registered: str
    numbers: Mapping[str, str]
    articles: Mapping[str, str]
    clauses: Mapping[str, tuple[str, ...]]


CODE_WORDINGS = {
    "en": CodeWording(
        qr_code="A QR code",
        matrix_code="A two-dimensional code",
        bar_code="A bar code",
        product="A product code, {number}.",
        registered="A product code, {number}, registered in {territory}.",
        numbers={
            "shop": "A code, {number}, that a shop or company gives for its own use.",
            "book": "The code of a book, ISBN {number}.",
            "periodical": "The code of a newspaper or magazine, {number}.",
        },
        articles=dict.fromkeys(("AE", "DO", "GB", "NL", "PH", "US"), "the "),
        clauses={
            "web": (" with a web address", " at {host}", " at {punycode}, a name with letters of other alphabets"),
            "wifi": (" for the Wi-Fi network {name}", ", protected by {security}"),
            "contact": (" with a contact", ": {name}", ", {company}", ", phone {phone}", ", e-mail {email}"),
            "event": (" with an event for the calendar", ": {name}", ", on {start}", ", at {location}"),
            "email": (" that writes an e-mail", " to {address}", ", about: {subject}"),
            "phone": (" with a phone number", ", {number}"),
            "sms": (" that writes a text message", " to {number}", ": {message}"),
            "place": (" with a place on the map", ", latitude {latitude}, longitude {longitude}"),
            "payment": (" for paying", " to {name}", " in {location}", ", {amount}"),
            "app": (" with a link for an app, of the kind {scheme}",),
            "text": (" that says: {text}",),
            "data": (" with data that is not text",),
        },
    ),
    "id": CodeWording(
        qr_code="Kode QR",
        matrix_code="Kode dua dimensi",
        bar_code="Kode batang",
        product="Kode produk {number}.",
        registered="Kode produk {number}, terdaftar di {territory}.",
        numbers={
            "shop": "Kode {number}, yang diberikan toko atau perusahaan untuk keperluannya sendiri.",
            "book": "Kode buku, ISBN {number}.",
            "periodical": "Kode koran atau majalah, {number}.",
        },
        articles={},
        clauses={
            "web": (" berisi alamat web", " di {host}", " di {punycode}, nama dengan huruf dari abjad lain"),
            "wifi": (" untuk jaringan Wi-Fi {name}", ", dilindungi dengan {security}"),
            "contact": (" berisi kontak", ": {name}", ", {company}", ", telepon {phone}", ", surel {email}"),
            "event": (" berisi acara untuk kalender", ": {name}", ", pada {start}", ", di {location}"),
            "email": (" untuk menulis surel", " kepada {address}", ", tentang: {subject}"),
            "phone": (" berisi nomor telepon", ", {number}"),
            "sms": (" untuk menulis SMS", " ke {number}", ": {message}"),
            "place": (" berisi tempat di peta", ", lintang {latitude}, bujur {longitude}"),
            "payment": (" untuk membayar", " kepada {name}", " di {location}", ", {amount}"),
            "app": (" berisi tautan untuk aplikasi, jenis {scheme}",),
            "text": (" bertuliskan: {text}",),
            "data": (" berisi data yang bukan teks",),
        },
    ),
}


def filled(clauses: tuple[str, ...], values: Mapping[str, str]) -> str:
    """The clauses of which every value is there, filled in."""
    needs = ((clause, [name for _, name, _, _ in Formatter().parse(clause) if name]) for clause in clauses)
    return "".join(clause.format(**values) for clause, names in needs if all(name in values for name in names))
