"""Which release decides. Every promotion is a row; the newest is in use."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from data.ledger import schema as t
from data.ledger.looks import Look, Reading
from data.ledger.statements import columns
from data.ledger.types import ReleaseInUse

ROLLBACK = "nextbest release rollback"
"""Who promotes when a release is taken back; `before` tells it from a promotion by choice."""


def promote(connection: sa.Connection, release_id: str, manifest_hash: str, *, now: int, by: str) -> None:
    """From now on this release decides."""
    row = {"release_id": release_id, "manifest_hash": manifest_hash, "since": now, "promoted_by": by}
    connection.execute(sa.insert(t.promotions), row)


def log(connection: sa.Connection) -> list[ReleaseInUse]:
    """Promotions, newest first."""
    return [ReleaseInUse(*row) for row in connection.execute(_NEWEST_FIRST)]


def in_use(reading: Reading) -> ReleaseInUse | None:
    """The release promoted last; None before the first."""
    row = _IN_USE.row(reading)
    return None if row is None else ReleaseInUse(*row)


_NEWEST_FIRST = sa.select(
    *columns(t.promotions, "release_id", "manifest_hash", "since", "promoted_by")
).order_by(t.promotions.c.number.desc())
_IN_USE = Look(_NEWEST_FIRST.limit(1))


def before(newest_first: Sequence[ReleaseInUse]) -> ReleaseInUse | None:
    """What was in use before the present release: once taken back, the next rollback goes further."""
    chosen: list[ReleaseInUse] = []
    for entry in reversed(newest_first):
        if entry.by == ROLLBACK:
            while chosen and chosen[-1].release_id != entry.release_id:
                chosen.pop()
        elif not chosen or chosen[-1].release_id != entry.release_id:
            chosen.append(entry)
    return chosen[-2] if len(chosen) > 1 else None
