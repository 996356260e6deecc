"""What people dismissed and why."""

import sqlalchemy as sa
from alembic import op

revision = "0006_dismissals"
down_revision = "0005_twins"


def upgrade() -> None:
    names = ("account_id", "treatment", "role", "user_id", "reason")
    op.create_table(
        "dismissals",
        sa.Column("suggestion_id", sa.Text(), primary_key=True),
        *(sa.Column(name, sa.Text(), nullable=False) for name in names),
        sa.Column("dismissed_at", sa.BigInteger(), nullable=False),
        sa.Column("correction", sa.Boolean(), nullable=False),
        sa.Column("settled_by", sa.Text()),
        sa.Column("settled_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"]),
    )
    op.create_index("ix_dismissals_treatment", "dismissals", ["treatment", "dismissed_at"])


def downgrade() -> None:
    op.drop_table("dismissals")
