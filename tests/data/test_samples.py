"""The pictures that come with the project: readable, small, captioned in both languages, each with source and terms."""

import json
from pathlib import Path

from PIL import Image

from data.datasets import read_dataset

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"


def test_samples_are_a_whole_set():
    samples = read_dataset(SAMPLES)
    assert len(samples) == 12 and samples.skipped == 0
    assert {example.split for example in samples} == {"train", "dev", "test"}
    assert {example.path for example in samples} == set(SAMPLES.glob("*.jpg"))
    for example in samples:
        captioned = {(caption.language, caption.style) for caption in example.captions}
        assert {("en", "caption"), ("en", "long"), ("id", "caption")} <= captioned
        assert (("en", "guide") in captioned) == (("id", "guide") in captioned)


def test_samples_are_small_and_have_no_metadata():
    files = list(SAMPLES.iterdir())
    assert sum(file.stat().st_size for file in files) <= 600_000
    for file in SAMPLES.glob("*.jpg"):
        assert file.stat().st_size <= 60_000
        with Image.open(file) as photo:
            assert max(photo.size) <= 512
            assert photo.mode == "RGB" and photo.format == "JPEG"
            assert not photo.getexif()


def test_every_sample_has_source_and_terms():
    readme = (SAMPLES / "README.md").read_text("utf-8")
    for line in (SAMPLES / "metadata.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        assert f"`{row['file_name']}`" in readme
        assert row["source"] in ("scikit-image", "drawn for Sightline")
        assert row["licence"].startswith(("CC0", "public domain"))
