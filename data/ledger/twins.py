"""What the last night found about twins, by account; live decisions and readers look here.

A night's set grows beside the one on show, and one row swaps them.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from data.ledger import schema as t
from data.ledger.looks import Look, Reading
from data.ledger.statements import columns, upsert
from data.ledger.types import TwinFinding, TwinsKnown

_COLUMNS = (
    "account_id", "twins_found", "unrealised_value", "unrealised_low", "unrealised_high", "approach",
    "worked", "tried",
)  # fmt: skip
_SWEEP_ROWS = 20_000


def stage(connection: sa.Connection, set_id: str, findings: Sequence[TwinFinding]) -> None:
    """Keep findings of a set that is not on show yet; one that was staged before is replaced."""
    rows = [
        {"set_id": set_id, "content": dict(f.content), **{name: getattr(f, name) for name in _COLUMNS}}
        for f in findings
    ]
    upsert(connection, t.twins, rows, update=(*_COLUMNS[1:], "content"))


def show(connection: sa.Connection, set_id: str, *, as_of: int, stored_at: int) -> None:
    """Put a set on show instead of the one before."""
    row = {"only": 1, "set_id": set_id, "as_of": as_of, "stored_at": stored_at}
    upsert(connection, t.twins_shown, [row], update=("set_id", "as_of", "stored_at"))


def sweep(connection: sa.Connection) -> bool:
    """Delete some of what is not on show any more; whether there may be more."""
    shown = sa.select(t.twins_shown.c.set_id)
    key = sa.tuple_(t.twins.c.set_id, t.twins.c.account_id)
    some = (
        sa.select(t.twins.c.set_id, t.twins.c.account_id)
        .where(t.twins.c.set_id.not_in(shown))
        .limit(_SWEEP_ROWS)
    )
    return connection.execute(sa.delete(t.twins).where(key.in_(some))).rowcount > 0


def known(reading: Reading, account_id: str) -> TwinsKnown | None:
    """What is known of an account's twins; None = no night has looked."""
    shown = _SHOWN.row(reading)
    if shown is None:
        return None
    as_of, stored_at = shown
    found = _FOUND.row(reading, account=account_id)
    return TwinsKnown(as_of, stored_at, None if found is None else TwinFinding(*found))


# Built once: putting these together takes as long as running them.
_SHOWN = Look(sa.select(*columns(t.twins_shown, "as_of", "stored_at")))
_FOUND = Look(
    sa.select(*columns(t.twins, *_COLUMNS, "content")).where(
        t.twins.c.account_id == sa.bindparam("account", type_=sa.Text),
        t.twins.c.set_id == sa.select(t.twins_shown.c.set_id).scalar_subquery(),
    )
)
