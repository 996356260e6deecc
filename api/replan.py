"""One person's days planned again, at the prices of the night; her colleagues' days stay as they are.

What colleagues have planned for the same accounts stands, unless it is in the way of something of hers that
is worth more or that she has settled by hand: that colleague's days are then planned again in turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import polars as pl

from api.night_plan import arrange, prices_for
from data.ledger.ledger import Ledger
from data.ledger.plan_types import PersonPlan, PlanHead, PlanItem, PlanMove
from data.ledger.types import Suggestion
from data.live import history_of
from engine.plan import Limits
from engine.plan_offers import OFFERS, about, blocked_days, contact_days, day_of, open_days, positions_of
from engine.playbook import Playbook
from engine.records import DAY_MICROS, Ints
from engine.shadow_prices import whole_minutes

Identity = tuple[str, str, str]
"""Account, treatment, role."""
_COLUMNS = {**OFFERS, "in_plan": pl.Boolean()}
_MOST_TURNS = 10
"""How often what is worth less may give way before the days are left as they are."""


def plan_again(
    ledger: Ledger, playbook: Playbook, found: PersonPlan, shown: Mapping[Identity, Suggestion], *, now: int
) -> None:
    """Plan one person's days from what is on show of her. Raises ConflictError (read again)."""
    today = int(day_of(playbook, np.array([now]))[0])
    head, user = found.head, found.person.user_id
    moves = ledger.plans.moves(from_day=max(today, head.first_day), user_id=user)
    offers = _offers(ledger, playbook, found, shown, moves, today=today, now=now)
    theirs = ledger.plans.planned_elsewhere(head.run_id, offers["account_id"].unique().to_list(), user)
    # What a colleague had before the team changed may be hers now.
    theirs = [item for item in theirs if item.identity not in shown and (item.day or 0) >= today]
    limits, standing = _limits(ledger, playbook, found, today), theirs
    for _ in range(_MOST_TURNS):
        items = _arranged(offers, standing, limits, playbook, head=head, user=user, moves=moves)
        weaker = _weaker(items, standing)
        if not weaker:
            break
        standing = [item for item in standing if item.identity not in weaker]
    disturbed = {item.user_id for item in theirs if item.user_id and _clashes(item, items, playbook)}
    ledger.plans.replace_person(head.run_id, found.person, items, disturbed=sorted(disturbed))


def _arranged(offers: pl.DataFrame, standing: Sequence[PlanItem], limits: Limits, playbook: Playbook, *,
              head: PlanHead, user: str, moves: Sequence[PlanMove]) -> list[PlanItem]:  # fmt: skip
    """Her days beside what stands of colleagues."""
    colleagues = sorted({item.user_id for item in standing if item.user_id})
    users = (user, *colleagues)
    beside = pl.DataFrame([_standing_row(item, playbook) for item in standing], schema=_COLUMNS)
    days = {move.identity: move.day for move in moves} | {item.identity: item.day for item in standing}
    both = pl.concat([offers, beside])
    nobody = np.zeros((len(colleagues), head.days), dtype=np.int64)
    room = Limits(
        np.vstack([limits.minutes, nobody]), np.vstack([limits.slots, nobody]), limits.quotas,
        limits.spacing, limits.per_account,
    )  # fmt: skip
    items = arrange(
        both, users, room, playbook, prices=prices_for(head.prices, users, playbook),
        settled=_settled(both, days, head), first=head.first_day,
    )  # fmt: skip
    return [item for item in items if item.user_id == user]


def _standing_row(item: PlanItem, playbook: Playbook) -> dict[str, object]:
    """What a colleague has planned, as it stands in the way: its quota is counted already."""
    known = next((t for t in playbook.treatments if t.id == item.treatment), None)
    return {
        "account_id": item.account_id, "treatment": item.treatment, "role": item.role,
        "user_id": item.user_id, "channel": "", "about": about(known) if known else item.treatment,
        "contact": known is None or known.kind == "contact",
        "priority": item.priority, "value": item.value, "minutes": item.minutes, "days": item.days,
        "listed": True, "explored": False, "in_plan": item.in_plan, "due": item.due,
    }  # fmt: skip


def _settled(offers: pl.DataFrame, days: Mapping[Identity, int | None], head: PlanHead) -> Ints:
    """The plan's day of each offer whose day is settled, -1 = free."""
    rows = offers.select("account_id", "treatment", "role").rows()
    given = [days.get(row) for row in rows]
    found = np.array([-1 if day is None else day - head.first_day for day in given], dtype=np.int64)
    return np.where((found >= 0) & (found < head.days), found, -1)


def _weaker(items: Iterable[PlanItem], standing: Iterable[PlanItem]) -> set[Identity]:
    """What colleagues have not settled and what keeps something that is worth more from having a day."""
    free = {item.identity: item for item in standing if not item.settled}
    found = set()
    for item in items:
        by = tuple(item.why["by"]) if item.why and item.why["by"] else None
        if by in free and free[by].value < item.value:
            found.add(by)
    return found


