"""Handing an account over to a colleague, and what she answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from api.allowed import EVERY_CONTACT
from api.automatic import due, report_id
from api.events import check_event
from api.feedback import MAX_SNOOZE_DAYS, Answer
from api.service import ATTEMPTS, Service
from data.ledger.hand_over_types import HandOver, HandOverVerb, NewHandOver
from data.ledger.hand_overs import hand_over_id
from data.ledger.ledger import Ledger
from data.ledger.types import AccountState, ConflictError, OvertakenError, TailRow, User
from data.times import to_iso
from engine.conditions import near
from engine.playbook import Playbook, Treatment
from engine.records import DAY_MICROS, EngineError

REJECT_REASONS: tuple[str, ...] = (
    "not_qualified", "not_mine", "no_time", "missing_information", "done_already", "customer_declined",
    "other",
)  # fmt: skip
PLAN_AHEAD_DAYS = 1.0
REST_DAYS = 7.0
FIGURES_DAYS = 90.0


class HandOverError(EngineError):
    """A hand-over or an answer to one lacks something; nothing was stored."""


@dataclass(frozen=True)
class Wanted:
    """What a person asks a colleague for. `rest`: her own suggestion is put off until the colleague is due,
    or for `REST_DAYS`."""

    to_role: str
    to_user: str | None = None
    treatment: str | None = None
    topic: str | None = None
    suggestion_id: str | None = None
    note: str | None = None
    rest: bool = False


@dataclass(frozen=True)
class Reply:
    """What a person answers; `at` in microseconds UTC, `result` the customer's response."""

    verb: Literal["accept", "done", "reject", "close", "ask_again"]
    reason: str | None = None
    note: str | None = None
    at: int | None = None
    channel: str | None = None
    result: str | None = None


def hand_over(service: Service, account_id: str, wanted: Wanted, user: User) -> HandOver:
    """Ask a colleague to do something for an account.

    The same while it waits is the same hand-over. Raises HandOverError: no such role, nobody has it, the
    treatment is another role's; ConflictError: consent does not allow the treatment.
    """
    playbook, now = service.decider().playbook, service.clock()
    _check_role(wanted.to_role, playbook)
    treatment = _check_treatment(wanted, playbook)
    to_user = _receiver(service, account_id, wanted)
    if to_user == user.user_id:
        raise HandOverError("You cannot hand over to yourself.")
    if treatment is not None:
        _check_consent(service, account_id, treatment)
    topic = wanted.topic or (treatment.topic if treatment else "") or None
    key = ("asked", account_id, user.user_id, wanted.to_role, to_user, wanted.treatment, topic,
           wanted.suggestion_id, wanted.note)  # fmt: skip
    earlier = sum(
        one.by_user == user.user_id and one.state in ("done", "returned", "rejected")
        for one in service.ledger.hand_overs.of_account(account_id)
    )
    new = NewHandOver(
        hand_over_id=hand_over_id(*key, earlier), account_id=account_id, kind="asked", by_role=user.role,
        by_user=user.user_id, to_role=wanted.to_role, to_user=to_user, treatment=wanted.treatment,
        topic=topic, suggestion_id=wanted.suggestion_id, note=wanted.note,
        due_at=due(playbook, wanted.to_role, now, service.decider().zones.get(to_user or "")),
    )  # fmt: skip
    made = service.ledger.hand_overs.ask(new, now=now)
    if wanted.rest and wanted.suggestion_id is not None:
        _put_off(
            service, wanted.suggestion_id, user, until=made.due_at or now + round(REST_DAYS * DAY_MICROS)
        )
    return made


def _put_off(service: Service, suggestion_id: str, user: User, *, until: int) -> None:
    """Her own suggestion waits for what the colleague does; it comes back when nothing was done."""
    mine = service.ledger.suggestion(suggestion_id)
    if mine.role == user.role and mine.state in ("open", "accepted") and until > service.clock():
        latest = service.clock() + round(MAX_SNOOZE_DAYS * DAY_MICROS)
        service.answer(mine, Answer("snooze", until=min(until, latest)), user)


def _check_role(role: str, playbook: Playbook) -> None:
    people = [r.id for r in playbook.roles if not r.system]
    if role not in people:
        hint = near(role, people) or f"; there are {', '.join(people)}."
        raise HandOverError(f"There is no role {role!r} to hand over to{hint}")


def _check_treatment(wanted: Wanted, playbook: Playbook) -> Treatment | None:
    if wanted.topic and wanted.topic not in (known := [topic.id for topic in playbook.topics]):
        raise HandOverError(f"There is no topic {wanted.topic!r}{near(wanted.topic, known) or '.'}")
    if wanted.treatment is None:
        return None
    treatment = playbook.treatment(wanted.treatment)
    if treatment.role != wanted.to_role or treatment.kind != "contact":
        raise HandOverError(f"{treatment.id!r} is carried out by {treatment.role!r}, not {wanted.to_role!r}.")
    return treatment


