"""`python -m tests.benchmarks.reading --data FOLDER`: how well text and codes are read, the tables of docs/reading.md.

FOLDER: photos with their words and quadrangles (ICDAR 2015, incidental text) and pictures of codes with what they hold,
in `metadata.jsonl`. The rendered signs are drawn here. Times are processor time, which other work on the machine does
not change.
"""

import json
import re
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from pathlib import Path

import click
import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import model.senses.reading as reading
from deploy.speech import Speaker
from model.imaging import read_photo
from model.languages.ear import for_ear
from model.senses.codes import MOST_CHARACTERS, find_codes
from model.senses.payloads import clean_content
from model.senses.reading import TextLine, TextReader

SENTENCES = (
    "The library opens at nine in the morning",
    "Harap antre di sebelah kiri pintu masuk",
    "Platform 9 to the harbour, exit left",
    "Dilarang parkir di depan gerbang ini",
    "Coffee 4.50 and tea 3.20 until 11 am",
    "Diskon 50% untuk semua minuman dingin",
)
ANGLES = (0, 10, 20, 30, 45, 60, 90, 135, 180, 270)
CONTRASTS = (255, 64, 32, 16, 8)  # levels of 255 between ink and paper
HEIGHTS = (40, 24, 16, 12, 10, 8)  # of the letters, pixels of a photo of 2048 x 1536
WRITTEN = (
    ("id", "Rp 15.000"),
    ("en", "Rp 15.000"),
    ("id", "24 °C"),
    ("en", "3/4"),
    ("en", "$4.99"),
    ("en", "8991234567890"),
    ("en", "= " * 100),
    ("en", "😀" * 100),
)
Row = dict


def rows_with(data: Path, key: str) -> list[Row]:
    lines = (data / "metadata.jsonl").read_text("utf-8").splitlines()
    return [row for row in map(json.loads, lines) if key in row]


def normal(word: str) -> str:
    """Letters and digits only; case and accents of the labels are not even."""
    return re.sub(r"[\W_]+", "", word.casefold())


def count_words(row: Row, lines: list[TextLine]) -> tuple[int, int, int, int]:
    """-> (labelled words, found, words said, of these not labelled there). A word is found where the line over the
    middle of its quadrangle has it; words of lines over unreadable quadrangles are not counted as wrong."""
    labels = [(word["text"], np.array(word["quad"], float).reshape(4, 2).mean(0)) for word in row["words"]]
    wanted = sum(text is not None for text, _ in labels)
    found = said = wrong = 0
    for line in lines:
        box = np.array(line.box, np.float32)
        inside = [text for text, middle in labels if cv2.pointPolygonTest(box, tuple(map(float, middle)), False) >= 0]
        expected = [normal(text) for text in inside if text is not None]
        for word in filter(None, map(normal, line.text.split())):
            if word in expected:
                expected.remove(word)
                found += 1
            elif None in inside:
                continue
            else:
                wrong += 1
            said += 1
    return wanted, found, said, wrong


def word_table(photos: list[tuple[Row, list[TextLine]]]) -> Iterator[tuple]:
    for kept, keep in (
        ("certain", lambda line: not line.is_doubtful),
        ("doubtful", lambda line: line.is_doubtful),
        ("all that is told", lambda line: True),
    ):
        counts = [count_words(row, [line for line in lines if keep(line)]) for row, lines in photos]
        wanted, found, said, wrong = map(sum, zip(*counts))
        yield kept, f"{found} of {wanted}", f"{found / wanted:.3f}", f"{found} of {said}", f"{found / max(1, said):.3f}"


