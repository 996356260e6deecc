"""The plan of people's days: what could be planned, prices, and what people settle themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0012_plan"
down_revision = "0011_field_notes"


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _whole(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=null)


def _moment(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=null)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _amount(name: str, *, null: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double(), nullable=null)


def _of_account() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"])


def upgrade() -> None:
    op.create_table(
        "plans",
        _text("run_id"), _whole("first_day"), _whole("days"), _amount("value"), _amount("bound"),
        _text("prices"), sa.PrimaryKeyConstraint("run_id"),
    )  # fmt: skip
    op.create_table(
        "plan_people",
        _text("run_id"), _text("user_id"), _text("days"), _moment("version"), _flag("stale"),
        sa.PrimaryKeyConstraint("run_id", "user_id"),
    )  # fmt: skip
    op.create_table(
        "plan_items",
        _text("run_id"), _text("account_id"), _text("treatment"), _text("role"), _text("user_id", null=True),
        _flag("in_plan"), _flag("listed"), _whole("day", null=True), _whole("place", null=True),
        _flag("settled"),
        _amount("priority"), _amount("value"), _whole("minutes"), _moment("days"),
        _amount("latitude", null=True), _amount("longitude", null=True),
        _text("why", null=True), sa.PrimaryKeyConstraint("run_id", "account_id", "treatment", "role"),
        _of_account(),
    )  # fmt: skip
    op.create_index("ix_plan_items_person", "plan_items", ["run_id", "user_id"])
    op.create_table(
        "plan_moves",
        _text("account_id"), _text("treatment"), _text("role"), _text("user_id"), _whole("day"),
        _moment("at", null=True), _text("moved_by"), _moment("moved_at"),
        sa.PrimaryKeyConstraint("account_id", "treatment", "role"), _of_account(),
    )  # fmt: skip
    op.create_index("ix_plan_moves_user_id", "plan_moves", ["user_id"])
    op.create_table(
        "plan_absences",
        _text("user_id"), _whole("day"), _text("set_by"), _moment("set_at"),
        sa.PrimaryKeyConstraint("user_id", "day"),
    )  # fmt: skip


def downgrade() -> None:
    for table in ("plan_absences", "plan_moves", "plan_items", "plan_people", "plans"):
        op.drop_table(table)
