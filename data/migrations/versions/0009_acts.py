"""What people did, so that it can be taken back, and requests that must not act twice."""

import sqlalchemy as sa
from alembic import op

revision = "0009_acts"
down_revision = "0008_playbooks"


def upgrade() -> None:
    counter = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "acts",
        sa.Column("act_id", counter, primary_key=True, autoincrement=True),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("account_id", "user_id", "subject", "verb")
        ),
        sa.Column("acted_at", sa.BigInteger(), nullable=False),
        sa.Column("before", sa.Text()),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("ended", sa.Text(), nullable=False),
        sa.Column("undone_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"]),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_acts_subject", "acts", ["subject"])
    op.create_index("ix_acts_account", "acts", ["account_id"])
    op.create_table(
        "requests",
        sa.Column("user_id", sa.Text(), primary_key=True),
        sa.Column("request_key", sa.Text(), primary_key=True),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("subject_key", sa.Text()),
        sa.Column("body", sa.Text()),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], ondelete="CASCADE"),
    )


def downgrade() -> None:
    op.drop_table("requests")
    op.drop_table("acts")
