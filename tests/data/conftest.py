"""Small sets of every format, with real photos, written by the same few lines of names and captions."""

import csv
import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def jpeg(number: int) -> bytes:
    """The bytes of a small photo of its own for every number."""
    pixels = np.random.default_rng(number).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((48, 36)).save(buffer, "JPEG")
    return buffer.getvalue()


@dataclass(frozen=True)
class SmallSet:
    """A written set: `folder` to read, `file` with its captions, and one call that adds a photo."""

    kind: str
    folder: Path
    file: Path

    def photo_path(self, name: str) -> Path:
        folders = {
            "flickr8k": "Flicker8k_Dataset",
            "flickr8k-kaggle": "Images",
            "imagefolder": "",
            "public-space": "images",
            "coco": "images",
            "conceptual": "captions",
        }
        name = hashlib.sha1(url(name).encode()).hexdigest() + ".jpg" if self.kind == "conceptual" else name
        return self.folder / folders[self.kind] / name

    def add_photo(self, name: str, content: bytes) -> None:
        self.photo_path(name).parent.mkdir(parents=True, exist_ok=True)
        self.photo_path(name).write_bytes(content)

    def add_line(self, line: str) -> str:
        """Write a raw line at the end of the caption file; returns its `FILE:LINE`."""
        with self.file.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        return f"{self.file}:{len(self.file.read_text('utf-8').splitlines())}"

    def add_caption(self, name: str, text: str, number: int = 0) -> str:
        """Write a caption of one photo; returns where it stands, as an error would say."""
        if self.kind == "coco":
            content = json.loads(self.file.read_text())
            place = next((at for at, image in enumerate(content["images"]) if image["file_name"] == name), None)
            if place is None:
                place = len(content["images"])
                content["images"].append({"id": place + 100, "file_name": name})
            content["annotations"].append({"id": 7, "image_id": place + 100, "caption": text})
            self.file.write_text(json.dumps(content))
            return f"{self.file}:annotations[{len(content['annotations']) - 1}]"
        row = io.StringIO()
        csv.writer(row, lineterminator="").writerow([name, text])
        lines = {
            "flickr8k": f"{name}#{number}\t{text}",
            "flickr8k-kaggle": row.getvalue(),
            "imagefolder": json.dumps({"file_name": name, "caption": text}),
            "public-space": row.getvalue(),
            "conceptual": f"{text}\t{url(name)}",
        }
        return self.add_line(lines[self.kind])


def url(name: str) -> str:
    return f"http://photos.example/{name}"


def start_set(kind: str, folder: Path) -> SmallSet:
    """An empty set: its caption file with the header, if it has one, and its split lists."""
    folder.mkdir(parents=True)
    files = {
        "flickr8k": ("Flickr8k.token.txt", ""),
        "flickr8k-kaggle": ("captions.txt", "image,caption\n"),
        "imagefolder": ("metadata.jsonl", ""),
        "public-space": ("captions.csv", "image,caption\n"),
        "coco": ("captions.json", json.dumps({"images": [], "annotations": []})),
        "conceptual": ("captions.tsv", ""),
    }
    name, start = files[kind]
    (folder / name).write_text(start)
    if kind == "flickr8k":
        for split in ("train", "dev", "test"):
            (folder / f"Flickr_8k.{split}Images.txt").write_text("")
    return SmallSet(kind, folder, folder / name)


KINDS = ("flickr8k", "flickr8k-kaggle", "imagefolder", "public-space", "coco", "conceptual")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch) -> None:
    """A cache folder of each test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(params=KINDS)
def small_set(request, tmp_path) -> SmallSet:
    """A good set of each format in turn: three photos, a caption each."""
    return make_set(request.param, tmp_path / request.param)


@pytest.fixture
def new_set(tmp_path):
    """`new_set(kind, photos=3)` writes a good set."""
    return lambda kind, photos=3: make_set(kind, tmp_path / kind, photos)


@pytest.fixture
def photo_bytes():
    """`photo_bytes(number)`: a JPEG, the same for the same number."""
    return jpeg


def make_set(kind: str, folder: Path, photos: int = 3) -> SmallSet:
    made = start_set(kind, folder)
    for number in range(photos):
        made.add_photo(f"p{number}.jpg", jpeg(number))
        made.add_caption(f"p{number}.jpg", f"a thing, number {number}")
    return made
