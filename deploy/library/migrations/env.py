"""Run by Alembic with the connection that `upgrade` gave it."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
