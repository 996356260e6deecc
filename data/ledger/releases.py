"""Which release decides. Every promotion is a row; the newest is in use."""

from __future__ import annotations

import sqlalchemy as sa

from data.ledger import schema as t
from data.ledger.statements import columns
from data.ledger.types import ReleaseInUse


def promote(connection: sa.Connection, release_id: str, manifest_hash: str, *, now: int, by: str) -> None:
    """From now on this release decides."""
    row = {"release_id": release_id, "manifest_hash": manifest_hash, "since": now, "promoted_by": by}
    connection.execute(sa.insert(t.promotions), row)


def log(connection: sa.Connection, *, limit: int | None = None) -> list[ReleaseInUse]:
    """Promotions, newest first."""
    query = sa.select(*columns(t.promotions, "release_id", "manifest_hash", "since"))
    newest_first = query.order_by(t.promotions.c.number.desc()).limit(limit)
    return [ReleaseInUse(*row) for row in connection.execute(newest_first)]
