"""What decides: playbook, features and scorer joined, for the live path and for the night alike."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from api.automatic import Automatic
from api.consent import ended_in, ended_treatments
from api.kept_facts import FactLayout
from data.artifacts import read_release
from data.compiled import made_by
from data.history import HistoryStore, Snapshot
from data.home import DataError, Home
from data.ledger.ledger import Ledger
from data.ledger.types import AccountState, LoggedDecision, Proposal, ReleaseInUse
from data.live import HeldHistories, current_team, history_in_use, newest_stored
from data.playbook_file import PlaybookFile, PlaybookRead
from data.playbook_versions import keep_text
from data.playbooks import read_playbook
from data.times import now_micros
from data.versions import newest
from engine.amounts import explain_lists
from engine.changes import Situation
from engine.decide import Decisions, decide, judge, place
from engine.explanation import why
from engine.features import FeatureSet
from engine.gates import NOT_BEFORE
from engine.playbook import Playbook, Treatment
from engine.records import Bools, ContactStop, EngineError, History, Moments, join
from engine.rule_facts import same_thing
from engine.scoring import Scorer, Scores, StartingScorer, learned_scorer
from engine.shadow_prices import ShadowPrices
from engine.timing import expires_at


class NoHistoryError(DataError):
    """Nothing was loaded yet, so that there is nothing to decide on."""

    exit_code = 2

    def __init__(self, home: Home) -> None:
        super().__init__(f"There is no history in {home.history}. Load one first: nextbest ingest FOLDER")


@dataclass(frozen=True)
class Decider:
    """Everything that a decision needs besides facts and a moment.

    Attributes:
        prices: Of people's time and quotas, of the plan in use; None = there is none.
        plan: The run that made that plan; "" = there is none.
        zones: Colleague -> her IANA time zone, where it is known.
    """

    playbook: Playbook
    features: FeatureSet
    scorer: Scorer
    seed: int
    prices: ShadowPrices | None = None
    plan: str = ""
    zones: Mapping[str, str] = field(default_factory=dict)

    @property
    def learned(self) -> bool:
        """Whether a release decides, rather than the playbook's starting values."""
        return not isinstance(self.scorer, StartingScorer)

    @cached_property
    def histories(self) -> HeldHistories:
        """Facts of the accounts decided live last, held ready."""
        return HeldHistories()

    @cached_property
    def layout(self) -> FactLayout:
        """Where a live decision finds the facts that it keeps."""
        return FactLayout.of(self.features)

    def decide(self, history: History, moments: Moments) -> Decisions:
        """Decide for each account at its moment."""
        return decide(
            history,
            moments,
            playbook=self.playbook,
            features=self.features,
            scorer=self.scorer,
            seed=self.seed,
            prices=self.prices,
        )

    def decide_again(self, history: History, moments: Moments, scores: Scores) -> Decisions:
        """The same of moments that were scored before."""
        judged = judge(
            history, moments, playbook=self.playbook, features=self.features, scorer=self.scorer,
            scores=scores,
        )  # fmt: skip
        return place(judged, history, playbook=self.playbook, seed=self.seed, prices=self.prices)

    def situation(
        self, history: History, account_id: str, as_of: int, stops: tuple[ContactStop, ...]
    ) -> Situation:
        """One account as things stand, to see what would change it."""
        return Situation(
            history, account_id, as_of, self.playbook, self.features, self.scorer, self.seed, stops=stops,
            prices=self.prices,
        )  # fmt: skip

    @cached_property
    def same_thing(self) -> Bools:
        """Pairs of treatments that two roles would do to the same effect; shape (T, T)."""
        return same_thing(self.playbook)

    def ended(self, decisions: Decisions, row: int) -> list[str]:
        """What must not stand any longer, though somebody accepted or put it off: what consent does not
        allow, and what another role is given now."""
        placed = decisions.ranking.places[row]
        doubled = self.same_thing[placed[placed > 0]].any(axis=0)
        over = {self.playbook.treatments[place].id for place in doubled.nonzero()[0]}
        return sorted(over | set(ended_treatments(ended_in(decisions, row, self.playbook), self.playbook)))


def read_scorer(home: Home, in_use: ReleaseInUse | None, playbook: Playbook) -> Scorer:
    """The release in use, every hash checked; the playbook's starting values where there is none."""
    if in_use is None:
        return StartingScorer(playbook)
    release = read_release(home.models, in_use.release_id, manifest_hash=in_use.manifest_hash)
    return learned_scorer(release.manifest, release.texts, release.arrays, playbook)


