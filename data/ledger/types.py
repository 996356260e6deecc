"""What the ledger takes and gives, as types."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from data.home import DataError
from data.ledger.schema import Written

Verb = Literal["accept", "dismiss", "snooze", "complete"]
ActVerb = Literal["accept", "dismiss", "snooze", "complete", "suggest", "record"]
"""What somebody did: answered a suggestion, made one of her own, or recorded a contact without one."""
State = Literal["open", "accepted", "snoozed", "dismissed", "completed", "expired", "withdrawn", "sent"]
"""open = posted and not answered. A suggestion is shown while it is listed and open, accepted, or (once
its snooze is over) snoozed."""


class LedgerError(DataError):
    """The ledger cannot do it now; says what to do."""

    exit_code = 6


class LedgerMissingError(LedgerError):
    """There is no ledger yet: `nextbest ingest FOLDER` makes one."""


class LedgerLockedError(LedgerError):
    """Somebody else holds it for too long."""


class LedgerVersionError(LedgerError):
    """It was written by a newer version of nextbest (or an older one: `nextbest migrate`)."""


class AlreadyRunningError(LedgerError):
    """One at a time, and somebody else is running it."""

    exit_code = 7


class ConflictError(LedgerError):
    """The same id was stored before with other content, or the thing changed meanwhile."""


class OvertakenError(ConflictError):
    """What is accepted was decided before the newest facts of its account."""


class UnknownError(LedgerError):
    """There is no such account, suggestion or user."""


@dataclass(frozen=True)
class User:
    """A colleague, as a request knows her.

    Attributes:
        scopes: Of a key: what it may be used for, of what her role may; None = no key.
        key_id: Of which key.
        until: Until when a provider's word for her holds, microseconds UTC; None = nobody's word is needed.
    """

    user_id: str
    name: str
    role: str
    manager_id: str | None = None
    language: str | None = None
    timezone: str | None = None
    scopes: frozenset[str] | None = None
    key_id: str | None = None
    until: int | None = None


@dataclass(frozen=True)
class Session:
    """A colleague who has signed in to the page.

    Attributes:
        user: She, in the language that she has chosen.
        csrf: What every form and request that changes something has to bring along.
        said: What the next page tells her about what she has just done; None = nothing.
        checked_at: When a provider last vouched for her, microseconds UTC; None = she has a password here.
    """

    user: User
    csrf: str
    said: Mapping[str, Any] | None = None
    checked_at: int | None = None


@dataclass(frozen=True)
class TailRow:
    """A live fact: a row of a contract table, stored the moment it arrived.

    Attributes:
        event_id: Idempotency key; the same id with the same content is stored once.
        table: Of `HISTORY_TABLES`.
        account_id: Whose fact it is.
        content: The row by the contract (times as microseconds UTC), without stored_at.
        stored_at: Microseconds UTC; set by the ledger, strictly later than any other row of the account.
        seq: Grows over all rows; set by the ledger.
        sent: The content as it was sent, where a time was filled in: either tells a repetition. None = the
            same.
    """

    event_id: str
    table: str
    account_id: str
    content: Mapping[str, Any]
    stored_at: int = 0
    seq: int = 0
    sent: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class TwinFinding:
    """What a night claims of one account: similar accounts buy much more. Amounts in currency a year.

    Attributes:
        approach: Steps of the approach that worked best on similar accounts, separated by |; None = none.
        worked, tried: On how many of them.
        content: Everything that can be told, with the ids that open its rows.
    """

    account_id: str
    twins_found: int
    unrealised_value: float
    unrealised_low: float
    unrealised_high: float
    approach: str | None
    worked: int | None
    tried: int | None
    content: Mapping[str, Any]


@dataclass(frozen=True)
class TwinsKnown:
    """What is known of an account's twins since a night stored it.

    Attributes:
        as_of: Microseconds UTC: what was stored before it was compared.
        stored_at: Microseconds UTC: from when on it is known.
        finding: None = nothing is claimed of the account.
    """

    as_of: int
    stored_at: int
    finding: TwinFinding | None


@dataclass(frozen=True)
class AccountState:
    """All that is needed to decide for one account now, read in one transaction.

    Attributes:
        block: Arrow bytes of its slice of history (`data.history.unpack`).
        tail: Live rows that the block does not contain, oldest first.
        version: Grows with every change; `post` refuses when it has moved on.
        twins: What is known of its twins; None = no night has looked for any.
    """

    account_id: str
    name: str
    language: str | None
    timezone: str | None
    block: bytes
    tail: tuple[TailRow, ...]
    version: int
    twins: TwinsKnown | None = None


@dataclass(frozen=True)
class Proposal:
    """A suggestion about to be posted.

    Attributes:
        treatment, role: With the account its identity: the same while open is the same suggestion.
        user_id: Who is to do it; None = the system or nobody yet.
        channel: For caps.
        rank: Place on the account's list, 1 = first.
        priority: In currency.
        expires_at: Microseconds UTC.
        reasons: Codes and facts as JSON, or their text.
        not_before: First moment outside quiet hours and days off, microseconds UTC; None = at any time.
    """

    treatment: str
    role: str
    user_id: str | None
    channel: str
    rank: int
    priority: float
    expires_at: int
    reasons: list[dict[str, Any]] | Written
    not_before: int | None = None

    @property
    def told(self) -> list[dict[str, Any]]:
        """The reasons, read where they are text."""
        return json.loads(self.reasons) if isinstance(self.reasons, Written) else self.reasons


@dataclass(frozen=True)
class OwnSuggestion:
    """What a colleague suggests herself: accepted from the start, with the contact that it plans."""

    suggestion_id: str
    account_id: str
    proposal: Proposal
    user_id: str
    plan: TailRow


@dataclass(frozen=True)
class LoggedDecision:
    """The part of a decision that the ledger keeps. `record` holds what is needed to recompute a live one.

    `ended` and `stops` are not kept. `ended`: the treatments that are not allowed any more, or that another
    role is given now; whatever of them somebody has accepted or put off is withdrawn when the decision is
    posted or staged. `stops`: ids of the stops of contacts under which it was taken.
    """

    decision_id: str
    account_id: str
    decided_at: int
    treatment: str
    probability: float
    explored: bool
    playbook: str
    release: str
    seed: int
    trigger: str
    """"night:<run>" or "event:<event_id>"."""
    record: Mapping[str, Any] = field(default_factory=dict)
    ended: Sequence[str] = ()
    stops: Sequence[str] = ()
    hand_overs: Sequence[Mapping[str, Any]] = ()
    """Fields of `NewHandOver`: what the account is handed over for when the decision is posted; not kept."""


@dataclass(frozen=True)
class Suggestion:
    """A suggestion as it is shown; times in microseconds UTC.

    `new` = first listed by the current run or live since; `expires_at` does not end an accepted one; it is
    not to be carried out before `not_before`.
    """

    suggestion_id: str
    account_id: str
    account_name: str
    treatment: str
    role: str
    user_id: str | None
    channel: str
    state: State
    rank: int
    priority: float
    reasons: list[dict[str, Any]]
    decision_id: str
    posted_at: int
    expires_at: int
    snoozed_until: int | None = None
    new: bool = False
    not_before: int | None = None
    source: Literal["engine", "person"] = "engine"


@dataclass(frozen=True)
class StopOrder:
    """Contacts of a scope, stopped for everybody until somebody resumes them; times in microseconds UTC.

    Attributes:
        level: "all", or what `of` names: "channel", "issue", "group", "action", "topic", "treatment".
        stopped_by, resumed_by: Who did it.
        treatments, spared: Those of the playbook in use that it covers, and those that it does not.
        stop_id: 0 = not kept yet.
    """

    level: str
    of: str
    reason: str
    stopped_by: str
    stopped_at: int
    treatments: tuple[str, ...]
    spared: tuple[str, ...]
    stop_id: int = 0
    resumed_by: str | None = None
    resumed_at: int | None = None
    resume_reason: str | None = None


@dataclass(frozen=True)
class KeptPlaybook:
    """The text of a playbook that was used.

    Attributes:
        version: Hash of the text.
        playbook: The id that it gives itself.
        first_used_at: Microseconds UTC.
    """

    version: str
    playbook: str
    text: str
    first_used_at: int


@dataclass(frozen=True)
class ReleaseInUse:
    """Which release decides, since when, with the hash of its manifest, and what put it in use."""

    release_id: str
    manifest_hash: str
    since: int
    by: str = field(default="", compare=False)


@dataclass(frozen=True)
class Run:
    """A nightly run. `staged` = accounts published to it so far; listed to users only once complete."""

    run_id: str
    as_of: int
    state: Literal["running", "complete"]
    started_at: int
    completed_at: int | None
    summary: Mapping[str, Any]


@dataclass(frozen=True)
class Told:
    """A touchpoint with details; `details` is JSON as text, None when it was erased or taken back."""

    touchpoint_id: str
    account_id: str
    occurred_at: int
    direction: str | None
    channel: str | None
    topic: str | None
    role: str | None
    details: str | None


@dataclass(frozen=True)
class Dismissed:
    """A suggestion that was dismissed, for whom and why; times in microseconds UTC.

    Attributes:
        correction: Whether the account's data is to be put right.
        settled_at: When it was; None = it waits, or nothing was asked for.
    """

    suggestion_id: str
    account_id: str
    treatment: str
    role: str
    user_id: str
    reason: str
    dismissed_at: int
    correction: bool
    settled_by: str | None = None
    settled_at: int | None = None
    account_name: str = ""


@dataclass(frozen=True)
class DismissalCount:
    """How often a treatment was dismissed for one reason, for how many accounts, and when last."""

    treatment: str
    role: str
    reason: str
    times: int
    accounts: int
    latest: int


@dataclass(frozen=True)
class Act:
    """What somebody did to a suggestion, or a contact that she recorded; times in microseconds UTC.

    Attributes:
        subject: The suggestion, or the touchpoint that was recorded without one.
        before: The suggestion as it was, with the day `settled` for it; None = there was nothing.
        facts: The facts that it left, as stored.
        ended: Other suggestions that it ended.
    """

    act_id: int
    account_id: str
    user_id: str
    subject: str
    verb: ActVerb
    acted_at: int
    before: Mapping[str, Any] | None
    facts: tuple[TailRow, ...]
    ended: tuple[str, ...]


@dataclass(frozen=True)
class FieldNote:
    """Something that was heard of an account on a touchpoint; `noted_at` in microseconds UTC.

    Attributes:
        kind: "question", "objection" or "competitor".
        topic: Of the playbook; "" = none in particular.
        what: What an objection is about, or the competitor; "" of a question.
        role: Of whoever heard it.
    """

    touchpoint_id: str
    account_id: str
    kind: str
    topic: str
    what: str
    role: str
    noted_at: int
