"""The first ledger: facts, people, releases, runs, suggestions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_LIVE = sa.text("state IN ('open', 'accepted', 'snoozed')")


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _whole(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=null)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _counter(name: str) -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, primary_key=True, autoincrement=True)


def _of_account() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"])


def _proposal() -> list[sa.Column]:
    return [
        _text("user_id", null=True),
        _text("channel"),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Double(), nullable=False),
        _whole("expires_at"),
        _text("decision_id"),
        _text("reasons"),
    ]


def upgrade() -> None:
    _facts()
    _people()
    _releases_and_runs()
    _suggestions()


def _facts() -> None:
    op.create_table(
        "accounts",
        _text("account_id"),
        _text("subject_key"),
        _text("language", null=True),
        _text("timezone", null=True),
        _text("territory", null=True),
        _whole("version"),
        _whole("last_stored_at"),
        sa.PrimaryKeyConstraint("account_id"),
        sa.UniqueConstraint("subject_key"),
    )
    op.create_table(
        "blocks",
        _text("account_id"),
        sa.Column("block", sa.LargeBinary(), nullable=False),
        _whole("watermark"),
        sa.PrimaryKeyConstraint("account_id"),
        _of_account(),
    )
    op.create_table(
        "events",
        _counter("seq"),
        _text("event_id"),
        _text("account_id"),
        _text("tbl"),
        _text("content_hash"),
        _whole("stored_at"),
        sa.UniqueConstraint("event_id"),
        _of_account(),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "tail",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        _text("account_id"),
        _text("content"),
        sa.PrimaryKeyConstraint("seq"),
        sa.ForeignKeyConstraint(["seq"], ["events.seq"]),
        _of_account(),
    )
    op.create_index("ix_tail_account_id", "tail", ["account_id"])
    op.create_table(
        "personal",
        _text("subject_key"),
        _text("source"),
        _text("row_key"),
        _text("content"),
        sa.PrimaryKeyConstraint("subject_key", "source", "row_key"),
        sa.ForeignKeyConstraint(["subject_key"], ["accounts.subject_key"]),
    )


def _people() -> None:
    op.create_table(
        "users",
        _text("user_id"),
        _text("name"),
        _text("role"),
        _text("manager_id", null=True),
        _text("language", null=True),
        _text("timezone", null=True),
        _text("gender", null=True),
        _text("calendar"),
        sa.PrimaryKeyConstraint("user_id"),
    )
    op.create_table(
        "team",
        _text("account_id"),
        _text("role"),
        _text("user_id"),
        sa.PrimaryKeyConstraint("account_id", "role"),
        _of_account(),
    )
    op.create_index("ix_team_user_id", "team", ["user_id"])
    op.create_table(
        "tokens",
        _text("token_hash"),
        _text("user_id"),
        _whole("issued_at"),
        _whole("expires_at"),
        sa.PrimaryKeyConstraint("token_hash"),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], ondelete="CASCADE"),
    )
    op.create_index("ix_tokens_user_id", "tokens", ["user_id"])


def _releases_and_runs() -> None:
    op.create_table(
        "promotions",
        _counter("number"),
        _text("release_id"),
        _text("manifest_hash"),
        _whole("since"),
        _text("promoted_by"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "runs",
        _text("run_id"),
        _whole("as_of"),
        _text("state"),
        _whole("started_at"),
        _whole("completed_at", null=True),
        _text("summary"),
        sa.PrimaryKeyConstraint("run_id"),
    )
    shown = op.create_table(
        "shown",
        sa.Column("only", sa.Integer(), autoincrement=False, nullable=False),
        _text("run_id"),
        sa.PrimaryKeyConstraint("only"),
    )
    op.bulk_insert(shown, [{"only": 1, "run_id": "live"}])
    op.create_table(
        "published",
        _text("run_id"),
        _text("account_id"),
        sa.PrimaryKeyConstraint("run_id", "account_id"),
        _of_account(),
    )


def _suggestions() -> None:
    op.create_table(
        "decisions",
        _text("decision_id"),
        _text("account_id"),
        _whole("decided_at"),
        _text("treatment"),
        sa.Column("probability", sa.Double(), nullable=False),
        _flag("explored"),
        _text("playbook"),
        _text("release"),
        _whole("seed"),
        _text("trigger"),
        _text("record"),
        sa.PrimaryKeyConstraint("decision_id"),
        _of_account(),
    )
    op.create_index("ix_decisions_account_id", "decisions", ["account_id"])
    op.create_table(
        "suggestions",
        _text("suggestion_id"),
        _text("account_id"),
        _text("treatment"),
        _text("role"),
        _text("state"),
        _whole("posted_at"),
        _whole("snoozed_until", null=True),
        _text("answered_by", null=True),
        _whole("closed_at", null=True),
        *_proposal(),
        sa.PrimaryKeyConstraint("suggestion_id"),
        _of_account(),
    )
    op.create_index("ix_suggestions_account_id", "suggestions", ["account_id"])
    op.create_index("ix_suggestions_person", "suggestions", ["user_id", "state"])
    op.create_index(
        "ix_suggestions_identity",
        "suggestions",
        ["account_id", "treatment", "role"],
        unique=True,
        sqlite_where=_LIVE,
        postgresql_where=_LIVE,
    )
    op.create_table(
        "listings",
        _text("run_id"),
        _text("suggestion_id"),
        _text("account_id"),
        _flag("is_new"),
        *_proposal(),
        sa.PrimaryKeyConstraint("run_id", "suggestion_id"),
        sa.ForeignKeyConstraint(["suggestion_id"], ["suggestions.suggestion_id"]),
        _of_account(),
    )
    op.create_index("ix_listings_account", "listings", ["account_id", "run_id"])
    op.create_index("ix_listings_person", "listings", ["run_id", "user_id"])


def downgrade() -> None:
    tables = (
        "listings", "suggestions", "decisions", "published", "shown", "runs", "promotions", "tokens", "team",
        "users", "personal", "tail", "events", "blocks", "accounts",
    )  # fmt: skip
    for table in tables:
        op.drop_table(table)
