"""Passwords and sessions of the page, attempts to sign in, and the language that a colleague has chosen."""

import sqlalchemy as sa
from alembic import op

revision = "0010_sign_in"
down_revision = "0009_acts"


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _moment(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _user() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], ondelete="CASCADE")


def upgrade() -> None:
    op.create_table(
        "passwords",
        _text("user_id"),
        _text("password_hash"),
        _moment("changed_at"),
        sa.PrimaryKeyConstraint("user_id"),
        _user(),
    )
    op.create_table(
        "sessions",
        _text("session_hash"),
        _text("user_id"),
        _text("csrf"),
        _moment("created_at"),
        _moment("seen_at"),
        _moment("expires_at"),
        _text("said", null=True),
        sa.PrimaryKeyConstraint("session_hash"),
        _user(),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_table(
        "sign_in_attempts",
        _text("attempt"),
        _text("who"),
        _moment("at"),
        sa.PrimaryKeyConstraint("attempt", "who"),
    )
    op.create_index("ix_sign_in_attempts_who", "sign_in_attempts", ["who", "at"])
    op.create_table(
        "chosen_languages",
        _text("user_id"),
        _text("language"),
        sa.PrimaryKeyConstraint("user_id"),
        _user(),
    )


def downgrade() -> None:
    for table in ("chosen_languages", "sign_in_attempts", "sessions", "passwords"):
        op.drop_table(table)
