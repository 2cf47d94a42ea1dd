"""Files as cameras, phones, drawing programs and attackers make them, written here by the libraries' own encoders."""

import hashlib
import resource
import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms, PngImagePlugin

from model.imaging import FORMATS, MAX_SIDE, SIGNATURES, Photo, PhotoError, read_photo

LIMITS = {"max_bytes": 16 * 2**20, "max_pixels": 50_000_000}
RED, GREEN, BLUE, YELLOW, WHITE = (220, 30, 30), (30, 180, 40), (30, 40, 200), (230, 220, 30), (255, 255, 255)
CORNERS = (RED, GREEN, BLUE, YELLOW)  # top left, top right, bottom left, bottom right
KINDS = ("JPEG", "PNG", "WEBP", "GIF", "HEIF", "AVIF")
CLOSE = 14  # of 255: what lossy formats may change
# Pillow's remarks on the files that are made broken here; pytest shows what model.imaging has silenced.
pytestmark = pytest.mark.filterwarnings("ignore:Corrupt EXIF", "ignore::PIL.Image.DecompressionBombWarning")


def scene(width: int = 96, height: int = 64) -> Image.Image:
    """Four colours in four corners, so that any turn or mirroring shows."""
    image = Image.new("RGB", (width, height))
    for i, colour in enumerate(CORNERS):
        left, top = i % 2 * width // 2, i // 2 * height // 2
        image.paste(colour, (left, top, left + width // 2, top + height // 2))
    return image


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    if kind in ("JPEG", "HEIF", "AVIF", "WEBP"):
        options = {"quality": 95} | options
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def read(data: bytes, **limits) -> Photo:
    photo = read_photo(data, **LIMITS | limits)
    assert photo.image.mode == "RGB" and photo.image.size == (photo.width, photo.height)
    assert type(photo.image) is Image.Image and photo.image.info == {} and not photo.image.getexif()
    return photo


def refusal(data: bytes, **limits) -> PhotoError:
    with pytest.raises(PhotoError) as caught:
        read_photo(data, **LIMITS | limits)
    assert str(caught.value).endswith(".") and str(caught.value).count(". ") == 0
    return caught.value


def corners(image: Image.Image) -> list[tuple[int, int, int]]:
    w, h = image.size
    return [image.getpixel((round(x * (w - 1)), round(y * (h - 1)))) for y in (0.2, 0.8) for x in (0.2, 0.8)]


def assert_close(found, expected, tolerance: int = CLOSE):
    assert np.abs(np.asarray(found, int) - np.asarray(expected, int)).max() <= tolerance, (found, expected)


def png(width: int, height: int, bits: int, colour: int, rows: bytes, extra: bytes = b"") -> bytes:
    """A PNG chunk by chunk, for what Pillow does not write. `rows` has a filter byte before each row."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


# What works


@pytest.mark.parametrize("kind", KINDS)
def test_each_format_by_its_content(kind):
    data = encoded(scene(), kind)
    photo = read(data)
    assert photo.image.size == (96, 64)
    assert_close(corners(photo.image), CORNERS)
    assert photo.sha256 == hashlib.sha256(data).hexdigest()
    stored = Image.open(BytesIO(photo.jpeg))
    assert stored.format == "JPEG" and stored.size == (96, 64)
    assert_close(corners(stored), CORNERS, 20)
    assert photo.jpeg is photo.jpeg  # encoded once


TURNS = {
    1: [],
    2: [Image.Transpose.FLIP_LEFT_RIGHT],
    3: [Image.Transpose.ROTATE_180],
    4: [Image.Transpose.FLIP_TOP_BOTTOM],
    5: [Image.Transpose.ROTATE_90, Image.Transpose.FLIP_TOP_BOTTOM],
    6: [Image.Transpose.ROTATE_90],
    7: [Image.Transpose.ROTATE_90, Image.Transpose.FLIP_LEFT_RIGHT],
    8: [Image.Transpose.ROTATE_270],
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF", "AVIF"])
@pytest.mark.parametrize("orientation", TURNS)
def test_upright_by_exif(kind, orientation):
    image = scene()
    for turn in TURNS[orientation]:  # as the sensor lay
        image = image.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = read(encoded(image, kind, exif=exif.tobytes()))  # HEIC gets a turned box, which rules there
    assert photo.image.size == (96, 64)
    assert_close(corners(photo.image), CORNERS)


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"]
)
def test_a_broken_exif_block_does_not_cost_the_photo(exif):
    assert_close(corners(read(encoded(scene(), "JPEG", exif=exif)).image), CORNERS)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF", "AVIF"])
def test_nothing_but_pixels_is_stored(kind):
    exif = Image.Exif()
    exif[0x010F] = "Camera of Somebody"
    exif.get_ifd(0x8825).update({1: "N", 2: (51.0, 28.0, 38.0)})  # GPS
    options = {
        "exif": exif.tobytes(),
        "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    }
    options["xmp"] = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>Somebody at home</x:xmpmeta>"
    if kind == "JPEG":
        options["comment"] = "Somebody at home"
    if kind == "PNG":
        del options["xmp"]
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_text("Comment", "Somebody at home")
    data = encoded(scene(), kind, **options)
    assert b"Somebody" in data
    stored = read(data).jpeg
    for word in (b"Somebody", b"Exif", b"GPS", b"xmp", b"ICC_PROFILE", b"sRGB", b"Photoshop"):
        assert word not in stored
    kept = Image.open(BytesIO(stored))
    assert not kept.getexif() and set(kept.info) == {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def transparent_scene(mode: str) -> Image.Image:
    """The upper half as it is, the lower half clear (over black)."""
    image = scene().convert(mode)
    alpha = Image.new("L", image.size)
    alpha.paste(255, (0, 0, 96, 32))
    image.putalpha(alpha)
    return image


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("PNG", "RGB"), ("PNG", "L"), ("WEBP", "RGB"), ("HEIF", "RGB"), ("AVIF", "RGB"), ("PNG", "P"), ("GIF", "P")],
)
def test_what_is_transparent_becomes_white(kind, mode):
    image = transparent_scene("L" if mode == "L" else "RGB")
    data = encoded(image.quantize(16) if (kind, mode) == ("PNG", "P") else image, kind)
    assert Image.open(BytesIO(data)).mode in (mode, mode + "A")
    grey = [(v, v, v) for v in (scene().convert("L").getpixel((x, 3)) for x in (3, 90))]
    found = corners(read(data).image)
    assert_close(found[:2], grey if mode == "L" else CORNERS[:2])
    assert_close(found[2:], [WHITE, WHITE], 4)


def test_half_transparent_is_mixed_with_white():
    assert_close(read(encoded(Image.new("RGBA", (8, 8), (0, 0, 0, 128)), "PNG")).image.getpixel((4, 4)), (127,) * 3, 1)


@pytest.mark.parametrize(("mode", "clear"), [("RGB", BLUE), ("L", 0), ("P", 2), ("1", 0)])
def test_one_transparent_colour_becomes_white(mode, clear):
    image = scene()
    if mode == "P":
        image = Image.new("P", (96, 64), 1)
        image.putpalette([value for colour in CORNERS for value in colour])
        image.paste(2, (0, 32, 48, 64))
    elif mode != "RGB":
        image = Image.new(mode, (96, 64), 255)
        image.paste(0, (0, 32, 48, 64))
    photo = read(encoded(image, "PNG", transparency=clear))
    assert_close(corners(photo.image)[2], WHITE, 0)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_palette(kind):
    assert_close(corners(read(encoded(scene().quantize(8), kind)).image), CORNERS)


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "L"), ("PNG", "L"), ("PNG", "1"), ("WEBP", "L"), ("HEIF", "L")])
def test_greyscale(kind, mode):
    ramp = Image.linear_gradient("L").resize((64, 64)).convert(mode)
    photo = read(encoded(ramp, kind))
    assert_close(photo.image, ramp.convert("RGB"), 8)


def test_16_bits_of_grey_are_scaled_and_not_clipped():
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    photo = read(encoded(Image.fromarray(ramp), "PNG"))
    assert_close(photo.image.getchannel(1), ramp >> 8, 1)


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_16_bits_in_every_kind_of_png(colour, channels):
    ramp = np.arange(0, 65536, 16, dtype=">u2").reshape(64, 64)
    pixels = np.repeat(ramp[..., None], channels, 2)
    if channels in (2, 4):
        pixels[..., -1] = 65535
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    photo = read(png(64, 64, 16, colour, rows))
    assert_close(photo.image, np.repeat((ramp >> 8)[..., None], 3, 2), 1)


def test_16_bits_of_grey_with_a_transparent_value():
    rows = b"".join(b"\0" + np.full(8, 300 if i < 4 else 32768, ">u2").tobytes() for i in range(8))
    photo = read(png(8, 8, 16, 0, rows, chunk(b"tRNS", struct.pack(">H", 300))))
    assert photo.image.getpixel((4, 2)) == WHITE
    assert_close(photo.image.getpixel((4, 6)), (128,) * 3, 1)


def without_adobe_marker(data: bytes) -> bytes:
    start = data.index(b"\xff\xee\x00\x0eAdobe")
    return data[:start] + data[start + 16 :]


def test_cmyk():
    cmyk = scene().convert("CMYK")
    adobe = encoded(cmyk, "JPEG")  # Pillow writes it inverted and with Adobe's marker, as Photoshop does
    plain = without_adobe_marker(encoded(ImageChops.invert(cmyk), "JPEG"))
    for data in (adobe, plain):
        assert_close(corners(read(data).image), CORNERS, 30)


def profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A display profile of version 2 with just these tags. (ICC.1:2001-04, clauses 6.1 and 6.2)"""
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    illuminant = struct.pack(">iii", 63190, 65536, 54061)
    header = struct.pack(">I4sI4s4s4s", 132 + 12 * len(tags) + len(body), b"none", 0x02100000, b"mntr", space, b"XYZ ")
    return (header + b"\0" * 12 + b"acsp" + b"\0" * 28 + illuminant).ljust(128, b"\0") + table + body


def tag_xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">iii", *(round(value * 65536) for value in values))


def tag_gamma(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def tag_name(name: bytes) -> bytes:
    return b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name + b"\0" * 79


WHITE_POINT = tag_xyz(0.9642, 1.0, 0.8249)
PRIMARIES = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))  # sRGB's, adapted to D50


