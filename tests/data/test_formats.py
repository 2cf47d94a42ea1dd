"""What is particular to one format."""

import json

import pytest

from data.datasets import CaptionText, DatasetError, read_dataset


def test_flickr8k_splits_come_from_its_lists(new_set):
    flickr = new_set("flickr8k", photos=4)
    for split, name in (("train", "p0.jpg"), ("dev", "p1.jpg"), ("test", "p2.jpg")):
        (flickr.folder / f"Flickr_8k.{split}Images.txt").write_text(name + "\n")
    found = read_dataset(flickr.folder)
    assert {example.id: example.split for example in found} == {
        "p0.jpg": "train",
        "p1.jpg": "dev",
        "p2.jpg": "test",
        "p3.jpg": "train",  # in no list
    }


def test_flickr8k_translation_joins_its_photo(new_set):
    flickr = new_set("flickr8k")
    flickr.add_caption("p1.jpg", "said  once more ", number=1)
    (flickr.folder / "Flickr8k.token.id.txt").write_text("p1.jpg#0\tsebuah benda\n", "utf-8")
    found = {example.id: example.captions for example in read_dataset(flickr.folder)}
    assert found["p1.jpg"] == (
        CaptionText("a thing, number 1"),
        CaptionText("said once more"),
        CaptionText("sebuah benda", "id"),
    )
    assert {len(found[name]) for name in ("p0.jpg", "p2.jpg")} == {1}


def test_flickr8k_captions_of_the_photo_that_was_never_released(new_set):
    flickr = new_set("flickr8k")
    flickr.add_caption("2258277193_586949ec62.jpg.1", "people on a street")
    found = read_dataset(flickr.folder)
    assert len(found) == 3 and found.skipped == 0


def test_flickr8k_name_in_two_lists(new_set):
    flickr = new_set("flickr8k")
    (flickr.folder / "Flickr_8k.trainImages.txt").write_text("p0.jpg\np1.jpg\n")
    (flickr.folder / "Flickr_8k.testImages.txt").write_text("p1.jpg\n")
    with pytest.raises(DatasetError, match=r"testImages.txt:1: p1.jpg is also at .*trainImages.txt:2; keep it in one"):
        read_dataset(flickr.folder)


def test_flickr8k_list_names_a_photo_without_captions_and_nothing(new_set):
    flickr = new_set("flickr8k")
    (flickr.folder / "Flickr_8k.devImages.txt").write_text("p0.jpg\np7.jpg\n../p1.jpg\n")
    with pytest.raises(DatasetError, match=r"devImages.txt:3: '../p1.jpg' is not a photo's name"):
        read_dataset(flickr.folder)
    left = read_dataset(flickr.folder, skip_bad=True)
    assert len(left) == 3 and left.skipped == 2
    assert left.problems[1].sentence.startswith(f"{flickr.folder}/Flickr_8k.devImages.txt:2: p7.jpg has no caption")


def test_flickr8k_list_missing(new_set):
    flickr = new_set("flickr8k")
    (flickr.folder / "Flickr_8k.devImages.txt").unlink()
    with pytest.raises(DatasetError, match=r"Flickr_8k.devImages.txt: the split list is missing; put"):
        read_dataset(flickr.folder)


def test_public_space_table_has_any_number_of_captions_and_a_translation(new_set):
    table = new_set("public-space")
    table.add_caption("p0.jpg", 'careful, "wet floor" ahead')
    (table.folder / "captions.id.csv").write_text("\ufeffImage,Caption\r\np0.jpg,hati-hati\r\n", "utf-8")
    found = read_dataset(table.folder)
    assert found.examples[0].captions == (
        CaptionText("a thing, number 0", "en", "guide"),
        CaptionText('careful, "wet floor" ahead', "en", "guide"),
        CaptionText("hati-hati", "id", "guide"),
    )


def test_public_space_photos_beside_the_table_and_table_by_its_path(new_set):
    table = new_set("public-space")
    table.photo_path("p0.jpg").rename(table.folder / "p0.jpg")
    renamed = table.file.rename(table.folder / "station.csv")
    found = read_dataset(renamed)
    assert [example.path for example in found] == [
        table.folder / "p0.jpg",
        *map(table.photo_path, ("p1.jpg", "p2.jpg")),
    ]


def test_vizwiz_rejected_and_canned_captions_are_left_out(new_set):
    coco = new_set("coco")
    content = json.loads(coco.file.read_text())
    content["annotations"][0]["is_rejected"] = True
    content["annotations"][1]["is_precanned"] = True
    content["annotations"][2] |= {"is_rejected": False, "is_precanned": False}
    content["annotations"].append({"image_id": 100, "caption": "a tin of soup"})
    coco.file.write_text(json.dumps(content))
    found = read_dataset(coco.folder)
    assert [(example.id, example.captions) for example in found] == [
        ("p0.jpg", (CaptionText("a tin of soup"),)),
        ("p2.jpg", (CaptionText("a thing, number 2"),)),
    ]
    assert found.skipped == 0


