"""Photos found again: by similarity with the real captioner, by words, by time; edited, exported, purged."""

import csv
import io
import json
import zipfile
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import text

from deploy.config import Settings
from deploy.housekeeping import Housekeeper
from deploy.library import VISITOR, Library, Period
from deploy.library.vectors import _in_sql, vectors_of
from deploy.library.words import WordHits, by_words
from deploy.main import create_app
from model.retrieval import CANDIDATES
from tests.helpers import OWNER, SAMPLES, a_record, visitor

DIMENSIONS = 64


def vector(seed: int, near: np.ndarray | None = None, mixed: float = 0.0) -> np.ndarray:
    """Random, of length 1; or `near` with that much of it mixed in."""
    drawn = np.random.default_rng(seed).standard_normal(DIMENSIONS).astype(np.float32)
    drawn /= np.linalg.norm(drawn)
    if near is not None:
        drawn = near + mixed * drawn
        drawn /= np.linalg.norm(drawn)
    return drawn


@pytest.fixture
def library(tmp_path, database):
    library = Library(tmp_path / "library", database)
    yield library
    library.close()


def keep(library, **fields):
    if isinstance(fields.get("embedding"), np.ndarray):
        fields["embedding"] = fields["embedding"].tobytes()
    record = a_record(**fields)
    library.add(record, {"jpg": b"photo", "mp3": b"sound", "wav": b"SOUND"})
    return library.get(record.id)


def fill(library, count: int, **fields):
    return [keep(library, description=f"Thing {i}.", embedding=vector(i + 100), **fields) for i in range(count)]


def ids(found) -> list[str]:
    return [each.record.id for each in found]


def test_photos_of_the_project_are_found_by_what_they_show(app, client):
    """The embedded captioner, asked in both languages."""
    made = {}
    for path in sorted(SAMPLES.glob("*.jpg")):
        made[client.post("/api/v1/describe", data=path.read_bytes()).get_json()["id"]] = path.stem
    for query in ("a cat", "kucing"):
        answer = client.get("/api/v1/images", query_string={"q": query}).get_json()
        first = answer["images"][0]
        assert made[first["id"]] == "chelsea", query
        assert first["score"] > 0 and "looks like it" in first["match_reasons"]
    for query in ("two people riding horses", "orang menunggang kuda"):
        answer = client.get("/api/v1/images", query_string={"q": query}).get_json()
        assert answer["images"] == [] and answer["message"] == "No good match.", query


def test_words_are_found_whatever_their_form(library):
    wanted = keep(library, description="Two dogs were running on platform 9.")
    keep(library, description="A red bus.")
    for query in ("a dog", "DOGS run", "platform 9", "where is the dog?"):
        (found,) = library.search.find(OWNER, query, None, "test")
        assert found.record == wanted and found.words and not found.by_similarity
    assert library.search.find(OWNER, "platform 9", None, "test")[0].words == ("platform", "9")
    assert library.search.find(OWNER, "an elephant", None, "test") == []


@pytest.mark.parametrize(
    "query", ['"', "* OR", "NEAR(a b)", "a AND", "words:x", "'; DROP TABLE records; --", "-", "😀"]
)
def test_a_query_is_words_and_never_a_command(library, query):
    keep(library, description="A cat.")
    library.search.find(OWNER, query, None, "test")
    assert len(library.records.newest(OWNER, 10)) == 1


def test_a_record_must_hold_half_of_the_words(library):
    keep(library, description="A red bus at night.")
    assert by_words(library.records.engine, OWNER, "red bicycle station", 10) == WordHits([], [], [])
    assert len(by_words(library.records.engine, OWNER, "red bus station", 10).by_machine) == 1


def test_both_kinds_of_finding_are_fused(library):
    fill(library, 30)
    query = vector(1)
    both = keep(library, description="A bus.", embedding=vector(2, query, 0.1))
    similar = keep(library, description="A car.", embedding=vector(3, query, 0.05))
    says = keep(library, description="A bus stop.", embedding=-query)
    found = library.search.find(OWNER, "bus", query, "test")
    assert ids(found) == [both.id, similar.id, says.id]
    reasons = {each.record.id: (each.by_similarity, each.words) for each in found}
    assert reasons == {both.id: (True, ("bus",)), similar.id: (True, ()), says.id: (False, ("bus",))}
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
    assert found[0].score == pytest.approx(1 / 62, abs=4e-4)  # a machine's words count little beside what it saw
    assert found[2].score < 1e-3
    library.edit(says, "The bus stop at home", None, {})
    library.edit(both, "Our bus", None, {})
    found = library.search.find(OWNER, "bus", query, "test")
    assert ids(found) == [both.id, says.id, similar.id]  # all words by people, before any likeness
    assert found[1].score > 1 / 61 > found[2].score - 1e-9
    found = library.search.find(OWNER, "bus at home", query, "test")
    assert ids(found) == [says.id, both.id, similar.id]  # half of the words count as likeness does
    assert found[1].score == pytest.approx(1 / 62 + 1 / 61)


