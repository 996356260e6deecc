"""Keys of jobs, what is settled about colleagues beside their loads, and the log of who saw and did what."""

import sqlalchemy as sa
from alembic import op

revision = "0014_access"
down_revision = "0013_changes"

_CHANGES = ("UPDATE", "DELETE")


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _moment(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=null)


def upgrade() -> None:
    op.create_table(
        "api_keys",
        _text("key_id"),
        _text("key_hash"),
        _text("user_id"),
        _text("scopes"),
        _moment("created_at"),
        _moment("expires_at"),
        _moment("revoked_at", null=True),
        sa.PrimaryKeyConstraint("key_id"),
        sa.UniqueConstraint("key_hash"),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], ondelete="CASCADE"),
    )
    op.create_index("ix_api_keys_user_id", "api_keys", ["user_id"])
    op.create_table(
        "settled_users",
        _text("user_id"),
        _text("role", null=True),
        _moment("left_at", null=True),
        _moment("settled_at"),
        sa.PrimaryKeyConstraint("user_id"),
    )
    counter = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "audit",
        sa.Column("seq", counter, primary_key=True, autoincrement=True),
        _moment("at"),
        _text("user_id"),
        _text("key_id", null=True),
        _text("what"),
        sa.Column("status", sa.Integer(), nullable=False),
        _text("account_id", null=True),
        _text("subject", null=True),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_user", "audit", ["user_id", "at"])
    op.create_index("ix_audit_account", "audit", ["account_id", "at"])
    _append_only()


def _append_only() -> None:
    """The database refuses to change what was written, whoever asks."""
    if op.get_bind().dialect.name == "sqlite":
        for change in _CHANGES:
            op.execute(
                f"CREATE TRIGGER audit_no_{change.lower()} BEFORE {change} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'audit is only appended to'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_only_appended() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN RAISE EXCEPTION 'audit is only appended to'; END$$"
    )
    # By row, so that the tables of a new ledger can be emptied before a backup is put into them.
    for change, each in (("UPDATE OR DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
        op.execute(
            f"CREATE TRIGGER audit_no_{change.split()[0].lower()} BEFORE {change} ON audit "
            f"FOR EACH {each} EXECUTE FUNCTION audit_only_appended()"
        )


def downgrade() -> None:
    for table in ("audit", "settled_users", "api_keys"):
        op.drop_table(table)
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION audit_only_appended()")
