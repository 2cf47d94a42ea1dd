"""Any captioner can be added: a module, a line in the registry, and its photos are described and found again."""

import json
import sys
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from deploy.config import Settings
from deploy.main import create_app
from model import families
from model.certainty import Calibration, Certainty, Thresholds
from model.checkpoint_files import CheckpointError
from model.describe import Describer
from model.errors import UnsupportedOption
from model.families import load_captioner
from model.protocols import Caption, CaptionerInfo, EmbeddingSpace, PhotoCaptions
from tests.helpers import OWNER, SAMPLES, visitor


class ToyCaptioner:
    """Names the colour of a photo."""

    def __init__(self, confidence=None, embedder=None, calibration=None):
        self.info = CaptionerInfo("toy", "toy", ("en",), ("caption", "guide"), calibration=calibration)
        self.embedder, self._confidence = embedder, confidence

    def caption(self, photos, language, style):
        names = ["a red square" if photo.getpixel((0, 0))[0] > 128 else "a black square" for photo in photos]
        return [PhotoCaptions((Caption(name, self._confidence), Caption("a shape"))) for name in names]


class ToyEmbedder:
    """Colours as vectors; it knows two words."""

    space = EmbeddingSpace("0" * 64, "colours", 3)

    def embed_photos(self, photos):
        vectors = np.array([photo.resize((1, 1)).getpixel((0, 0)) for photo in photos], np.float32) + 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def embed_texts(self, texts):
        vectors = np.array([[1, 0, 0] if "red" in text else [0, 0, 1] for text in texts], np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """A folder of the family `toy`; call it with what its captioner has."""

    def make(**has):
        module = ModuleType("toy_family")
        module.load = lambda source, device, precision: ToyCaptioner(**has)
        monkeypatch.setitem(sys.modules, "toy_family", module)
        monkeypatch.setitem(families.FAMILIES, "toy", "toy_family")
        folder = tmp_path / "toy"
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(json.dumps({"format": 1, "family": "toy", "name": "toy"}))
        return folder

    return make


def _reddened(photo: Image.Image) -> Image.Image:
    """A photo of something, in shades of red: one of a single colour would be told as nothing to see."""
    light = photo.convert("L")
    return Image.merge("RGB", (light.point(lambda v: 129 + v // 2), *2 * (light.point(lambda v: v // 8),)))


with Image.open(SAMPLES / "camera.jpg") as opened:
    RED = _reddened(opened)


@pytest.fixture(scope="module")
def red() -> bytes:
    import io

    buffer = io.BytesIO()
    RED.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("confidence", [None, 0.7])
@pytest.mark.parametrize("embedder", [None, ToyEmbedder()])
def test_a_toy_describes_and_its_photo_is_found(toy, tmp_path, speaker, red, confidence, embedder):
    folder = toy(confidence=confidence, embedder=embedder)
    app = create_app(Settings(instance=tmp_path / "instance", model=folder), speaker=speaker)
    client = visitor(app, OWNER)
    made = client.post("/api/v1/describe", data=red)
    assert made.status_code == 201, made.get_json(force=True)
    told = made.get_json()
    assert (told["caption"], told["confidence"], told["model"]) == ("a red square", confidence, "toy")
    assert told["certainty"] == "unknown"  # nobody measured it
    assert told["spoken_text"] == "How often this is right was not measured. It could be: A red square."
    (found,) = client.get("/api/v1/images?q=red+square").get_json()["images"]
    assert found["id"] == told["id"]
    record = app.extensions["sightline"].library.get(told["id"])
    own = embedder is not None
    assert (record.space == "0" * 64) == own and record.embedding is not None  # else it lies in the embedded pair's
    if own:
        (found,) = client.get("/api/v1/images?q=something+red").get_json()["images"]
        assert found["match_reasons"][0] == "looks like it"
    (model,) = client.get("/api/v1/models").get_json()["models"]
    assert (model["family"], model["languages"], model["runs_elsewhere"]) == ("toy", ["en"], False)
    app.extensions["sightline"].close()


def test_without_any_embedder_photos_are_found_by_words(tmp_path, speaker, red):
    app = create_app(Settings(instance=tmp_path / "instance"), Describer(ToyCaptioner()), speaker)
    client = visitor(app, OWNER)
    told = client.post("/api/v1/describe", data=red).get_json()
    answer = client.get("/api/v1/images?q=red").get_json()
    assert [image["id"] for image in answer["images"]] == [told["id"]]
    assert answer["message"] == "The captioner is not available; only the words of descriptions were searched."
    assert client.get(f"/photos/{told['id']}").status_code == client.get("/library?q=red").status_code == 200
    assert client.get(f"/api/v1/images/{told['id']}/similar").get_json() == {"images": []}
    app.extensions["sightline"].close()


@pytest.mark.parametrize(
    "confidence, certainty",
    [(0.9, Certainty.HIGH), (0.5, Certainty.MEDIUM), (0.3, Certainty.LOW), (0.1, Certainty.NONE)],
)
def test_certainty_is_that_of_the_captioners_calibration(confidence, certainty):
    calibration = Calibration({("en", "caption"): Thresholds(0.8, 0.4, 0.2)})
    described = Describer(ToyCaptioner(confidence, calibration=calibration)).describe(RED)
    assert described.certainty is certainty
    if certainty is Certainty.NONE:
        assert described.caption is None and described.alternatives == () and described.cautions == ()
        assert described.text == described.spoken == "I cannot tell what this is."
    else:
        assert described.caption.text == "a red square"
        # Nobody else says that it is red.
        said = "A square." if certainty in (Certainty.MEDIUM, Certainty.LOW) else "A red square."
        assert described.text == said and said in described.spoken
    guide = Describer(ToyCaptioner(confidence, calibration=calibration)).describe(RED, "en", "guide")
    assert guide.certainty is Certainty.UNKNOWN and guide.spoken.endswith(
        "Do not rely on it alone to walk or to cross."
    )


class Promiser(ToyCaptioner):
    def __init__(self, *texts):
        super().__init__(0.9)
        self.texts = texts

    def caption(self, photos, language, style):
        return [PhotoCaptions(tuple(Caption(text, 0.9) for text in self.texts))] * len(photos)


@pytest.mark.parametrize("style", ["caption", "guide"])
@pytest.mark.parametrize(
    "texts, kept",
    [
        (("The road is clear", "a road with a tree"), "A road with a tree."),
        (("A bus stands ahead, keep to the right",), "A bus stands ahead."),
        (("The road is clear.", "you can cross now"), "I cannot tell what this is."),
        (("",), "I cannot tell what this is."),
    ],
)
def test_no_captioner_promises_or_orders(style, texts, kept):
    described = Describer(Promiser(*texts)).describe(RED, "en", style)
    assert described.text == kept
    assert (described.caption is None) == (described.certainty is Certainty.NONE) == kept.startswith("I cannot")


def test_what_a_captioner_does_not_have_is_refused_before_it_is_asked():
    describer = Describer(ToyCaptioner())
    with pytest.raises(UnsupportedOption, match="unknown language 'id'; use one of en"):
        describer.describe(RED, "id")
    with pytest.raises(UnsupportedOption, match="unknown style 'long'; use one of caption, guide"):
        describer.describe(RED, "en", "long")
    describer.captioner.info = CaptionerInfo("toy", "toy", ("fr",), ("guide",))
    with pytest.raises(UnsupportedOption, match="guides are given in en and id only, not in 'fr'"):
        describer.describe(RED, "fr", "guide")


def test_an_unknown_family_is_one_sentence(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"format": 1, "family": "oracle", "name": "x"}))
    with pytest.raises(CheckpointError, match=r"is of the family 'oracle'; this version knows clipcap$"):
        load_captioner(tmp_path)


def test_a_changed_captioner_still_finds_old_photos_in_the_same_space(tmp_path, speaker, red):
    """Who captioned and where a photo lies are two things."""
    settings = Settings(instance=tmp_path / "instance")
    for name in ("first", "second"):
        captioner = ToyCaptioner(embedder=ToyEmbedder())
        captioner.info = CaptionerInfo(name, "toy", ("en",), ("caption",))
        app = create_app(settings, Describer(captioner), speaker)
        client = visitor(app, OWNER)
        if name == "first":
            told = client.post("/api/v1/describe", data=red).get_json()
        answer = client.get("/api/v1/images?q=the+colour+red").get_json()
        assert [image["id"] for image in answer["images"]] == [told["id"]] and answer["message"] is None
        app.extensions["sightline"].close()
