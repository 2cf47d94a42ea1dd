"""Bytes of a photo -> a checked Photo: the one pipeline of service, bulk and training, so all see the same pixels."""

import hashlib
import warnings
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image, ImageChops, ImageCms, ImageFile

from model.errors import SightlineError

pillow_heif.register_heif_opener(thumbnails=False)  # once a process; AVIF comes with Pillow itself
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # `read_photo` refuses earlier than it warns

MAX_BYTES = 16 * 2**20  # of one photo
MAX_PIXELS = 50_000_000
FORMATS = "JPEG, PNG, WebP, GIF, HEIC or AVIF"
MAX_SIDE = 2048  # longest side in pixels: small print stays readable, at a quarter of 12 megapixels
DRAFT_SIDE = 1536  # a JPEG is decoded at 1/2, 1/4 or 1/8 of its size where this many pixels remain on its longest side
JPEG_QUALITY = 85
MAX_SCANS = 64  # of a progressive JPEG: cameras and encoders write 3 to 15; each costs a pass over all pixels
SRGB = ImageCms.createProfile("sRGB")
ORIENTATION = 0x0112  # EXIF tag
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIGNATURES = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"GIF87a": "GIF", b"GIF89a": "GIF"}
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
OTHERS = {  # what people send instead, to name it in the answer
    b"%PDF": "a PDF document",
    b"BM": "a BMP picture",
    b"II*\0": "a TIFF picture or a raw photo",
    b"MM\0*": "a TIFF picture or a raw photo",
    b"8BPS": "a Photoshop file",
    b"PK\3\4": "an archive or office document",
    b"\xff\x0a": "a JPEG XL picture",
    b"\0\0\0\x0cJXL ": "a JPEG XL picture",
}


class PhotoError(SightlineError):
    """A photo that cannot be used. `kind`: "empty", "too_large", "unsupported", "damaged" or "unreadable" (no file)."""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Photo:
    """A checked photo: upright, RGB in sRGB colours, at most MAX_SIDE pixels on its longest side, no metadata.

    `width` and `height` are those of `image`; `sha256` is of the bytes it came as.
    """

    image: Image.Image
    sha256: str
    width: int
    height: int

    @cached_property
    def jpeg(self) -> bytes:
        """The bytes to store: `image` as a JPEG file without any metadata, encoded on first use."""
        buffer = BytesIO()
        self.image.save(buffer, "JPEG", quality=JPEG_QUALITY)
        return buffer.getvalue()


