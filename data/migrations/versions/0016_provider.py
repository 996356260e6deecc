"""Signing in by a provider of OpenID Connect: attempts, who is who, and when a session was checked."""

import sqlalchemy as sa
from alembic import op

revision = "0016_provider"
down_revision = "0015_erasures"


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def upgrade() -> None:
    op.create_table(
        "provider_attempts",
        _text("state_hash"),
        _text("nonce"),
        _text("verifier"),
        _text("next"),
        _text("attempt"),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("state_hash"),
    )
    op.create_table(
        "provider_users",
        _text("issuer"),
        _text("subject"),
        _text("user_id"),
        sa.Column("linked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("issuer", "subject"),
        sa.UniqueConstraint("user_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], ondelete="CASCADE"),
    )
    op.create_table(
        "provider_sessions",
        _text("session_hash"),
        sa.Column("checked_at", sa.BigInteger(), nullable=False),
        sa.Column("claimed_at", sa.BigInteger(), nullable=False),
        _text("refresh", null=True),
        sa.PrimaryKeyConstraint("session_hash"),
        sa.ForeignKeyConstraint(["session_hash"], ["sessions.session_hash"], ondelete="CASCADE"),
    )


def downgrade() -> None:
    for table in ("provider_sessions", "provider_users", "provider_attempts"):
        op.drop_table(table)
