"""Service, bulk and training see the same pixels of a photo."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from data.datasets import Example
from deploy.cli import main
from deploy.config import Settings
from deploy.main import create_app
from model.imaging import open_photo
from tests.helpers import OWNER, SAMPLES, visitor
from training.photos import PhotoSet


def samples() -> dict[str, bytes]:
    """A photo as cameras and programs may keep it."""
    with Image.open(SAMPLES / "zebra_crossing.jpg") as opened:
        photo = opened.convert("RGB").resize((300, 200))
    turned = Image.Exif()
    turned[0x0112] = 6
    clear = photo.copy()
    clear.putalpha(Image.linear_gradient("L").resize(photo.size))
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    made = {
        "turned.jpg": (photo, {"exif": turned}),
        "grey.png": (Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) << 8), {}),
        "clear.png": (clear, {}),
        "palette.png": (photo.quantize(16), {}),
        "cmyk.jpg": (photo.convert("CMYK"), {}),
        "profile.jpg": (photo, {"icc_profile": lab}),
        "large.jpg": (photo.resize((3000, 2000)), {"quality": 90}),
    }
    encoded = {}
    for name, (image, options) in made.items():
        buffer = BytesIO()
        image.save(buffer, "JPEG" if name.endswith("jpg") else "PNG", **options)
        encoded[name] = buffer.getvalue()
    return encoded


@pytest.mark.parametrize("name", samples())
def test_all_three_see_the_same(tmp_path, monkeypatch, describer, speaker, name):
    path = tmp_path / "photos" / name
    path.parent.mkdir()
    path.write_bytes(samples()[name])
    seen = []
    caption = describer.captioner.caption

    def watch(photos, language, style):
        seen.extend(np.asarray(photo) for photo in photos)
        return caption(photos, language, style)

    monkeypatch.setattr(describer.captioner, "caption", watch)
    app = create_app(Settings(instance=tmp_path / "instance"), describer, speaker)
    assert visitor(app, OWNER).post("/api/v1/describe", data=path.read_bytes()).status_code == 201
    app.extensions["sightline"].close()
    monkeypatch.setattr("deploy.bulk.load_describer", lambda *given: describer)
    main(["bulk", str(path.parent), "--out", str(tmp_path / "out.csv")], standalone_mode=False)
    served, bulk = seen
    assert np.array_equal(served, bulk)
    preprocess = describer.embedder.preprocess
    _, trained = PhotoSet([Example(name, path, (), "train")], preprocess, None, 0)[0, 0]
    assert np.array_equal(trained, preprocess.resize(Image.fromarray(served)))
    assert (
        open_photo(path).image.size
        == served.shape[1::-1]
        == ((200, 300) if name == "turned.jpg" else served.shape[1::-1])
    )
