"""Pictures that hold nothing, or only text, drawn at random: blanks, noise, printed pages, screenshots."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

WORDS = (Path(__file__).resolve().parents[2] / "data/samples/README.md").read_text(encoding="utf-8").split()


def blank(rng: np.random.Generator) -> Image.Image:
    """Black, white, one colour, or a change of light from side to side or from the middle; with or without grain."""
    width, height = (int(side) for side in rng.integers(200, 1500, 2))
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    colour, kind = rng.uniform(0, 255, 3), rng.integers(5)
    if kind == 0:
        pixels = np.zeros((height, width, 3))
    elif kind == 1:
        pixels = np.full((height, width, 3), 255.0)
    elif kind == 2:
        pixels = np.broadcast_to(colour, (height, width, 3))
    else:
        angle = rng.uniform(0, 2 * np.pi)
        along = (x * np.cos(angle) + y * np.sin(angle)) / 3 + 0.5 if kind == 3 else np.hypot(x, y) / 1.5
        other = rng.uniform(0, 255, 3)
        pixels = colour + (other - colour) * along[..., None]
    return _image(pixels + rng.normal(0, rng.choice([0, 2, 6]), (height, width, 1)))


def noise(rng: np.random.Generator) -> Image.Image:
    """Independent pixels, grey or coloured, of 10 to 80 levels or of all."""
    width, height = (int(side) for side in rng.integers(200, 900, 2))
    channels = int(rng.choice([1, 3]))
    if rng.random() < 0.3:
        pixels = rng.uniform(0, 255, (height, width, channels))
    else:
        pixels = rng.normal(rng.uniform(60, 200), rng.uniform(10, 80), (height, width, channels))
    return _image(np.repeat(pixels, 3 // channels, axis=2))


def page(rng: np.random.Generator) -> Image.Image:
    """A printed page as it is photographed: one or two columns of 14 to 55 lines, on a table or filling the picture,
    a little turned, with uneven light, grain and the losses of JPEG."""
    long = int(rng.choice([640, 1024, 1536, 2048]))
    short = int(long * rng.uniform(0.65, 0.8))
    paper = np.array([1, 1, rng.uniform(0.85, 1)]) * rng.uniform(170, 255)
    ink = (int(rng.uniform(0, 90)),) * 3
    sheet = Image.new("RGB", (short, long), tuple(paper.astype(int)))
    draw, margin = ImageDraw.Draw(sheet), int(short * rng.uniform(0.03, 0.12))
    pitch = long / rng.integers(14, 56)
    font, columns = ImageFont.load_default(pitch / rng.uniform(1.2, 1.6)), 1 if pitch > long / 30 else 2
    width = (short - margin * (columns + 1)) // columns
    for column in range(columns):
        left, top = margin + column * (width + margin), margin * rng.uniform(0.5, 2)
        while top < long - margin - pitch:
            if rng.random() > 0.08:  # else the end of a paragraph
                draw.text((left, top), _line(rng, font, width), ink, font)
            top += pitch
    if rng.random() < 0.3:
        sheet = sheet.transpose(Image.Transpose.ROTATE_90)
    table = tuple(int(value) for value in rng.uniform(20, 200, 3))
    if rng.random() < 0.5:
        edge = int(rng.uniform(0.02, 0.08) * long)
        around = Image.new("RGB", (sheet.width + 2 * edge, sheet.height + 2 * edge), table)
        around.paste(sheet, (edge, edge))
        sheet = around
    sheet = sheet.rotate(rng.normal(0, 3), Image.Resampling.BICUBIC, fillcolor=table)
    sheet = sheet.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.001) * long))
    x, y = np.meshgrid(np.linspace(-1, 1, sheet.width), np.linspace(-1, 1, sheet.height))
    light = 1 + rng.uniform(-0.2, 0.1) * x + rng.uniform(-0.2, 0.1) * y
    lit = np.asarray(sheet) * light[..., None] + rng.normal(0, rng.uniform(0, 4), (sheet.height, sheet.width, 1))
    return _jpeg(_image(lit), int(rng.integers(60, 95)))


def screenshot(rng: np.random.Generator, photo: Image.Image) -> Image.Image:
    """A telephone's or a computer's screen: a bar, then a list, a chat, settings or an article with `photo`."""
    width, height = ((945, 2048), (720, 1280), (828, 1792), (1920, 1080), (1366, 768))[rng.integers(5)]
    dark = rng.random() < 0.4
    back, ink = ((18, 20, 24), (230, 230, 230)) if dark else ((255, 255, 255), (30, 30, 34))
    if rng.random() < 0.3:
        back = tuple(int(value) for value in np.array(back) * 0.9 + rng.uniform(0, 24, 3))
    tint = tuple(int(value) for value in rng.uniform(30, 220, 3))
    shot = Image.new("RGB", (width, height), back)
    draw, unit = ImageDraw.Draw(shot), min(width, height) // 24
    large, small = ImageFont.load_default(unit), ImageFont.load_default(unit * 0.7)
    draw.rectangle((0, 0, width, unit * 4), tint)
    draw.text((unit, unit * 0.3), "9:41", (255, 255, 255), small)
    draw.text((unit, unit * 2), _line(rng, large, width // 2), (255, 255, 255), large)
    kind, top = rng.integers(4), unit * 5
    if kind == 3:
        share = int(height * rng.uniform(0.15, 0.3))
        shot.paste(photo.resize((width - 2 * unit, share)), (unit, top))
        top += share + unit
    while top < height - unit * 3:
        if kind == 0:  # a list
            draw.ellipse((unit, top, unit * 3, top + unit * 2), tuple(int(v) for v in rng.uniform(60, 230, 3)))
            draw.text((unit * 4, top), _line(rng, large, width // 2), ink, large)
            draw.text((unit * 4, top + unit * 1.2), _line(rng, small, width - unit * 6), (128, 128, 128), small)
            draw.line((unit * 4, top + unit * 2.4, width, top + unit * 2.4), (128, 128, 128))
            top += unit * 3
        elif kind == 1:  # a chat
            left = unit if rng.random() < 0.5 else width // 3
            bubble = (left, top, left + width * 0.6, top + unit * 2.5)
            draw.rounded_rectangle(bubble, unit * 0.6, tint if left > unit else (128, 132, 140))
            draw.text((left + unit, top + unit * 0.7), _line(rng, small, int(width * 0.5)), (255, 255, 255), small)
            top += unit * 3
        elif kind == 2:  # settings
            draw.text((unit, top), _line(rng, large, width // 2), ink, large)
            draw.rounded_rectangle((width - unit * 4, top, width - unit, top + unit * 1.4), unit * 0.7, tint)
            top += unit * 3
        else:
            draw.text((unit, top), _line(rng, small, width - 2 * unit), ink, small)
            top += unit * 1.1
    return shot if rng.random() < 0.5 else _jpeg(shot, int(rng.integers(75, 95)))


def _line(rng: np.random.Generator, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Words from a random place that fit into `width` pixels."""
    start, text = int(rng.integers(len(WORDS) - 40)), ""
    for word in WORDS[start : start + 40]:
        if font.getlength(f"{text} {word}") > width:
            break
        text = f"{text} {word}".strip()
    return text


def _jpeg(picture: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def _image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
