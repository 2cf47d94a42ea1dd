"""No photo is in two splits: not by row, not by name, not by copy, not across sets."""

from collections import Counter, defaultdict

import pytest

from data.datasets import DatasetError, check_splits, read_dataset, read_datasets
from data.splits import choose_split

OURS = ("flickr8k-kaggle", "public-space", "imagefolder", "coco", "conceptual")


@pytest.mark.parametrize("kind", OURS)
def test_no_photo_is_in_two_splits(new_set, photo_bytes, kind):
    """Forty photos, each in the set twice under two names, and with two captions a name where the format has such."""
    made = new_set(kind, photos=40)
    for number in range(40):
        made.add_photo(f"copy{number}.jpg", photo_bytes(number))
        made.add_caption(f"copy{number}.jpg", f"once more, number {number}")
    if kind in ("flickr8k-kaggle", "public-space", "coco"):
        for number in range(40):
            made.add_caption(f"p{number}.jpg", "a second caption, far from the first")
    for seed in range(3):
        found = read_dataset(made.folder, seed=seed)
        splits = defaultdict(set)
        for example in found:
            splits[example.path.read_bytes()].add(example.split)
        assert len(found) == len({example.id for example in found}) == 80
        assert len(splits) == 40
        assert {len(split) for split in splits.values()} == {1}
        assert {example.split for example in found} == {"train", "dev", "test"}
        check_splits(found)


@pytest.mark.parametrize("kind", OURS)
def test_adding_photos_and_names_moves_no_other(new_set, photo_bytes, kind):
    made = new_set(kind, photos=30)
    before = {example.path.read_bytes(): example.split for example in read_dataset(made.folder)}
    for number in range(100, 130):
        made.add_photo(f"a{number}.jpg", photo_bytes(number))
        made.add_caption(f"a{number}.jpg", "a new one")
    after = {example.path.read_bytes(): example.split for example in read_dataset(made.folder)}
    assert len(after) == 60
    assert {photo: after[photo] for photo in before} == before


def test_same_photos_in_two_formats_are_in_the_same_splits(new_set):
    """So a photo of one set cannot be tested on after it was trained on through another."""
    one, two = new_set("flickr8k-kaggle", photos=30), new_set("public-space", photos=30)
    sets = read_datasets([one.folder, two.folder], seed=3)
    assert [example.split for example in sets[0]] == [example.split for example in sets[1]]
    assert len({example.split for example in sets[0]}) > 1


def test_shares_and_seed():
    splits = [choose_split(f"photo {number}") for number in range(20_000)]
    counts = Counter(splits)
    assert counts["dev"] == pytest.approx(2000, rel=0.1)
    assert counts["test"] == pytest.approx(2000, rel=0.1)
    assert splits == [choose_split(f"photo {number}") for number in range(20_000)]
    assert splits != [choose_split(f"photo {number}", seed=1) for number in range(20_000)]


@pytest.fixture
def crossing_flickr8k(new_set, photo_bytes):
    """Flickr8k with the same photo in its training and its test list, under two names."""
    flickr = new_set("flickr8k")
    flickr.add_photo("copy.jpg", photo_bytes(1))
    flickr.add_caption("copy.jpg", "the same thing")
    (flickr.folder / "Flickr_8k.trainImages.txt").write_text("p0.jpg\np1.jpg\n")
    (flickr.folder / "Flickr_8k.testImages.txt").write_text("copy.jpg\np2.jpg\n")
    return flickr


def test_copy_in_two_given_lists_is_refused(crossing_flickr8k):
    with pytest.raises(
        DatasetError, match=r"token.txt:2: p1.jpg is marked train, but it is the same photo as copy.jpg"
    ):
        read_dataset(crossing_flickr8k.folder)


def test_copy_in_two_given_lists_stays_where_it_is_measured(crossing_flickr8k):
    left = read_dataset(crossing_flickr8k.folder, skip_bad=True)
    assert {example.id: example.split for example in left} == {"p0.jpg": "train", "copy.jpg": "test", "p2.jpg": "test"}
    assert "skipped 1: 1 photo in two splits" in left.report
    check_splits(left)


def test_copy_of_a_photo_with_a_given_split_follows_it(new_set, photo_bytes):
    made = new_set("imagefolder", photos=0)
    for number in range(20):
        for name in (f"a{number}.jpg", f"b{number}.jpg"):
            made.add_photo(name, photo_bytes(number))
        made.add_line(f'{{"file_name": "a{number}.jpg", "caption": "a thing"}}')
        made.add_line(f'{{"file_name": "b{number}.jpg", "caption": "a thing", "split": "dev"}}')
    assert {example.split for example in read_dataset(made.folder)} == {"dev"}


def test_copy_in_two_splits_across_sets_is_refused(new_set):
    flickr, table = new_set("flickr8k"), new_set("public-space")
    (flickr.folder / "Flickr_8k.trainImages.txt").write_text("p0.jpg\np1.jpg\np2.jpg\n")
    tested = read_dataset(table.folder, split="test")
    assert {example.split for example in tested} == {"test"}
    with pytest.raises(
        DatasetError, match=r"marked test, but .*p0.jpg has the same bytes and is marked train; put both"
    ):
        check_splits([*read_dataset(flickr.folder), *tested])


def test_split_cannot_be_forced_on_a_set_with_its_own(new_set):
    flickr = new_set("flickr8k")
    with pytest.raises(DatasetError, match="says itself which photo is train; leave the split out"):
        read_dataset(flickr.folder, split="train")
    with pytest.raises(DatasetError, match="no split called 'exam'; choose one of train, dev, test"):
        read_dataset(flickr.folder, split="exam")
