"""A search by words knows people's words from a machine's and is given terms, in both databases the same.

The terms of the records that are there are made anew, by the rules in use (model.languages.words).
"""

import sqlalchemy as sa
from alembic import op

from model.languages.words import index_terms

revision, down_revision = "v5", "v4"

AT_ONCE = 500
TERMS = sa.text(
    "UPDATE records SET people_words = :people_words, machine_words = :machine_words WHERE number = :number"
)
PAGE = sa.text(
    "SELECT number, description, user_description, text FROM records WHERE number > :after ORDER BY number LIMIT :most"
)
WITHOUT_FTS5 = (
    "DROP TRIGGER record_words_add",
    "DROP TRIGGER record_words_take",
    "DROP TRIGGER record_words_change",
    "DROP TABLE record_words",
)
# FTS5, kept in step by the database itself, as before.
FTS5 = (
    "CREATE VIRTUAL TABLE record_words USING fts5(owner, people_words, machine_words, content='records', "
    "content_rowid='number', tokenize='unicode61 remove_diacritics 0')",
    "INSERT INTO record_words(record_words, rank) VALUES ('rank', 'bm25(0.0, 1.0, 1.0)')",
    "INSERT INTO record_words(record_words) VALUES ('rebuild')",
    "CREATE TRIGGER record_words_add AFTER INSERT ON records BEGIN "
    "INSERT INTO record_words(rowid, owner, people_words, machine_words) "
    "VALUES (new.number, new.owner, new.people_words, new.machine_words); END",
    "CREATE TRIGGER record_words_take AFTER DELETE ON records BEGIN "
    "INSERT INTO record_words(record_words, rowid, owner, people_words, machine_words) "
    "VALUES ('delete', old.number, old.owner, old.people_words, old.machine_words); END",
    "CREATE TRIGGER record_words_change AFTER UPDATE OF people_words, machine_words ON records BEGIN "
    "INSERT INTO record_words(record_words, rowid, owner, people_words, machine_words) "
    "VALUES ('delete', old.number, old.owner, old.people_words, old.machine_words); "
    "INSERT INTO record_words(rowid, owner, people_words, machine_words) "
    "VALUES (new.number, new.owner, new.people_words, new.machine_words); END",
)
WITHOUT_TSVECTOR = ("DROP INDEX ix_records_words", "ALTER TABLE records DROP COLUMN words_index")
TSVECTOR = (
    "ALTER TABLE records ADD COLUMN words_index tsvector GENERATED ALWAYS AS ("
    "setweight(to_tsvector('simple', people_words), 'A') || to_tsvector('simple', machine_words)) STORED",
    "CREATE INDEX ix_records_words ON records USING gin (words_index)",
)


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in WITHOUT_FTS5 if sqlite else WITHOUT_TSVECTOR:
        op.execute(statement)
    op.execute("ALTER TABLE records RENAME COLUMN words TO machine_words")
    op.add_column("records", sa.Column("people_words", sa.Text, nullable=False, server_default=""))
    _index_anew()
    for statement in FTS5 if sqlite else TSVECTOR:
        op.execute(statement)


def _index_anew() -> None:
    connection, after = op.get_bind(), 0
    while rows := connection.execute(PAGE, {"after": after, "most": AT_ONCE}).all():
        after = rows[-1].number
        terms = [
            {
                "number": row.number,
                "people_words": index_terms("\n".join(part for part in (row.user_description, row.text) if part)),
                "machine_words": "" if row.user_description else index_terms(row.description),
            }
            for row in rows
        ]
        connection.execute(TERMS, terms)
