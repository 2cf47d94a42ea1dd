"""Training photos vary by crop and light, never by left and right, and always the same way for a seed."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.datasets import Example
from model.clip.preprocess import MOBILENET
from training.photos import Augment, PhotoFileError, PhotoSet, photo_batches, photos_in_order


@pytest.fixture
def examples(tmp_path) -> list[Example]:
    made = []
    for i in range(7):
        ramp = np.linspace(0, 255, 90)[None, :].repeat(70, 0)  # dark at the left, light at the right
        Image.fromarray(ramp.astype(np.uint8)).convert("RGB").save(tmp_path / f"{i}.png")
        made.append(Example(str(i), Path(tmp_path / f"{i}.png"), (), "train"))
    return made


def test_left_stays_left(examples):
    photos = PhotoSet(examples, MOBILENET, Augment(area=0.3, light=0.5), seed=0)
    for epoch in range(30):
        _, pixels = photos[epoch, 0]
        assert pixels[:, :40].mean() < pixels[:, -40:].mean()


def test_seed_epoch_and_photo_decide(examples):
    photos = PhotoSet(examples, MOBILENET, Augment(), seed=0)
    again = PhotoSet(examples, MOBILENET, Augment(), seed=0)
    assert np.array_equal(photos[3, 2][1], again[3, 2][1])
    assert not np.array_equal(photos[3, 2][1], photos[4, 2][1])
    assert not np.array_equal(photos[3, 2][1], PhotoSet(examples, MOBILENET, Augment(), seed=1)[3, 2][1])


def test_batches_start_where_asked(examples):
    photos = PhotoSet(examples, MOBILENET, Augment(), seed=0)
    whole = [indices.tolist() for indices, _ in photo_batches(photos, 2, epoch=1, workers=0)]
    assert len(whole) == 3 and len(set(sum(whole, []))) == 6
    assert [i.tolist() for i, _ in photo_batches(photos, 2, epoch=1, start=1, workers=0)] == whole[1:]
    assert whole != [i.tolist() for i, _ in photo_batches(photos, 2, epoch=2, workers=0)]


def test_without_augment_the_whole_photo(examples):
    _, pixels = PhotoSet(examples, MOBILENET, None, seed=0)[0, 0]
    assert pixels[:, 0].mean() < 5 and pixels[:, -1].mean() > 250


@pytest.mark.parametrize("workers", [0, 1])
def test_photo_that_vanished_is_one_sentence(examples, workers):
    examples[4].path.unlink()
    with pytest.raises(PhotoFileError) as refused:
        list(photos_in_order(PhotoSet(examples, MOBILENET, None, seed=0), 3, workers))
    assert str(refused.value) == f"{examples[4].path}: The file cannot be read: No such file or directory."


def test_photo_larger_than_a_service_takes_is_trained_on(examples):
    Image.new("L", (8000, 6500), 200).save(examples[0].path)  # 52 million pixels
    _, pixels = PhotoSet(examples, MOBILENET, None, seed=0)[0, 0]
    assert pixels.shape == (224, 224, 3) and (pixels == 200).all()