def _receiver(service: Service, account_id: str, wanted: Wanted) -> str | None:
    """Who gets it: the one who is named, the account's own colleague of the role, else all who have it."""
    having = [one.user_id for one in service.ledger.users() if one.role == wanted.to_role]
    if wanted.to_user is not None and wanted.to_user not in having:
        raise HandOverError(f"{wanted.to_user!r} is no colleague with the role {wanted.to_role!r}.")
    own = wanted.to_user or service.ledger.team(account_id).get(wanted.to_role)
    if own is None and not having:
        raise HandOverError(f"Nobody has the role {wanted.to_role!r}.")
    return own


def _check_consent(service: Service, account_id: str, treatment: Treatment) -> None:
    """A colleague cannot do what the customer has forbidden either."""
    stages = {objection.stage for objection in service.why_not(account_id, treatment.id).objections}
    if "consent" in stages:
        raise ConflictError(f"The customer does not permit {treatment.id!r}: {treatment.channel}.")


def reply(service: Service, found: HandOver, answer: Reply, user: User) -> HandOver:
    """Take an answer with the facts that follow from it, then decide the account again.

    Raises HandOverError, ConflictError; NotAllowedError where a rule forbids what is accepted.
    """
    playbook, now = service.decider().playbook, service.clock()
    _check_reply(answer, playbook, now)
    if answer.verb == "ask_again":
        return _ask_again(service, found, answer, user)
    verb: HandOverVerb = answer.verb
    for _ in range(ATTEMPTS):
        state = service.ledger.account_state(found.account_id)
        rows = _facts(found, answer, user, playbook, now, attempt=state.version)
        plans = verb == "accept" and found.state != "accepted"
        if plans:
            _require_room(service, state, found, rows, now)
        try:
            after = service.ledger.hand_overs.answer(
                found.hand_over_id, verb, user_id=user.user_id, reason=answer.reason, text=answer.note,
                rows=rows, version=state.version if plans else None, now=now,
            )  # fmt: skip
        except OvertakenError:
            continue
        if rows:
            service.decide({found.account_id: f"hand_over:{found.hand_over_id}:{verb}"})
        return after
    raise ConflictError(f"{found.account_id} changes too fast to be decided; send it again.")


def _require_room(
    service: Service, state: AccountState, found: HandOver, rows: list[TailRow], now: int
) -> None:
    """A plan uses up a contact. Raises NotAllowedError."""
    # One that was escalated may have been planned before: that plan gives its place to this one.
    instead = [replace(row, content={**row.content, "status": "cancelled"}) for row in rows]
    known = service.decider().playbook.treatment(found.treatment) if found.treatment is not None else None
    if known is not None:
        service.require_allowed(state, instead, known.id, now=now, asked=EVERY_CONTACT)
    for plan in rows:
        if known is None or plan.content["channel"] != known.channel:
            service.require_channel_allowed(state, instead, plan, now=now)


def _check_reply(answer: Reply, playbook: Playbook, now: int) -> None:
    if answer.verb == "reject" and answer.reason not in REJECT_REASONS:
        raise HandOverError(
            f"Sending it back needs a reason, one of {', '.join(REJECT_REASONS)}; got {answer.reason!r}."
        )
    if answer.verb == "done" and answer.at is not None and answer.at > now:
        raise HandOverError("What is done lies in the past; leave `at` out for now.")
    if answer.verb == "accept" and answer.at is not None and answer.at <= now:
        raise HandOverError("What is accepted lies ahead; leave `at` out for tomorrow.")
    outbound = [channel.id for channel in playbook.channels if channel.outbound]
    if answer.channel is not None and answer.channel not in outbound:
        hint = near(answer.channel, outbound) or f"; there are {', '.join(outbound)}."
        raise HandOverError(f"There is no channel {answer.channel!r} to an account{hint}")


def _ask_again(service: Service, found: HandOver, answer: Reply, user: User) -> HandOver:
    """Another hand-over to the same, with a clock and a note of its own; the one that came back is closed."""
    playbook, now = service.decider().playbook, service.clock()
    service.ledger.hand_overs.answer(
        found.hand_over_id, "close", user_id=user.user_id, text=answer.note, now=now
    )
    new = NewHandOver(
        hand_over_id=hand_over_id("again", found.hand_over_id), account_id=found.account_id, kind=found.kind,
        rule=found.rule, suggestion_id=found.suggestion_id, treatment=found.treatment, topic=found.topic,
        touchpoint_id=found.touchpoint_id, by_role=found.by_role, by_user=user.user_id,
        to_role=found.to_role, to_user=found.to_user, stage=found.stage,
        note=answer.note or found.texts.get("note"),
        due_at=due(playbook, found.to_role, now, service.decider().zones.get(found.to_user or "")),
    )  # fmt: skip
    return service.ledger.hand_overs.ask(new, now=now)