def sign(height: int, contrast: int = 255, size: tuple[int, int] = (2048, 1536), texts=SENTENCES) -> Image.Image:
    photo = Image.new("RGB", size, (255, 255, 255))
    draw = ImageDraw.Draw(photo)
    font = ImageFont.load_default(height * 1.4)  # letters are about 0.7 of the size of their font
    for i, text in enumerate(texts):
        draw.text((size[0] // 5, size[1] // 6 + i * 2.5 * height), text, font=font, fill=(255 - contrast,) * 3)
    return photo


def columns() -> Image.Image:
    photo = Image.new("RGB", (2048, 1536), "white")
    for i in (0, 1):
        photo.paste(sign(24, size=(900, 700), texts=SENTENCES[3 * i : 3 * i + 3]), (100 + 950 * i, 200))
    return photo


def character_error_rate(lines: list[TextLine], wanted: Iterable[str]) -> float:
    """Levenshtein distance of the whole text in order, by its length."""
    said, wanted = " ".join(line.text for line in lines), " ".join(wanted)
    row = list(range(len(said) + 1))
    for i, letter in enumerate(wanted, 1):
        previous, row[0] = row[0], i
        for j, other in enumerate(said, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (letter != other))
    return row[-1] / len(wanted)


def sign_table(reader: TextReader) -> Iterator[tuple]:
    pictures = [(f"turned by {angle}°", sign(40).rotate(angle, Image.Resampling.BICUBIC, True, fillcolor="white"))
                for angle in ANGLES]  # fmt: skip
    pictures += [(f"contrast {contrast} of 255", sign(40, contrast)) for contrast in CONTRASTS]
    pictures += [(f"letters {height} pixels high", sign(height)) for height in HEIGHTS]
    pictures += [("two columns", columns())]
    for name, picture in pictures:
        lines = reader.read(picture)
        certain = [line for line in lines if not line.is_doubtful]
        wrong = sum(line.text not in SENTENCES for line in certain)
        yield name, f"{character_error_rate(lines, SENTENCES):.3f}", len(lines), len(certain), wrong


def code_table(data: Path) -> Iterator[tuple]:
    """Pictures by kind of code: right, nothing found, something else."""
    kinds: dict[str, list[str]] = {}
    for row in rows_with(data, "code"):
        with Image.open(data / row["file_name"]) as file:
            contents = [code.content for code in find_codes(file.convert("RGB"))]
        right = clean_content(row["code"]["text"], MOST_CHARACTERS) in contents
        kinds.setdefault(row["code"]["format"], []).append("right" if right else "other" if contents else "none")
    kinds["all"] = [outcome for outcomes in kinds.values() for outcome in outcomes]
    for kind, outcomes in sorted(kinds.items(), key=lambda item: (item[0] == "all", item[0])):
        yield kind, len(outcomes), *(outcomes.count(each) for each in ("right", "none", "other"))


def milliseconds(call: Callable, argument) -> tuple[float, list]:
    start = time.process_time()
    answer = call(argument)
    return 1000 * (time.process_time() - start), answer


def upload(path: Path) -> bytes:
    """A photo enlarged to the 4000 pixels of a phone's, with bars above and below that make it 4000 x 3000."""
    large = Image.new("RGB", (4000, 3000), "grey")
    with Image.open(path) as file:
        large.paste(
            file.convert("RGB").resize((4000, 4000 * file.height // file.width), Image.Resampling.BICUBIC), (0, 375)
        )
    buffer = BytesIO()
    large.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def time_table(reader: TextReader, data: Path, count: int) -> Iterator[tuple]:
    text, codes, lines = [], [], []
    reader.read(sign(40))  # loads the models
    for row in rows_with(data, "words")[:count]:
        photo = read_photo(upload(data / row["file_name"])).image
        took, found = milliseconds(reader.read, photo)
        text.append(took)
        lines.append(len(found))
        codes.append(milliseconds(find_codes, photo)[0])
    page = sign(18, size=(1536, 2048), texts=tuple(f"{a}. {b}." for a in SENTENCES for b in SENTENCES))
    took, found = milliseconds(reader.read, page)
    for name, values in (
        ("text", text),
        ("lines of text", lines),
        ("codes", codes),
        (f"a page with {len(found)} long lines", [took]),
    ):
        yield name, f"{statistics.median(values):.0f}", f"{max(values):.0f}"


def ear_table() -> Iterator[tuple]:
    speaker = Speaker(timeout_s=60)
    for language, written in WRITTEN:
        said = for_ear(written, language)
        seconds = (f"{speaker.speak(text, language).seconds:.2f}" for text in (written, said))
        yield language, written[:20], said, *seconds
    speaker.close()


def show(title: str, heads: tuple[str, ...], rows: Iterable[tuple]) -> None:
    click.echo(f"\n{title}\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for row in rows:
        click.echo(f"| {' | '.join(map(str, row))} |")


def read_photos(rows: list[Row], data: Path, side: int) -> tuple[list[tuple[Row, list[TextLine]]], float]:
    """-> each row with its lines, and the milliseconds a photo."""
    reading.SETTINGS["Det.limit_side_len"] = side
    reader, photos, took = TextReader(), [], 0.0
    reader.read(sign(40))  # loads the models
    for row in rows:
        with Image.open(data / row["file_name"]) as file:
            spent, lines = milliseconds(reader.read, file.convert("RGB"))
        took += spent
        photos.append((row, lines))
    return photos, took / len(photos)


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--photos", default=100, help="How many street photos are read.", show_default=True)
@click.option("--timed", default=10, help="How many of them are timed at 12 megapixels.", show_default=True)
@click.option("--sides", help="Compare these longest sides of the detector, such as 736,960, and nothing else.")
def main(data: Path, photos: int, timed: int, sides: str | None) -> None:
    heads = ("lines", "words found", "recall", "words right", "precision")
    rows = rows_with(data, "words")[:photos]
    for side in map(int, sides.split(",")) if sides else [reading.DETECTOR_SIDE]:
        read, took = read_photos(rows, data, side)
        show(f"{len(read)} street photos, detector at {side} pixels, {took:.0f} ms a photo", heads, word_table(read))
    if sides:
        return
    show("Every second photo, from the first: the thresholds were chosen on these", heads, word_table(read[::2]))
    show("The others", heads, word_table(read[1::2]))
    reader = TextReader()
    show(
        "Rendered signs",
        ("picture", "character error rate", "lines", "certain", "certain and wrong"),
        sign_table(reader),
    )
    show("Codes", ("format", "pictures", "right", "none", "other"), code_table(data))
    show("Seconds of speech", ("language", "written", "said", "before", "after"), ear_table())
    show("Processor time, 12 megapixels", ("what", "median ms", "most ms"), time_table(reader, data, timed))


if __name__ == "__main__":
    main()
