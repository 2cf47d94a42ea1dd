"""Names of things: the table of ImageNet's classes, and which names are told of a photo."""

import csv
import subprocess
import sys
from collections import defaultdict

import numpy as np
import pytest

from model.senses.naming import CLASSES, FILE, LANGUAGES, Name, class_names, names_of

PEOPLE = (981, 982, 983)
WEAPONS = (413, 456, 471, 597, 657, 744, 763, 764)
OTHERS_UNSAID = (640, 903, 916, 920, 972, 978)  # manhole cover, wig, web site, traffic light, cliff, seashore
MUSHROOMS = (947, *range(991, 998))
HARMLESS_SNAKES = tuple(range(52, 61))
BREEDS = tuple(range(151, 269))


def photo(**shares: float) -> np.ndarray:
    """Probabilities with these shares: `photo(_281=0.9)` is a tabby cat at 0.9."""
    probabilities = np.zeros(CLASSES, np.float32)
    for index, share in shares.items():
        probabilities[int(index[1:])] = share
    return probabilities


def texts(probabilities: np.ndarray, language: str = "en", least: float = 0.4, least_kind: float = 0.8) -> list[str]:
    return [name.text for name in names_of(probabilities, language, least, least_kind)]


def test_the_table_has_each_class_once_and_in_order():
    with FILE.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["index", "en", "id", "kind_en", "kind_id"]
    assert [row[0] for row in rows] == [str(index) for index in range(CLASSES)]
    for row in rows:
        assert len(row) == 5 and all(cell == " ".join(cell.split()) for cell in row)
        assert all(row[1:]) or not any(row[1:])
        # Lower case but for abbreviations; no article, no synonyms
        for text in row[1:]:
            assert all(word.isupper() or word == word.lower() for word in text.split())
            assert text.split()[:1] not in (["a"], ["an"], ["the"]) and not set(text) & set(",;()/")


def test_one_name_means_one_thing_in_both_languages():
    pairs = defaultdict(set)
    for each in filter(lambda each: each.en, class_names()):
        pairs["en", each.en].add((each.id, each.kind_en))
        pairs["id", each.id].add((each.en, each.kind_id))
        pairs["kind en", each.kind_en].add(each.kind_id)
        pairs["kind id", each.kind_id].add(each.kind_en)
    assert {name: meanings for name, meanings in pairs.items() if len(meanings) > 1} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_name_that_is_a_kind_is_its_own(language):
    kinds = {each.kind(language) for each in class_names()} - {""}
    assert 60 <= len(kinds) <= 120
    for each in class_names():
        if each.name(language) in kinds:
            assert each.name(language) == each.kind(language)


@pytest.mark.parametrize(
    "index, en, indonesian",
    [
        (7, "rooster", "ayam jantan"),
        (17, "jay", "burung jay"),
        (21, "bird of prey", "burung pemangsa"),  # the kite that is a bird
        (67, "rattlesnake", "ular derik"),
        (94, "hummingbird", "burung kolibri"),
        (134, "crane bird", "burung jenjang"),
        (207, "golden retriever", "anjing golden retriever"),
        (242, "boxer dog", "anjing boxer"),
        (281, "tabby cat", "kucing belang"),
        (313, "stick insect", "belalang ranting"),
        (319, "dragonfly", "capung"),
        (465, "vest", "rompi"),  # whether it stops a bullet is not seen
        (480, "cash machine", "mesin ATM"),
        (517, "construction crane", "mesin derek"),
        (542, "drumstick", "stik drum"),
        (606, "clothes iron", "setrika"),
        (636, "shoulder bag", "tas selempang"),
        (638, "swimsuit", "baju renang"),
        (639, "swimsuit", "baju renang"),
        (673, "computer mouse", "mouse komputer"),
        (677, "nail", "paku"),
        (714, "guitar pick", "pik gitar"),
        (720, "bottle", "botol"),  # never that it holds medicine
        (726, "wood plane", "serutan kayu"),
        (737, "soda bottle", "botol soda"),
        (739, "potter's wheel", "meja putar gerabah"),
        (770, "running shoe", "sepatu lari"),
        (782, "computer monitor", "monitor komputer"),
        (806, "sock", "kaus kaki"),
        (822, "steelpan", "alat musik steelpan"),
        (862, "flaming torch", "obor"),
        (872, "tripod", "tripod"),
        (876, "tub", "bak"),
        (919, "street sign", "rambu jalan"),
        (948, "apple", "apel"),
        (967, "espresso", "espreso"),
        (998, "corn", "jagung"),
        (999, "toilet paper", "tisu toilet"),
    ],
)
def test_the_sense_that_imagenet_means(index, en, indonesian):
    assert (class_names()[index].en, class_names()[index].id) == (en, indonesian)


