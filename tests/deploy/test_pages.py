import io
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages import extract, mofile, pofile
from PIL import Image

from deploy.web import LOCALES
from model.certainty import Certainty
from model.describe import Describer
from model.languages.wording import WORDINGS
from tests.helpers import SAMPLES, a_record

DEPLOY = Path(__file__).parents[2] / "deploy"
CATALOGUE = DEPLOY / "translations" / "id" / "LC_MESSAGES" / "messages"


def ask(client, query="", **form):
    """As browsers send it: what was not chosen, b"", is a nameless empty file."""
    form = {name: (io.BytesIO(v), "p.jpg" if v else "") if isinstance(v, bytes) else v for name, v in form.items()}
    return client.post("/" + query, data=form, content_type="multipart/form-data")


def kept(app, **changes) -> str:
    """Keep a record that nobody described, -> the path of its page."""
    told = {
        "description": "A <b>bold</b> cat.",
        "caption": 'a "bold" cat',
        "confidence": 0.9,
        "certainty": Certainty.HIGH,
    }
    record = a_record(**told | changes)
    app.extensions["sightline"].library.add(record, {"jpg": b"photo", "mp3": b"sound", "wav": b"SOUND"})
    return f"/photos/{record.id}"


class Texts(HTMLParser):
    """Elements with their attributes, and the text of headings and alerts."""

    def __init__(self, page):
        super().__init__()
        self.tags, self._said, self._open = [], {}, []
        self.feed(page)
        self.said = {key: " ".join("".join(texts).split()) for key, texts in self._said.items()}

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("input", "img", "meta", "link"):
            self._open.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        for tag, attributes in self._open:
            for key in (tag, attributes.get("role"), attributes.get("id")):
                self._said.setdefault(key, []).append(data)

    def all(self, tag, **wanted):
        return [a for t, a in self.tags if t == tag and all(a.get(k) == v for k, v in wanted.items())]


def test_the_form_asks_for_a_photo_in_two_ways_and_two_words(client):
    page = Texts(client.get("/").text)
    plain, camera = page.all("input", type="file")
    assert "capture" not in plain
    assert camera["capture"] == "environment"
    assert {label.get("for") for label in page.all("label")} >= {plain["id"], camera["id"]}
    assert [(b["name"], b["value"]) for b in page.all("button")] == [("style", "caption"), ("style", "guide")]
    assert page.all("form")[0]["enctype"] == "multipart/form-data"
    assert len(page.all("div", role="status")) == 1


def test_asking_leads_to_a_page_that_can_be_loaded_again(client, cat):
    answer = ask(client, image=cat, camera=b"", style="guide", lang="id")
    assert answer.status_code == 303
    assert re.fullmatch(r"/photos/[\w-]{22}\?lang=en", answer.headers["Location"])
    page = Texts(client.get(answer.headers["Location"]).text)
    told = client.get("/api/v1/images/" + answer.headers["Location"][8:30]).get_json()
    assert told["description"] in page.said["h1"]
    assert (told["style"], told["language"]) == ("guide", "id")
    assert page.all("img")[0]["alt"] == "The photo that is described"  # not the doubted caption a second time
    assert page.all("html")[0]["lang"] == "en"
    (player,) = page.all("audio")
    assert "controls" in player
    assert "autoplay" not in player
    assert client.get(player["src"]).mimetype == "audio/mpeg"
    assert ("Do not rely on it alone" in page.said["main"]) == bool(told["cautions"])


def test_the_heading_of_the_answer_takes_the_focus(app, client):
    (heading,) = Texts(client.get(kept(app)).text).all("h1")
    assert heading["tabindex"] == "-1"
    assert "autofocus" in heading


def test_what_the_captioner_says_is_text_and_never_html(app, client):
    page = client.get(kept(app)).text
    assert "A &lt;b&gt;bold&lt;/b&gt; cat." in page


@pytest.mark.parametrize("certainty", Certainty)
@pytest.mark.parametrize("locale", ["en", "id"])
def test_doubt_is_said_before_the_caption(app, client, certainty, locale):
    heading = Texts(client.get(kept(app, certainty=certainty) + f"?lang={locale}").text).said["h1"]
    doubt = WORDINGS[locale].doubt
    assert [words for words in doubt.values() if heading.startswith(words)] == (
        [doubt[certainty]] if certainty in doubt else []
    )


def test_what_can_hurt_comes_with_its_caution(app, client):
    for description, caution in (
        ("A green traffic light.", "to walk or to cross"),
        ("A hundred rupee note.", "to pay"),
        ("A box of pills.", "to take medicine"),
    ):
        assert caution in Texts(client.get(kept(app, description=description)).text).said["told"]
    assert "rely" not in Texts(client.get(kept(app)).text).said["told"]


