"""How sure a description is, in which space its photo lies, and the owner's words under their plain name.

A record of before lies in the space that its captioner's name stood for; `Records.adopt_space` gives it the id of that
space when the captioner of that name is in use. Its certainty is that of the bounds which were measured since for the
embedded captioner of version 0.1.
"""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "v4", "v3"

KEPT = (
    "number, id, owner, created, sha256, width, height, description, caption, confidence, alternatives, language, "
    "style, rate, model, audio_error, timings_ms, text, words, embedding"
)
CERTAINTY = (
    "CASE WHEN model NOT LIKE 'sightline-%' THEN 'unknown' WHEN style = 'long' OR confidence < 0.42 THEN 'low' "
    "WHEN style = 'guide' OR confidence < 0.52 THEN 'medium' ELSE 'high' END"
)
SPACE = "CASE WHEN embedding IS NULL THEN NULL ELSE model END"
# FTS5 over records.owner and .words, kept in step by the database itself, as in v3.
FTS5 = (
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


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _rebuild()
    else:
        op.alter_column("records", "mended", new_column_name="user_description")
        op.alter_column("records", "caption", nullable=True)
        op.alter_column("records", "confidence", nullable=True)
        op.add_column("records", sa.Column("certainty", sa.String(8)))
        op.add_column("records", sa.Column("space", sa.String(200)))
        op.execute(f"UPDATE records SET certainty = {CERTAINTY}, space = {SPACE}")
        op.alter_column("records", "certainty", nullable=False)
    op.create_index("ix_records_owner_space", "records", ["owner", "space"])


def _rebuild() -> None:
    """SQLite cannot let a column be null that could not be: the table is rebuilt, and its numbers continue."""
    for trigger in ("add", "take", "change"):
        op.execute(f"DROP TRIGGER record_words_{trigger}")
    op.execute("DROP TABLE record_words")
    for index in ("owner_number", "owner_sha256", "created"):
        op.drop_index(f"ix_records_{index}", "records")
    op.rename_table("records", "records_v3")
    op.create_table(
        "records",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.String(22), nullable=False, unique=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("certainty", sa.String(8), nullable=False),
        sa.Column("caption", sa.Text),
        sa.Column("confidence", sa.Float),
        sa.Column("alternatives", sa.JSON, nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("style", sa.String(16), nullable=False),
        sa.Column("rate", sa.Integer),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("audio_error", sa.Text),
        sa.Column("timings_ms", sa.JSON, nullable=False),
        sa.Column("user_description", sa.Text),
        sa.Column("text", sa.Text),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("space", sa.String(200)),
        sa.Column("embedding", sa.LargeBinary),
        sqlite_autoincrement=True,  # a number is never given twice
    )
    op.execute(
        f"INSERT INTO records ({KEPT}, user_description, certainty, space) "
        f"SELECT {KEPT}, mended, {CERTAINTY}, {SPACE} FROM records_v3 ORDER BY number"
    )
    op.execute("DELETE FROM sqlite_sequence WHERE name = 'records'")
    op.execute("UPDATE sqlite_sequence SET name = 'records' WHERE name = 'records_v3'")
    op.drop_table("records_v3")
    op.create_index("ix_records_owner_number", "records", ["owner", "number"])
    op.create_index("ix_records_owner_sha256", "records", ["owner", "sha256"])
    op.create_index("ix_records_created", "records", ["created"])
    for statement in FTS5:
        op.execute(statement)
