"""`python -m training.flaws`: a set of photos that show nothing any more, and of pages, screens and bare surfaces.

Photos of other sets are darkened, blurred, overexposed or covered until nothing can be told of them; pages, screens
and surfaces are drawn. Each gets the texts of its kind, so that a captioner learns to say so instead of guessing.
Others are spoilt less, so that they can still be told, and keep their short captions: a flaw alone is no reason to
say nothing.
"""

import json
import re
from collections.abc import Callable

import click
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from model.imaging import open_photo
from training import textures
from training.corpus import Captioned, read_photos
from training.options import AT_LEAST_0, COUNT, FOLDER, TrainingCommand, data_options

SIZE = 224  # pixels a side, as most sets have them

# Kind -> language -> style -> ways of saying it.
TEXTS: dict[str, dict[str, dict[str, tuple[str, ...]]]] = {
    "dark": {
        "en": {
            "caption": ("too dark to see anything", "a photo that is almost black", "nothing can be seen in the dark"),
            "guide": ("it is too dark in the photo to tell what is ahead",),
        },
        "id": {
            "caption": ("terlalu gelap untuk melihat apa pun", "foto yang hampir hitam"),
            "guide": ("foto terlalu gelap, tidak terlihat apa yang ada di depan",),
        },
    },
    "bright": {
        "en": {
            "caption": ("too bright to see anything", "a photo that is almost white", "washed out by too much light"),
            "guide": ("the photo is too bright to tell what is ahead",),
        },
        "id": {
            "caption": ("terlalu terang untuk melihat apa pun", "foto yang hampir putih"),
            "guide": ("foto terlalu terang, tidak terlihat apa yang ada di depan",),
        },
    },
    "blurred": {
        "en": {
            "caption": ("too blurred to tell what this is", "a very blurred photo", "nothing but blurred colours"),
            "guide": ("the photo is too blurred to tell what is ahead",),
        },
        "id": {
            "caption": ("terlalu buram untuk dikenali", "foto yang sangat buram"),
            "guide": ("foto terlalu buram, tidak terlihat apa yang ada di depan",),
        },
    },
    "finger": {
        "en": {"caption": ("a finger covers most of the photo", "a finger in front of the camera")},
        "id": {"caption": ("jari menutupi sebagian besar foto", "jari di depan kamera")},
    },
    "page": {
        "en": {"caption": ("a page of text", "a sheet of paper with printed text", "a printed page, seen close up")},
        "id": {"caption": ("selembar halaman berisi teks", "kertas dengan teks tercetak")},
    },
    "screen": {
        "en": {"caption": ("a screen with text", "text on a screen", "a screen that shows lines of text")},
        "id": {"caption": ("layar berisi teks", "teks di layar")},
    },
    "surface": {
        "en": {"caption": ("a blank wall", "a bare surface with nothing on it", "nothing but a plain surface")},
        "id": {"caption": ("dinding kosong", "permukaan polos tanpa apa pun")},
    },
}
TEXTS |= textures.TEXTS
DEGRADED = "degraded"
DEGRADED_SHARE = 4  # times as many as of the others: they are photos of everything
SIDES = re.compile(r"\b(?:left|right|kiri|kanan|top|bottom|upper|lower|atas|bawah)\b")  # no longer where they were


