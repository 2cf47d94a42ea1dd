"""Databases of earlier versions are brought up to date and lose nothing."""

from datetime import datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text

from deploy.library import Library, migrations
from deploy.library.database import open_database
from deploy.library.keys import table as keys
from deploy.library.records import metadata
from deploy.library.words import by_words
from tests.helpers import OWNER

V1 = """
CREATE TABLE records (id VARCHAR(22) NOT NULL PRIMARY KEY, created DATETIME NOT NULL, sha256 VARCHAR(64) NOT NULL,
width INTEGER NOT NULL, height INTEGER NOT NULL, description TEXT NOT NULL, caption TEXT NOT NULL,
confidence FLOAT NOT NULL, alternatives JSON NOT NULL, language VARCHAR(8) NOT NULL, style VARCHAR(16) NOT NULL,
rate INTEGER, model VARCHAR(200) NOT NULL, audio_error TEXT, timings_ms JSON NOT NULL);
CREATE INDEX ix_records_created ON records (created);
CREATE INDEX ix_records_sha256 ON records (sha256);
INSERT INTO records VALUES ('old', '2026-01-02 03:04:05.000678', 'abc', 4, 3, 'A red bus.', 'a red bus', 0.5, '[]',
'en', 'caption', NULL, 'sightline-small', NULL, '{"read": 1.5}');
"""


@pytest.fixture
def old(tmp_path):
    """A folder of version 0.1.0, without a version of its schema."""
    engine = create_engine(f"sqlite:///{tmp_path / 'sightline.db'}")
    with engine.begin() as connection:
        for statement in V1.split(";\n"):
            if statement.strip():
                connection.execute(text(statement.replace(":04:05", r"\:04\:05").replace('": 1.5', r'"\: 1.5')))
    engine.dispose()
    return tmp_path


def test_a_database_of_the_first_version_is_read(old):
    library = Library(old)
    record = library.get("old")
    assert record.description == "A red bus." and record.created == datetime(2026, 1, 2, 3, 4, 5, 678)
    assert (record.owner, record.user_description, record.embedding, record.timings_ms) == (
        "",
        None,
        None,
        {"read": 1.5},
    )
    with library.records.engine.connect() as connection:
        held = connection.execute(text("SELECT rowid FROM record_words WHERE record_words MATCH 'bus'")).scalars()
        assert list(held) == [record.number]
    library.close()
    Library(old).close()  # and once more


V4_RECORD = """
INSERT INTO records (id, owner, created, sha256, width, height, description, certainty, alternatives, language, style,
model, timings_ms, user_description, text, words)
VALUES (:id, :owner, '2026-01-02', 'abc', 4, 3, :description, 'high', '[]', 'en', 'caption', 'x', '{}', :own, :text, :w)
"""


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_records_of_before_are_found_by_the_forms_of_their_words(tmp_path, database):
    """Those of a database whose index held the words as they were written, more of them than are read at once."""
    engine, config = create_engine(database or f"sqlite:///{tmp_path / 'sightline.db'}"), Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "v4")
        rows = [(f"bus{i}", "A bus is waiting.", None, None) for i in range(600)]
        rows += [("own", "A cat.", "Ibu berjalan di pasar", None), ("price", "A shop.", None, "Rp15.000")]
        for id, description, own, found in rows:
            values = {"id": id, "owner": OWNER, "description": description, "own": own, "text": found, "w": description}
            connection.execute(text(V4_RECORD), values)
    engine.dispose()
    library = Library(tmp_path, database)

    def found_by(query: str) -> tuple[list[str], int]:
        """Ids of those that people's words name, and how many a machine's do."""
        hits = by_words(library.records.engine, OWNER, query, 1000)
        return [r.id for r in library.records.numbered(OWNER, hits.all_by_people).values()], len(hits.by_machine)

    assert found_by("jalan") == (["own"], 0) and found_by("15000") == (["price"], 0)
    assert found_by("waits") == ([], 600) and found_by("cat") == ([], 0)
    library.close()


def is_the_codes(name, kind, parents) -> bool:
    """What the migrations make beside the tables: full-text and vector indexes of each database."""
    return not str(name).startswith(("record_words", "words_index", "ix_records_words", "ix_records_embedding"))


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_the_schema_is_what_the_code_says(tmp_path, database):
    engine = open_database(database or f"sqlite:///{tmp_path / 'x.db'}")
    assert keys.name in metadata.tables
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": is_the_codes})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_a_migration_that_dies_changes_nothing(old, monkeypatch):
    engine = create_engine(f"sqlite:///{old / 'sightline.db'}")
    with engine.connect() as connection:
        before = connection.execute(text("SELECT name FROM sqlite_master ORDER BY name")).all()
    monkeypatch.setattr("alembic.operations.Operations.drop_table", lambda *args, **more: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        Library(old)
    with engine.connect() as connection:
        after = connection.execute(text("SELECT name FROM sqlite_master ORDER BY name")).all()
        assert connection.execute(text("SELECT count(*) FROM records")).scalar() == 1
    assert [name for (name,) in after if not name.startswith("alembic")] == [name for (name,) in before]
    monkeypatch.undo()
    library = Library(old)
    assert library.get("old").description == "A red bus."
    library.close()
