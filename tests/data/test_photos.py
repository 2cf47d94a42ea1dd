"""Photos are trained on as they are served."""

import numpy as np
import pytest
from PIL import Image

from data.photos import open_upright
from deploy.uploads import read_photo
from tests.conftest import SAMPLES


@pytest.mark.parametrize("kind", ["turned", "grey", "clear", "palette"])
def test_a_photo_is_read_as_it_is_served(tmp_path, kind):
    with Image.open(SAMPLES / "zebra_crossing.jpg") as opened:
        photo = opened.convert("RGB").resize((200, 120))
    path = tmp_path / "p.png"
    if kind == "turned":
        exif = Image.Exif()
        exif[0x0112] = 6
        photo.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)
    elif kind == "grey":
        Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) << 8).save(path)
    elif kind == "clear":
        photo.putalpha(Image.linear_gradient("L").resize(photo.size))
        photo.save(path)
    else:
        photo.quantize(16).save(path)
    served = read_photo(path.read_bytes(), max_bytes=2**24, max_pixels=10**7).image
    read = open_upright(path)
    assert read.mode == "RGB" and read.size == served.size == (200, 120)
    assert np.abs(np.asarray(read, int) - np.asarray(served, int)).max() <= 1