def dark(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A few levels of grey, and the noise of a sensor."""
    pixels = np.asarray(photo, dtype=np.float32) * rng.uniform(0.0, 0.05)
    return _image(pixels + np.abs(rng.normal(0, rng.uniform(0.5, 6), pixels.shape)))


def bright(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    pixels = 255 - (255 - np.asarray(photo, dtype=np.float32)) * rng.uniform(0.0, 0.08)
    return _image(pixels + rng.normal(0, rng.uniform(0, 2), pixels.shape))


def blurred(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    return photo.filter(ImageFilter.GaussianBlur(rng.uniform(14, 30)))


def finger(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A blurred disc of skin over most of the photo, from a random side."""
    mask = Image.new("L", photo.size)
    angle, radius = rng.uniform(0, 2 * np.pi), rng.uniform(0.75, 1.0) * SIZE
    x, y = SIZE / 2 + 0.45 * SIZE * np.cos(angle), SIZE / 2 + 0.45 * SIZE * np.sin(angle)
    ImageDraw.Draw(mask).ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    tone = np.array([210, 150, 125]) * rng.uniform(0.25, 1.0) + rng.normal(0, 8, 3)
    skin = Image.new("RGB", photo.size, tuple(int(v) for v in tone.clip(0, 255)))
    return Image.composite(skin, photo, mask.filter(ImageFilter.GaussianBlur(12)))


def degraded(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """What people's photos suffer from, as far as the photo can still be told: badly lit, out of focus, turned."""
    how = rng.integers(4)
    pixels = np.asarray(photo, dtype=np.float32)
    if how == 0:
        return _image(pixels * rng.uniform(0.15, 0.5) + rng.normal(0, rng.uniform(0, 6), pixels.shape))
    if how == 1:
        return _image(255 - (255 - pixels) * rng.uniform(0.3, 0.6))
    if how == 2:
        return photo.filter(ImageFilter.GaussianBlur(rng.uniform(1, 3)))
    turn = Image.Transpose.ROTATE_90 if rng.random() < 0.5 else Image.Transpose.ROTATE_270
    return photo.transpose(turn)


def page(photo: Image.Image, rng: np.random.Generator, words: list[str]) -> Image.Image:
    """Printed lines on paper, a little turned, on a table of the photo's mean colour."""
    paper, ink = int(rng.uniform(190, 255)), int(rng.uniform(0, 70))
    sheet = _lines((paper, paper, int(paper * rng.uniform(0.88, 1))), (ink,) * 3, rng, words)
    table = tuple(int(v) for v in np.asarray(photo).reshape(-1, 3).mean(0))
    turned = sheet.rotate(rng.normal(0, 6), Image.Resampling.BICUBIC, fillcolor=table)
    return _shade(turned, rng)


def screen(photo: Image.Image, rng: np.random.Generator, words: list[str]) -> Image.Image:
    """Light lines on a dark screen, or the other way round, in a dark frame."""
    back = rng.uniform(0, 60, 3) if rng.random() < 0.6 else rng.uniform(200, 255, 3)
    ink = 255 - back if rng.random() < 0.7 else rng.uniform(60, 255, 3)
    shown = _lines(tuple(back.astype(int).tolist()), tuple(ink.astype(int).tolist()), rng, words)
    frame = Image.new("RGB", (SIZE, SIZE), (int(rng.uniform(5, 50)),) * 3)
    edge = int(rng.uniform(4, 30))
    frame.paste(shown.resize((SIZE - 2 * edge, SIZE - 2 * edge)), (edge, edge))
    return frame.rotate(rng.normal(0, 3), Image.Resampling.BICUBIC)


def surface(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """One colour with a slow change of light over it, and grain."""
    colour = np.asarray(photo).reshape(-1, 3)[rng.integers(SIZE * SIZE)] * 0.4 + rng.uniform(60, 200)
    pixels = np.broadcast_to(colour, (SIZE, SIZE, 3)) + rng.normal(0, rng.uniform(0, 6), (SIZE, SIZE, 1))
    return _shade(_image(pixels), rng)


SPOILT: dict[str, Callable] = {"dark": dark, "bright": bright, "blurred": blurred, "finger": finger}
DRAWN: dict[str, Callable] = {"page": page, "screen": screen}


def _image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _shade(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Light that falls off from one corner to another."""
    steps = np.linspace(-1, 1, SIZE, dtype=np.float32)
    slope = 1 + rng.uniform(0, 0.3) * (steps[:, None] * rng.uniform(-1, 1) + steps * rng.uniform(-1, 1))
    return _image(np.asarray(photo, dtype=np.float32) * slope[..., None])


def _lines(back: tuple, ink: tuple, rng: np.random.Generator, words: list[str]) -> Image.Image:
    """Lines of text in one size from a random place of their text."""
    sheet = Image.new("RGB", (SIZE, SIZE), back)
    draw, height = ImageDraw.Draw(sheet), int(rng.uniform(7, 26))
    font, left = ImageFont.load_default(height), int(rng.uniform(-10, 30))
    for top in range(int(rng.uniform(-5, 40)), SIZE, int(height * rng.uniform(1.2, 1.7))):
        if rng.random() < 0.9:  # else the end of a paragraph
            begin = rng.integers(max(1, len(words) - 12))
            draw.text((left, top), " ".join(words[begin : begin + int(rng.uniform(2, 12))]), ink, font)
    return sheet


def make(kind: str, photo: Captioned, rng: np.random.Generator, words: list[str]) -> Image.Image:
    """One picture of a kind, from a photo."""
    opened = open_photo(photo.example.path).image.resize((SIZE, SIZE))
    if kind in DRAWN:
        return DRAWN[kind](opened, rng, words)
    if kind in textures.DRAWN:
        return textures.DRAWN[kind](SIZE, rng)
    return (SPOILT | {"surface": surface, DEGRADED: degraded})[kind](opened, rng)


def captions_of(kind: str, photo: Captioned) -> list[dict[str, str]]:
    """The texts of the kind, or the photo's own short ones as far as they name no side."""
    if kind == DEGRADED:
        kept = [s for s in photo.sentences if s.style == "caption" and not SIDES.search(s.text)]
        return [{"text": s.text, "lang": s.language, "style": s.style} for s in kept]
    return [
        {"text": text, "lang": language, "style": style}
        for language, styles in TEXTS[kind].items()
        for style, texts in styles.items()
        for text in texts
    ]


@click.command(cls=TrainingCommand)
@data_options
@click.option("--each", type=COUNT, default=100, show_default=True, help="Pictures of a kind, a tenth of them for dev.")
@click.option("--seed", type=AT_LEAST_0, default=0, show_default=True)
@click.option("--out", type=FOLDER, required=True, help="Folder of the new set.")
def main(folders, skip_bad, each, seed, out) -> None:
    """Make an imagefolder set OUT from training and dev photos of the --data folders."""
    splits = read_photos(folders, skip_bad=skip_bad)
    words = " ".join(s.text for photo in splits["train"][::50] for s in photo.sentences).split()
    (out / "images").mkdir(parents=True, exist_ok=True)
    rows = []
    for number, kind in enumerate((*TEXTS, DEGRADED)):
        for i in range(each * (DEGRADED_SHARE if kind == DEGRADED else 1)):
            rng = np.random.default_rng((seed, number, i))
            split = "dev" if i % 10 == 9 else "train"
            photo = splits[split][rng.integers(len(splits[split]))]
            captions = captions_of(kind, photo)
            if not captions:
                continue
            name = f"images/{kind}_{i:04d}.jpg"
            make(kind, photo, rng, words).save(out / name, quality=90)
            rows.append({"file_name": name, "split": split, "captions": captions, "labels": [kind]})
    (out / "metadata.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    click.echo(f"Made {len(rows)} pictures of {len(TEXTS) + 1} kinds in {out}")


if __name__ == "__main__":
    main()
