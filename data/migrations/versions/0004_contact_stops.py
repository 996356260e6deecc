"""Contacts that people have stopped for everybody."""

import sqlalchemy as sa
from alembic import op

revision = "0004_contact_stops"
down_revision = "0003_not_before"


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def upgrade() -> None:
    counter = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "contact_stops",
        sa.Column("stop_id", counter, primary_key=True, autoincrement=True),
        *map(_text, ("level", "of", "reason", "stopped_by")),
        sa.Column("stopped_at", sa.BigInteger(), nullable=False),
        *map(_text, ("treatments", "spared")),
        _text("resumed_by", null=True),
        sa.Column("resumed_at", sa.BigInteger(), nullable=True),
        _text("resume_reason", null=True),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("contact_stops")
