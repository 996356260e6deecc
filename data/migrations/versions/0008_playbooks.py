"""The text of every playbook that was used, by its version."""

import sqlalchemy as sa
from alembic import op

revision = "0008_playbooks"
down_revision = "0007_own_suggestions"


def upgrade() -> None:
    op.create_table(
        "playbooks",
        sa.Column("version", sa.Text(), primary_key=True),
        sa.Column("playbook", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("first_used_at", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("playbooks")
