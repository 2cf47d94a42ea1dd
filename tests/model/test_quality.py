"""What is wrong with a photo is found, and nothing where nothing is."""

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter

from model.languages.advice import ADVICE, advice
from model.senses.quality import PROBLEMS, assess
from tests.benchmarks import drawn
from tests.benchmarks.degrade import STEPS

SAMPLES = sorted((Path(__file__).resolve().parents[2] / "data/samples").glob("*.jpg"))
PHOTOS = ("astronaut", "chelsea", "coffee")
# Where captions are worth half or less, and where they are worth nothing: docs/quality.md.
FLAWS = {"darker": (7, 8), "brighter": (5, 6), "out of focus": (1, 2), "moved": (8, 12), "covered": (70, 90)}


def sample(name: str) -> Image.Image:
    with Image.open(SAMPLES[0].with_name(f"{name}.jpg")) as photo:
        return photo.convert("RGB")


@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: file.stem)
@pytest.mark.parametrize("side", [None, 224, 1600])
def test_samples_are_fine_at_any_size(file, side):
    photo = sample(file.stem)
    if side:
        photo = photo.resize((side, round(side * photo.height / photo.width)), Image.Resampling.LANCZOS)
    quality = assess(photo)
    assert (quality.problems, quality.describable, quality.doubtful) == ((), True, False)
    assert quality.kind == "photo" or (file.stem == "qr_code" and quality.kind == "page")


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("flaw", FLAWS)
def test_flaws_are_found(name, flaw):
    steps, rng = STEPS[flaw], np.random.default_rng(0)
    for value, side in zip(FLAWS[flaw], (224, 640)):
        quality = assess(steps.apply(sample(name).resize((side, side)), value, rng))
        assert steps.problem in quality.problems or "blank" in quality.problems, value


@pytest.mark.parametrize("flaw", ["out of focus", "darker"])
def test_what_is_beyond_telling_gets_no_caption(flaw):
    worst = STEPS[flaw].apply(sample("coffee"), STEPS[flaw].values[-1], np.random.default_rng(0))
    assert not assess(worst).describable
    assert assess(STEPS["darker"].apply(sample("coffee"), 6, np.random.default_rng(0))).describable  # doubted only


def test_small_pictures_are_called_so():
    assert assess(sample("coffee").resize((50, 50))).problems == ("small",)
    assert not assess(sample("coffee").resize((20, 20))).describable


@pytest.mark.parametrize("seed", range(12))
def test_blank_and_noise_show_nothing(seed):
    for picture in (drawn.blank(np.random.default_rng(seed)), drawn.noise(np.random.default_rng(seed))):
        quality = assess(picture)
        assert quality.problems[0] == "blank" and not quality.describable and quality.kind == "photo"


@pytest.mark.parametrize("colour", ["black", "white", "red", "#808080"])
def test_one_colour_is_blank(colour):
    quality = assess(Image.new("RGB", (640, 480), colour))
    assert quality.problems == (("blank", "dark") if colour == "black" else ("blank",))


def wall_with_door(fog: float = 0.0) -> Image.Image:
    picture = Image.new("RGB", (900, 1200), (238, 238, 235))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((500, 300, 800, 1199), (225, 222, 215), (150, 145, 140), 6)
    draw.ellipse((530, 760, 560, 790), (90, 90, 90))
    draw.line((0, 1150, 500, 1150), (170, 165, 160), 8)
    return Image.blend(picture, Image.new("RGB", picture.size, (205, 208, 210)), fog)


def night_with_lights() -> Image.Image:
    picture = Image.new("RGB", (1200, 900), (4, 4, 8))
    draw = ImageDraw.Draw(picture)
    rng = np.random.default_rng(0)
    for x, y in zip(rng.integers(0, 1200, 60), rng.integers(300, 800, 60)):
        draw.rectangle((x, y, x + 12, y + 16), (255, 220, 150))
    return picture.filter(ImageFilter.GaussianBlur(1))


@pytest.mark.parametrize(
    "picture",
    [
        wall_with_door(),
        wall_with_door(0.3),
        night_with_lights(),
        Image.blend(sample("camera"), Image.new("RGB", sample("camera").size, (225, 228, 232)), 0.7),  # fog
    ],
    ids=["wall", "wall in haze", "night", "fog"],
)
def test_what_is_plain_by_nature_is_described(picture):
    assert assess(picture).problems == ()


@pytest.mark.parametrize("seed", range(12))
def test_pages_and_screenshots_are_called_so(seed):
    assert assess(drawn.page(np.random.default_rng(seed))).kind == "page"
    assert assess(drawn.screenshot(np.random.default_rng(seed), sample("coffee"))).kind == "screenshot"


def test_numbers_mean_what_they_say():
    half = Image.new("RGB", (400, 400), "white")
    half.paste("black", (0, 0, 100, 400))
    quality = assess(half)
    assert quality.brightness == pytest.approx(0.75) and quality.dark_share == pytest.approx(0.25)
    assert quality.clipped_share == pytest.approx(0.75) and quality.contrast == quality.white_level == 1
    assert quality.side == 400 and quality.plain_share == pytest.approx(0.75, abs=0.05)


def test_the_worse_the_focus_the_less_the_sharpness():
    photo = sample("chelsea")
    found = [assess(photo.filter(ImageFilter.GaussianBlur(sigma))).sharpness for sigma in (0, 2, 4, 8)]
    assert found == sorted(found, reverse=True) and found[0] > 0.7 > 0.6 > found[-1]


@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_any_size_works(width, height, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    quality = assess(Image.fromarray(pixels))
    assert quality.problems == tuple(problem for problem in PROBLEMS if problem in quality.problems)
    assert ("small" in quality.problems) == (quality.side <= 56)
    shares = ("brightness", "contrast", "white_level", "dark_share", "clipped_share", "clipped_colours", "plain_share")
    assert all(0 <= getattr(quality, name) <= 1 for name in shares)


@pytest.mark.parametrize("size", [(1, 2048), (2048, 1), (2048, 3)])
def test_narrow_pictures_work(size):
    assert not assess(Image.new("RGB", size)).describable


def test_it_is_quick():
    photo = sample("chelsea").resize((2048, 1536))
    times = []
    for _ in range(5):
        start = time.process_time()
        assess(photo)
        times.append(time.process_time() - start)
    assert min(times) < 0.06  # 10 ms where nothing else runs


def test_every_problem_has_its_advice():
    assert set(ADVICE) == {"en", "id"}
    for language, texts in ADVICE.items():
        assert set(texts) == set(PROBLEMS) and len(set(texts.values())) == len(PROBLEMS)
        assert advice(PROBLEMS, language) == tuple(texts[problem] for problem in PROBLEMS)
        assert all(text.endswith(".") and text.count(".") == 2 for text in texts.values())
    assert advice(("dark",), "fr") == advice(("dark",), "en")
