"""What every format has in common: examples, and each thing that can be wrong with a set."""

import json

import pytest
from PIL import Image

from data.datasets import DatasetError, read_dataset


def assert_refused_and_skippable(small_set, kind: str, where: str, *words: str) -> None:
    """Refused at `where` in one sentence; with skip_bad the three good photos are left and one thing is counted."""
    with pytest.raises(DatasetError) as refused:
        read_dataset(small_set.folder)
    sentence = str(refused.value)
    assert sentence.startswith(f"{where}: ")
    assert "; " in sentence and "\n" not in sentence and "--skip-bad" in sentence
    assert len(sentence) < 500 + 3 * len(str(small_set.folder))
    for word in words:
        assert word in sentence
    left = read_dataset(small_set.folder, skip_bad=True)
    assert len(left) == 3
    assert left.skipped == 1
    assert f"skipped 1: 1 {kind} (first: {where}: " in left.report
    assert "\n" not in left.report


def test_every_format_is_recognised_and_read(small_set):
    found = read_dataset(small_set.folder)
    assert found.kind == small_set.kind
    assert [example.captions[0].text for example in found] == [f"a thing, number {n}" for n in range(3)]
    assert [example.path for example in found] == [small_set.photo_path(f"p{n}.jpg") for n in range(3)]
    assert {example.captions[0].language for example in found} == {"en"}
    assert {example.captions[0].style for example in found} == {
        "guide" if small_set.kind == "public-space" else "caption"
    }
    assert found.skipped == 0
    assert found.report.endswith("3 captions; skipped 0")


def test_kind_can_be_said(small_set):
    assert len(read_dataset(small_set.folder, kind=small_set.kind)) == 3
    with pytest.raises(DatasetError, match="no kind of set called 'flickr9k'"):
        read_dataset(small_set.folder, kind="flickr9k")
    other = "coco" if small_set.kind != "coco" else "flickr8k"
    with pytest.raises(DatasetError, match=f"this is no {other} set"):
        read_dataset(small_set.folder, kind=other)


def test_missing_photo(small_set):
    where = small_set.add_caption("gone.jpg", "nobody kept this one")
    where = where.replace("annotations[3]", "images[3]")
    assert_refused_and_skippable(small_set, "missing photo", where, "is missing", str(small_set.folder))


def test_truncated_photo(small_set, photo_bytes):
    where = small_set.add_caption("cut.jpg", "half of it").replace("annotations[3]", "images[3]")
    small_set.add_photo("cut.jpg", photo_bytes(9)[:-300])
    assert_refused_and_skippable(small_set, "unreadable photo", where, "cannot be read", "truncated")
    assert len(read_dataset(small_set.folder, check_photos=False)) == 4


def test_photo_of_a_format_that_training_does_not_decode(small_set):
    where = small_set.add_caption("map.jpg", "a map").replace("annotations[3]", "images[3]")
    small_set.photo_path("map.jpg").parent.mkdir(exist_ok=True)
    Image.new("RGB", (8, 8)).save(small_set.photo_path("map.jpg"), "BMP")
    assert_refused_and_skippable(small_set, "unreadable photo", where, "it is no JPEG, PNG, WebP, GIF, HEIC or AVIF")


def test_caption_that_is_not_unicode_is_mended(new_set, photo_bytes):
    small_set = new_set("imagefolder")
    small_set.add_photo("p9.jpg", photo_bytes(9))
    small_set.add_line('{"file_name": "p9.jpg", "caption": "a \\ud800 dog"}')
    assert read_dataset(small_set.folder).examples[-1].captions[0].text == "a ? dog"


def test_text_named_jpg(small_set):
    where = small_set.add_caption("text.jpg", "words in disguise").replace("annotations[3]", "images[3]")
    small_set.add_photo("text.jpg", b"this is not a photo")
    assert_refused_and_skippable(small_set, "unreadable photo", where, "cannot be read")


def test_empty_caption(small_set, photo_bytes):
    where = small_set.add_caption("mute.jpg", "   ")
    small_set.add_photo("mute.jpg", photo_bytes(9))
    assert_refused_and_skippable(small_set, "empty caption", where)


