"""What is said of a photo: scene, text and codes, doubt, advice and cautions, in one order for every way out."""

import json

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from model.certainty import Certainty
from model.senses.codes import Code, told
from model.senses.reading import TextLine
from model.senses.senses import Findings, Senses
from model.telling import Scene, Telling, spoken_text, text_first

BOX = ((0.0, 0.0), (8.0, 0.0), (8.0, 2.0), (0.0, 2.0))
SIGN = Findings(lines=(TextLine("Platform 9", 0.99, BOX),), text_share=0.02)
SURE = Scene("A sign.", Certainty.HIGH, ("A bag.",), (), ("move",))
MOVES = "I can't tell whether anything moves."
UNSURE = Scene("A dog.", Certainty.LOW, ("A cat.", "A bear.", "A cow."), ("motion",))


def test_a_scene_with_all_that_belongs_to_it():
    assert spoken_text(SURE, "en") == "A sign. Do not rely on it alone to walk or to cross."
    assert spoken_text(UNSURE, "en") == (
        "I cannot tell what this is. It could be: A dog. Or: A cat. Or: A bear. I can't tell whether anything moves."
    )
    assert spoken_text(UNSURE, "id").startswith("Saya tidak tahu ini gambar apa. Bisa jadi: A dog. Atau: A cat.")


def test_short_says_no_other_possibilities_but_keeps_doubt():
    told = spoken_text(UNSURE, "en", SIGN, Telling(detail="short"))
    assert told == "It says: 'Platform 9'. I cannot tell what this is. It could be: A dog. " + MOVES


@pytest.mark.parametrize(
    "order, share, begins",
    [("auto", 0.02, "A sign."), ("auto", 0.5, "It says"), ("text", 0.02, "It says"), ("scene", 0.5, "A sign.")],
)
def test_the_text_comes_first_where_it_fills_the_photo_or_is_asked_for(order, share, begins):
    found = Findings(lines=SIGN.lines, text_share=share)
    assert text_first(found, order, Certainty.HIGH) == (begins == "It says")
    assert text_first(found, order, Certainty.LOW) == (order != "scene")
    told = spoken_text(SURE, "en", found, Telling(order))
    assert told.startswith(begins) and "'Platform 9'" in told and told.endswith("to cross.")


def test_what_failed_is_named():
    assert spoken_text(SURE, "en", Findings(failed=("text",))) == (
        "A sign. Text could not be looked for. Do not rely on it alone to walk or to cross."
    )


def test_findings_survive_their_json():
    photo = Image.new("RGB", (640, 320), "white")
    ImageDraw.Draw(photo).text((60, 120), "Platform 9", "black", ImageFont.load_default(60))
    found = Senses().examine(photo)
    assert [line.text for line in found.lines] == ["Platform 9"] and not found.failed
    assert set(found.timings_ms) == {"quality", "codes", "text"}
    assert Findings.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_a_code_survives_its_json():
    found = Findings(codes=(Code("web", "https://example.com", "QRCode", BOX),))
    assert Findings.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_a_wifi_password_is_not_kept():
    import zxingcpp

    made = zxingcpp.create_barcode(r"WIFI:S:Home;T:WPA;P:se\;cret;;", zxingcpp.BarcodeFormat.QRCode)
    picture = Image.fromarray(np.array(made.to_image(scale=8))).convert("RGB")
    (code,) = Senses().examine(picture).codes
    assert code.kind == "wifi" and "cret" not in code.content and "Home" in told(code, "en")


def test_nothing_is_read_unless_asked_for():
    found = Senses().examine(Image.fromarray(np.full((64, 64, 3), 90, np.uint8)), read=False)
    assert found.quality and set(found.timings_ms) == {"quality"}


def test_a_sense_that_fails_costs_no_other(monkeypatch):
    senses = Senses()
    monkeypatch.setattr(senses._reader, "read", lambda photo: 1 / 0)
    found = senses.examine(Image.new("RGB", (64, 64), "red"))
    assert found.failed == ("text",) and found.quality and found.lines == ()