def read_photo(data: bytes, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> Photo:
    """Check `data` by content, never by name, and decode it once; of an animation, the first frame.

    Raises PhotoError: empty; too many bytes or pixels (known from the header, before any pixel is decoded); not one of
    FORMATS; damaged.
    """
    if not data:
        raise PhotoError("empty", "The file is empty; choose a photo and try again.")
    if len(data) > max_bytes:
        most = f"{max_bytes / 2**20:.3g} MB"
        raise PhotoError("too_large", f"The photo is larger than {most}; send a smaller copy of it.")
    kind = _kind(data)
    image = _open(data, kind, max_pixels)
    if image.width * image.height > max_pixels:
        raise _too_many_pixels(max_pixels)
    if image.info.get("progressive") and data.count(b"\xff\xda") > MAX_SCANS:
        raise _damaged(kind)
    try:
        _decode(image)
        upright = _clean(image)
    except Exception as error:  # on damaged bytes readers raise what they stumble over: OSError, ValueError, ...
        raise _damaged(kind) from error
    return Photo(upright, hashlib.sha256(data).hexdigest(), upright.width, upright.height)


def open_photo(path: Path | str, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> Photo:
    """The photo in a file. Raises PhotoError."""
    try:
        with open(path, "rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise PhotoError("unreadable", f"The file cannot be read: {error.strerror}.") from None
    return read_photo(data, max_bytes=max_bytes, max_pixels=max_pixels)


def _kind(data: bytes) -> str:
    """Pillow's name of the format that `data` begins with. Raises PhotoError."""
    for signature, kind in SIGNATURES.items():
        if data.startswith(signature):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    found = "not a photo that can be read"
    if data[4:8] == b"ftyp":  # the brand box of ISO media files: major brand, version, compatible brands
        box = data[8 : min(int.from_bytes(data[:4], "big"), 512)]
        brands = {box[i : i + 4] for i in range(0, len(box), 4)}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        if brands & HEIF_BRANDS:
            return "HEIF"
        found = "a video"
    text = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith(b"<") and b"<svg" in text:
        found = "an SVG drawing"
    elif text[:512].isascii() and b"\0" not in text[:512]:
        found = "text"
    found = next((name for signature, name in OTHERS.items() if data.startswith(signature)), found)
    raise PhotoError("unsupported", f"This is {found}; send the photo as {FORMATS}.")


def _open(data: bytes, kind: str, max_pixels: int) -> ImageFile.ImageFile:
    """Read the header only."""
    try:
        return Image.open(BytesIO(data), formats=(kind,))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(max_pixels) from error
    except Exception as error:
        raise _damaged(kind) from error


def _decode(image: ImageFile.ImageFile) -> None:
    """Decode the pixels, once; a large JPEG straight to a smaller size, which its blocks of 8 x 8 waves allow."""
    longest = max(image.size)
    width, height = (max(1, side * DRAFT_SIDE // longest) for side in image.size)
    image.draft(None, (width, height))
    image.load()


def _clean(decoded: ImageFile.ImageFile) -> Image.Image:
    """Any decoded photo -> opaque, RGB, sRGB, at most MAX_SIDE, upright, and nothing beside the pixels."""
    profile, orientation = decoded.info.get("icc_profile"), _orientation(decoded)
    image = _opaque(decoded)
    longest = max(image.size)
    if longest > MAX_SIDE:
        width, height = (max(1, round(side * MAX_SIDE / longest)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.HAMMING)
    if profile:
        image = _to_srgb(image, profile)
    image = image.convert("RGB")  # always a new image, which no longer knows its file
    if orientation in UPRIGHT:
        image = image.transpose(UPRIGHT[orientation])
    image.info = {}
    return image


def _orientation(image: ImageFile.ImageFile) -> int:
    try:
        return image.getexif().get(ORIENTATION, 1)
    except Exception:  # a broken EXIF block must not cost the photo
        return 1


def _opaque(image: Image.Image) -> Image.Image:
    """Any mode -> L, RGB or CMYK; what is transparent becomes white."""
    if image.mode.startswith("I;16"):
        grey = image.point(lambda value: value * (1 / 256)).convert("L")  # a bare convert would clip at 255
        if "transparency" in image.info:
            grey.paste(255, mask=Image.fromarray(np.asarray(image) == image.info["transparency"]))
        return grey
    if image.mode == "CMYK" and image.format == "JPEG" and "adobe" not in image.info:
        return ImageChops.invert(image)  # Pillow takes every CMYK JPEG for an inverted one, as Adobe writes them
    if image.has_transparency_data:
        mode = "L" if image.mode in ("L", "LA") else "RGB"
        image = image.convert("RGBA")
        white = Image.new(mode, image.size, "white")
        white.paste(image.convert(mode), mask=image.getchannel("A"))
        return white
    if image.mode in ("L", "RGB", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _to_srgb(image: Image.Image, icc: bytes) -> Image.Image:
    """Colours by the photo's own profile -> sRGB; a profile that is broken or made for other modes is ignored."""
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(icc))
        space = profile.profile.xcolor_space.strip()
        if {"L": "GRAY"}.get(image.mode, image.mode) != space and (image.mode, space) != ("L", "RGB"):
            return image
        if ImageCms.getProfileDescription(profile).startswith("sRGB"):
            return image
        mode = "L" if space == "GRAY" else space
        flags = ImageCms.Flags.NOCACHE  # twice as fast: neighbours in a photo are seldom equal
        return ImageCms.profileToProfile(image.convert(mode), profile, SRGB, outputMode="RGB", flags=flags) or image
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image


def _too_many_pixels(max_pixels: int) -> PhotoError:
    detail = f"The photo has more than {max_pixels / 1e6:.3g} million pixels; send a smaller copy of it."
    return PhotoError("too_large", detail)


def _damaged(kind: str) -> PhotoError:
    name = {"HEIF": "HEIC", "WEBP": "WebP"}.get(kind, kind)
    detail = f"The {name} file is damaged or incomplete; send it again, or save it again as JPEG or PNG."
    return PhotoError("damaged", detail)
