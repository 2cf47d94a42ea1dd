"""What the text in a QR code means. It is untrusted: nothing in it is opened, and a host is told as it really is."""

import re
import unicodedata
from binascii import crc_hqx
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qs, unquote, urlsplit

MOST_VALUES = 20  # fields of a contact or an event that are looked at


@dataclass(frozen=True)
class Payload:
    """`kind`: "web", "wifi", "contact", "event", "email", "phone", "sms", "place", "payment", "app" or "text".
    `fields`: what is told of it, by name; empty ones are left out."""

    kind: str
    fields: dict[str, str] = field(default_factory=dict)


def parse_payload(content: str) -> Payload:
    """Never raises: what is no valid address, network, contact, ... is text."""
    text = content.strip()
    scheme = re.match(r"([a-z][a-z0-9+.-]*):", text, re.IGNORECASE)
    parser = PARSERS.get(scheme[1].lower()) if scheme else None
    if parser is None and re.match(r"www\.\S+$", text, re.IGNORECASE):
        parser, text = _web, "http://" + text
    if parser is None and text.startswith("000201"):
        parser = _payment
    if parser is None and scheme and text[scheme.end() :].startswith("//"):
        return Payload("app", {"scheme": scheme[1].lower()})
    with suppress(ValueError):  # what is broken in it
        kind, fields = parser(text) if parser else ("text", {})
        return Payload(kind, {name: _one_line(value) for name, value in fields.items() if value.strip()})
    return Payload("text")


def host_of(address: str) -> str:
    """The host that a browser would open, in ASCII: letters of other alphabets as punycode, so that none can pass for
    another; without user name, port and path.

    Follows the URL standard (url.spec.whatwg.org) where Python's parser is older: a backslash is a slash, any number of
    slashes may follow the scheme, and a host may be percent-encoded. Raises ValueError.
    """
    address = re.sub(r"[\t\r\n]", "", address.strip()).replace("\\", "/")
    address = re.sub(r"^(https?):/*", r"\1://", address, flags=re.IGNORECASE)
    host = unquote(urlsplit(address).hostname or "").rstrip(".")
    host = host.encode("idna").decode("ascii").lower()  # UnicodeError is a ValueError
    if not re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:.]*:[0-9a-f:.]*", host):
        raise ValueError("no valid host")
    return host


def _one_line(value: str) -> str:
    return " ".join(value.split())


def _after_scheme(text: str) -> str:
    return text.partition(":")[2].lstrip("/")


def _web(text: str) -> tuple[str, dict[str, str]]:
    host = host_of(text)
    return "web", {"punycode" if "xn--" in host else "host": host}


def _bookmark(text: str) -> tuple[str, dict[str, str]]:
    """MEBKM:TITLE:...;URL:...;; or URLTO:title:address"""
    values = _values(text)
    return _web(values.get("URL") or text.partition(":")[2].partition(":")[2])


def _wifi(text: str) -> tuple[str, dict[str, str]]:
    """WIFI:T:WPA;S:name;P:password;; the password is not among the fields, nobody should hear it."""
    values = _values(text)
    if not values.get("S"):
        raise ValueError("no name")
    security = values.get("T", "")
    return "wifi", {"name": values["S"].strip('"'), "security": "" if security.lower() == "nopass" else security}


def _mecard(text: str) -> tuple[str, dict[str, str]]:
    values = _values(text)
    name = " ".join(reversed(values.get("N", "").split(",")))  # family name first
    return _contact(name, values.get("TEL") or values.get("B"), values.get("EMAIL") or values.get("E"), values.get("C"))


def _begin(text: str) -> tuple[str, dict[str, str]]:
    """BEGIN:VCARD (RFC 6350), BEGIN:VCALENDAR and BEGIN:VEVENT (RFC 5545)."""
    values = _properties(text)
    if text[:11].upper() == "BEGIN:VCARD":
        name = values.get("FN") or " ".join(reversed([n for n in values.get("N", "").split(";")[:2] if n]))
        return _contact(name, values.get("TEL"), values.get("EMAIL"), values.get("ORG", "").replace(";", ", "))
    if "SUMMARY" not in values and "DTSTART" not in values:
        raise ValueError("no event")
    return "event", {
        "name": values.get("SUMMARY", ""),
        "start": _iso_time(values.get("DTSTART", "")),
        "location": values.get("LOCATION", ""),
    }


def _contact(name: str, phone: str | None, email: str | None, company: str | None) -> tuple[str, dict[str, str]]:
    phone = re.sub(r"^tel:", "", phone or "")
    fields = {"name": name, "company": company or "", "phone": phone, "email": email or ""}
    if not any(fields.values()):
        raise ValueError("an empty card")
    return "contact", fields


