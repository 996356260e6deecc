"""What the ways in ask for: record what happened, decide again, answer, explain.

Stored first, then decided: a fact that was taken is never lost, and whoever decides meanwhile makes the
other decide again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from api.allowed import require_allowed, require_channel_allowed
from api.consent import Ended, Sent, already_sent, cancellations, ended_by, ended_in, ended_treatments
from api.decider import Decider, LiveDecision, decide_live
from api.dismissals import dismissed_by, suspend_for_review
from api.feedback import Answer, as_meant, check_answer, ends_at, facts_of, planned_for
from api.stops import standing_stops
from data.ledger.ledger import Ledger
from data.ledger.plan_types import PlanMove
from data.ledger.types import AccountState, ConflictError, OvertakenError, Suggestion, TailRow, User
from data.live import history_of, newest_stored
from engine.changes import Turning, what_would_change
from engine.explanation import Objection, Reason, every_rule, why, why_not
from engine.plan_offers import day_of
from engine.records import History

ATTEMPTS = 20
"""How often an account is decided again because something new came in between, before it is said."""


@dataclass(frozen=True)
class Answered:
    """What an answer did.

    Attributes:
        suggestion: As it stands now.
        withdrawn: Suggestions that a withdrawn consent ended, accepted and snoozed ones too.
        cancelled: Plans that it ended.
        already_sent: What went out in the last day and cannot be taken back.
    """

    suggestion: Suggestion
    withdrawn: int
    cancelled: int
    already_sent: list[Sent]


@dataclass(frozen=True)
class WhyNot:
    """Why a treatment is not suggested for an account; `reasons` where it is."""

    decided_at: int
    objections: tuple[Objection, ...]
    reasons: tuple[Reason, ...]
    rules: tuple[Objection, ...]
    """All that are about it in funnel order, satisfied or not."""


@dataclass(frozen=True)
class Turned:
    """What would change the first choice of an account, as of a moment (microseconds UTC)."""

    decided_at: int
    turning: Turning


class Service:
    """One per process, shared by threads. `clock` gives microseconds UTC.

    Args:
        counted: Called with the table of every event taken and the trigger of every decision posted.
        models: Folder of the releases.
        held: As `decider`, where nothing has to be read for it; else None.
    """

    def __init__(
        self,
        ledger: Ledger,
        decider: Callable[[], Decider],
        clock: Callable[[], int],
        counted: Callable[[Literal["event", "decision"], str], None] = lambda what, of: None,
        models: Path = Path("models"),
        *,
        held: Callable[[], Decider | None] = lambda: None,
    ) -> None:
        self.ledger, self.decider, self.clock, self._counted = ledger, decider, clock, counted
        self.models, self.held = models, held

    def for_one_request(self) -> Service:
        """The same for one request: release and playbook stay what they are when it first asks for them, also
        where others are put in use meanwhile."""
        kept = _Kept(self.decider, self.held)
        return Service(self.ledger, kept, self.clock, self._counted, self.models, held=kept.held)

    def record(
        self, rows: Sequence[TailRow], *, version: tuple[str, int] | None = None
    ) -> tuple[tuple[TailRow, ...], dict[str, str]]:
        """Store events (all or none; the same event twice is one) and decide their accounts again.

        Args:
            version: An account and its version: ConflictError, and nothing stored, where it changed since.

        Returns:
            The rows as stored, and by account the decision that is on show now.
        """
        now = self.clock()
        playbook = self.decider().playbook
        ends = ended_by(rows, playbook)
        cancelled = []
        for account in sorted({row.account_id for row in rows if row.table == "preferences"}):
            history = history_of(self.ledger.account_state(account))
            cancelled += cancellations(history, ends, playbook, after_all(history, now), said=rows)
        stored = self.ledger.append([*rows, *cancelled], now=now, version=version)[: len(rows)]
        for row in stored:
            self._counted("event", row.table)
        triggers = {row.account_id: f"event:{row.event_id}" for row in stored}
        return stored, self.decide(triggers)

    def decide(self, triggers: Mapping[str, str]) -> dict[str, str]:
        """Decide for accounts now and show it; again, where a newer fact came in between.

        Args:
            triggers: Account -> what makes it be decided.

        Returns:
            Account -> decision_id.
        """
        shown: dict[str, str] = {}
        for _ in range(ATTEMPTS):
            left = {account: trigger for account, trigger in triggers.items() if account not in shown}
            if not left:
                return shown
            for live, version in self.fresh(left, not_before=self.clock()):
                decision = live.logged
                with suppress(ConflictError):
                    self.ledger.post(decision, live.proposals, version=version, now=decision.decided_at)
                    shown[decision.account_id] = decision.decision_id
                    self._counted("decision", decision.trigger)
        left_over = sorted(triggers.keys() - shown.keys())
        raise ConflictError(f"{left_over} change too fast to be decided; their facts are stored.")

    def fresh(self, triggers: Mapping[str, str], *, not_before: int) -> list[tuple[LiveDecision, int]]:
        """Decisions on what the ledger has now, each with the account's version; plans that are not allowed
        any more are cancelled first."""
        decider, left = self.decider(), dict(triggers)
        found = []
        while left:
            stops = standing_stops(self.ledger)
            states = [self.ledger.account_state(account) for account in left]
            lives = decide_live(decider, states, triggers=triggers, not_before=not_before, stops=stops)
            for live, state in zip(lives, states, strict=True):
                ended = ended_in(live.decisions, live.row, decider.playbook)
                rows = cancellations(live.history, ended, decider.playbook, live.logged.decided_at)
                if rows:
                    self.ledger.append(rows, now=live.logged.decided_at)
                else:
                    found.append((live, state.version))
                    del left[state.account_id]
        return found

    def answer(
        self, suggestion: Suggestion, answer: Answer, user: User, *, subject: str | None = None,
        check: Callable[[Suggestion], None] | None = None,
    ) -> Answered:  # fmt: skip
        """Take a person's answer with all that follows from it in one transaction, then decide again.

        Args:
            subject: Under which it can be taken back, else the suggestion.
            check: Given the suggestion as it stands in that transaction; what it raises ends it.

        Raises AnswerError; NotAllowedError where newer facts forbid what is accepted; ConflictError when the
        suggestion cannot be answered so any more for another reason.
        """
        now, playbook = self.clock(), self.decider().playbook
        check_answer(answer, now)
        treatment = playbook.treatment(suggestion.treatment)
        answer = as_meant(answer, treatment)
        state = self.ledger.account_state(suggestion.account_id)
        facts = facts_of(answer, suggestion, user, playbook, now, attempt=state.version)
        dismissed = dismissed_by(answer, suggestion, user, playbook, now)
        ended, history = ended_by(facts, playbook), history_of(state)
        cancelled = cancellations(history, ended, playbook, after_all(history, now), said=facts)
        trigger = {suggestion.account_id: f"answer:{suggestion.suggestion_id}:{answer.verb}"}
        decided: int | None = None
        for _ in range(ATTEMPTS):
            try:
                answered = self.ledger.answer(
                    suggestion.suggestion_id, answer.verb, user_id=user.user_id, rows=[*facts, *cancelled],
                    until=ends_at(answer, treatment, playbook, now), now=now, dismissed=dismissed,
                    subject=subject, check=check, decided=decided,
                )  # fmt: skip
            except OvertakenError:
                self.decide(trigger)
                state = self.ledger.account_state(suggestion.account_id)
                # That she accepts it ends her own pause, and no other.
                self.require_allowed(state, facts[:1], suggestion.treatment, now=now)
                decided = state.version
            else:
                break
        else:
            raise ConflictError(f"{suggestion.account_id} changes too fast to be decided; send it again.")
        if dismissed is not None:
            suspend_for_review(self.ledger, playbook, dismissed, now=now)
        self._settle(suggestion, answer, user, now)
        self.decide(trigger)
        return Answered(
            answered,
            self.withdrawn(
                suggestion.account_id, ended, after=now - 1, by=subject or suggestion.suggestion_id
            ),
            len(cancelled),
            already_sent(history, ended, playbook, after_all(history, now)),
        )

    def require_allowed(
        self, state: AccountState, said: Sequence[TailRow], treatment: str, *, now: int,
        asked: Collection[str] | None = None,
    ) -> None:  # fmt: skip
        """Raises NotAllowedError where a rule (of the kinds that are asked) objects to the treatment, decided
        for the account as it is in that state and with what is said besides."""
        playbook = self.decider().playbook
        require_allowed(self._if(state, said, now), playbook.treatment(treatment).id, playbook, asked=asked)

    def require_channel_allowed(
        self, state: AccountState, said: Sequence[TailRow], plan: TailRow, *, now: int
    ) -> None:
        """The same of a planned contact through a channel, see `allowed.require_channel_allowed`."""
        require_channel_allowed(self._if(state, said, now), plan.content, self.decider().playbook)

    def _if(self, state: AccountState, said: Sequence[TailRow], now: int) -> LiveDecision:
        """The account decided as it is in that state and with what is said besides."""
        decider, at = self.decider(), after_all(history_of(state), now)
        told = replace(state, tail=(*state.tail, *(replace(row, stored_at=at) for row in said)))
        triggers, stops = {state.account_id: "allowed"}, standing_stops(self.ledger)
        return decide_live(decider, [told], triggers=triggers, not_before=now, stops=stops)[0]

    def _settle(self, suggestion: Suggestion, answer: Answer, user: User, now: int) -> None:
        """What is accepted has its day in the plan; what is not done or is done has none any more."""
        playbook = self.decider().playbook
        if playbook.plan is None:
            return
        identity = suggestion.account_id, suggestion.treatment, suggestion.role
        person = self.ledger.stand_ins.who_has(suggestion.user_id or user.user_id)
        at = planned_for(answer, now)
        if answer.verb == "complete":
            at = now if answer.at is None else answer.at
        day, spacing = int(day_of(playbook, np.array([at]))[0]), playbook.plan.spacing_days
        if answer.verb == "accept":
            self.ledger.plans.settle_day(PlanMove(*identity, person, day, at, user.user_id, now))
        else:
            self.ledger.plans.free_day(identity, person)
        if answer.verb in ("accept", "complete"):
            near = range(day - spacing + 1, day + spacing)
            self.ledger.plans.give_way(suggestion.account_id, person, near)

    def why_not(self, account_id: str, treatment: str) -> WhyNot:
        """Decide for the account now, without showing it, and say what kept the treatment away.

        Raises PlaybookError naming what is near; UnknownError.
        """
        decider = self.decider()
        index = decider.playbook.treatments.index(decider.playbook.treatment(treatment))
        stops, state = standing_stops(self.ledger), self.ledger.account_state(account_id)
        triggers, now = {account_id: "why_not"}, self.clock()
        live = decide_live(decider, [state], triggers=triggers, not_before=now, stops=stops)[0]
        decisions = live.decisions
        placed = index in decisions.ranking.places[0].tolist()
        return WhyNot(
            live.logged.decided_at,
            () if placed else why_not(decisions, 0, index, decider.playbook),
            why(decisions, 0, index, decider.playbook) if placed else (),
            every_rule(decisions, 0, index, decider.playbook),
        )

    def what_would_change(self, account_id: str, among: frozenset[str]) -> Turned:
        """The nearest changes after which one of these treatments goes first, as of now. UnknownError."""
        decider, history = self.decider(), history_of(self.ledger.account_state(account_id))
        as_of = after_all(history, self.clock())
        situation = decider.situation(history, account_id, as_of, standing_stops(self.ledger))
        return Turned(as_of, what_would_change(situation, among=among))

    def withdrawn(self, account_id: str, ended: Ended, *, after: int, by: str) -> int:
        """How many suggestions a withdrawn consent ended; noted with the act on `by`, which may be undone."""
        treatments = ended_treatments(ended, self.decider().playbook)
        found = self.ledger.withdrawn_since(account_id, after=after) if treatments else []
        over = [one.suggestion_id for one in found if one.treatment in treatments and one.suggestion_id != by]
        self.ledger.also_ended(by, over)
        return len(over)


class _Kept:
    """What decides, read at the first call and kept."""

    def __init__(self, read: Callable[[], Decider], held: Callable[[], Decider | None]) -> None:
        self._read, self._held, self._lock = read, held, threading.Lock()
        self._found: Decider | None = None

    def __call__(self) -> Decider:
        """Raises what reading raises."""
        with self._lock:
            if self._found is None:
                self._found = self._read()
            return self._found

    def held(self) -> Decider | None:
        """What was read, or has not to be."""
        if self._found is None:
            self._found = self._held()
        return self._found


def after_all(history: History, now: int) -> int:
    """A moment at which all of it is known: stored times grow even while the clock stands."""
    return max(now, newest_stored(history) + 1)