def read_decider(
    home: Home, playbook: str, in_use: ReleaseInUse | None, snapshot: Snapshot, *, seed: int
) -> Decider:
    """Join playbook, release and the store's attributes; raises what is wrong with any of them."""
    return join_decider(home, read_playbook(playbook), in_use, snapshot, seed=seed)


def join_decider(
    home: Home, playbook: Playbook, in_use: ReleaseInUse | None, snapshot: Snapshot, *, seed: int
) -> Decider:
    """Join a playbook with release and attributes; raises what is wrong with any of them."""
    features = FeatureSet.of(playbook, snapshot.attributes)
    people = newest(snapshot.common("users")).filter(pl.col("timezone").is_not_null())
    zones = dict(people.select("user_id", "timezone").iter_rows())
    return Decider(playbook, features, read_scorer(home, in_use, playbook), seed, zones=zones)


def plan_prices(ledger: Ledger) -> tuple[ShadowPrices | None, str]:
    """The prices of the plan on show and its run; None and "" where there is none."""
    head = ledger.plans.head()
    if head is None:
        return None, ""
    given, prices = ledger.plans.given(head.run_id), head.prices
    closed = frozenset(prices["closed"])
    return ShadowPrices(prices["minute"], prices["slot"], prices["quota"], closed, given), head.run_id


class LiveDecider:
    """The decider in use now: read again when another release is promoted, another history loaded, another
    plan on show or the playbook's file changed (to one that can be used).

    The text of its playbook is kept with the first use, unless it only looks (`keeps` is false).
    """

    def __init__(self, home: Home, ledger: Ledger, playbook: str, seed: int, *, keeps: bool = True) -> None:
        self._home, self._ledger, self._seed = home, ledger, seed
        self._file, self._keeps = PlaybookFile(playbook), keeps
        self._lock = threading.Lock()
        self._read: tuple[tuple[str | None, ReleaseInUse | None, str, str], Decider] | None = None

    def __call__(self) -> Decider:
        """Raises NoHistoryError, CorruptReleaseError or PlaybookError."""
        with self._lock:
            found, (in_use, shown) = self._file.read(), self._ledger.in_force()
            state = (history_in_use(self._home), in_use, shown, found.playbook.version)
            if self._read is None or self._read[0] != state:
                snapshot = HistoryStore(self._home.history).current()
                if snapshot is None:
                    raise NoHistoryError(self._home)
                decider = self._join(found, in_use, snapshot)
                if decider.playbook.plan is not None:
                    prices, plan = plan_prices(self._ledger)
                    decider = replace(decider, prices=prices, plan=plan)
                self._read = ((*state[:3], decider.playbook.version), decider)
            return self._read[1]

    def held(self) -> Decider | None:
        """What decides, where nothing has changed since it was read; None = call it, by a thread, because to
        read a release takes its time."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            if self._read is None or self._file.changed:
                return None
            in_use, shown = self._ledger.in_force()
            before, decider = self._read
            return decider if before[:3] == (history_in_use(self._home), in_use, shown) else None
        finally:
            self._lock.release()

    @property
    def playbook_refused(self) -> str | None:
        """Why the playbook's file, changed since, is not in use; None = it is."""
        return self._file.refused

    def _join(self, found: PlaybookRead, in_use: ReleaseInUse | None, snapshot: Snapshot) -> Decider:
        """With the playbook before, where a changed one does not go with the rest."""
        try:
            decider = join_decider(self._home, found.playbook, in_use, snapshot, seed=self._seed)
        except EngineError as error:
            found = self._file.refuse(error)
            decider = join_decider(self._home, found.playbook, in_use, snapshot, seed=self._seed)
        if self._keeps:
            keep_text(self._ledger, found.text, found.playbook, now=now_micros())
        return decider


