"""What people wrote is found first, whatever the form of its words and numbers; what is no word is no similarity."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from deploy.library import Library
from deploy.library.words import by_words
from model.languages.words import index_terms
from model.retrieval import CANDIDATES
from tests.helpers import OWNER, SAMPLES, a_record

QUERY = np.eye(8, dtype=np.float32)[0]
ALIKE, APART = QUERY, -QUERY


@pytest.fixture
def library(tmp_path, database):
    library = Library(tmp_path / "library", database)
    yield library
    library.close()


def keep(library, embedding=None, **fields) -> str:
    """-> the id of a record that is kept."""
    if embedding is not None:
        fields["embedding"] = embedding.tobytes()
    return library.add(a_record(**fields), {"jpg": b"photo", "mp3": b"sound", "wav": b"SOUND"}).id


def found_ids(library, query: str, vector=None) -> list[str]:
    return [hit.record.id for hit in library.search.find(OWNER, query, vector, "test")]


def describe_samples(client) -> dict[str, str]:
    """By the embedded captioner. -> id by name."""
    return {
        path.stem: client.post("/api/v1/describe", data=path.read_bytes()).get_json()["id"]
        for path in sorted(SAMPLES.glob("*.jpg"))
    }


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("Rp 15.000", {"text": "Nasi goreng Rp 15.000"}),
        ("tetangga", {"user_description": "Anjing tetangga"}),
        ("platform 9", {"text": "Platform 9\nExit left"}),
        ("tetangga 9", {"user_description": "Rumah tetangga", "text": "No. 9"}),
    ],
)
def test_what_people_wrote_comes_before_likeness_and_before_a_machines_words(library, query, named):
    wanted = keep(library, APART, **named)
    for _ in range(3):  # newer, and all that a machine can be right in
        keep(library, ALIKE, description=f"A dog: {query}.")
    for vector in (QUERY, None):
        first, *others = library.search.find(OWNER, query, vector, "test")
        assert first.record.id == wanted and first.words and not first.by_similarity
        assert len(others) == 3 and all(hit.score < first.score for hit in others)


def test_what_people_wrote_is_not_lost_among_many_that_a_machine_named(library):
    """More than a search looks at, and each ranked better."""
    wanted = keep(library, user_description="Our red bus, at the end of a long and happy day by the sea in May")
    for _ in range(CANDIDATES + 5):
        keep(library, description="Red bus.")
    assert found_ids(library, "red bus")[0] == wanted
    assert by_words(library.records.engine, OWNER, "red bus", CANDIDATES).all_by_people == [library.get(wanted).number]


def test_a_machines_description_of_a_photo_with_text_stays_a_machines(library):
    told = keep(library, APART, description="A bus.", text="EXIT")
    alike = keep(library, ALIKE, description="A car.")
    assert found_ids(library, "bus", QUERY) == [alike, told]
    assert found_ids(library, "exit", QUERY) == [told, alike]
    hits = by_words(library.records.engine, OWNER, "bus", 10)
    assert (hits.all_by_people, hits.by_machine) == ([], [library.get(told).number])


def test_text_that_is_found_in_a_photo_later_is_searched(library):
    record = library.get(keep(library, user_description="The shop"))
    edited = library.edit(record, "Warung Bu Sri", None, {})
    assert found_ids(library, "warung") == [record.id] and found_ids(library, "shop") == []
    library.edit(edited, None, None, {})
    assert found_ids(library, "warung") == [] and found_ids(library, "cat") == [record.id]


@pytest.mark.parametrize(
    ("written", "queries", "words"),
    [
        ("Ibu berjalan di pasar", ("jalan", "berjalan", "menjalankan", "JALANNYA"), ("berjalan",)),
        ("Dua orang jalan", ("berjalan", "dijalani"), ("jalan",)),
        ("Bukunya di meja", ("buku", "bukuku"), ("bukunya",)),
        ("Adik membaca", ("dibacakan", "bacaan"), ("membaca",)),
        ("She walks home", ("walking", "walked", "walk"), ("walks",)),
        ("A man walking", ("walk", "walks"), ("walking",)),
        ("Running dogs", ("dog runs", "dog's run"), ("running", "dogs")),
        ("Harga Rp15,000", ("15000", "15.000", "15,000", "15.000,00"), ("15,000",)),
        ("Rp 15.000", ("Rp15000", "rp 15,000", "Rp. 15.000"), ("rp", "15.000")),
        ("Total 1500000", ("1.500.000", "Rp1,500,000"), ("1500000",)),
        ("Susu 500ml", ("500 ml", "500ML"), ("500", "ml")),
        ("Café İstanbul", ("cafe istanbul", "CAFE\u0301 İSTANBUL"), ("café", "i̇stanbul")),
    ],
)
def test_words_and_numbers_are_found_whatever_their_form(library, written, queries, words):
    """In both databases, in the owner's words, in a photo's text and in a machine's description, in either language."""
    for language in ("en", "id"):
        for field in ("user_description", "text", "description"):
            keep(library, language=language, **{"description": "Zzz."} | {field: written})
    keep(library, description="Something else in 15 of 000 places.")
    for query in queries:
        hits = library.search.find(OWNER, query, None, "test")
        assert len(hits) == 6 and {hit.words for hit in hits} == {words}, query


