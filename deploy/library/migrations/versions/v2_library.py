"""Owners, embeddings, the owner's own words, words to search by, and API keys.

Records of before belong to nobody: who has the id of one can still read it.
"""

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import VECTOR

revision, down_revision = "v2", "v1"

KEPT = (
    "id, created, sha256, width, height, description, caption, confidence, alternatives, language, style, rate, model, "
    "audio_error, timings_ms"
)
# FTS5 over records.words, kept in step by the database itself (https://sqlite.org/fts5.html#external_content_tables).
FTS5 = (
    "CREATE VIRTUAL TABLE record_words USING fts5(words, content='records', content_rowid='number', "
    "tokenize='porter unicode61 remove_diacritics 2')",
    "CREATE TRIGGER record_words_add AFTER INSERT ON records BEGIN "
    "INSERT INTO record_words(rowid, words) VALUES (new.number, new.words); END",
    "CREATE TRIGGER record_words_take AFTER DELETE ON records BEGIN "
    "INSERT INTO record_words(record_words, rowid, words) VALUES ('delete', old.number, old.words); END",
    "CREATE TRIGGER record_words_change AFTER UPDATE OF words ON records BEGIN "
    "INSERT INTO record_words(record_words, rowid, words) VALUES ('delete', old.number, old.words); "
    "INSERT INTO record_words(rowid, words) VALUES (new.number, new.words); END",
)
# An index for each size of embedding that the captioners here have; others are compared one by one.
POSTGRESQL = (
    "ALTER TABLE records ADD COLUMN words_index tsvector GENERATED ALWAYS AS (to_tsvector('english', words)) STORED",
    "CREATE INDEX ix_records_words ON records USING gin (words_index)",
    *(
        f"CREATE INDEX ix_records_embedding_{size} ON records "
        f"USING hnsw (CAST(embedding AS vector({size})) vector_cosine_ops) WHERE vector_dims(embedding) = {size}"
        for size in (512, 640)
    ),
)


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    if not sqlite:
        op.execute("CREATE EXTENSION IF NOT EXISTS vector")
    op.rename_table("records", "records_v1")
    op.drop_index("ix_records_created", "records_v1")
    op.drop_index("ix_records_sha256", "records_v1")
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
        sa.Column("caption", sa.Text, nullable=False),
        sa.Column("confidence", sa.Float, nullable=False),
        sa.Column("alternatives", sa.JSON, nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("style", sa.String(16), nullable=False),
        sa.Column("rate", sa.Integer),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("audio_error", sa.Text),
        sa.Column("timings_ms", sa.JSON, nullable=False),
        sa.Column("mended", sa.Text),
        sa.Column("text", sa.Text),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("embedding", sa.LargeBinary if sqlite else VECTOR),
        sqlite_autoincrement=True,  # a number is never given twice
    )
    op.create_index("ix_records_owner_number", "records", ["owner", "number"])
    op.create_index("ix_records_owner_sha256", "records", ["owner", "sha256"])
    op.create_index("ix_records_created", "records", ["created"])
    for statement in FTS5 if sqlite else POSTGRESQL:
        op.execute(statement)
    op.execute(
        f"INSERT INTO records ({KEPT}, owner, words) SELECT {KEPT}, '', description FROM records_v1 ORDER BY created"
    )
    op.drop_table("records_v1")
    op.create_table(
        "keys",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("hash", sa.String(64), nullable=False, unique=True),
        sa.Column("rate", sa.String(32)),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.Column("revoked", sa.DateTime),
    )
