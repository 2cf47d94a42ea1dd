"""What was found beside the scene: text, codes and quality, claims, and how the answer is told."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "v6", "v5"


def upgrade() -> None:
    op.add_column("records", sa.Column("findings", sa.JSON))
    op.add_column("records", sa.Column("unverified", sa.JSON, nullable=False, server_default="[]"))
    op.add_column("records", sa.Column("claims", sa.JSON, nullable=False, server_default="[]"))
    op.add_column("records", sa.Column("telling", sa.String(16), nullable=False, server_default="auto/full"))
