"""A search by words looks at one owner's records alone; PostgreSQL keeps embeddings in their rows."""

from alembic import op

revision, down_revision = "v3", "v2"

# FTS5 over records.owner and .words, kept in step by the database itself
# (https://sqlite.org/fts5.html#external_content_tables). The owner counts nothing in the ranking.
FTS5 = (
    "DROP TRIGGER record_words_add",
    "DROP TRIGGER record_words_take",
    "DROP TRIGGER record_words_change",
    "DROP TABLE record_words",
    "CREATE VIRTUAL TABLE record_words USING fts5(owner, words, content='records', content_rowid='number', "
    "tokenize='porter unicode61 remove_diacritics 2')",
    "INSERT INTO record_words(record_words, rank) VALUES ('rank', 'bm25(0.0, 1.0)')",
    "INSERT INTO record_words(record_words) VALUES ('rebuild')",
    "CREATE TRIGGER record_words_add AFTER INSERT ON records BEGIN "
    "INSERT INTO record_words(rowid, owner, words) VALUES (new.number, new.owner, new.words); END",
    "CREATE TRIGGER record_words_take AFTER DELETE ON records BEGIN "
    "INSERT INTO record_words(record_words, rowid, owner, words) "
    "VALUES ('delete', old.number, old.owner, old.words); END",
    "CREATE TRIGGER record_words_change AFTER UPDATE OF words ON records BEGIN "
    "INSERT INTO record_words(record_words, rowid, owner, words) "
    "VALUES ('delete', old.number, old.owner, old.words); "
    "INSERT INTO record_words(rowid, owner, words) VALUES (new.number, new.owner, new.words); END",
)
# Embeddings of 640 numbers are a little too long for PostgreSQL's usual rule and would lie in a table beside.
POSTGRESQL = ("ALTER TABLE records ALTER COLUMN embedding SET STORAGE MAIN",)


def upgrade() -> None:
    for statement in FTS5 if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