def _facts(
    found: HandOver, answer: Reply, user: User, playbook: Playbook, now: int, *, attempt: int
) -> list[TailRow]:
    """The contact that a hand-over leads to: planned when accepted, done when done, cancelled when sent back.

    Without a treatment and without a channel there is nothing to record.
    """
    treatment = playbook.treatment(found.treatment) if found.treatment else None
    channel = answer.channel or (treatment.channel if treatment else None)
    ahead = now + round(PLAN_AHEAD_DAYS * DAY_MICROS)
    status, at = {
        "accept": ("planned", answer.at or ahead), "done": ("done", answer.at or now),
        "reject": ("cancelled", now),
    }.get(answer.verb, ("", now))  # fmt: skip
    sent_back_unplanned = status == "cancelled" and (found.answered_by is None or treatment is None)
    if channel is None or not status or sent_back_unplanned:
        return []
    touchpoint = f"of-{found.hand_over_id}"
    content = {
        "touchpoint_id": touchpoint,
        "account_id": found.account_id,
        "occurred_at": at,
        "direction": "outbound",
        "channel": channel,
        "treatment": found.treatment,
        "topic": found.topic,
        "role": user.role,
        "user_id": user.user_id,
        "status": status,
    }
    rows = [TailRow(f"{touchpoint}:{attempt}:{status}", "touchpoints", found.account_id, content)]
    if answer.verb == "done" and answer.result is not None:
        said = {"touchpoint_id": touchpoint, "responded_at": now, "response": answer.result}
        rows.append(TailRow(f"{touchpoint}:{answer.result}", "responses", found.account_id, said))
    return rows


def report_adverse_event(
    service: Service, account_id: str, report: Mapping[str, Any], *, channel: str | None, at: int | None,
    user: User,
) -> HandOver:  # fmt: skip
    """Send a reported side effect to the safety role; the same text of the same day is one report.

    Raises HandOverError: the playbook names no safety role; EventError.
    """
    playbook, now = service.decider().playbook, service.clock()
    topic = next((topic.id for topic in playbook.topics if topic.safety), None)
    if topic is None:
        raise HandOverError("The playbook names no safety_role and no topic with safety = true.")
    day = now // DAY_MICROS
    touchpoint = f"report-{hand_over_id(account_id, user.user_id, day, dict(report))}"
    known = [h for h in service.ledger.hand_overs.of_account(account_id) if h.touchpoint_id == touchpoint]
    if not known:
        row = {
            "direction": "inbound", "status": "done", "topic": topic, "role": user.role,
            "channel": channel or _spoken(playbook), "user_id": user.user_id, "details": dict(report),
            "occurred_at": to_iso(now if at is None else at),
        }  # fmt: skip
        service.record([check_event(touchpoint, "touchpoints", account_id, row, playbook=playbook, now=now)])
    return service.ledger.hand_overs.find(report_id(touchpoint))


def _spoken(playbook: Playbook) -> str:
    """Where a person heard it, if she does not say: the first channel that people use."""
    channels = [channel for channel in playbook.channels if channel.outbound]
    return next((channel.id for channel in channels if not channel.automated), channels[0].id)


def figures(ledger: Ledger, roles: tuple[str, ...], now: int) -> list[dict[str, Any]]:
    """How the roles keep what was agreed, a row per role that has any.

    Of the last `FIGURES_DAYS` days, and whatever still waits.
    """
    made = ledger.hand_overs.since(now - round(FIGURES_DAYS * DAY_MICROS))
    return [_figures(role, [one for one in made if one.to_role == role], now)
            for role in roles if any(one.to_role == role for one in made)]  # fmt: skip


def _figures(role: str, made: list[HandOver], now: int) -> dict[str, Any]:
    done = [one for one in made if one.state == "done"]
    hours = sorted((one.closed_at or now) - one.asked_at for one in done)
    judged = [one for one in made if one.due_at is not None and (one.state == "done" or one.late(now))]
    return {
        "to_role": role,
        "made": len(made),
        "waiting": sum(one.state in ("asked", "accepted", "escalated") for one in made),
        "done": len(done),
        "sent_back": sum(one.state in ("returned", "rejected") for one in made),
        "late": sum(one.late(now) for one in made),
        "escalated": sum(one.escalated_at is not None for one in made),
        "in_time": sum(not one.late(now) for one in judged) / len(judged) if judged else None,
        "median_hours": hours[len(hours) // 2] / 3.6e9 if hours else None,
    }