def decision_id(account_id: str, decided_at: int, trigger: str) -> str:
    """The same decision has the same id, however often it is taken."""
    text = json.dumps([account_id, decided_at, trigger])
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def proposals_of(
    decisions: Decisions, row: int, playbook: Playbook, team: Mapping[str, str], *, many: bool = False,
    roles: Collection[str] | None = None,
) -> list[Proposal]:  # fmt: skip
    """The places of one decision as suggestions to post, each with its reasons and its person.

    Args:
        row: Which of the moments.
        team: Role -> user_id of the account.
        many: Whether so many are made that only what a person will look at is explained in parts.
        roles: Whose are made; None = all. Places remain those of the whole list.
    """
    ends = expires_at(playbook, decisions.moments.as_of[row : row + 1])[0]
    placed = [int(index) for index in decisions.ranking.places[row] if index > 0]
    result = []
    for rank, index in enumerate(placed, start=1):
        treatment = playbook.treatments[index]
        if roles is not None and treatment.role not in roles:
            continue
        result.append(
            Proposal(
                treatment=treatment.id,
                role=treatment.role,
                user_id=team.get(treatment.role),
                channel=treatment.channel,
                rank=rank,
                priority=float(decisions.priority.priority[row, index]),
                expires_at=int(ends[index]),
                not_before=_not_before(decisions, row, index, treatment),
                reasons=[{"code": reason.code, "facts": dict(reason.facts), "amount": reason.amount}
                         for reason in why(decisions, row, index, playbook,
                                           in_parts=not many or treatment.role in team)],
            )
        )  # fmt: skip
    return result


def _not_before(decisions: Decisions, row: int, index: int, treatment: Treatment) -> int | None:
    """When the contact may go out; what is stopped may be stopped at any time."""
    if treatment.kind != "contact":
        return None
    # Of one account: the property would copy those of a whole bucket for each of its suggestions.
    return int(decisions.features.gate(NOT_BEFORE)[row, decisions.features.set.channel_of[index]])


def logged(
    decisions: Decisions,
    row: int,
    decider: Decider,
    *,
    trigger: str,
    record: Mapping[str, Any],
    hand_overs: Sequence[Mapping[str, Any]] = (),
) -> LoggedDecision:
    """The part of one decision that the ledger keeps; `record` what is needed to recompute it, with what was
    stopped for everybody, if anything was."""
    stops = decisions.moments.stops
    account_id = decisions.moments.account_ids[row]
    decided_at = int(decisions.moments.as_of[row])
    first = max(int(decisions.ranking.places[row, 0]), 0)
    if decider.plan:
        record = {**record, "plan": decider.plan}
    return LoggedDecision(
        decision_id=decision_id(account_id, decided_at, trigger),
        account_id=account_id,
        decided_at=decided_at,
        treatment=decisions.treatments[first],
        probability=float(decisions.ranking.probability[row]),
        explored=bool(decisions.ranking.explored[row]),
        playbook=decisions.playbook,
        release=decisions.release,
        seed=decisions.seed,
        trigger=trigger,
        record={**record, "stops": [vars(stop) for stop in stops]} if stops else record,
        ended=decider.ended(decisions, row),
        stops=[stop.stop_id for stop in stops],
        hand_overs=hand_overs,
    )


@dataclass(frozen=True)
class LiveDecision:
    """One account decided from what the ledger has of it; `row` is its place in `decisions`."""

    history: History
    decisions: Decisions
    row: int
    logged: LoggedDecision
    proposals: list[Proposal]


def decide_live(
    decider: Decider,
    states: Sequence[AccountState],
    *,
    triggers: Mapping[str, str],
    not_before: int,
    stops: tuple[ContactStop, ...],
) -> list[LiveDecision]:
    """Decide for accounts together, each one microsecond after the newest fact that is stored of it.

    Args:
        triggers: Account -> what made it be decided.
        not_before: Microseconds UTC; no decision is older than that.
        stops: What people have stopped for everybody, read before the states.
    """
    histories = [decider.histories.of(state) for state in states]
    as_of = np.array([max(not_before, newest_stored(h) + 1) for h in histories], dtype=np.int64)
    joined = join(histories)
    decisions = decider.decide(joined, Moments(tuple(s.account_id for s in states), as_of, stops))
    explain_lists([decisions], decider.playbook)
    automatic = Automatic.of(decisions, joined, decider.playbook, decider.zones)
    result = []
    for row, (state, history) in enumerate(zip(states, histories, strict=True)):
        account = state.account_id
        team = current_team(history, int(as_of[row])).get(account, {})
        facts = decider.layout.kept(decisions.features, row)
        proposals = proposals_of(decisions, row, decider.playbook, team)
        reasons = {proposal.treatment: proposal.reasons for proposal in proposals}
        kept = {
            **decisions.record_of(row), "facts": facts, "reasons": reasons, "made_by": made_by(),
        }  # fmt: skip
        result.append(
            LiveDecision(
                history,
                decisions,
                row,
                logged(
                    decisions,
                    row,
                    decider,
                    trigger=triggers[account],
                    record=kept,
                    hand_overs=automatic.for_row(row, team),
                ),
                proposals,
            )
        )
    return result
