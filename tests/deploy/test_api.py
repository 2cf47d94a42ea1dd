import io
import re
import struct
import threading
import wave
import zlib
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from itertools import islice

import pytest
from PIL import Image

from deploy.inference import Inference, ModelError
from deploy.main import create_app
from deploy.services import Services
from deploy.speech import SpeechError
from tests.helpers import SAMPLES

DESCRIBE = "/api/v1/describe"
ID = re.compile(r"[\w-]{22}")


def send(client, data, query="", field="image", name="photo.jpg", **form):
    return client.post(DESCRIBE + query, data={field: (io.BytesIO(data), name), **form})


def is_problem(response, status, detail):
    """One sentence as RFC 9457 wants it, and about this request."""
    body = response.get_json(force=True)
    return (
        (response.status_code, response.mimetype) == (status, "application/problem+json")
        and set(body) == {"type", "title", "status", "detail", "instance"}
        and body["status"] == status
        and body["instance"] == response.request.path
        and re.search(detail, body["detail"])
    )


def picture(**save):
    buffer = io.BytesIO()
    Image.new("RGB", (60, 40), "green").save(buffer, **({"format": "JPEG"} | save))
    return buffer.getvalue()


def bomb():
    """A PNG of some bytes that claims to be 9,000 pixels wide and high."""
    chunks = [b"IHDR" + struct.pack(">IIBBBBB", 9_000, 9_000, 8, 2, 0, 0, 0), b"IDAT" + zlib.compress(bytes(100))]
    packed = [struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def test_a_photo_is_described_spoken_and_kept(client, cat):
    answer = send(client, cat, "?lang=id&style=guide&rate=250")
    told = answer.get_json()
    assert answer.status_code == 201
    assert ID.fullmatch(told["id"])
    assert answer.headers["Location"] == f"/api/v1/images/{told['id']}"
    assert told["description"]
    assert (told["caption"] is None) == (told["confidence"] is None) == (told["certainty"] == "none")
    assert all(set(other) == {"text", "confidence"} for other in told["alternatives"])
    assert (told["language"], told["style"], told["audio_error"]) == ("id", "guide", None)
    assert told["audio"] == {"url": f"/api/v1/images/{told['id']}/audio.mp3", "type": "audio/mpeg"}
    assert told["image"] == {"url": f"/api/v1/images/{told['id']}/photo", "width": 451, "height": 300}
    assert told["model"]
    assert all(took >= 0 for took in told["timings_ms"].values())
    assert {"read", "describe", "speak"} <= set(told["timings_ms"])

    again = client.get(answer.headers["Location"])
    assert (again.status_code, again.get_json()) == (200, told)
    photo = client.get(told["image"]["url"])
    assert photo.mimetype == "image/jpeg"
    assert Image.open(io.BytesIO(photo.data)).size == (451, 300)
    mp3, wav = client.get(told["audio"]["url"]), client.get(told["audio"]["url"].replace("mp3", "wav"))
    assert (mp3.mimetype, wav.mimetype) == ("audio/mpeg", "audio/wav")
    assert mp3.data[:2] in (b"\xff\xf3", b"\xff\xfb", b"ID")
    with wave.open(io.BytesIO(wav.data)) as sound:
        assert sound.getnframes() / sound.getframerate() > 0.3
    part = client.get(told["audio"]["url"], headers={"Range": "bytes=0-9"})  # players seek
    assert (part.status_code, part.data) == (206, mp3.data[:10])
    for odd in ("junk", "bytes=5-2", "bytes=0-1,4-5"):
        assert client.get(told["audio"]["url"], headers={"Range": odd}).data == mp3.data
    beyond = client.get(told["audio"]["url"], headers={"Range": "bytes=99999999-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(mp3.data)}")


def test_a_form_of_many_parts_is_not_called_a_large_photo(client, cat):
    answer = send(client, cat, **{f"field{i}": "x" for i in range(2000)})
    assert is_problem(answer, 413, "The form has too many fields; send the photo")


def test_delete_all_takes_no_fields(client, cat, stored):
    send(client, cat)
    assert is_problem(client.delete("/api/v1/images?until=2001-01-01"), 422, "deletes all your photos and takes no")
    assert len(stored()) == 3
    assert client.delete("/api/v1/images").status_code == 204 and stored() == []
    assert is_problem(client.get("/api/v1/export"), 404, "Nothing is kept for you")


def test_delete_removes_all_of_it(client, cat, stored):
    location = send(client, cat).headers["Location"]
    assert len(stored()) == 3
    assert client.delete(location).status_code == 204
    assert stored() == []
    for path in ("", "/photo", "/audio.mp3", "/audio.wav"):
        assert is_problem(client.get(location + path), 404, "no description with this id")
    assert is_problem(client.delete(location), 404, "no description with this id")


@pytest.mark.parametrize("type", ["image/jpeg", "application/x-www-form-urlencoded", "application/json", "", None])
def test_the_body_may_be_the_photo_whatever_it_is_called(client, cat, type):
    answer = client.post(DESCRIBE, data=cat, content_type=type)
    assert answer.status_code == 201
    assert (answer.get_json()["language"], answer.get_json()["style"]) == ("en", "caption")


def test_options_may_be_in_the_form(client):
    told = send(client, picture(), lang="id", style="long", rate="80").get_json()
    assert (told["language"], told["style"]) == ("id", "long")


def test_what_is_stored_has_no_metadata(client):
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    exif[0x010E] = "secret"
    exif.get_ifd(0x8825)[1] = "N"
    answer = send(client, picture(exif=exif)).get_json()
    data = client.get(answer["image"]["url"]).data
    assert (answer["image"]["width"], answer["image"]["height"]) == (40, 60)
    assert not Image.open(io.BytesIO(data)).getexif()
    assert b"secret" not in data


@pytest.mark.parametrize(
    ("data", "status", "detail"),
    [
        (b"", 400, "send it as the field 'image'|choose a photo"),
        (picture()[:300], 422, "damaged or incomplete; send it again"),
        (b"just text", 415, "send the photo as JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "SVG.*send the photo as JPEG"),
        (bomb(), 413, "more than 50 million pixels; send a smaller"),
        (picture() + bytes(16 * 2**20), 413, "larger than 16 MB; send a smaller"),
        (picture() + bytes(17 * 2**20), 413, "larger than 16 MB; send a smaller"),
    ],
    ids=["empty", "truncated", "text", "svg", "bomb", "a byte too large", "far too large"],
)
@pytest.mark.parametrize("way", ["form", "body"])
def test_a_photo_that_cannot_be_used_is_one_sentence_and_not_stored(client, stored, data, status, detail, way):
    answer = send(client, data) if way == "form" else client.post(DESCRIBE, data=data)
    assert is_problem(answer, status, detail)
    assert stored() == []


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("?lang=fr", "unknown language 'fr'; use one of en, id"),
        ("?style=poem", "style is 'poem'; use caption, long, guide"),
        ("?rate=79", "rate is '79'; use a whole number of words a minute from 80 to 450"),
        ("?rate=451", "from 80 to 450"),
        ("?rate=" + "4" * 5000, "from 80 to 450"),
        ("?rate=fast", "from 80 to 450"),
        ("?rate=²", "from 80 to 450"),
        ("?language=id", "no field 'language'; use lang, style, order, detail, read, rate"),
    ],
)
def test_an_unknown_wish_says_what_would_work(client, cat, stored, query, detail):
    assert is_problem(send(client, cat, query), 422, detail)
    assert is_problem(client.post(DESCRIBE + query, data=cat), 422, detail)
    assert stored() == []


def test_the_photo_in_the_wrong_place_says_where_it_belongs(client, cat, stored):
    two = {"image": [(io.BytesIO(cat), "a.jpg"), (io.BytesIO(cat), "b.jpg")]}
    assert is_problem(send(client, cat, field="photo"), 400, "sent as the field 'photo'; send it as the field 'image'")
    text = client.post(DESCRIBE, data={"image": "cat.jpg"}, content_type="multipart/form-data")
    assert is_problem(text, 400, "send the photo as a file")
    assert is_problem(client.post(DESCRIBE, data=two), 400, "one in each request")
    assert is_problem(client.post(DESCRIBE, content_type="multipart/form-data; boundary=x"), 400, "No photo was sent")
    assert stored() == []


def test_if_speech_fails_the_caption_is_still_answered(app, client, cat, stored):
    services: Services = app.extensions["sightline"]

    class Hoarse:
        def speak(self, text, language, rate):
            raise SpeechError("The voice cannot be started.")

    app.extensions["sightline"] = replace(services, speaker=Hoarse())
    told = send(client, cat).get_json()
    assert told["description"]
    assert (told["audio"], told["audio_error"]) == (None, "The voice cannot be started.")
    assert stored() == [f"{told['id']}.jpg"]
    assert client.get(f"/api/v1/images/{told['id']}").get_json() == told
    assert is_problem(client.get(f"/api/v1/images/{told['id']}/audio.wav"), 404, "The voice cannot be started")
    app.extensions["sightline"] = services


def test_without_a_model_the_service_lives_and_says_so(app, client, cat, stored):
    def load():
        raise ModelError("/srv/model/config.json is missing.")

    services = app.extensions["sightline"]
    app.extensions["sightline"] = replace(services, inference=Inference(load))
    assert is_problem(send(client, cat), 503, "log of the service says why")
    assert is_problem(client.get("/readyz"), 503, "log of the service says why")
    assert client.get("/healthz").get_json() == {"status": "ok"}
    assert stored() == []
    app.extensions["sightline"] = services


def test_ready_is_said_only_when_the_model_is(app, client, describer):
    loaded = threading.Event()
    services = app.extensions["sightline"]
    inference = Inference(lambda: loaded.wait(30) and describer)
    app.extensions["sightline"] = replace(services, inference=inference)
    for path in ("/readyz", "/api/v1/models"):
        assert is_problem(client.get(path), 503, "still being loaded; try again")
    loaded.set()
    inference.describe(Image.new("RGB", (8, 8)), "en", "caption")
    assert client.get("/readyz").get_json() == {"status": "ready"}
    (model,) = client.get("/api/v1/models").get_json()["models"]
    assert model["name"] == describer.info.name and model["precision"] == "float32" and model["parameters"] > 10**7
    assert model["languages"] == ["en", "id"] and model["styles"] == ["caption", "long", "guide"]
    inference.close()
    app.extensions["sightline"] = services


def test_errors_of_every_kind_are_problems(app, client):
    app.add_url_rule("/api/v1/broken", view_func=lambda: 1 / 0)
    assert is_problem(client.get("/api/v1/nothing"), 404, "nothing at /api/v1/nothing; /api/docs lists")
    wrong = client.get(DESCRIBE)
    assert is_problem(wrong, 405, "GET does not work here; use POST")
    assert "POST" in wrong.headers["Allow"]
    assert is_problem(client.get("/api/v1/broken"), 500, "not with your photo; please try again")


def test_a_limit_of_the_settings_holds_in_the_sentence(app, tmp_path, describer, speaker):
    settings = app.extensions["sightline"].settings.model_copy(update={"max_bytes": 2**20, "max_pixels": 1000})
    other = create_app(settings, describer, speaker).test_client()
    assert is_problem(send(other, bytes(2**21)), 413, "larger than 1 MB")
    assert is_problem(send(other, picture()), 413, "pixels")


def test_every_field_that_is_answered_is_documented(client, cat):
    spec = client.get("/openapi.json").get_json()
    schemas = spec["components"]["schemas"]

    def undocumented(value, schema, path):
        schema = schemas[schema["$ref"].rsplit("/")[-1]] if "$ref" in schema else schema
        for either in schema.get("anyOf", schema.get("allOf", [])):
            if "$ref" in either:
                return undocumented(value, either, path)
        if isinstance(value, list):
            return [name for each in value for name in undocumented(each, schema["items"], path)]
        if not isinstance(value, dict) or "additionalProperties" in schema:
            return [] if schema else [path]
        assert set(value) == set(schema["properties"]), path
        return [
            name
            for key, each in value.items()
            for name in ([] if schema["properties"][key].get("description") else [f"{path}.{key}"])
            + undocumented(each, schema["properties"][key], f"{path}.{key}")
        ]

    answer = spec["paths"][DESCRIBE]["post"]["responses"]["201"]["content"]["application/json"]["schema"]
    assert undocumented(send(client, cat).get_json(), answer, "") == []
    problem = spec["paths"][DESCRIBE]["post"]["responses"]["422"]["content"]["application/problem+json"]["schema"]
    assert undocumented(send(client, b"?").get_json(force=True), problem, "") == []
    assert set(spec["paths"][DESCRIBE]["post"]["requestBody"]["content"]) == {"multipart/form-data", "*/*"}


def test_the_documentation_is_a_page_that_loads_nothing_from_elsewhere(client):
    page = client.get("/api/docs").text
    assert "POST /api/v1/describe" in page
    assert "<script" not in page
    assert re.findall(r'(?:src|href)="(?:https?:)?//', page) == []


def test_uploads_that_wait_for_the_captioner_block_nobody(app, cat, describer, tmp_path, speaker):
    """Eight at once, as many as a worker has threads, while the captioner is loading."""
    loaded = threading.Event()
    settings = app.extensions["sightline"].settings.model_copy(update={"instance": tmp_path / "other"})
    other = create_app(settings, None, speaker)
    services = other.extensions["sightline"]
    inference = Inference(lambda: loaded.wait(60) and describer, waiting_while_loading=4)
    other.extensions["sightline"] = replace(services, inference=inference)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(other.test_client().post, DESCRIBE, data=cat) for _ in range(8)]
        refused = [each.result() for each in islice(as_completed(asked, 30), 4)]
        assert [(answer.status_code, answer.headers["Retry-After"]) for answer in refused] == [(503, "5")] * 4
        assert other.test_client().get("/healthz").status_code == 200
        loaded.set()
        assert sorted(each.result(60).status_code for each in asked) == [201] * 4 + [503] * 4
    inference.close()
    services.library.close()


