"""When a suggestion may be carried out: after quiet hours and days off."""

import sqlalchemy as sa
from alembic import op

revision = "0003_not_before"
down_revision = "0002_hand_overs"

_TABLES = ("suggestions", "listings")


def upgrade() -> None:
    for table in _TABLES:
        op.add_column(table, sa.Column("not_before", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    for table in _TABLES:
        op.drop_column(table, "not_before")
