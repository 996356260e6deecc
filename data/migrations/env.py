"""Alembic's entry: the connection and its transaction are the caller's (`data.ledger.upgrade`)."""

from alembic import context

from data.ledger.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite can undo DDL too, once the driver leaves transactions to us: nothing stays half done.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