def test_a_photo_that_could_not_be_spoken_says_why(app, client):
    page = Texts(client.get(kept(app, audio_error="The voice is gone.")).text)
    assert page.all("audio") == []
    assert "could not be spoken: The voice is gone." in page.said["main"]


@pytest.mark.parametrize(
    ("form", "status", "sentence"),
    [
        ({}, 400, "No photo was chosen; choose a photo or take one"),
        ({"image": b"", "camera": b""}, 400, "No photo was chosen"),
        ({"image": b"text", "camera": b"text"}, 400, "Two photos were sent; choose one or take one"),
        ({"image": b"text"}, 415, "This is text; send the photo as JPEG"),
        ({"image": b"\xff\xd8\xff", "lang": "id"}, 422, "damaged or incomplete; send it again"),
        ({"image": bytes(17 * 2**20)}, 413, "larger than 16 MB; send a smaller"),
        (
            {"image": (SAMPLES / "chelsea.jpg").read_bytes(), "lang": "fr"},
            422,
            "unknown language 'fr'; use one of en, id",
        ),
    ],
    ids=["nothing", "empty", "two", "text", "damaged", "large", "language"],
)
def test_an_error_is_the_same_sentence_above_a_form_that_works(client, stored, form, status, sentence):
    answer = ask(client, **form)
    page = Texts(answer.text)
    assert answer.status_code == status
    assert sentence in page.said["alert"]
    assert len(page.all("button")) == 2
    if form.get("lang") == "id":
        assert "checked" in page.all("input", value="id")[0]
    assert stored() == []


def test_errors_are_told_in_the_language_of_the_page(client):
    assert "Belum ada foto" in Texts(ask(client, "?lang=id").text).said["alert"]
    assert "kirim sebagai JPEG" in Texts(ask(client, "?lang=id", image=b"text").text).said["alert"]
    assert "Tidak ada apa pun di /x" in Texts(client.get("/x?lang=id").text).said["alert"]


def test_a_page_that_is_not_there_says_where_to_go(client):
    for path in ("/nothing", "/photos/AAAAAAAAAAAAAAAAAAAAAA"):
        answer = client.get(path)
        assert (answer.status_code, answer.mimetype) == (404, "text/html")
        assert Texts(answer.text).all("a", href="/?lang=en")


def test_deleting_from_the_page_asks_once_then_removes_all_and_says_so(app, client, stored):
    path = kept(app)
    question = Texts(client.get(path + "/delete").text)
    assert question.said["h1"] == "Delete this photo and its description?"
    assert question.all("form", method="post") and question.all("a", href=f"{path}?lang=en")
    assert len(stored()) == 3
    answer = client.post(path + "/delete?lang=en", follow_redirects=True)
    assert "Deleted" in Texts(answer.text).said["status"]
    assert stored() == []
    assert client.get(path).status_code == 404
    assert client.post(path + "/delete").status_code == 303


@pytest.mark.parametrize(
    ("query", "accepted", "language"),
    [("", "id,en;q=0.5", "id"), ("", "fr", "en"), ("?lang=id", "en", "id"), ("?lang=xx", "id", "id")],
)
def test_the_page_speaks_as_asked_else_as_the_browser_does(client, query, accepted, language):
    page = Texts(client.get("/" + query, headers={"Accept-Language": accepted}).text)
    assert page.all("html")[0]["lang"] == language
    assert page.said["h1"] == {"en": "Hear what a photo shows", "id": "Dengarkan isi sebuah foto"}[language]
    assert "checked" in page.all("input", type="radio", value=language)[0]


def test_every_sentence_is_translated():
    wanted = set()
    for pattern, method in (("*.py", "python"), ("*.html", "jinja2.ext:babel_extract")):
        keywords = dict.fromkeys(("_", "gettext", "lazy_gettext", "DescriptionTooLong", "ModelBusyError", "NoRoom"))
        for file in DEPLOY.rglob(pattern):
            with open(file, "rb") as source:
                wanted |= {found[1] for found in extract.extract(method, source, keywords)}
    with open(CATALOGUE.with_suffix(".po"), "rb") as file:
        have = {message.id: message.string for message in pofile.read_po(file) if message.id}
    assert set(have) == wanted
    assert all(have.values())