def test_the_only_photo_and_equal_ones_look_like_any_query(library):
    for photos in (1, 2, 3):
        keep(library, embedding=vector(1))
        for seed in range(50):
            assert len(library.search.find(OWNER, "elephant", vector(seed), "test")) == photos


def test_nothing_fits_is_nothing_found(library):
    fill(library, 60)
    apart = -np.mean([record.vector for record in library.records.newest(OWNER, 60)], axis=0)
    query = (apart / np.linalg.norm(apart)).astype(np.float32)
    assert library.search.find(OWNER, "elephant", query, "test", least_cosine=0.4) == []
    fits = keep(library, embedding=vector(5, query, 0.3))
    assert ids(library.search.find(OWNER, "elephant", query, "test", least_cosine=0.4)) == [fits.id]


def test_embeddings_of_another_space_are_not_compared(library):
    query = vector(1)
    keep(library, embedding=query, space="old", description="A cat.")
    wider = np.ones(100, np.float32) / 10
    new = keep(library, embedding=wider, space="new", description="A dog.")
    assert ids(library.search.find(OWNER, "nothing", wider, "new")) == [new.id]
    assert [each.record.space for each in library.search.find(OWNER, "cat", wider, "new")] == ["new", "old"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (r'{"user_description": "half a \ud800 pair"}', 200, "half a pair"),
        (r'{"user_description": "a NUL\u0000 or a bell\u0007"}', 200, "a NUL or a bell"),
        ('{"user_description": ' + "[" * 100_000, 422, None),
    ],
)
def test_words_that_are_no_text_lose_nothing(client, app, body, status, said):
    record = keep(app.extensions["sightline"].library)
    answer = client.patch(f"/api/v1/images/{record.id}", data=body, content_type="application/json")
    assert answer.status_code == status
    assert client.get(f"/api/v1/images/{record.id}").get_json()["description"] == (said or record.description)


def test_similar_photos_are_as_many_as_there_are_after_some_were_deleted(library):
    first = keep(library, embedding=vector(1))
    others = [keep(library, embedding=vector(i, vector(1), 0.5)) for i in range(2, 32)]
    assert len(library.search.similar(first, 10)) == 10
    gone = {found.record.id for found in library.search.similar(first, 10)[:4]}
    for id in gone:
        library.delete(id)
    found = library.search.similar(first, 10)
    assert len(found) == 10 and not gone & set(ids(found))
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
    left = [first] + [record for record in others if record.id not in gone]
    query = vector(99)
    mean = np.mean([record.vector @ query for record in left])
    library.search.find(OWNER, "nothing", query, "test")
    assert library.search._vectors.mean_cosine(OWNER, "test", query) == pytest.approx(mean, abs=1e-4)


def test_similar_photos_and_near_duplicates(library):
    first = keep(library, embedding=vector(1))
    twin = keep(library, embedding=vector(2, vector(1), 0.01))
    cousin = keep(library, embedding=vector(3, vector(1), 0.6))
    found = library.search.similar(first, 5)
    assert ids(found) == [twin.id, cousin.id]
    assert [each.duplicate for each in found] == [True, False]
    assert ids(library.search.similar(first, 5, least_photo_cosine=found[1].score + 0.01)) == [twin.id]
    assert library.search.similar(cousin, 5, least_photo_cosine=0.99) == []
    assert library.search.similar(keep(library), 5) == []


def test_what_another_process_adds_and_deletes_is_seen(library, tmp_path, database):
    other, query = Library(tmp_path / "library", database), vector(1)
    assert library.search.find(OWNER, "x", query, "test") == []
    theirs = keep(other, embedding=query)
    assert ids(library.search.find(OWNER, "x", query, "test")) == [theirs.id]
    other.delete(theirs.id)
    assert library.search.find(OWNER, "x", query, "test") == []
    again = keep(other, embedding=query)
    assert ids(library.search.find(OWNER, "x", query, "test")) == [again.id]
    other.close()


