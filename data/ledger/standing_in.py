"""How stand-ins change what is whose: for the statements of others (see `data.ledger.stand_ins`)."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from data.ledger import schema as t
from data.ledger.access_schema import stand_ins

IN_FORCE = stand_ins.c.state == "in_force"
_WAITING = ("asked", "accepted", "escalated", "returned")


def teams_taken_over(user_ids: Sequence[str]) -> sa.Select[tuple[str]]:
    """Whose places in teams these people have beside their own."""
    own = stand_ins.c
    return sa.select(own.user_id).where(own.stand_in.in_(user_ids), own.with_team, IN_FORCE)


def whose_tasks(connection: sa.Connection, user_ids: Sequence[str]) -> list[str]:
    """Whose tasks these people have: their own, unless they are away, and those of whom they stand in for."""
    own = stand_ins.c
    found = connection.execute(sa.select(own.user_id, own.stand_in).where(IN_FORCE)).all()
    away = {row.user_id for row in found}
    covered = [row.user_id for row in found if row.stand_in in user_ids]
    return sorted({*(one for one in user_ids if one not in away), *covered})


def standing_in(account_id: sa.BindParameter[str]) -> sa.Select[tuple[str]]:
    """Who may see an account because she stands in for somebody who serves it, or has open tasks there."""
    own = stand_ins.c
    in_team = sa.exists().where(t.team.c.account_id == account_id, t.team.c.user_id == own.user_id)
    suggested = sa.exists().where(
        t.suggestions.c.account_id == account_id, t.suggestions.c.user_id == own.user_id,
        t.suggestions.c.state.in_(t.LIVE_STATES),
    )  # fmt: skip
    handed = sa.exists().where(
        t.hand_overs.c.account_id == account_id, t.hand_overs.c.to_user == own.user_id,
        t.hand_overs.c.state.in_(_WAITING),
    )  # fmt: skip
    return sa.select(own.stand_in).where(IN_FORCE, sa.or_(sa.and_(own.with_team, in_team), suggested, handed))
