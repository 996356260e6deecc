"""Hand-overs between colleagues, and which touchpoints have details."""

import sqlalchemy as sa
from alembic import op

revision = "0002_hand_overs"
down_revision = "0001"


def _text(name: str, *, null: bool = True) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _moment(name: str, *, null: bool = True) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=null)


def upgrade() -> None:
    op.create_table(
        "hand_overs",
        _text("hand_over_id", null=False),
        _text("account_id", null=False),
        _text("kind", null=False),
        *map(_text, ("rule", "suggestion_id", "treatment", "topic", "touchpoint_id")),
        _text("by_role", null=False),
        _text("by_user"),
        _text("to_role", null=False),
        _text("to_user"),
        _text("stage"),
        _text("state", null=False),
        _text("reason"),
        _moment("asked_at", null=False),
        _moment("due_at"),
        _text("answered_by"),
        _moment("answered_at"),
        _moment("closed_at"),
        _moment("escalated_at"),
        _text("escalated_to"),
        sa.PrimaryKeyConstraint("hand_over_id"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"]),
    )
    op.create_index("ix_hand_overs_account_id", "hand_overs", ["account_id"])
    op.create_index("ix_hand_overs_receiver", "hand_overs", ["to_user", "state"])
    op.create_index("ix_hand_overs_due", "hand_overs", ["state", "due_at"])
    op.create_table(
        "told",
        _text("touchpoint_id", null=False),
        _text("account_id", null=False),
        _moment("occurred_at", null=False),
        _text("direction"),
        _text("channel"),
        _text("topic"),
        _text("role"),
        sa.PrimaryKeyConstraint("touchpoint_id"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"]),
    )
    op.create_index("ix_told_account", "told", ["account_id", "occurred_at"])


def downgrade() -> None:
    op.drop_table("told")
    op.drop_table("hand_overs")
