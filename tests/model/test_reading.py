"""Real reading of pictures that the tests draw, and of the samples."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from model.senses.reading import DOUBTFUL_CONFIDENCE, LEAST_CONFIDENCE, TextLine, TextReader
from model.senses.reading_order import reading_order
from model.senses.reading_text import MOST_SPOKEN, reading_text, share_of_photo, spoken_reading

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"
LEFT = [
    "The library opens at nine in",
    "the morning. Readers may",
    "bring their own books and",
    "stay until five in summer.",
]
RIGHT = [
    "A new bridge is being built",
    "across the river. Work will",
    "take three years and cost",
    "forty million this time.",
]


@pytest.fixture(scope="module")
def reader():
    return TextReader()


def write(size: tuple[int, int], *texts: tuple[int, int, str, int], paper="white", ink="black") -> Image.Image:
    """Texts as (x, y, text, height in pixels)."""
    photo = Image.new("RGB", size, paper)
    draw = ImageDraw.Draw(photo)
    for x, y, text, height in texts:
        draw.text((x, y), text, font=ImageFont.load_default(height), fill=ink)
    return photo


def line(text: str, confidence: float = 1.0, box=(0, 0, 100, 20)) -> TextLine:
    left, top, right, bottom = box
    return TextLine(text, confidence, ((left, top), (right, top), (right, bottom), (left, bottom)))


def texts(lines: list[TextLine]) -> list[str]:
    return [each.text for each in lines]


SIGN = write((800, 420), (60, 50, "Platform 9", 90), (60, 190, "Exit left", 90), (60, 320, "Keluar kiri", 60))


@pytest.mark.parametrize("angle", [0, 90, 180, 270, 15, -30, 45, 100, 200])
def test_a_sign_is_read_at_any_angle(reader, angle):
    lines = reader.read(SIGN.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor="white"))
    assert texts(lines) == ["Platform 9", "Exit left", "Keluar kiri"]
    assert all(each.confidence >= DOUBTFUL_CONFIDENCE for each in lines)


def test_boxes_begin_where_the_text_begins(reader):
    first = reader.read(SIGN)[0].box
    assert np.array(first) == pytest.approx(np.array([(55, 60), (500, 60), (500, 150), (55, 150)]), abs=30)
    turned = reader.read(SIGN.rotate(180))[0].box
    assert np.array(turned) == pytest.approx(np.array([800, 420]) - np.array(first), abs=15)


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_short_numbers_alone_and_turned(reader, angle):
    lines = reader.read(write((500, 500), (150, 150, "247", 120)).rotate(angle))
    assert texts(lines) == ["247"]


def test_a_narrow_figure_is_no_lying_one(reader):
    assert texts(reader.read(write((500, 400), (200, 100, "1", 130)))) == ["1"]


@pytest.mark.parametrize("angle", [0, 90, 180])
def test_columns_below_a_heading(reader, angle):
    page = write(
        (1400, 520),
        (400, 20, "The morning news", 60),
        *((50, 140 + 80 * i, text, 40) for i, text in enumerate(LEFT)),
        *((760, 140 + 80 * i, text, 40) for i, text in enumerate(RIGHT)),
    )
    assert texts(reader.read(page.rotate(angle, expand=True))) == ["The morning news", *LEFT, *RIGHT]


def test_prices_stay_beside_their_dishes(reader):
    rows = [("Nasi goreng", "Rp 15.000"), ("Mie ayam", "12.000"), ("Kopi susu", "5rb")]
    menu = write(
        (1200, 520),
        (480, 20, "MENU", 70),
        *((80, 150 + 120 * i, dish, 50) for i, (dish, _) in enumerate(rows)),
        *((860, 150 + 120 * i, price, 50) for i, (_, price) in enumerate(rows)),
    )
    assert texts(reader.read(menu)) == ["MENU", *(cell for row in rows for cell in row)]


def test_signs_apart_are_read_from_left_to_right(reader):
    street = Image.new("RGB", (1600, 700), (120, 130, 140))
    street.paste(
        write((560, 320), (20, 20, "Exit", 110), (20, 160, "Keluar", 110), paper="navy", ink="white"), (1000, 120)
    )
    street.paste(write((540, 300), (20, 20, "Platform 9", 80), (20, 150, "Peron 9", 80)), (60, 260))
    assert texts(reader.read(street)) == ["Platform 9", "Peron 9", "Exit", "Keluar"]


def test_signs_of_money_and_measure(reader):
    found = texts(
        reader.read(write((1000, 500), (50, 50, "Rp 15.000", 70), (50, 200, "50% off", 70), (50, 350, "$4.99", 70)))
    )
    assert found == ["Rp 15.000", "50% off", "$4.99"]


def test_the_samples(reader):
    assert texts(reader.read(Image.open(SAMPLES / "platform_sign.jpg"))) == ["Platform 9", "Peron 9", "To the harbour"]
    assert "LIBRARY" in texts(reader.read(Image.open(SAMPLES / "qr_code.jpg")))
    for name in ("coffee", "brick", "grass", "chelsea", "zebra_crossing"):
        assert reader.read(Image.open(SAMPLES / f"{name}.jpg")) == []


@pytest.mark.parametrize("size", [(800, 600), (1, 1), (2048, 3), (3, 2048), (31, 31)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_nothing_is_read_where_nothing_is(reader, size, mode):
    assert reader.read(Image.new(mode, size, 128)) == []
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0]), dtype=np.uint8)
    assert reader.read(Image.fromarray(noise)) == []


def test_blurred_text_is_doubtful_or_left_out(reader):
    """What is read of it wrongly is never told as certain; that some of it is missing is not known."""
    sharp = write((900, 200), (40, 60, "Ambulance entrance 24", 60))
    outcomes = set()
    for radius in (0, 3, 5, 6, 7, 8, 9, 10, 12, 15):
        for each in reader.read(sharp.filter(ImageFilter.GaussianBlur(radius))):
            assert each.confidence >= LEAST_CONFIDENCE
            outcomes.add("doubtful" if each.is_doubtful else "certain")
            assert each.is_doubtful or each.text in "Ambulance entrance 24"
    assert "certain" in outcomes


def test_no_model_is_ever_downloaded(monkeypatch):
    def refuse(*_):
        raise AssertionError("the reader wants the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert texts(TextReader().read(SIGN))[0] == "Platform 9"


def test_importing_loads_no_model():
    modules = "{'rapidocr', 'onnxruntime', 'cv2', 'zxingcpp'}"
    code = f"import sys, model.senses.reading, model.senses.codes; print({modules} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


def test_order_is_the_same_however_the_lines_come():
    boxes = [
        line("", box=box).box for box in ((0, 0, 440, 30), (0, 50, 180, 80), (260, 50, 440, 80), (0, 85, 180, 115))
    ]
    words = ["heading over both", "left one", "right one", "left two"]
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]):
        found = reading_order([boxes[i] for i in order], [words[i] for i in order])
        assert [order[i] for i in found] == [0, 1, 3, 2]
    assert reading_order([], []) == []


def test_lines_become_one_text():
    assert reading_text([line("Platform 9"), line("exit left")]) == "Platform 9 exit left"
    assert reading_text([line("Platform 9"), line("Exit left")]) == "Platform 9, Exit left"
    assert reading_text([line("Welcome!"), line("Please ring")]) == "Welcome! Please ring"
    assert reading_text([line("more infor-"), line("mation here")]) == "more information here"
    assert reading_text([line("We met the director of the museum in"), line("Jakarta")]).endswith("museum in Jakarta")
    assert reading_text([]) == ""


def test_what_is_said():
    sure, unsure = line("Exit"), line("Ex1t", DOUBTFUL_CONFIDENCE - 0.01)
    assert spoken_reading([], "en") == ""
    assert spoken_reading([sure], "en") == "It says: 'Exit'."
    assert spoken_reading([sure], "id-ID") == "Tertulis: 'Exit'."
    assert spoken_reading([sure, unsure], "en") == "I am not sure of all of it. It says: 'Exit, Ex1t'."
    assert spoken_reading([unsure], "id") == "Saya tidak yakin. Mungkin tertulis: 'Ex1t'."
    assert spoken_reading([line("100% {}")], "en") == "It says: '100% {}'."


def test_long_text_is_cut_at_a_word():
    words = [f"kata{i}" for i in range(90)]
    spoken = spoken_reading([line(" ".join(words[i : i + 9])) for i in range(0, 90, 9)], "id")
    assert spoken.endswith("' . Masih ada lagi.".replace("' .", "'."))
    told = re.fullmatch(r"Tertulis: '(.*)'\. Masih ada lagi\.", spoken)[1]
    assert MOST_SPOKEN - 10 < len(told) <= MOST_SPOKEN and told.split()[-1] in words
    assert spoken_reading([line("x" * 999)], "en") == f"It says: '{'x' * MOST_SPOKEN}'. There is more."


def test_share_of_the_photo():
    assert share_of_photo([], (10, 10)) == 0
    assert share_of_photo([line("a", box=(0, 0, 50, 20)), line("b", box=(0, 20, 50, 40))], (100, 40)) == 0.5
    tilted = TextLine("a", 1.0, ((50, 0), (100, 50), (50, 100), (0, 50)))
    assert share_of_photo([tilted], (100, 100)) == 0.5
    assert share_of_photo([line("a", box=(0, 0, 99, 99))] * 2, (99, 99)) == 1