def test_newest_first_in_pages_and_by_date(client, app):
    library = app.extensions["sightline"].library
    made = [keep(library, created=datetime(2026, 1, day)) for day in (1, 2, 3, 4, 5)]
    seen, cursor = [], None
    while True:
        page = client.get(
            "/api/v1/images", query_string={"limit": 2} | ({"cursor": cursor} if cursor else {})
        ).get_json()
        seen += [each["id"] for each in page["images"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [record.id for record in reversed(made)]
    page = client.get("/api/v1/images?since=2026-01-02&until=2026-01-03").get_json()
    assert [each["id"] for each in page["images"]] == [made[2].id, made[1].id]


def test_a_search_in_a_period_sees_past_what_fits_better_outside(library):
    """More photos of before than a search looks at, and all fit better."""
    query, then = vector(1), Period(since=datetime(2026, 2, 1), until=datetime(2026, 2, 2))
    for number in range(CANDIDATES + 5):
        keep(library, description="Bus.", embedding=vector(number, query, 0.1), created=datetime(2026, 1, 1))
    wanted = keep(library, description="A long red bus.", embedding=vector(7, query, 0.5), created=datetime(2026, 2, 1))
    (found,) = library.search.find(OWNER, "bus", None, "test", then)
    assert found.record == wanted
    nearest = vectors_of(library.records).nearest(OWNER, "test", query, 10, then)
    assert nearest.numbers.tolist() == [wanted.number]
    assert library.search.find(OWNER, "bus", query, "test", Period(since=datetime(2026, 3, 1))) == []


def test_a_search_goes_on_where_it_stopped(client, app):
    library = app.extensions["sightline"].library
    for number in range(5):
        keep(library, description=f"Bus {number}.")
    seen, cursor = [], "0"
    while cursor is not None:
        page = client.get(f"/api/v1/images?q=bus&limit=2&cursor={cursor}").get_json()
        seen += [each["id"] for each in page["images"]]
        cursor = page["next"]
    assert len(seen) == len(set(seen)) == 5


def test_no_good_match_is_said(client, app, cat):
    told = client.post("/api/v1/describe", data=cat).get_json()
    client.patch(f"/api/v1/images/{told['id']}", json={"user_description": "My cat"})
    answer = client.get("/api/v1/images?q=quarterly+report").get_json()
    assert (answer["images"], answer["next"], answer["message"]) == ([], None, "No good match.")
    page = client.get("/library?q=quarterly+report").text
    assert "No good match for “quarterly report”" in page and "searched" not in page
    assert client.get("/api/v1/images?q=quarterly+report&cursor=20").get_json()["message"] is None  # past the end
    keep(app.extensions["sightline"].library, description="A dog.", model="another")
    answer = client.get("/api/v1/images?q=quarterly+report").get_json()
    assert answer["message"].startswith("Some photos were embedded by another captioner; they were searched by their")
    assert "only by their words for now" in client.get("/library?q=quarterly+report").text
    assert "No good match" not in client.get("/api/v1/images?q=cat").get_json()["message"]


def test_a_visitor_without_photos_is_told_nothing_false(app):
    answer = app.test_client().get("/api/v1/images?q=cat").get_json()
    assert (answer["images"], answer["message"]) == ([], "No good match.")
    assert "language of the search" not in app.test_client().get("/library?q=cat").text


def test_without_a_captioner_words_are_searched_and_it_is_said(tmp_path, speaker):
    app = create_app(Settings(instance=tmp_path / "instance", model=tmp_path / "none"), speaker=speaker)
    kept = keep(app.extensions["sightline"].library, description="A cat.")
    client = visitor(app, OWNER)
    answer = client.get("/api/v1/images?q=cat").get_json()
    assert [image["id"] for image in answer["images"]] == [kept.id]
    assert answer["message"] == "The captioner is not available; only the words of descriptions were searched."
    assert "The captioner is not available" in client.get("/library?q=cat").text
    app.extensions["sightline"].close()


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("limit=0", "limit is '0'; use a whole number from 1 to 100"),
        ("limit=x", "limit is 'x'"),
        ("cursor=x", "cursor is 'x'; use the field next of an earlier answer"),
        ("limit=" + "9" * 5000, "use a whole number from 1 to 100"),
        (f"cursor={2**31}", "use the field next of an earlier answer"),
        ("since=yesterday", "yesterday is not a valid date; write it as 2026-01-31"),
        ("since=0001-01-01T00:00%2B14:00", "is not a valid date"),
        ("until=9999-12-31T23:59-14:00", "is not a valid date"),
        ("since=2026-12-01&until=2026-01-01", "The first day comes after the last; change one of them."),
        ("q=" + "x" * 501, "at most 500 characters"),
        ("query=x", "There is no field 'query'; use q, lang, since, until, limit, cursor"),
    ],
)
def test_a_wish_that_cannot_be_read_says_what_would_work(client, query, detail):
    answer = client.get(f"/api/v1/images?{query}")
    assert answer.status_code == 422 and detail in answer.get_json(force=True)["detail"]


