"""Photos in an object store: a real server that speaks S3, on loopback."""

import io
import socket
import zipfile
from dataclasses import replace

import pytest

from deploy.config import Settings
from deploy.library import Library, LibraryError
from deploy.main import create_app
from tests.deploy.test_server import get
from tests.helpers import OWNER, Service, a_record, visitor

CONTENTS = {"jpg": b"photo", "mp3": b"sound", "wav": b"SOUND"}


@pytest.fixture(scope="module")
def store():
    """Settings of the environment for a store with a bucket."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    address = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    with pytest.MonkeyPatch.context() as patch:
        settings = {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": address,
        }
        for name, value in settings.items():
            patch.setenv(name, value)
        import s3fs

        s3fs.S3FileSystem(skip_instance_cache=True).mkdir("sightline")
        yield address
    server.stop()


@pytest.fixture
def place(store, request):
    return f"s3://sightline/{request.node.name.replace('[', '-').strip(']')}"


def test_a_record_and_its_objects_come_and_go(tmp_path, place):
    library = Library(tmp_path, photos=place)
    record = a_record()
    library.add(record, CONTENTS)
    assert {kind: library.read(record, kind) for kind in CONTENTS} == CONTENTS
    other = Library(tmp_path, photos=place)
    assert other.read(other.get(record.id), "jpg") == b"photo"
    assert library.delete(record.id)
    with pytest.raises(FileNotFoundError):
        other.read(record, "jpg")
    assert list(library.files.older_than(-60)) == []
    library.close()
    other.close()


def test_the_sweep_takes_orphans(tmp_path, place):
    library = Library(tmp_path, photos=place)
    record = a_record()
    library.add(record, CONTENTS)
    library.files.write({"orphan.jpg": b"x"})
    assert library.sweep() == 0  # too young
    assert library.sweep(older_than_s=-60) == 1
    assert sorted(library.files.older_than(-60)) == sorted(f"{record.id}.{kind}" for kind in CONTENTS)
    library.close()


def test_a_record_that_cannot_be_written_leaves_no_object(tmp_path, place):
    library = Library(tmp_path, photos=place)
    record = a_record()
    library.add(record, CONTENTS)
    library.files.delete(*(f"{record.id}.{kind}" for kind in CONTENTS))
    with pytest.raises(Exception, match="UNIQUE"):
        library.add(replace(record, sha256="another"), CONTENTS)
    assert list(library.files.older_than(-60)) == []
    library.close()


def test_the_service_serves_from_the_store(tmp_path, place, describer, speaker, cat):
    app = create_app(Settings(instance=tmp_path, photos=place, rate="100000/m"), describer, speaker)
    client = visitor(app, OWNER)
    told = client.post("/api/v1/describe", data=cat).get_json()
    photo = client.get(told["image"]["url"])
    assert photo.mimetype == "image/jpeg" and photo.data[:2] == b"\xff\xd8"
    part = client.get(told["audio"]["url"], headers={"Range": "bytes=0-9"})
    assert (part.status_code, len(part.data)) == (206, 10)
    assert client.get(told["image"]["url"], headers={"If-None-Match": photo.headers["ETag"]}).status_code == 304
    with zipfile.ZipFile(io.BytesIO(client.get("/api/v1/export").data)) as archive:
        assert archive.read(f"photos/{told['id']}.jpg") == photo.data
    assert not (tmp_path / "photos").exists()
    app.extensions["sightline"].inference.close()
    app.extensions["sightline"].library.close()


@pytest.mark.process
def test_gunicorns_workers_serve_from_the_store(tmp_path, place, cat):
    service = Service(tmp_path, SIGHTLINE_PHOTOS=place)
    try:
        id = get(service.url + "/api/v1/describe", data=cat, method="POST")[1].split(b'"id":"')[1][:22].decode()
        assert get(f"{service.url}/api/v1/images/{id}/photo")[0] == 200
    finally:
        service.stop()


def test_a_store_that_cannot_be_used_is_one_sentence(tmp_path, store, monkeypatch):
    with pytest.raises(LibraryError, match=r"^SIGHTLINE_PHOTOS cannot be used \(.+\); see that it is there"):
        Library(tmp_path, photos="strange://x")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(LibraryError, match=r"^SIGHTLINE_PHOTOS cannot be used \(.+\); see that it is there"):
        Library(tmp_path, photos="s3://sightline/x")
