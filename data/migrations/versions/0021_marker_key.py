"""Under which key an erased person is marked; none = by a plain hash, as was before."""

import sqlalchemy as sa
from alembic import op

revision = "0021_marker_key"
down_revision = "0020_decisions_by_time"


def upgrade() -> None:
    op.add_column("erasures", sa.Column("key_id", sa.Text()))


def downgrade() -> None:
    op.drop_column("erasures", "key_id")
