"""What colleagues hear in the field, for counting."""

import sqlalchemy as sa
from alembic import op

revision = "0011_field_notes"
down_revision = "0010_sign_in"


def upgrade() -> None:
    counter = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    names = ("touchpoint_id", "account_id", "kind", "topic", "what", "role")
    op.create_table(
        "field_notes",
        sa.Column("note_id", counter, primary_key=True, autoincrement=True),
        *(sa.Column(name, sa.Text(), nullable=False) for name in names),
        sa.Column("noted_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"]),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_field_notes_touchpoint", "field_notes", ["touchpoint_id"])
    op.create_index("ix_field_notes_account", "field_notes", ["account_id", "noted_at"])
    op.create_index("ix_field_notes_time", "field_notes", ["noted_at"])


def downgrade() -> None:
    op.drop_table("field_notes")
