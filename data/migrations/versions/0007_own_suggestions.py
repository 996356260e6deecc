"""Who came to think of a suggestion: the engine, or a person."""

import sqlalchemy as sa
from alembic import op

revision = "0007_own_suggestions"
down_revision = "0006_dismissals"


def upgrade() -> None:
    source = sa.Column("source", sa.Text(), nullable=False, server_default="engine")
    op.add_column("suggestions", source)


def downgrade() -> None:
    op.drop_column("suggestions", "source")