@pytest.mark.parametrize("kind", ["flickr8k", "flickr8k-kaggle", "imagefolder", "public-space"])
def test_photo_outside_the_set_is_a_bad_row(new_set, photo_bytes, kind):
    small_set = new_set(kind)
    (small_set.folder.parent / "outside.jpg").write_bytes(photo_bytes(9))
    assert_refused_and_skippable(small_set, "bad row", small_set.add_caption("../outside.jpg", "not yours"))


BAD_LINES = {
    "flickr8k": [
        "p9.jpg a caption without key",
        "p9.jpg#one\ta caption",
        "#0\ta caption",
        "a/" * 4000 + "p.jpg#0\ta caption",
    ],
    "flickr8k-kaggle": ["p9.jpg", "p9.jpg,a dog, a cat", '"p9.jpg,a dog', 'p0.jpg,"a dog', ",a dog"],
    "public-space": ["p9.jpg", "p9.jpg,a dog, a cat", '"p9.jpg,a dog', 'p0.jpg,"a dog', ",a dog"],
    "imagefolder": [
        "{not json",
        "[1, 2]",
        '{"caption": "a dog"}',
        '{"file_name": 7, "caption": "a dog"}',
        '{"file_name": "p9.jpg"}',
        '{"file_name": "p9.jpg", "caption": 7}',
        '{"file_name": "p9.jpg", "captions": [{"lang": "en"}]}',
        '{"file_name": "p9.jpg", "captions": [{"text": "a dog", "lang": 7}]}',
        '{"file_name": "p9.jpg", "caption": "a dog", "split": "exam"}',
        '{"file_name": "p9.jpg", "caption": "a dog", "split": ["test"]}',
        '{"file_name": "p9.jpg", "caption": "a dog", "labels": "dog"}',
        '{"file_name": "p9.jpg", "captions": [{"text": "a dog", "by": 7}]}',
        '{"file_name": "p9.jpg", "label": 7}',
        '{"file_name": "p9.jpg", "caption": "a dog", "id": ' + "9" * 5000 + "}",
        '{"file_name": "p9.jpg", "caption": "a dog", "split": ' + "9" * 4000 + "}",
        '{"file_name": "p9.jpg", "caption": ' + "[" * 100_000,
        '{"file_name": "' + "a/" * 4000 + 'p.jpg", "caption": "a dog"}',
        '{"file_name": "' + "a" * 300 + '.jpg", "caption": "a dog"}',
        '{"file_name": "p\\u0000.jpg", "caption": "a dog"}',
        '{"file_name": "p\\ud800.jpg", "caption": "a dog"}',
    ],
    "conceptual": ["a dog", "a dog\tno address", "caption\turl", "a dog\tthere\thttp://photos.example/p9.jpg"],
}


@pytest.mark.parametrize(("kind", "line"), [(kind, line) for kind, lines in BAD_LINES.items() for line in lines])
def test_bad_row(new_set, kind, line):
    small_set = new_set(kind)
    assert_refused_and_skippable(small_set, "bad row", small_set.add_line(line))


@pytest.mark.parametrize("kind", sorted(BAD_LINES))
def test_line_that_is_not_utf8(new_set, kind):
    small_set = new_set(kind)
    lines = len(small_set.file.read_bytes().splitlines())
    with small_set.file.open("ab") as file:
        file.write("p9.jpg,un café\n".encode("latin-1"))
    assert_refused_and_skippable(small_set, "bad row", f"{small_set.file}:{lines + 1}", "UTF-8")


@pytest.mark.parametrize(
    ("entry", "where"),
    [
        ({"annotations": {"image_id": 100}}, "annotations[3]"),
        ({"annotations": {"caption": "a dog"}}, "annotations[3]"),
        ({"annotations": {"image_id": 999, "caption": "a dog"}}, "annotations[3]"),
        ({"annotations": "a dog"}, "annotations[3]"),
        ({"images": {"id": 999}}, "images[3]"),
        ({"images": {"file_name": "p9.jpg"}}, "images[3]"),
        ({"images": "p9.jpg"}, "images[3]"),
        ({"images": {"id": 999, "file_name": "../outside.jpg"}}, "images[3]"),
        ({"images": {"id": 999, "file_name": "a/" * 4000 + "p.jpg"}}, "images[3]"),
        ({"annotations": {"image_id": "9" * 5000, "caption": "a dog"}}, "annotations[3]"),
        # The captions of an image that is refused are not counted again.
        ({"images": {"id": 999}, "annotations": {"image_id": 999, "caption": "a dog"}}, "images[3]"),
    ],
)
def test_bad_coco_entry(new_set, entry, where):
    small_set = new_set("coco")
    content = json.loads(small_set.file.read_text())
    for name, value in entry.items():
        content[name].append(value)
    small_set.file.write_text(json.dumps(content))
    assert_refused_and_skippable(small_set, "bad row", f"{small_set.file}:{where}")