def rgb_profile(name: bytes, order: tuple[int, int, int], gamma: float = 2.2) -> bytes:
    """Primaries of sRGB in another order."""
    tags = {b"desc": tag_name(name), b"wtpt": WHITE_POINT}
    for letter, i in zip((b"r", b"g", b"b"), order, strict=True):
        tags |= {letter + b"XYZ": tag_xyz(*PRIMARIES[i]), letter + b"TRC": tag_gamma(gamma)}
    return profile(b"RGB ", tags)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF", "AVIF"])
def test_colours_of_a_profile_become_those_of_srgb(kind):
    swapped = encoded(scene(), kind, icc_profile=rgb_profile(b"Blue for red", (2, 1, 0)))
    expected = [colour[::-1] for colour in CORNERS]
    assert_close(corners(read(swapped).image), expected, 24)


def test_profile_of_a_grey_photo():
    data = profile(b"GRAY", {b"desc": tag_name(b"Linear"), b"wtpt": WHITE_POINT, b"kTRC": tag_gamma(1.0)})
    grey, clear = Image.new("L", (32, 32), 128), Image.new("LA", (32, 32), (128, 255))
    for image in (grey, clear):
        assert_close(read(encoded(image, "PNG", icc_profile=data)).image.getpixel((9, 9)), (188,) * 3, 2)
    assert_close(corners(read(encoded(scene(), "PNG", icc_profile=data)).image), CORNERS, 0)  # not made for colours
    linear = rgb_profile(b"Linear", (0, 1, 2), gamma=1.0)
    assert_close(read(encoded(grey, "PNG", icc_profile=linear)).image.getpixel((9, 9)), (188,) * 3, 2)


