"""What is first posted with a suggestion stands in it alone: its listing says `null` for its reasons.

Lists on show stay as they are until the next night. Who goes back needs the reasons in the listings again.
"""

from alembic import op

revision = "0022_reasons_once"
down_revision = "0021_marker_key"


def upgrade() -> None:
    pass


def downgrade() -> None:
    op.execute(
        "UPDATE listings SET reasons = (SELECT s.reasons FROM suggestions s "
        "WHERE s.suggestion_id = listings.suggestion_id) WHERE reasons = 'null'"
    )