def test_a_page_with_a_wrong_date_is_still_a_page(client):
    answer = client.get("/library?since=yesterday")
    assert answer.status_code == 422 and "yesterday is not a valid date" in answer.text and 'name="q"' in answer.text


def test_the_same_photo_is_described_and_kept_once(client, cat, stored, app):
    first = client.post("/api/v1/describe", data=cat)
    again = client.post("/api/v1/describe", data=cat)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.get_json() == again.get_json() and len(stored()) == 3
    assert client.post("/api/v1/describe?style=guide", data=cat).status_code == 201


@pytest.mark.parametrize("words", [None, "My neighbour's cat"])
def test_a_photo_that_another_captioner_described_is_still_the_same(client, cat, stored, app, words):
    first = client.post("/api/v1/describe", data=cat).get_json()
    path, library = f"/api/v1/images/{first['id']}", app.extensions["sightline"].library
    if words:
        first = client.patch(path, json={"user_description": words}).get_json()
    sound = client.get(first["audio"]["url"]).data
    earlier = replace(
        library.get(first["id"]), model="earlier", space="elsewhere", description="A boat.", caption="a boat"
    )
    assert library.records.change(earlier, ("model", "space", "description", "caption"))
    assert client.get(path).get_json()["caption"] == "a boat"
    again = client.post("/api/v1/describe", data=cat)
    assert again.status_code == 200
    assert again.get_json() | {"timings_ms": {}} == first | {"timings_ms": {}}
    assert len(stored()) == 3 and len(client.get(first["audio"]["url"]).data) == len(sound)
    assert [hit["id"] for hit in client.get("/api/v1/images?q=cat").get_json()["images"]] == [first["id"]]


def test_at_another_rate_the_same_record_is_spoken_anew(client, cat, stored):
    first = client.post("/api/v1/describe", data=cat).get_json()
    wav = first["audio"]["url"].replace("mp3", "wav")
    usual = len(client.get(wav).data)
    again = client.post("/api/v1/describe?rate=400", data=cat)
    assert (again.status_code, again.get_json()) == (200, first) and len(stored()) == 3
    assert len(client.get(wav).data) < 0.8 * usual


def test_what_was_kept_without_sound_is_spoken_when_it_is_asked_about(client, cat, app, stored):
    told = client.post("/api/v1/describe", data=cat).get_json()
    library = app.extensions["sightline"].library
    record = library.get(told["id"])
    silent = replace(record, audio_error="It was described with many others, without sound.")
    library.records.change(silent, ("audio_error",))
    library.files.delete(f"{record.id}.mp3", f"{record.id}.wav")
    again = client.post("/api/v1/describe", data=cat)
    assert (again.status_code, again.get_json()) == (200, told) and len(stored()) == 3
    assert client.get(told["audio"]["url"]).status_code == 200


def test_the_owners_words_win_everywhere_and_the_machines_stay(client, cat, app):
    told = client.post("/api/v1/describe", data=cat).get_json()
    path, wav = f"/api/v1/images/{told['id']}", told["audio"]["url"].replace("mp3", "wav")
    sound = client.get(wav).data
    edited = client.patch(path, json={"user_description": "  Chelsea, my\ncat. "}).get_json()
    assert edited["description"] == "Chelsea, my cat." and edited["user_description"] == "Chelsea, my cat."
    assert edited["caption"] == told["caption"]
    assert client.get(path).get_json() == edited
    assert len(client.get(wav).data) < 0.8 * len(sound)
    (found,) = client.get("/api/v1/images?q=chelsea").get_json()["images"]
    assert found["id"] == told["id"] and "says 'chelsea'" in found["match_reasons"]
    page = client.get(f"/photos/{told['id']}").text
    assert "Chelsea, my cat." in page and told["description"] in page
    back = client.patch(path, json={"user_description": ""}).get_json()
    assert client.patch(path, json={"user_description": told["description"]}).get_json() == told  # nobody's own words
    assert back == told and len(client.get(wav).data) == pytest.approx(len(sound), rel=0.05)
    assert [
        e["id"]
        for e in client.get("/api/v1/images?q=chelsea").get_json()["images"]
        if "says" in str(e["match_reasons"])
    ] == []