def test_dangers_are_not_told_apart():
    names = class_names()
    assert {names[index].en for index in MUSHROOMS} == {"mushroom"}
    assert {names[index].en for index in HARMLESS_SNAKES} == {"snake"}
    assert {names[index].kind_en for index in range(52, 69)} == {"snake"}
    assert {names[index].kind_id for index in BREEDS} == {"anjing"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("index", PEOPLE + WEAPONS + OTHERS_UNSAID)
def test_what_must_not_be_said_is_not(index, language):
    assert names_of(photo(**{f"_{index}": 1.0}), language, 0.01, 0.01) == []


def test_a_sure_name_is_told_in_the_language_asked_for():
    espresso = photo(_967=0.88, _968=0.1)
    assert texts(espresso, "en") == ["espresso"] and texts(espresso, "id") == ["espreso"]
    assert names_of(espresso, "en", 0.4, 0.8)[0].probability == pytest.approx(0.88)


def test_classes_of_one_name_are_summed():
    assert names_of(photo(_281=0.5, _282=0.25), "en", 0.7, 0.9) == [Name("tabby cat", 0.75)]


def test_a_kind_is_told_where_no_name_is_sure():
    dogs = photo(_207=0.3, _162=0.3, _242=0.25, _281=0.15)
    assert names_of(dogs, "en", 0.4, 0.8) == [Name("dog", pytest.approx(0.85))]
    assert texts(dogs, "id") == ["anjing"]
    assert texts(dogs, least_kind=0.9) == []


def test_a_person_leaves_less_for_the_rest():
    assert texts(photo(_982=0.7, _834=0.3), least=0.4, least_kind=0.4) == []


def test_at_most_two_names_the_likeliest_first():
    assert texts(photo(_954=0.2, _949=0.3, _953=0.5), least=0.2) == ["pineapple", "strawberry"]


def test_a_name_and_its_kind_are_never_told_together():
    assert texts(photo(_52=0.45, _67=0.4, _770=0.15), least=0.1) == ["snake", "running shoe"]
    assert texts(photo(_52=0.4, _67=0.45), least=0.1) == ["rattlesnake"]
    assert texts(photo(_720=0.5, _737=0.5), "id", least=0.1) == ["botol"]


def test_a_bound_is_met_by_what_equals_it():
    assert texts(photo(_967=0.9), least=0.9) == ["espresso"]
    assert texts(photo(_967=0.9), least=0.91, least_kind=0.9) == ["drink"]
    assert texts(photo(_967=0.9), least=0.91, least_kind=0.91) == []


def test_rounding_makes_no_probability_above_one():
    assert names_of(photo(_281=0.5, _282=0.5005), "en", 0.9, 0.9) == [Name("tabby cat", 1.0)]


@pytest.mark.parametrize(
    "probabilities, language, least, least_kind, message",
    [
        (np.zeros((1, CLASSES), np.float32), "en", 0.5, 0.5, "1000 probabilities"),
        (np.zeros(CLASSES + 1, np.float32), "en", 0.5, 0.5, "1000 probabilities"),
        (np.full(CLASSES, 3, np.float32), "en", 0.5, 0.5, "softmax"),
        (np.full(CLASSES, -1, np.float32), "en", 0.5, 0.5, "softmax"),
        (np.full(CLASSES, np.nan, np.float32), "en", 0.5, 0.5, "softmax"),
        (np.zeros(CLASSES, np.float32), "fr", 0.5, 0.5, "'fr'"),
        (np.zeros(CLASSES, np.float32), "en", 0.0, 0.5, "bounds"),
        (np.zeros(CLASSES, np.float32), "en", 0.5, 1.1, "bounds"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(probabilities, language, least, least_kind, message):
    with pytest.raises(ValueError, match=message):
        names_of(probabilities, language, least, least_kind)


def test_naming_needs_no_torch():
    code = "import sys, model.senses.naming as n; n.class_names(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=FILE.parents[2]).returncode == 0
