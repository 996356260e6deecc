"""The unit of the night's work: one bucket of accounts, decided and written, in a process of its own."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from api.automatic import Automatic
from api.consent import cancellations, ended_in
from api.decider import Decider, logged, proposals_of, read_decider
from api.kept_scores import kept_scores, scores_to_keep
from api.night_plan import night_prices
from data.history import Snapshot
from data.home import DataError, Home
from data.ledger.schema import Written, dumps
from data.ledger.types import LoggedDecision, Proposal, ReleaseInUse
from data.live import current_team
from data.nights import NightFolder
from data.twins import found_before, twins_known
from engine.contract import TIME
from engine.decide import Decisions
from engine.experiments import ARMS, OUTSIDE
from engine.plan_offers import bookings_of, first_day, offers_of
from engine.records import ContactStop, History, Moments


@dataclass(frozen=True)
class Night:
    """What all buckets of a run share; goes to the processes as it is.

    Attributes:
        as_of: Microseconds UTC: what is stored strictly before it is known.
        folder: Where the run's files go.
        stops: What people had stopped for everybody when it began; publishing heeds what is stopped later.
    """

    run_id: str
    as_of: int
    home: Home
    playbook: str
    release: ReleaseInUse | None
    snapshot: Snapshot
    seed: int
    folder: NightFolder
    stops: tuple[ContactStop, ...] = ()


@dataclass(frozen=True)
class AccountList:
    """One account of a bucket as decided.

    Attributes:
        redecide: Whether facts of it were stored at or after the night's moment, or a plan stands against a
            withdrawn consent: such an account is decided again on all its facts before anything is shown.
    """

    decision: LoggedDecision
    proposals: list[Proposal]
    redecide: bool


@contextmanager
def without_collection() -> Iterator[None]:
    """No search for cycles meanwhile: a bucket makes hundreds of thousands of small objects, hardly any of
    them in a cycle, and every search walks all that the process holds."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


_read: dict[tuple[Any, ...], Decider] = {}
"""The decider of the run this process works for."""


@without_collection()
def decide_bucket(night: Night, bucket: int) -> int:
    """Decide a bucket's accounts and write what its folder keeps; nothing where that is done already.

    Returns how many accounts the bucket has.
    """
    accounts = night.snapshot.account_ids(bucket)
    if accounts and not night.folder.has(bucket):
        history, decider = _facts(night, bucket, accounts), _decider(night)
        moments = Moments.at(accounts, night.as_of, night.stops)
        if decider.playbook.plan is None:
            decisions = decider.decide(history, moments)
        else:
            scores = kept_scores(night.folder.read(bucket, "scores"), len(accounts))
            decider = replace(decider, prices=night_prices(night.folder, accounts), plan=night.run_id)
            decisions = decider.decide_again(history, moments, scores)
            first = first_day(decider.playbook, night.as_of)
            offers = offers_of(decisions, history, decider.playbook, first)
            night.folder.write(bucket, "listed", offers.filter("listed"))
        night.folder.write(bucket, "funnel", decisions.funnel())
        night.folder.write(bucket, "lists", _lists(night, decider, history, decisions))
        night.folder.write(bucket, "facts", decisions.features.known())
        night.folder.write(bucket, "record", decisions.record())
    return len(accounts)


@without_collection()
def judge_bucket(night: Night, bucket: int) -> int:
    """What a bucket's accounts bring to the plan: scores, offers and what is booked; nothing where that is
    done already. Returns how many accounts the bucket has."""
    accounts = night.snapshot.account_ids(bucket)
    if accounts and not night.folder.judged(bucket):
        history, decider = _facts(night, bucket, accounts), _decider(night)
        decisions = decider.decide(history, Moments.at(accounts, night.as_of, night.stops))
        playbook, first = decider.playbook, first_day(decider.playbook, night.as_of)
        night.folder.write(bucket, "scores", scores_to_keep(decisions.scores))
        night.folder.write(bucket, "bookings", bookings_of(history, night.as_of, playbook, first))
        night.folder.write(bucket, "offers", offers_of(decisions, history, playbook, first))
    return len(accounts)


def _facts(night: Night, bucket: int, accounts: tuple[str, ...]) -> History:
    history = _with_twins(night, night.snapshot.read(bucket), accounts)
    if not night.snapshot.path.is_dir():
        raise DataError("The history was replaced more than once while the night ran; run it again.")
    return history