def _clashes(theirs: PlanItem, items: Iterable[PlanItem], playbook: Playbook) -> bool:
    """Whether what a colleague has planned cannot stay where it is."""
    settings, subject = playbook.plan, {t.id: about(t) for t in playbook.treatments}
    stops = {t.id for t in playbook.treatments if t.kind == "stop"}
    spacing, most = (settings.spacing_days, settings.per_account) if settings else (1, 1)
    mine = [
        item for item in items
        if item.account_id == theirs.account_id and item.day is not None and item.treatment not in stops
    ]  # fmt: skip
    close = any(abs((item.day or 0) - (theirs.day or 0)) < spacing for item in mine)
    same = any(subject.get(item.treatment) == subject.get(theirs.treatment) for item in mine)
    return not theirs.settled and theirs.treatment not in stops and (close or same or len(mine) >= most)


def _limits(ledger: Ledger, playbook: Playbook, found: PersonPlan, today: int) -> Limits:
    """Her time on the days that are left, less what is booked or handed over and what she has done today."""
    head, user, settings = found.head, found.person.user_id, playbook.plan
    away = ledger.plans.absences().get(user, frozenset())
    minutes, slots = np.zeros((1, head.days), dtype=np.int64), np.zeros((1, head.days), dtype=np.int64)
    for d, kept in enumerate(found.person.days):
        if kept["day"] >= today and kept["day"] not in away:
            taken = kept.get("handed", 0) + sum(booked["minutes"] for booked in kept["booked"])
            minutes[0, d] = max(0, kept["minutes"] - taken)
            slots[0, d] = max(0, playbook.per_person_per_day - len(kept["booked"]))
    takes = {t.id: whole_minutes(t) for t in playbook.treatments}
    for treatment, at in ledger.plans.completed(user, after=(today - 1) * DAY_MICROS):
        d = int(day_of(playbook, np.array([at]))[0]) - head.first_day
        if d >= 0 and today - head.first_day == d:
            minutes[0, d] = max(0, minutes[0, d] - takes.get(treatment, 0))
            slots[0, d] = max(0, slots[0, d] - 1)
    of_channel = {t.id: t.channel for t in playbook.treatments if t.kind == "contact"}
    used = ledger.plans.used_by_channel(head.run_id, of_channel, user) if playbook.quotas else {}
    left = [max(0, quota.count - used.get(quota.channel, 0)) for quota in playbook.quotas]
    spacing, most = (settings.spacing_days, settings.per_account) if settings else (1, 1)
    return Limits(minutes, slots, np.array(left, dtype=np.int64), spacing, most)


def _offers(ledger: Ledger, playbook: Playbook, found: PersonPlan, shown: Mapping[Identity, Suggestion],
            moves: Sequence[PlanMove], *, today: int, now: int) -> pl.DataFrame:  # fmt: skip
    """What could be done on her days: what is on show, on days that are left."""
    known, settled = {item.identity: item for item in found.items}, {move.identity for move in moves}
    changed = ledger.plans.changed_since_night({identity[0] for identity in shown})
    head, past = found.head, (1 << max(0, today - found.head.first_day)) - 1
    rows = []
    for identity, suggestion in shown.items():
        item = known.get(identity)
        if suggestion.state == "accepted" and identity not in settled:
            continue
        if item is None or item.priority != suggestion.priority or item.account_id in changed:
            item = _new_item(ledger, playbook, head, suggestion, item, now=now)
        treatment = playbook.treatment(suggestion.treatment)
        rows.append(
            {
                "account_id": item.account_id, "treatment": item.treatment, "role": item.role,
                "user_id": found.person.user_id, "channel": treatment.channel, "about": about(treatment),
                "contact": treatment.kind == "contact",
                "priority": item.priority, "value": item.value, "minutes": item.minutes,
                "days": item.days & ~past, "latitude": item.latitude, "longitude": item.longitude,
                "listed": True, "explored": False, "in_plan": item.in_plan, "due": item.due,
            }
        )  # fmt: skip
    return pl.DataFrame(rows, schema=_COLUMNS).sort("account_id", "treatment")


def _new_item(ledger: Ledger, playbook: Playbook, head: PlanHead, suggestion: Suggestion,
              before: PlanItem | None, *, now: int) -> PlanItem:  # fmt: skip
    """A live suggestion as something to plan; what was due of it before stays due."""
    history = history_of(ledger.account_state(suggestion.account_id))
    opens = now if suggestion.not_before is None else max(now, suggestion.not_before)
    days = open_days(playbook, np.array([opens]), np.array([suggestion.expires_at]), head.first_day)
    near = blocked_days(contact_days(history, now, playbook), playbook, head.first_day)
    treatment = playbook.treatment(suggestion.treatment)
    blocked = int(near["blocked"][0]) if len(near) and treatment.kind == "contact" else 0
    places = positions_of(history, now).row(0, named=True)
    due = 0.0 if before is None else before.value - before.priority
    return PlanItem(
        suggestion.account_id, suggestion.treatment, suggestion.role, suggestion.user_id,
        in_plan=before is not None and before.in_plan, day=None, place=None, settled=False,
        priority=suggestion.priority, value=suggestion.priority + due,
        minutes=whole_minutes(treatment), days=int(days[0]) & ~blocked,
        latitude=places["latitude"], longitude=places["longitude"],
        due=None if before is None else before.due,
    )  # fmt: skip