def test_the_compiled_catalogue_is_that_of_the_source():
    with open(CATALOGUE.with_suffix(".po"), "rb") as source, open(CATALOGUE.with_suffix(".mo"), "rb") as compiled:
        written = {message.id: message.string for message in pofile.read_po(source) if message.id}
        used = {message.id: message.string for message in mofile.read_mo(compiled) if message.id}
    assert used == written, "run pybabel compile -d deploy/translations"


@pytest.mark.parametrize("path", ["/", "/nothing", "/api/docs", "/healthz", "/static/style.css", "/favicon.ico"])
def test_every_answer_carries_the_headers(client, path):
    headers = client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_pages_hold_no_inline_script_or_style(app, client):
    for path in ("/", "/api/docs", kept(app)):
        page = Texts(client.get(path).text)
        assert page.all("style") == []
        assert all("src" in script for script in page.all("script"))
        assert not [a for _, a in page.tags if "style" in a or any(name.startswith("on") for name in a)]


def test_a_chosen_photo_that_is_empty_is_called_so(client):
    answer = client.post("/", data={"image": (io.BytesIO(), "p.jpg")}, content_type="multipart/form-data")
    assert answer.status_code == 400 and "The file is empty; choose a photo and try again." in answer.text


def test_a_period_without_photos_is_not_an_empty_library(app, client):
    kept(app)
    page = client.get("/library?until=2001-01-01").text
    assert "No photos between these dates" in page and "No photos yet" not in page
    answer = client.get("/library?since=2026-12-01&until=2026-01-01&lang=id")
    assert answer.status_code == 422 and "Hari pertama jatuh setelah hari terakhir" in answer.text
    today = f"{datetime.now(UTC):%Y%m%d}"
    assert "A &lt;b&gt;bold&lt;/b&gt; cat." in client.get(f"/library?since={today}&until={today}").text


def test_every_link_keeps_the_language_of_the_page(app, client):
    path = kept(app)
    kept(app, description="Another cat.")
    assert f'href="{path}?lang=id"' in client.get("/library?lang=id").text
    assert "?lang=id" in client.get(path + "?lang=id").text and '?lang="' not in client.get(path + "?lang=id").text
    found = client.get("/library?q=cat&since=2026-01-01&lang=en").text
    assert 'href="/library?q=cat&amp;since=2026-01-01&amp;lang=id"' in found
    for odd in ("_scheme=javascript&_external=1", "endpoint=x", "id=x", "_anchor=%22%3E"):
        page = client.get(f"{path}?{odd}")
        assert page.status_code == 200 and f'href="{path}?' in page.text and "javascript:" not in page.text
    refused = client.post(path + "/edit?lang=en", data={"description": "x" * 501})
    assert refused.status_code == 422 and f'href="{path}?lang=id"' in refused.text


def test_a_doubtful_description_is_nowhere_told_as_a_fact(app, client):
    path = kept(app, certainty=Certainty.LOW)
    for page in (client.get(path).text, client.get(path + "/delete").text):
        assert page.count("I cannot tell what this is. It could be:") >= 1
    assert "<title>I cannot tell" in client.get(path).text
    link = re.search(r"<a href=\"/photos/.*?</a>", client.get("/library").text, re.S)[0]
    assert re.sub("<.*?>", "", link).startswith("I cannot tell what this is. It could be: A &lt;b&gt;")
    client.post(path + "/edit", data={"description": "My cat"})
    assert "I cannot tell" not in client.get("/library").text and "<title>My cat" in client.get(path).text
    assert 'Sightline said: <span lang="en">I cannot tell' in " ".join(client.get(path).text.split())


def test_another_locale_of_the_pages_is_one_line_and_leaves_the_captioner_as_it_is(client, monkeypatch):
    """Page languages, answer languages and the tokenizer's are separate lists."""
    monkeypatch.setitem(LOCALES, "fr", "Français")
    page = Texts(client.get("/?lang=fr").text)
    assert page.all("html")[0]["lang"] == "fr" and page.all("a", lang="fr")
    assert Describer.load().info.languages == ("en", "id")
    client.get("/readyz")
    described = client.application.extensions["sightline"].inference.describe(Image.new("RGB", (9, 9)), "en", "caption")
    assert described.language == "en"
    assert [each["value"] for each in Texts(client.get("/?lang=fr").text).all("input", type="radio")] == ["en", "id"]


@pytest.mark.parametrize("accepted, locale", [("in-ID", "id"), ("id-ID,en;q=0.5", "id"), ("EN-gb", "en")])
def test_locales_are_taken_as_phones_send_them(client, accepted, locale):
    page = Texts(client.get("/", headers={"Accept-Language": accepted}).text)
    assert page.all("html")[0]["lang"] == locale