@pytest.mark.parametrize("query", ["the", "dan yang", "Where is it?", "foto", "yang mana", "a"])
def test_stop_words_alone_find_nothing(library, query):
    keep(library, ALIKE, user_description="The cat and the dog", text="dan yang, foto a")
    assert library.search.find(OWNER, query, QUERY, "test") == []
    assert found_ids(library, f"{query} cat", QUERY)


@pytest.mark.parametrize("symbols", ["😀", "?!", "°", "❤\ufe0f", "% 😀"])
def test_a_symbol_is_looked_up_as_it_is(library, symbols):
    older = keep(library, APART, user_description=f"Nice {symbols}")
    newer = keep(library, APART, text=f"{symbols} hot")
    keep(library, ALIKE, user_description="Nice", text="hot")
    keep(library, ALIKE, description=f"Nice {symbols}")  # of a machine, which says no such thing
    hits = library.search.find(OWNER, symbols, QUERY, "test")
    assert [hit.record.id for hit in hits] == [newer, older] and not any(hit.by_similarity for hit in hits)
    assert hits[0].words == (symbols.rstrip("\ufe0f"),)
    assert [hit.record.id for hit in library.search.find(OWNER, symbols, None, None, first=1)] == [older]


@pytest.mark.parametrize("query", ["😀", "?!", "%", "_", "/", "\\", "'", '"', "\ufe0f", " ", ""])
def test_a_symbol_that_nobody_wrote_finds_nothing(library, query):
    keep(library, ALIKE, user_description="A cat", text="15 000")
    assert library.search.find(OWNER, query, QUERY, "test") == []


def test_symbols_and_stop_words_are_never_compared_with_photos(client):
    """The embedded captioner, which has an embedding for anything."""
    made = describe_samples(client)
    client.patch(f"/api/v1/images/{made['chelsea']}", json={"user_description": "My cat 😀"})
    (found,) = client.get("/api/v1/images", query_string={"q": "😀"}).get_json()["images"]
    assert found["id"] == made["chelsea"] and found["match_reasons"] == ["says '😀'"]
    for query in ("🚀", "?!", "°", "the", "dan yang"):
        answer = client.get("/api/v1/images", query_string={"q": query}).get_json()
        assert (answer["images"], answer["message"]) == ([], "No good match."), query
    assert "“😀”" in client.get("/library", query_string={"q": "😀"}).text


def test_what_was_named_comes_before_what_looks_like_it(client):
    """The embedded captioner: the photo of a cat, and a rocket that its owner called a cat before."""
    made = describe_samples(client)
    client.patch(f"/api/v1/images/{made['rocket']}", json={"user_description": "Kucing tetanggaku"})
    for query, says in (("kucing tetangga", "says 'kucing', 'tetanggaku'"), ("kucing", "says 'kucing'")):
        images = client.get("/api/v1/images", query_string={"q": query}).get_json()["images"]
        assert images[0]["id"] == made["rocket"] and says in images[0]["match_reasons"]
    assert made["chelsea"] in [image["id"] for image in images[1:]]


def test_photos_that_look_like_nothing_here_are_not_listed(client, describer):
    """The embedded captioner, with the bound of its own space."""
    made = describe_samples(client)
    embedding = {name: client.application.extensions["sightline"].library.get(id).vector for name, id in made.items()}
    assert describer.space.least_photo_cosine > 0
    refused = 0
    for name, id in made.items():
        listed = client.get(f"/api/v1/images/{id}/similar").get_json()["images"]
        cosines = {other: float(embedding[name] @ embedding[other]) for other in made if other != name}
        alike = {made[other] for other, cosine in cosines.items() if cosine >= describer.space.least_photo_cosine}
        assert {image["id"] for image in listed} == alike
        refused += len(cosines) - len(alike)
        page = client.get(f"/photos/{id}").text
        assert ("Photos that look like it" in page) == bool(alike)
    assert refused > len(made)


def test_in_the_space_of_an_earlier_captioner_the_nearest_are_listed(app, client):
    library = app.extensions["sightline"].library
    first = keep(library, ALIKE)
    other = keep(library, APART)
    (found,) = client.get(f"/api/v1/images/{first}/similar").get_json()["images"]
    assert found["id"] == other and found["score"] == -1


def test_many_threads_stem_as_one_does():
    """Stemmers keep what they are at in themselves."""
    words = [
        f"{word}{end}" for word in ("walk", "jump", "jalan", "tulis", "run") for end in ("ing", "s", "ed", "an", "nya")
    ]
    texts = [" ".join([*words[i:], *words[:i]]) + f" x{i}" for i in range(len(words))]
    alone = [index_terms(text) for text in texts]
    index_terms.__globals__["terms_of"].cache_clear()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(index_terms, texts)) == alone