@pytest.mark.parametrize("icc", [b"garbage", rgb_profile(b"Cut", (2, 1, 0))[:300], b"\0" * 200])
def test_broken_profile_is_ignored(icc):
    assert_close(corners(read(encoded(scene(), "JPEG", icc_profile=icc)).image), CORNERS)


def test_profile_for_other_modes_is_ignored():
    data = encoded(scene().convert("CMYK"), "JPEG", icc_profile=rgb_profile(b"Blue for red", (2, 1, 0)))
    assert_close(corners(read(data).image), CORNERS, 30)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_first_frame_of_an_animation(kind):
    others = [Image.new("RGB", (96, 64), BLUE), Image.new("RGB", (96, 64), RED)]
    data = encoded(scene(), kind, save_all=True, append_images=others, duration=40)
    assert Image.open(BytesIO(data)).n_frames == 3
    assert_close(corners(read(data).image), CORNERS)


def test_photo_with_something_behind_it():
    """Phones keep a preview (MPO) or a short film behind the photo."""
    second = Image.new("RGB", (96, 64), BLUE)
    assert_close(corners(read(encoded(scene(), "MPO", save_all=True, append_images=[second])).image), CORNERS)
    film = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 2000
    assert_close(corners(read(encoded(scene(), "JPEG") + film).image), CORNERS)


