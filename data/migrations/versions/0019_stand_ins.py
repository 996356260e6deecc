"""Who has the tasks of a colleague who is on leave, and from when to when."""

import sqlalchemy as sa
from alembic import op

revision = "0019_stand_ins"
down_revision = "0018_plan_due"


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _moment(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def upgrade() -> None:
    op.create_table(
        "stand_ins",
        _text("stand_in_id"),
        _text("user_id"),
        _text("stand_in"),
        _moment("begins_at"),
        _moment("ends_at"),
        sa.Column("with_team", sa.Boolean(), nullable=False),
        _text("state"),
        _text("set_by"),
        _moment("set_at"),
        _text("ended_by", null=True),
        sa.PrimaryKeyConstraint("stand_in_id"),
    )
    op.create_index("ix_stand_ins_state", "stand_ins", ["state"])


def downgrade() -> None:
    op.drop_table("stand_ins")
