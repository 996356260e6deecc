"""What a night finds about similar accounts that buy more."""

import sqlalchemy as sa
from alembic import op

revision = "0005_twins"
down_revision = "0004_contact_stops"


def upgrade() -> None:
    amounts = ("unrealised_value", "unrealised_low", "unrealised_high")
    op.create_table(
        "twins",
        sa.Column("set_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("twins_found", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Double(), nullable=False) for name in amounts),
        sa.Column("approach", sa.Text()),
        sa.Column("worked", sa.Integer()),
        sa.Column("tried", sa.Integer()),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("set_id", "account_id"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"]),
    )
    op.create_table(
        "twins_shown",
        sa.Column("only", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("set_id", sa.Text(), nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=False),
        sa.Column("stored_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("only"),
    )


def downgrade() -> None:
    op.drop_table("twins_shown")
    op.drop_table("twins")