@pytest.mark.parametrize(
    ("kind", "size", "kept"),
    [
        ("JPEG", (4032, 3024), (2016, 1512)),  # decoded at half size
        ("JPEG", (3000, 2000), (2048, 1365)),
        ("PNG", (1500, 3000), (1024, 2048)),
        ("JPEG", (1024, 768), (1024, 768)),
        ("PNG", (1, 9000), (1, 2048)),
        ("JPEG", (9000, 1), (2048, 1)),
        ("PNG", (1, 1), (1, 1)),
    ],
)
def test_size_that_is_kept(kind, size, kept):
    assert max(kept) <= MAX_SIDE
    photo = read(encoded(scene(*size), kind))
    assert (photo.width, photo.height) == kept
    if min(kept) > 100:
        assert_close(corners(photo.image), CORNERS)


def test_several_threads_at_once():
    files = [encoded(scene(320, 200), kind) for kind in KINDS] * 4
    with ThreadPoolExecutor(4) as pool:
        photos = list(pool.map(read, files))
    for photo in photos:
        assert_close(corners(photo.image), CORNERS)


# What does not


def test_empty():
    error = refusal(b"")
    assert error.kind == "empty" and "choose a photo" in str(error)


def test_too_many_bytes():
    data = encoded(scene(), "PNG")
    assert read(data, max_bytes=len(data)).width == 96
    error = refusal(data, max_bytes=len(data) - 1)
    assert error.kind == "too_large" and "smaller copy" in str(error)
    assert "larger than 16 MB" in str(refusal(bytes(16 * 2**20 + 1)))


@pytest.mark.parametrize("kind", KINDS)
def test_too_many_pixels(kind):
    data = encoded(scene(), kind)
    assert read(data, max_pixels=96 * 64).width == 96
    error = refusal(data, max_pixels=96 * 64 - 1)
    assert error.kind == "too_large" and "smaller copy" in str(error)


