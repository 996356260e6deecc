"""What an account permits and likes, by channel and purpose: read, and stated anew by a colleague."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NamedTuple

import polars as pl

from api.consent import Sent, already_sent, cancellations, ended_by, ended_treatments
from api.problems import HttpProblem
from api.service import ATTEMPTS, Service, after_all
from api.tags import require, tag_of
from data.ledger.types import ConflictError, TailRow, User
from data.live import history_of
from data.times import micros
from engine.playbook import Playbook
from engine.records import History, known_rows

PURPOSES = ("marketing", "service", "web_behaviour")
_KINDS = {"opt_in": "permission", "opt_out": "permission", "preferred": "liking", "avoided": "liking"}


class Place(NamedTuple):
    """What a preference is about: a channel of the playbook (or "*" for all), and a purpose."""

    channel: str
    purpose: str


@dataclass(frozen=True)
class Preference:
    """What holds for one channel and purpose of the whole account; times in microseconds UTC.

    Attributes:
        permission: "opt_in" or "opt_out"; None = nothing is known.
        liking: "preferred" or "avoided"; None = nothing is known.
        permission_since, liking_since: From when on; None where nothing is known.
        source: How the latest of them is known.
    """

    place: Place
    permission: str | None = None
    permission_since: int | None = None
    liking: str | None = None
    liking_since: int | None = None
    source: str | None = None

    @property
    def tag(self) -> str:
        """Its ETag."""
        return tag_of(*self.place, self.permission, self.permission_since, self.liking, self.liking_since)


@dataclass(frozen=True)
class Stated:
    """A preference after it was stated, and what a withdrawn permission ended or came too late for."""

    preference: Preference
    withdrawn: int
    cancelled: int
    already_sent: list[Sent]


def preferences_of(history: History, known_at: int) -> list[Preference]:
    """What holds now, by channel and purpose; of single contacts nothing."""
    rows = known_rows(history["preferences"], known_at)
    whole = rows.filter(pl.col("contact_id").is_null()) if "contact_id" in rows.columns else rows
    found: dict[Place, Preference] = {}
    for row in whole.sort("since", "stored_at", maintain_order=True).iter_rows(named=True):
        place = Place(row["channel"], row["purpose"])
        found[place] = _with(found.get(place, Preference(place)), row)
    return [found[place] for place in sorted(found)]


def _with(before: Preference, row: dict[str, Any]) -> Preference:
    fields = vars(before) | {
        row["kind"]: row["status"],
        f"{row['kind']}_since": micros(row["since"]),
        "source": row["source"],
    }
    return Preference(**fields)


def preferences_now(service: Service, account_id: str) -> list[Preference]:
    """As known at this moment. Raises UnknownError."""
    history = history_of(service.ledger.account_state(account_id))
    return preferences_of(history, after_all(history, service.clock()))


def one_of(found: Iterable[Preference], place: Place) -> Preference:
    """The preference of a channel and purpose, unknown where nothing is."""
    return next((one for one in found if one.place == place), Preference(place))


def check_place(place: Place, playbook: Playbook) -> None:
    """Raises a 404 problem for a channel or a purpose that there is not."""
    channels = ["*", *(one.id for one in playbook.channels)]
    for what, got, known in (("channel", place.channel, channels), ("purpose", place.purpose, PURPOSES)):
        if got not in known:
            detail = f"Unknown {what} {got!r}; known are {', '.join(known)}."
            raise HttpProblem(HTTPStatus.NOT_FOUND, detail)


def state_preference(
    service: Service, account_id: str, place: Place, statuses: Iterable[str], *, by: User,
    if_match: str | None,
) -> Stated:  # fmt: skip
    """State what the account permits or likes; what holds already is not stored again.

    Args:
        statuses: "opt_in" or "opt_out", "preferred" or "avoided"; the other kind stays as it is.
        if_match: Tags of which the preference must have one when it is stored; None = whatever it is.

    Raises a 412 problem where somebody was faster; ConflictError, UnknownError.
    """
    for _ in range(ATTEMPTS):
        state, now = service.ledger.account_state(account_id), service.clock()
        history = history_of(state)
        known_at = after_all(history, now)
        before = one_of(preferences_of(history, known_at), place)
        require(if_match, before.tag)
        new = [status for status in statuses if status not in (before.permission, before.liking)]
        if not new:
            return Stated(before, 0, 0, [])
        rows = [_row(status, account_id, place, by=by, now=known_at) for status in new]
        try:
            service.record(rows, version=(account_id, state.version))
        except ConflictError:
            if service.ledger.account_state(account_id).version == state.version:
                raise
            continue
        return _after(service, account_id, place, rows=rows, history=history, known_at=known_at)
    raise ConflictError(f"{account_id} changes too fast; send it again.")


def _row(status: str, account_id: str, place: Place, *, by: User, now: int) -> TailRow:
    return TailRow(
        f"stated:{account_id}:{place.channel}:{place.purpose}:{status}:{now}",
        "preferences",
        account_id,
        {
            "account_id": account_id,
            "channel": place.channel,
            "purpose": place.purpose,
            "kind": _KINDS[status],
            "status": status,
            "since": now,
            "source": f"user:{by.user_id}",
        },
    )


def _after(
    service: Service, account_id: str, place: Place, *, rows: list[TailRow], history: History, known_at: int
) -> Stated:
    playbook = service.decider().playbook
    ended = ended_by(rows, playbook)
    over = ended_treatments(ended, playbook)
    withdrawn = service.ledger.withdrawn_since(account_id, after=known_at - 1) if over else []
    return Stated(
        one_of(preferences_now(service, account_id), place),
        sum(one.treatment in over for one in withdrawn),
        len(cancellations(history, ended, playbook, known_at)),
        already_sent(history, ended, playbook, known_at),
    )