@pytest.mark.parametrize("lang", ["id", "ID", "id-ID", "in", "in-ID"])
def test_a_language_is_taken_as_apps_send_it(client, cat, lang):
    answer = send(client, cat, f"?lang={lang}")
    assert answer.status_code in (200, 201) and answer.get_json()["language"] == "id"


def test_what_is_said_and_what_is_answered_carry_the_same_doubt(client, cat):
    told = send(client, cat).get_json()
    assert told["certainty"] in ("medium", "low")  # the cat is called grey and white
    assert told["spoken_text"].startswith(("I am not sure.", "I cannot tell")) and told["cautions"] == []
    assert told["description"] in told["spoken_text"] and told["user_description"] is None
    street = client.post(DESCRIBE + "?style=guide", data=(SAMPLES / "door.jpg").read_bytes()).get_json()
    assert street["cautions"] == ["Do not rely on it alone to walk or to cross."]
    assert street["spoken_text"].endswith(street["cautions"][0])


def test_the_openapi_says_what_holds_for_every_call(client):
    spec = client.get("/openapi.json").get_json()
    assert spec["servers"] == [{"url": "/", "description": "The service that serves this description."}]
    assert set(spec["components"]["securitySchemes"]) == {"bearer", "key", "cookie"}
    assert {} in spec["security"] and {"bearer": []} in spec["security"]
    for operations in spec["paths"].values():
        for operation in operations.values():
            assert {"400", "401", "414", "429", "503"} <= set(operation["responses"])
    names = [each["name"] for each in spec["paths"]["/api/v1/images"]["get"]["parameters"]]
    assert names == ["q", "lang", "since", "until", "limit", "cursor"]
    body = spec["paths"]["/api/v1/describe"]["post"]["requestBody"]["content"]
    fields = {"image", "lang", "style", "order", "detail", "read", "rate"}
    assert set(body["multipart/form-data"]["schema"]["properties"]) == fields
    assert body["*/*"]["schema"]["format"] == "binary"