def claims(kind: str, width: int, height: int) -> bytes:
    """A small file whose header claims many pixels."""
    frames = {"save_all": True, "append_images": [Image.new("RGB", (96, 64), BLUE)]} if kind == "WEBP" else {}
    data = encoded(scene(), kind, **frames)
    if kind == "PNG":
        return png(width, height, 8, 2, b"\0" * 1000)
    if kind == "GIF":
        return data[:6] + struct.pack("<HH", width, height) + data[10:]
    if kind == "WEBP":
        at = data.index(b"VP8X") + 12
        return data[:at] + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little") + data[at + 6 :]
    if kind == "JPEG":
        at = data.index(b"\xff\xc0") + 5
        return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]
    at = data.index(b"ispe") + 8  # HEIF and AVIF
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", [8000, 11000, 16000, 60000])
def test_decompression_bomb_is_refused_from_its_header(kind, side):
    if kind == "WEBP":
        side = min(side, 2**14)  # all that fits in its header
    data = claims(kind, side, side - 1)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    error = refusal(data)
    assert error.kind == "too_large" or (
        kind in ("HEIF", "AVIF") and error.kind == "damaged"
    )  # whose readers refuse absurd sizes
    assert time.monotonic() - start < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_gif_whose_frame_is_larger_than_its_screen():
    data = encoded(scene(), "GIF")
    at = data.index(b"\x2c\0\0\0\0") + 5
    assert refusal(data[:at] + struct.pack("<HH", 60000, 60000) + data[at + 4 :]).kind == "too_large"


def test_progressive_jpeg_of_endless_scans():
    data = encoded(scene(), "JPEG", progressive=True)
    assert_close(corners(read(data).image), CORNERS)
    last = data[data.rindex(b"\xff\xda") : -2]
    error = refusal(data[:-2] + last * 2000 + data[-2:])
    assert error.kind == "damaged" and "damaged" in str(error)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"this is not a photo, whatever its name\n", "text"),
        (b"<html><body>404</body></html>", "text"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "an SVG drawing"),
        (b"\xef\xbb\xbf<svg width='9' height='9'/>", "an SVG drawing"),
        (encoded(scene(), "BMP"), "a BMP picture"),
        (encoded(scene(), "TIFF"), "a TIFF picture"),
        (encoded(scene(), "PDF"), "a PDF document"),
        (encoded(scene(), "ICO"), "not a photo"),
        (encoded(scene(), "PPM"), "not a photo"),
        (b"PK\x03\x04" + bytes(60), "an archive"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + bytes(60), "a video"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(60), "a JPEG XL picture"),
        (bytes(1000), "not a photo"),
        (b"\xff\xd8", "not a photo"),
    ],
)
def test_what_is_no_photo(data, what):
    error = refusal(data)
    assert error.kind == "unsupported" and str(error).startswith(f"This is {what}") and FORMATS in str(error)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
def test_truncated(kind, part):
    noise = Image.effect_noise((200, 150), 60).convert("RGB")
    data = encoded(noise, kind)
    error = refusal(data[: max(24, int(len(data) * part))])
    assert error.kind == "damaged" and "send it again" in str(error)


CONTAINERS = [b"RIFF\x20\0\0\0WEBPVP8X", b"\0\0\0\x18ftypavif", b"\0\0\0\x18ftypheic"]
SMALL = [encoded(scene(40, 30), kind) for kind in KINDS]
SMALL += [encoded(scene(40, 30), "JPEG", progressive=True), encoded(transparent_scene("RGB").quantize(9), "PNG")]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SMALL), st.data())
def test_damage_of_any_kind_is_a_photo_error_or_nothing(data, draw):
    data = bytearray(data)
    for _ in range(draw.draw(st.integers(0, 4))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    del data[draw.draw(st.integers(0, len(data))) :]
    try:
        assert read(bytes(data), max_pixels=1_000_000).jpeg
    except PhotoError as error:
        assert error.kind in ("empty", "too_large", "unsupported", "damaged")


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([*SIGNATURES, *CONTAINERS]), st.binary())
def test_noise_behind_a_signature_is_a_photo_error(signature, noise):
    assert refusal(signature + noise, max_pixels=1_000_000).kind in ("too_large", "damaged")
