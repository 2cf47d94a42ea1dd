"""Who may see what: another's photos are nobody else's, whichever way one asks."""

import io
import os
import stat

import pytest

from deploy.access import secret_key
from deploy.config import Settings
from deploy.main import create_app
from tests.helpers import a_record, run_main, visitor

OTHER = "visitor:other"


def keep(app, **fields):
    record = a_record(**fields)
    app.extensions["sightline"].library.add(record, {"jpg": b"photo", "mp3": b"sound", "wav": b"SOUND"})
    return record


def text_of(response) -> str:
    return response.get_data(as_text=True)


# What somebody who has the id may read, and what only the owner may do: method and path -> status for another.
READ = {
    "GET /api/v1/images/<id>": 200,
    "GET /api/v1/images/<id>/photo": 200,
    "GET /api/v1/images/<id>/audio.mp3": 200,
    "GET /api/v1/images/<id>/audio.wav": 200,
    "GET /photos/<id>": 200,
}
OWN = {
    "GET /api/v1/images/<id>/similar": 403,
    "PATCH /api/v1/images/<id>": 403,
    "DELETE /api/v1/images/<id>": 403,
    "POST /photos/<id>/edit": 403,
    "GET /photos/<id>/delete": 403,
    "POST /photos/<id>/delete": 403,
}


def routes(app) -> set[str]:
    """Every method and path that takes an id."""
    return {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        if "<id>" in rule.rule
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }


def test_every_route_with_an_id_is_looked_at(app):
    assert routes(app) == set(READ) | set(OWN)


@pytest.mark.parametrize("asker", [OTHER, None, "key"])
@pytest.mark.parametrize("route", [*READ, *OWN])
def test_an_id_lets_others_read_one_record_and_nothing_else(app, route, asker):
    record = keep(app)
    headers = {}
    if asker == "key":
        headers["X-API-Key"] = app.extensions["sightline"].library.keys.create("other")
    client = visitor(app, asker) if asker == OTHER else app.test_client()
    method, path = route.split()
    answer = client.open(
        path.replace("<id>", record.id), method=method, json={"user_description": "mine"}, headers=headers
    )
    assert answer.status_code == (READ | OWN)[route]
    kept = app.extensions["sightline"].library.get(record.id)
    assert kept == record
    if path == "/photos/<id>":
        assert "Delete this photo" not in text_of(answer) and "own words" not in text_of(answer)


@pytest.mark.parametrize("path", ["/api/v1/images", "/api/v1/images?q=cat", "/library", "/library?q=cat"])
@pytest.mark.parametrize("asker", [OTHER, None])
def test_lists_and_searches_show_only_the_owners(app, client, asker, path):
    keep(app, description="A secret cat.", embedding=bytes(4 * 640))
    others = visitor(app, asker) if asker else app.test_client()
    assert "secret" not in text_of(others.get(path))
    assert "secret" in text_of(client.get(path))


def test_similar_shows_only_the_owners(app, client, describer, cat):
    first = client.post("/api/v1/describe", data=cat).get_json()
    visitor(app, OTHER).post("/api/v1/describe", data=cat)
    assert client.get(f"/api/v1/images/{first['id']}/similar").get_json() == {"images": []}


def test_export_and_delete_all_are_of_the_owners(app, client):
    mine, other = keep(app), keep(app, owner=OTHER)
    assert app.test_client().get("/api/v1/export").status_code == 404
    assert other.id.encode() not in client.get("/api/v1/export").data
    assert app.test_client().delete("/api/v1/images").status_code == 204
    assert client.delete("/api/v1/images").status_code == 204
    library = app.extensions["sightline"].library
    assert library.get(mine.id) is None and library.get(other.id) == other
    assert visitor(app, OTHER).post("/library/delete").status_code == 303
    assert library.get(other.id) is None


def test_records_of_nobody_are_nobodys(app):
    record = keep(app, owner="")
    assert app.test_client().delete(f"/api/v1/images/{record.id}").status_code == 403


def test_a_visitor_gets_a_cookie_with_the_first_photo_and_not_before(app, cat):
    client = app.test_client()
    assert "Set-Cookie" not in client.get("/library").headers
    cookie = client.post("/api/v1/describe", data=cat).headers["Set-Cookie"]
    assert cookie.startswith("sightline=") and "HttpOnly" in cookie and "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    over_tls = app.test_client().post("/api/v1/describe", data=cat, base_url="https://localhost")
    assert "Secure" in over_tls.headers["Set-Cookie"]
    assert len(client.get("/api/v1/images").get_json()["images"]) == 1


def test_a_cookie_that_was_tampered_with_is_nobodys(app, client):
    keep(app)
    value = client.get_cookie("sightline").value
    client.set_cookie("sightline", value[:-3] + ("abc" if value[-3:] != "abc" else "xyz"))
    assert client.get("/api/v1/images").get_json()["images"] == []


