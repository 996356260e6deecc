"""What changed on lists, in order, for those who watch them."""

import sqlalchemy as sa
from alembic import op

revision = "0013_changes"
down_revision = "0012_plan"


def upgrade() -> None:
    counter = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "changes",
        sa.Column("seq", counter, primary_key=True, autoincrement=True),
        sa.Column("tx", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("trigger", sa.Text(), nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_changes_order", "changes", ["tx", "seq"])
    op.create_index("ix_changes_at", "changes", ["at"])


def downgrade() -> None:
    op.drop_table("changes")
