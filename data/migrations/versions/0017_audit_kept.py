"""Entries of the audit log may be deleted once they are older than the days for which they are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0017_audit_kept"
down_revision = "0016_provider"


def _sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def upgrade() -> None:
    op.create_table(
        "audit_kept",
        sa.Column("only", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
    )
    if _sqlite():
        op.execute("DROP TRIGGER audit_no_delete")
        op.execute(
            "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit "
            "WHEN OLD.at >= coalesce((SELECT since FROM audit_kept), 0) "
            "BEGIN SELECT RAISE(ABORT, 'audit is only appended to'); END"
        )
        return
    op.execute("DROP TRIGGER audit_no_update ON audit")
    op.execute(
        "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit FOR EACH ROW "
        "EXECUTE FUNCTION audit_only_appended()"
    )
    op.execute(
        "CREATE FUNCTION audit_kept_days() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN IF OLD.at >= coalesce((SELECT since FROM audit_kept), 0) THEN "
        "RAISE EXCEPTION 'audit is only appended to'; END IF; RETURN OLD; END$$"
    )
    op.execute(
        "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit FOR EACH ROW "
        "EXECUTE FUNCTION audit_kept_days()"
    )


def downgrade() -> None:
    op.drop_table("audit_kept")
    if _sqlite():
        op.execute("DROP TRIGGER audit_no_delete")
        op.execute(
            "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit "
            "BEGIN SELECT RAISE(ABORT, 'audit is only appended to'); END"
        )
        return
    for trigger in ("audit_no_delete", "audit_no_update"):
        op.execute(f"DROP TRIGGER {trigger} ON audit")
    op.execute("DROP FUNCTION audit_kept_days()")
    op.execute(
        "CREATE TRIGGER audit_no_update BEFORE UPDATE OR DELETE ON audit FOR EACH ROW "
        "EXECUTE FUNCTION audit_only_appended()"
    )
