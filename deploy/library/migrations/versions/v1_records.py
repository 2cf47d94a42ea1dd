"""Descriptions, as version 0.1.0 made them without a version of the schema."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "v1", None


def upgrade() -> None:
    op.create_table(
        "records",
        sa.Column("id", sa.String(22), primary_key=True),
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
        if_not_exists=True,
    )
    op.create_index("ix_records_created", "records", ["created"], if_not_exists=True)
    op.create_index("ix_records_sha256", "records", ["sha256"], if_not_exists=True)