def _email(text: str) -> tuple[str, dict[str, str]]:
    """mailto:address?subject=... (RFC 6068) or MATMSG:TO:address;SUB:...;;"""
    if text[:7].upper() == "MATMSG:":
        values = _values(text)
        return "email", {"address": values.get("TO", ""), "subject": values.get("SUB", "")}
    address, _, query = text.partition(":")[2].partition("?")
    return "email", {"address": unquote(address), "subject": parse_qs(query).get("subject", [""])[0]}


def _phone(text: str) -> tuple[str, dict[str, str]]:
    return "phone", {"number": unquote(_after_scheme(text)).partition(";")[0]}


def _sms(text: str) -> tuple[str, dict[str, str]]:
    """sms:number?body=... (RFC 5724) or SMSTO:number:text"""
    number, _, rest = _after_scheme(text).partition("?")
    number, _, message = number.partition(":")
    return "sms", {"number": unquote(number), "message": message or parse_qs(rest).get("body", [""])[0]}


def _place(text: str) -> tuple[str, dict[str, str]]:
    """geo:latitude,longitude (RFC 5870), degrees."""
    latitude, longitude = (float(value) for value in re.split(r"[;?]", _after_scheme(text))[0].split(",")[:2])
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise ValueError("not on earth")
    return "place", {"latitude": f"{latitude:g}", "longitude": f"{longitude:g}"}


def _payment(text: str) -> tuple[str, dict[str, str]]:
    """The EMV code that shops show (QRIS in Indonesia): two digits name a field, two give its length; a CRC ends it."""
    data = text.encode()
    if data[-8:-4] != b"6304" or f"{crc_hqx(data[:-4], 0xFFFF):04X}" != text[-4:].upper():
        raise ValueError("not whole")
    values, rest = {}, text
    while len(rest) >= 4:
        end = 4 + int(rest[2:4])
        values[rest[:2]], rest = rest[4:end], rest[end:]
    currency = "Rp " if values.get("53") == "360" else ""  # ISO 4217
    amount = values.get("54", "")
    amount = amount and currency + amount
    return "payment", {"name": values.get("59", ""), "location": values.get("60", ""), "amount": amount}


def _values(text: str) -> dict[str, str]:
    """NAME:key:value;key:value;; -> values by key, the first of each; a backslash before a sign takes its meaning."""
    values: dict[str, str] = {}
    for item in re.findall(r"(?:[^;\\]|\\.)+", text.partition(":")[2], re.DOTALL)[:MOST_VALUES]:
        key, _, value = item.partition(":")
        values.setdefault(key.strip().upper(), re.sub(r"\\(.)", r"\1", value))
    return values


def _properties(text: str) -> dict[str, str]:
    """Lines NAME;PARAMETER=...:value -> values by name, the first of each; a line that begins with a space goes on."""
    values: dict[str, str] = {}
    for line in re.sub(r"\n[ \t]", "", text.replace("\r\n", "\n")).split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            name = re.split(r"[;.]", name)[-1 if re.match(r"item\d+\.", name, re.IGNORECASE) else 0].upper()
            values.setdefault(name, re.sub(r"\\(.)", lambda m: " " if m[1] in "nN" else m[1], value))
    return values


def _iso_time(value: str) -> str:
    """20260131T193000Z -> 2026-01-31 19:30; UTC and local times are told apart by nothing but the word."""
    found = re.match(r"(\d{8})(?:T(\d{4})\d*(Z?))?", value.strip())
    if not found:
        return ""
    day, time, utc = found.groups()
    if not time:
        return datetime.strptime(day, "%Y%m%d").strftime("%Y-%m-%d")
    return datetime.strptime(day + time, "%Y%m%d%H%M").strftime("%Y-%m-%d %H:%M") + (" UTC" if utc else "")


PARSERS = {
    "http": _web,
    "https": _web,
    "urlto": _bookmark,
    "mebkm": _bookmark,
    "wifi": _wifi,
    "mecard": _mecard,
    "bizcard": _mecard,
    "begin": _begin,
    "mailto": _email,
    "matmsg": _email,
    "tel": _phone,
    "sms": _sms,
    "smsto": _sms,
    "mms": _sms,
    "mmsto": _sms,
    "geo": _place,
}


def clean_content(content: str, most: int) -> str:
    """At most `most` characters, without control characters and those that hide or turn text around; lines stay."""
    content = content.replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(c for c in content[: 4 * most] if c == "\n" or unicodedata.category(c)[0] != "C")
    return kept[:most].strip()
