"""Decisions in the order in which they were taken, for the night that takes them over."""

from alembic import op

revision = "0020_decisions_by_time"
down_revision = "0019_stand_ins"


def upgrade() -> None:
    op.create_index("ix_decisions_time", "decisions", ["decided_at", "decision_id"])


def downgrade() -> None:
    op.drop_index("ix_decisions_time", "decisions")