@pytest.mark.parametrize("kind", ["flickr8k", "imagefolder", "conceptual"])
def test_duplicate_id(new_set, kind):
    small_set = new_set(kind)
    where = small_set.add_caption("p1.jpg", "said before")
    assert_refused_and_skippable(small_set, "duplicate id", where)


@pytest.mark.parametrize("entry", [{"id": 101, "file_name": "p9.jpg"}, {"id": 109, "file_name": "p1.jpg"}])
def test_duplicate_coco_image(new_set, entry):
    small_set = new_set("coco")
    content = json.loads(small_set.file.read_text())
    content["images"].append(entry)
    small_set.file.write_text(json.dumps(content))
    assert_refused_and_skippable(small_set, "duplicate id", f"{small_set.file}:images[3]")


def test_one_file_under_two_names_is_a_duplicate(new_set):
    """In a table the same name may come often; two names of one file may not."""
    small_set = new_set("public-space")
    where = small_set.add_caption("images/p1.jpg", "said under another name")
    assert_refused_and_skippable(small_set, "duplicate id", where, "p1.jpg")


@pytest.mark.parametrize("kind", ["flickr8k-kaggle", "public-space"])
@pytest.mark.parametrize("header", ["caption,image", "photo,text", "p0.jpg,a thing", "image", ""])
def test_wrong_header(new_set, kind, header):
    small_set = new_set(kind)
    lines = small_set.file.read_text().splitlines()
    small_set.file.write_text("\n".join([header, *lines[1:]]) + "\n")
    with pytest.raises(DatasetError, match=r"captions\.(txt|csv):\d: the header is .*, not 'image,caption'; make"):
        read_dataset(small_set.folder)
    with pytest.raises(DatasetError, match=r"no photo with a caption is left .*the header is"):
        read_dataset(small_set.folder, skip_bad=True)


def test_wrong_header_of_a_translation_leaves_the_rest(new_set):
    small_set = new_set("public-space")
    translation = small_set.folder / "captions.id.csv"
    translation.write_text("gambar,teks\np0.jpg,sebuah benda\n")
    assert_refused_and_skippable(small_set, "wrong header", f"{translation}:1", "'gambar,teks'")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"images": [],\n "annotations": [}', r"captions\.json:2: this is not JSON"),
        ('{"images": [' + "9" * 5000 + "]}", r"captions\.json:1: this is not JSON \(a number has too many digits\)"),
        ("[" * 100_000, r"captions\.json:1: this is not JSON \(it is nested too deeply\)"),
        ('{"images": []}', r"captions\.json:1: `images` and `annotations` are not both there"),
        ("[]", r"captions\.json:1: `images` and `annotations` are not both there"),
    ],
)
def test_coco_file_that_is_none(new_set, content, message):
    small_set = new_set("coco")
    small_set.file.write_text(content)
    with pytest.raises(DatasetError, match=message):
        read_dataset(small_set.folder)


def test_every_problem_is_counted_in_one_line(new_set, photo_bytes):
    small_set = new_set("flickr8k-kaggle")
    small_set.add_caption("gone1.jpg", "missing")
    small_set.add_caption("gone1.jpg", "missing, too, but the same photo")
    small_set.add_caption("gone2.jpg", "missing")
    small_set.add_caption("p0.jpg", "")
    small_set.add_line("one field")
    left = read_dataset(small_set.folder, skip_bad=True)
    assert left.skipped == 4
    assert "skipped 4: 2 missing photo, 1 empty caption, 1 bad row (first: " in left.report


def test_nothing_left_nothing_there_and_nothing_known(new_set, tmp_path):
    small_set = new_set("imagefolder", photos=0)
    with pytest.raises(DatasetError, match="no photo with a caption is left of this imagefolder set"):
        read_dataset(small_set.folder)
    with pytest.raises(DatasetError, match="there is nothing here; check the path"):
        read_dataset(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no captions found; a set has Flickr8k.token.txt"):
        read_dataset(tmp_path / "empty")
