"""Who was erased: by a hash of the id alone, so that a later load does not bring the name back."""

import sqlalchemy as sa
from alembic import op

revision = "0015_erasures"
down_revision = "0014_access"


def upgrade() -> None:
    op.create_table(
        "erasures",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id_hash", sa.Text(), nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=False),
        sa.Column("taken_over_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "id_hash"),
    )


def downgrade() -> None:
    op.drop_table("erasures")