@pytest.mark.parametrize("body", [{}, {"description": 1}, {"caption": "x"}, [], {"description": "x" * 501}])
def test_words_that_cannot_be_kept_change_nothing(client, app, body):
    record = keep(app.extensions["sightline"].library)
    answer = client.patch(f"/api/v1/images/{record.id}", json=body)
    assert answer.status_code == 422 and answer.get_json(force=True)["detail"].endswith(".")
    assert app.extensions["sightline"].library.get(record.id) == record


def test_editing_on_the_page(client, app):
    record = keep(app.extensions["sightline"].library)
    answer = client.post(f"/photos/{record.id}/edit", data={"description": "My cat."}, follow_redirects=True)
    assert "Saved." in answer.text and "My cat." in answer.text
    long = client.post(f"/photos/{record.id}/edit", data={"description": "x" * 501})
    assert long.status_code == 422 and "at most 500 characters" in long.text and "x" * 501 in long.text


def test_all_can_be_taken_along(client, app, cat):
    told = client.post("/api/v1/describe", data=cat).get_json()
    client.patch(f"/api/v1/images/{told['id']}", json={"user_description": "Ünser Kater, 'Chelsea'"})
    answer = client.get("/api/v1/export")
    assert answer.mimetype == "application/zip" and "sightline.zip" in answer.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        (row,) = csv.DictReader(io.StringIO(archive.read("captions.csv").decode()))
        (record,) = json.loads(archive.read("captions.json"))
        assert archive.read(row["image"]) == client.get(told["image"]["url"]).data
    assert row["description"] == record["description"] == "Ünser Kater, 'Chelsea'"
    assert record["id"] == told["id"] and row["language"] == "en"


def test_what_visitors_asked_is_let_go_and_what_keys_sent_stays(library):
    old = datetime.now() - timedelta(days=40)
    gone, stays = keep(library, created=old), keep(library, owner="key:phone", created=old)
    young = keep(library)
    housekeeper = Housekeeper(library, visitor_days=30)
    housekeeper.start()
    housekeeper.close()
    assert library.get(gone.id) is None
    assert library.get(stays.id) and library.get(young.id)
    assert library.purge(0, VISITOR) == 1


def test_a_thing_with_no_embedding_is_still_listed(library):
    record = keep(library)
    assert record.vector is None and ids(library.search.find(OWNER, "cat", vector(1), "test")) == [record.id]


@pytest.mark.parametrize("dimension, kind", [(768, "vector"), (1024, "vector"), (3000, "halfvec")])
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_embeddings_of_any_dimension_are_searched_by_an_index(library, dimension, kind):
    library.search.prepare(dimension)
    library.search.prepare(dimension)  # is there already
    query = np.zeros(dimension, np.float32)
    query[0] = 1
    wanted = keep(library, embedding=query, description="A cat.")
    keep(library, embedding=-query, description="A dog.")
    assert ids(library.search.find(OWNER, "nothing", query, "test")) == [wanted.id]
    near, mine, asked = _in_sql(OWNER, "test", query)
    with library.records.engine.connect() as connection:
        connection.execute(text("SET enable_seqscan = off"))
        connection.execute(text("SET enable_bitmapscan = off"))
        plan = connection.execute(
            text(f"EXPLAIN SELECT number FROM records WHERE {mine} ORDER BY {near} LIMIT 5"), asked
        )
        assert f"ix_records_embedding_{dimension}" in "".join(line for (line,) in plan)
        made = connection.scalar(
            text("SELECT indexdef FROM pg_indexes WHERE indexname = :name"),
            {"name": f"ix_records_embedding_{dimension}"},
        )
        assert f"{kind}_cosine_ops" in made


def test_photos_of_version_0_1_are_found_once_their_captioner_is_in_use(library):
    """They lie in the space that its name stood for."""
    query = vector(1)
    wanted = keep(library, embedding=query, space="sightline-small-4", model="sightline-small-4")
    assert library.search.find(OWNER, "nothing", query, "0" * 64) == []
    assert library.records.adopt_space("another", "0" * 64) == 0
    assert library.records.adopt_space("sightline-small-4", "0" * 64) == 1
    assert library.records.adopt_space("sightline-small-4", "0" * 64) == 0
    assert ids(library.search.find(OWNER, "nothing", query, "0" * 64)) == [wanted.id]
    assert library.records.all_in_space(OWNER, "0" * 64)
