"""Which minimum a planned contact meets, so that planning a person again keeps it."""

import sqlalchemy as sa
from alembic import op

revision = "0018_plan_due"
down_revision = "0017_audit_kept"


def upgrade() -> None:
    op.add_column("plan_items", sa.Column("due", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("plan_items", "due")