def test_a_key_sees_what_it_sent_from_anywhere(app, cat):
    library = app.extensions["sightline"].library
    headers = {"Authorization": f"Bearer {library.keys.create('phone')}"}
    answer = app.test_client().post("/api/v1/describe", data=cat, headers=headers)
    assert "Set-Cookie" not in answer.headers
    (found,) = app.test_client().get("/api/v1/images", headers=headers).get_json()["images"]
    assert found["id"] == answer.get_json()["id"]
    assert library.get(found["id"]).owner == "key:phone"


@pytest.mark.parametrize("key", ["sightline_wrong", "", "revoked"])
def test_an_unknown_or_revoked_key_is_refused(app, key):
    keys = app.extensions["sightline"].library.keys
    if key == "revoked":
        key = keys.create("old")
        assert keys.revoke("old") and not keys.revoke("old")
    answer = app.test_client().get("/api/v1/images", headers={"Authorization": f"Bearer {key}"} if key else {})
    assert answer.status_code == (401 if key else 200)
    if key:
        assert "not known or was revoked" in answer.get_json(force=True)["detail"]
        assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost"}, 303),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}, 303),
        ({"Sec-Fetch-Site": "none"}, 303),
        ({}, 303),
    ],
)
def test_forms_of_other_sites_do_nothing(app, client, headers, status):
    record = keep(app)
    answer = client.post(f"/photos/{record.id}/delete", headers=headers)
    assert answer.status_code == status
    assert (app.extensions["sightline"].library.get(record.id) is None) == (status == 303)
    if status == 403:
        assert "sent by another site" in text_of(answer)


def test_too_many_requests_are_told_when_to_come_back(app, tmp_path, describer, speaker):
    settings = Settings(instance=tmp_path / "limited", rate="3/m")
    limited = create_app(settings, describer, speaker)
    client = limited.test_client()
    answers = [client.get("/api/v1/images") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert f"try again in {answers[-1].headers['Retry-After']} seconds" in answers[-1].get_json(force=True)["detail"]
    assert client.get("/healthz").status_code == 200
    elsewhere = {"REMOTE_ADDR": "192.0.2.1"}
    assert client.get("/api/v1/images", environ_overrides=elsewhere).status_code == 200
    guesser = {"REMOTE_ADDR": "192.0.2.2"}
    guesses = [
        client.get("/api/v1/images", headers={"X-API-Key": f"guess{i}"}, environ_overrides=guesser) for i in range(9)
    ]
    assert guesses[0].status_code == 401 and guesses[-1].status_code == 429
    key = {"X-API-Key": limited.extensions["sightline"].library.keys.create("quick", "5/m")}
    assert [client.get("/api/v1/images", headers=key).status_code for _ in range(6)] == [200] * 5 + [429]
    limited.extensions["sightline"].library.close()


def test_proxies_are_believed_only_where_they_are(app, tmp_path, describer, speaker):
    settings = Settings(instance=tmp_path / "behind", rate="1/m")
    for proxies, second in ((0, 429), (1, 200)):
        behind = create_app(settings.model_copy(update={"proxies": proxies}), describer, speaker)
        statuses = [
            behind.test_client().get("/api/v1/images", headers={"X-Forwarded-For": address}).status_code
            for address in ("192.0.2.1", "192.0.2.2")
        ]
        assert statuses == [200, second]
        behind.extensions["sightline"].library.close()


def test_the_secret_key_is_made_once_and_only_its_owners(tmp_path):
    made = secret_key(tmp_path)
    assert len(made) == 32 and secret_key(tmp_path) == made
    assert stat.S_IMODE(os.stat(tmp_path / "secret_key").st_mode) == 0o600
    assert os.listdir(tmp_path) == ["secret_key"]


@pytest.mark.process
def test_keys_by_command(tmp_path):
    settings = {"SIGHTLINE_INSTANCE": str(tmp_path)}
    made = run_main("keys", "create", "phone", "--rate", "60/m", **settings)
    key = made.stdout.strip()
    assert made.returncode == 0 and key.startswith("sightline_") and "not shown again" in made.stderr
    assert key not in (tmp_path / "sightline.db").read_bytes().decode("latin-1")
    twice = run_main("keys", "create", "phone", **settings)
    assert twice.returncode == 1 and "There is a key 'phone' already" in twice.stderr
    strange = run_main("keys", "create", "phone", "--rate", "fast", **settings)
    assert strange.returncode == 2 and "write 60/m" in strange.stderr
    assert (
        "phone" in (listed := run_main("keys", "list", **settings).stdout) and "60/m" in listed and "in use" in listed
    )
    assert run_main("keys", "revoke", "phone", **settings).stdout == "phone is revoked.\n"
    assert "revoked" in run_main("keys", "list", **settings).stdout
    gone = run_main("keys", "revoke", "phone", **settings)
    assert gone.returncode == 1 and "no key 'phone' in use" in gone.stderr


def test_stored_photos_are_photos_and_nothing_else(app, client, cat):
    told = client.post("/api/v1/describe", data={"image": (io.BytesIO(cat), "x.html", "text/html")}).get_json()
    answer = client.get(told["image"]["url"])
    assert answer.mimetype == "image/jpeg" and answer.headers["X-Content-Type-Options"] == "nosniff"