def _with_twins(night: Night, history: History, accounts: tuple[str, ...]) -> History:
    """The facts of a bucket and what had been found about its accounts' twins before the night's moment."""
    known = twins_known(found_before(night.home, night.as_of), accounts)
    return History({**history.frames, "twins": known})


def read_lists(night: Night, bucket: int) -> Iterator[AccountList]:
    """What a bucket's accounts were decided, by account id."""
    for row in night.folder.read(bucket, "lists").iter_rows(named=True):
        proposals = [Proposal(**one | {"reasons": Written(one["reasons"])}) for one in row["proposals"]]
        yield AccountList(LoggedDecision(**json.loads(row["decision"])), proposals, row["redecide"])


def _decider(night: Night) -> Decider:
    key = (night.home, night.playbook, night.release, night.snapshot.id, night.seed)
    if key not in _read:
        _read.clear()
        _read[key] = read_decider(night.home, night.playbook, night.release, night.snapshot, seed=night.seed)
    return _read[key]


def _lists(night: Night, decider: Decider, history: History, decisions: Decisions) -> pl.DataFrame:
    teams = current_team(history, night.as_of)
    later = _changed_since(history, night.as_of) | _against_consent(decider, history, decisions, night.as_of)
    automatic = Automatic.of(decisions, history, decider.playbook, decider.zones)
    eligible = decisions.objections.eligible[:, 1:].sum(axis=1)
    arms = decisions.features.arm.tolist()
    rows = []
    for row, account in enumerate(decisions.moments.account_ids):
        team = teams.get(account, {})
        decision = logged(
            decisions, row, decider, trigger=f"night:{night.run_id}",
            record=_kept(night, decisions, row, arms[row]), hand_overs=automatic.for_row(row, team),
        )  # fmt: skip
        proposals = proposals_of(decisions, row, decider.playbook, team, many=True)
        rows.append(
            {
                "account_id": account,
                "explored": decision.explored,
                "options": int(eligible[row]),
                "redecide": account in later,
                "decision": json.dumps(vars(decision)),
                "proposals": [vars(one) | {"reasons": dumps(one.reasons)} for one in proposals],
            }
        )
    return pl.DataFrame(rows, schema=_LIST_SCHEMA)


PROPOSALS = pl.List(
    pl.Struct(
        {
            "treatment": pl.String(),
            "role": pl.String(),
            "user_id": pl.String(),
            "channel": pl.String(),
            "rank": pl.Int64(),
            "priority": pl.Float64(),
            "expires_at": pl.Int64(),
            "reasons": pl.String(),
            "not_before": pl.Int64(),
        }
    )
)
"""An account's list; reasons as the ledger writes them, since most are never looked at."""
_LIST_SCHEMA = {
    "account_id": pl.String(),
    "explored": pl.Boolean(),
    "options": pl.Int64(),
    "redecide": pl.Boolean(),
    "decision": pl.String(),
    "proposals": PROPOSALS,
}


def _kept(night: Night, decisions: Decisions, row: int, arm: int) -> dict[str, str]:
    """Where the full record is, and what outlives the night's files: what was eligible, for learning, and the
    arm of the standing test."""
    could = np.flatnonzero(decisions.objections.eligible[row])
    eligible = "|".join(decisions.treatments[index] for index in could)
    kept = {"night": night.run_id, "eligible": eligible}
    return kept if arm == OUTSIDE else kept | {"arm": ARMS[arm]}


def _changed_since(history: History, as_of: int) -> frozenset[str]:
    """Accounts of which facts were stored that the night's moment does not know."""
    later = pl.col("stored_at") >= pl.lit(as_of).cast(TIME)
    return frozenset(
        account
        for frame in history.frames.values()
        for account in frame.filter(later)["account_id"].unique().to_list()
    )


def _against_consent(decider: Decider, history: History, decisions: Decisions, as_of: int) -> frozenset[str]:
    """Accounts with a plan that a withdrawn consent does not allow any more."""
    planned = history["touchpoints"].filter(pl.col("status") == "planned")
    rows = {account: row for row, account in enumerate(decisions.moments.account_ids)}
    found = set()
    for (account,), plans in planned.partition_by("account_id", as_dict=True).items():
        ended = ended_in(decisions, rows[account], decider.playbook) if account in rows else frozenset()
        if cancellations(History({"touchpoints": plans}), ended, decider.playbook, as_of):
            found.add(str(account))
    return frozenset(found)