@pytest.mark.parametrize(
    ("names", "folders"),
    [
        (("annotations/captions_train2017.json", "annotations/captions_val2017.json"), ("train2017", "val2017")),
        (("annotations/train.json", "annotations/val.json"), ("train", "val")),
        (("train.json", "val.json"), ("images/train", "images/val")),
    ],
)
def test_coco_and_vizwiz_layouts_name_their_splits(tmp_path, photo_bytes, names, folders):
    for number, (name, folder) in enumerate(zip(names, folders, strict=True)):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / f"p{number}.jpg").write_bytes(photo_bytes(number))
        (tmp_path / name).parent.mkdir(exist_ok=True)
        content = {
            "images": [{"id": 1, "file_name": f"p{number}.jpg"}],  # ids may repeat from file to file
            "annotations": [{"image_id": 1, "caption": f"thing {number}"}],
        }
        (tmp_path / name).write_text(json.dumps(content))
    found = read_dataset(tmp_path)
    assert [(e.id, e.split, e.captions[0].text, e.path) for e in found] == [
        ("p0.jpg", "train", "thing 0", tmp_path / folders[0] / "p0.jpg"),
        ("p1.jpg", "dev", "thing 1", tmp_path / folders[1] / "p1.jpg"),
    ]
    assert len(read_dataset(tmp_path / names[1])) == 1


def test_vizwiz_test_file_without_captions(tmp_path, photo_bytes):
    (tmp_path / "a.jpg").write_bytes(photo_bytes(1))
    images = [{"id": 1, "file_name": "a.jpg"}]
    annotations = [{"image_id": 1, "caption": "a tin of soup"}]
    (tmp_path / "train.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    (tmp_path / "test.json").write_text(json.dumps({"images": images}))
    assert [example.split for example in read_dataset(tmp_path)] == ["train"]
    with pytest.raises(DatasetError, match=r"test.json:1: `images` and `annotations` are not both there"):
        read_dataset(tmp_path / "test.json")


def test_conceptual_splits_from_the_published_names(new_set):
    conceptual = new_set("conceptual", photos=1)
    table = conceptual.file.rename(conceptual.folder / "Validation_GCC-1.1.0-Validation.tsv")
    conceptual.photo_path("p0.jpg").parent.rename(table.with_suffix(""))
    assert [example.split for example in read_dataset(conceptual.folder)] == ["dev"]


def test_imagefolder_captions_by_language_and_style(tmp_path, photo_bytes):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(photo_bytes(1))
    captions = [
        {"text": "a pothole in a road", "lang": "en", "style": "caption"},
        {"text": "careful, a pothole is ahead", "lang": "en", "style": "guide"},
        {"text": "hati-hati, ada lubang di depan", "lang": "id", "style": "guide"},
        "a hole",
        {"text": "a pit", "by": "person"},
    ]
    row = {"file_name": "./images/a.jpg", "split": "val", "captions": captions, "labels": ["pothole"]}
    (tmp_path / "metadata.jsonl").write_text(json.dumps(row) + "\n\n")
    (example,) = read_dataset(tmp_path)
    assert example.id == "images/a.jpg"
    assert example.split == "dev"
    assert example.labels == ("pothole",)
    assert example.captions == (
        CaptionText("a pothole in a road"),
        CaptionText("careful, a pothole is ahead", "en", "guide"),
        CaptionText("hati-hati, ada lubang di depan", "id", "guide"),
        CaptionText("a hole"),
        CaptionText("a pit", by="person"),
    )
    assert example.details == {}


def test_imagefolder_keeps_what_the_set_says_beside_captions(new_set, photo_bytes):
    made = new_set("imagefolder", photos=0)
    details = {
        "facts": {"stairs": "up", "handrail": "none seen"},
        "state": ["door open"],
        "boxes": [{"label": "door", "box": [0.1, 0.2, 0.3, 0.4]}],
        "objects": [{"label": "bowl", "score": 0.89, "box": [0, 0, 1, 1]}],
        "text": "some",
        "source": "somebody",
    }
    made.add_photo("a.jpg", photo_bytes(1))
    made.add_line(json.dumps({"file_name": "a.jpg", "captions": ["a door"], "labels": ["door"], **details}))
    (example,) = read_dataset(made.folder)
    assert example.details == details and example.labels == ("door",)
    assert {example} == {example}  # hashable, as before


def test_imagefolder_photo_with_a_label_needs_no_caption(new_set, photo_bytes):
    made = new_set("imagefolder", photos=0)
    made.add_photo("note.jpg", photo_bytes(1))
    made.add_line(json.dumps({"file_name": "note.jpg", "split": "test", "label": "200 rupees"}))
    (example,) = read_dataset(made.folder)
    assert example.labels == ("200 rupees",) and example.captions == () and example.split == "test"


def test_imagefolder_split_folders_and_text_column(tmp_path, photo_bytes):
    rows = []
    for number, split in enumerate(("train", "validation", "test")):
        (tmp_path / split).mkdir()
        (tmp_path / split / "a.jpg").write_bytes(photo_bytes(number))
        rows.append(json.dumps({"file_name": f"{split}/a.jpg", "text": f"a photo for {split}"}))
    (tmp_path / "metadata.jsonl").write_text("\n".join(rows))
    assert [example.split for example in read_dataset(tmp_path)] == ["train", "dev", "test"]


def test_imagefolder_one_empty_caption_leaves_the_others(new_set, photo_bytes):
    folder = new_set("imagefolder", photos=0)
    folder.add_photo("a.jpg", photo_bytes(1))
    folder.add_line(json.dumps({"file_name": "a.jpg", "captions": ["a dog", " "]}))
    left = read_dataset(folder.folder, skip_bad=True)
    assert left.examples[0].captions == (CaptionText("a dog"),)
    assert left.skipped == 1
