"""`nextbest replay`: decisions that were logged, computed again from what was kept of them.

From the stored scores first: the ranking, its draws and probabilities must follow to the bit on any machine.
Then from the stored facts as of the decision's moment: to the bit where the same program runs on a like
processor, else the largest difference and every changed rank are told. Nothing is written.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any

import polars as pl

from api.decider import Decider, NoHistoryError, read_scorer
from data.compiled import made_by
from data.history import HistoryStore, Snapshot
from data.home import DataError, Home
from data.ledger.ledger import Ledger
from data.ledger.types import LoggedDecision, UnknownError
from data.live import history_of
from data.nights import NightFolder, night_folders
from data.playbook_versions import kept_playbook
from data.progress import Progress, quiet
from data.settings import Settings
from data.twins import TwinSet, twin_sets, twins_known
from engine.decide import judge, place
from engine.features import FeatureSet
from engine.playbook import Playbook, PlaybookError
from engine.records import ContactStop, History, Moments, join
from engine.replay import (
    FOLLOWING,
    RECORD_TYPES,
    Comparison,
    RecordError,
    charged,
    compare,
    from_scores,
)  # fmt: skip

CHUNK = 500
"""Live decisions that are replayed together."""
RANKS_TOLD = 1_000
"""So many changed ranks are told one by one; all are counted."""


@dataclass
class Level:
    """What one way of computing decisions again came to.

    Attributes:
        agree, differ: Decisions that came out to the bit, and not.
        elsewhere: Of those that differ, how many another program or processor took and rank the same.
        largest: The largest difference between two numbers.
        columns: Which columns of the record differed.
        ranks: Changed ranks, the first of them: decision, account, treatment, before, after.
        ranks_changed: How many there are.
    """

    agree: int = 0
    differ: int = 0
    elsewhere: int = 0
    largest: float = 0.0
    columns: set[str] = field(default_factory=set)
    ranks: list[dict[str, Any]] = field(default_factory=list)
    ranks_changed: int = 0

    def add(self, found: Comparison, names: Sequence[tuple[str, str]], *, same_machine: bool) -> None:
        """Count a comparison; `names` = (decision, account) of each."""
        differ = int(found.differs.sum())
        self.agree += len(names) - differ
        self.differ += differ
        moved = {change.decision for change in found.ranks}
        self.elsewhere += 0 if same_machine else differ - len(moved)
        self.largest = max(self.largest, found.largest)
        self.columns |= set(found.columns)
        self.ranks_changed += len(found.ranks)
        for change in found.ranks[: RANKS_TOLD - len(self.ranks)]:
            decision, account = names[change.decision]
            told = {"decision_id": decision, "account_id": account}
            self.ranks.append(told | {n: getattr(change, n) for n in ("treatment", "before", "after")})


@dataclass
class Replayed:
    """What a replay found.

    Attributes:
        nights, live: How many decisions of each kind there were.
        scores, facts: What each level came to.
        erased: Decisions of accounts that were erased; they are not computed again.
        missing: What a level lacked, in words -> how many decisions.
        posted: Decisions of nights whose posted row is another than the night's files say.
    """

    nights: int = 0
    live: int = 0
    scores: Level = field(default_factory=Level)
    facts: Level = field(default_factory=Level)
    erased: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    posted: int = 0

    @property
    def agrees(self) -> bool:
        """Whether everything came out as it must."""
        return not (self.scores.differ or self.facts.differ - self.facts.elsewhere or self.posted)


@dataclass(frozen=True)
class _Block:
    """Decisions kept under one playbook, release and seed, rows by decision.

    Attributes:
        names: (decision, account) of each.
        made_by: Of the machine and program that took them.
    """

    record: pl.DataFrame
    names: list[tuple[str, str]]
    stops: tuple[ContactStop, ...]
    made_by: str

    def one(self, column: str) -> Any:
        return self.record[column][0]


def replay(
    settings: Settings, since: int, until: int, *, scores_only: bool = False, report: Progress = quiet
) -> Replayed:
    """Compute the decisions of [since, until) again; microseconds UTC.

    Args:
        scores_only: From the stored scores alone, which is quick.

    Raises NoHistoryError, LedgerError.
    """
    home = settings.as_home()
    snapshot = HistoryStore(home.history).current()
    if snapshot is None:
        raise NoHistoryError(home)
    ledger = Ledger.open(home)
    try:
        work = _Replay(home, ledger, snapshot, scores_only=scores_only)
        work.erased(since, until)
        work.nights(since, until, report)
        work.live(since, until, report)
    finally:
        ledger.close()
    return work.found


class _Replay:
    """What is read once: playbooks, releases, sets of twins; and what was found so far."""

    def __init__(self, home: Home, ledger: Ledger, snapshot: Snapshot, *, scores_only: bool) -> None:
        self.home, self.ledger, self.snapshot, self.scores_only = home, ledger, snapshot, scores_only
        self.found = Replayed()
        self._playbooks: dict[str, Playbook | str] = {}
        self._deciders: dict[tuple[str, str], Decider | str] = {}
        self._releases = {entry.release_id: entry for entry in ledger.release_log()}
        self._twins = twin_sets(home)
        self._known, self._erased = ledger.versions().keys(), ledger.erased()
        self._theirs = pl.col("account_id").is_in(list(self._erased))

    def erased(self, since: int, until: int) -> None:
        """Count what is not computed again."""
        gone = sorted(self._erased)
        self.found.erased = self.ledger.logged.count_of(gone, since=since, until=until)

    # -- nights ------------------------------------------------------------------------------------
    def nights(self, since: int, until: int, report: Progress) -> None:
        """All complete nights of which files are left; the others are counted."""
        kept = {folder.path.name: folder for folder in night_folders(self.home.nights)}
        logged = self.ledger.logged.by_night(since=since, until=until)
        for run, count in logged.items():
            if run not in kept:
                self.found.nights += count
                self.found.missing[f"files of the night {run}"] += count
        chosen = [(f, s) for f in kept.values() if (s := f.state()) and s["state"] == "complete"
                  and since <= s["as_of"] < until]  # fmt: skip
        steps = [(folder, state, bucket) for folder, state in chosen for bucket in folder.finished()]
        for done, (folder, state, bucket) in enumerate(steps, start=1):
            self._bucket(folder, state, bucket)
            report("replaying nights", done, len(steps))

    def _bucket(self, folder: NightFolder, state: Mapping[str, Any], bucket: int) -> None:
        record, lists = folder.read(bucket, "record").filter(~self._theirs), folder.read(bucket, "lists")
        if record.is_empty():
            return
        decisions = {row["account_id"]: json.loads(row["decision"]) for row in lists.iter_rows(named=True)}
        accounts = record["account_id"].unique(maintain_order=True).to_list()
        names = [(decisions[account]["decision_id"], account) for account in accounts]
        stops = tuple(ContactStop(*stop) for stop in state["depends"][3:])
        self.found.nights += len(accounts)
        self._posted(folder.path.name, record)
        block = _Block(record, names, stops, state.get("made_by", ""))
        self._block(block, lambda: self.snapshot.read(bucket))

    def _posted(self, run: str, record: pl.DataFrame) -> None:
        """What was posted of the night must be what its files say."""
        first = record.filter(pl.col("place") == 1).select("account_id", "treatment", "probability")
        posted = self.ledger.logged.of_night(run, first["account_id"].to_list())
        for account, treatment, probability in first.iter_rows():
            self.found.posted += posted.get(account, (treatment, probability)) != (treatment, probability)

    # -- live --------------------------------------------------------------------------------------
    def live(self, since: int, until: int, report: Progress) -> None:
        """All decisions that the ledger keeps whole."""
        total, done = self.ledger.logged.count_live(since=since, until=until), 0
        after: tuple[int, str] = (since, "")
        while page := self.ledger.logged.live(after=after, until=until, limit=CHUNK):
            after = (page[-1].decided_at, page[-1].decision_id)
            page = [decision for decision in page if decision.account_id not in self._erased]
            for block, decisions in self._blocks(page):
                self._block(block, partial(self._live_history, decisions))
            done += len(page)
            self.found.live += len(page)
            report("replaying live decisions", done, max(total, done))

    def _blocks(self, page: list[LoggedDecision]) -> Iterator[tuple[_Block, list[LoggedDecision]]]:
        """The page by what its decisions were taken with."""
        ordered = sorted(page, key=self._kind)
        for _, group in groupby(ordered, key=self._kind):
            decisions = list(group)
            stops = tuple(ContactStop(**stop) for stop in decisions[0].record.get("stops", []))
            frames = [_frame(decision) for decision in decisions]
            names = [(decision.decision_id, decision.account_id) for decision in decisions]
            made = str(decisions[0].record.get("made_by", ""))
            yield _Block(pl.concat(frames, how="diagonal"), names, stops, made), decisions

    def _kind(self, decision: LoggedDecision) -> tuple[Any, ...]:
        twins = self._twins_before(decision.decided_at)
        stops = json.dumps(decision.record.get("stops", []))
        made = str(decision.record.get("made_by", ""))
        return (decision.playbook, decision.release, decision.seed, stops, made, twins.id if twins else "",
                "room" in decision.record)  # fmt: skip

    def _live_history(self, decisions: Sequence[LoggedDecision]) -> History:
        parts = []
        for account in sorted({decision.account_id for decision in decisions}):
            try:
                facts = history_of(self.ledger.account_state(account))
            except UnknownError:
                continue
            parts.append(History({name: frame for name, frame in facts.frames.items() if name != "twins"}))
        return join(parts)

    # -- both --------------------------------------------------------------------------------------
    def _block(self, block: _Block, facts: Callable[[], History]) -> None:
        playbook = self._playbook(block.one("playbook"))
        if isinstance(playbook, str):
            self.found.missing[playbook] += len(block.names)
            return
        try:
            again = from_scores(block.record, playbook)
        except RecordError as error:
            self.found.missing[str(error)] += len(block.names)
            return
        size = len(playbook.treatments)
        found = compare(block.record, again, size, FOLLOWING)
        self.found.scores.add(found, block.names, same_machine=True)
        if self.scores_only:
            return
        decider = self._decider(playbook, block.one("release"))
        if isinstance(decider, str):
            self.found.missing[decider] += len(block.names)
            return
        self._from_facts(block, decider, facts())

    def _from_facts(self, block: _Block, decider: Decider, facts: History) -> None:
        there = self._known & set(facts["accounts"]["account_id"].unique())
        names = [name for name in block.names if name[1] in there]
        if len(names) < len(block.names):
            self.found.missing["the facts of accounts that the ledger lacks"] += len(block.names) - len(names)
        if not names:
            return
        playbook, record = decider.playbook, block.record.filter(pl.col("account_id").is_in(there))
        heads = record.gather_every(len(playbook.treatments))
        accounts, as_of = tuple(heads["account_id"]), heads["decided_at"].to_physical().to_numpy()
        twins = twins_known(self._twins_before(int(as_of[0])), sorted(set(accounts)))
        history = History({**facts.frames, "twins": twins})
        judged = judge(
            history, Moments(accounts, as_of, block.stops), playbook=playbook, features=decider.features,
            scorer=decider.scorer,
        )  # fmt: skip
        judged = charged(judged, record, playbook)
        again = place(judged, history, playbook=playbook, seed=block.one("seed")).record()
        found = compare(record, again, len(playbook.treatments))
        self.found.facts.add(found, names, same_machine=block.made_by == made_by())

    def _playbook(self, version: str) -> Playbook | str:
        """The playbook of a version, or what is missing."""
        if version not in self._playbooks:
            try:
                kept = kept_playbook(self.ledger, version)
                self._playbooks[version] = kept or f"the playbook {version}"
            except PlaybookError as error:
                self._playbooks[version] = f"the playbook {version} (it cannot be read any more: {error})"
        return self._playbooks[version]

    def _decider(self, playbook: Playbook, release: str) -> Decider | str:
        """What decided then, or what is missing."""
        key = playbook.version, release
        if key not in self._deciders:
            self._deciders[key] = self._read_decider(playbook, release)
        return self._deciders[key]

    def _read_decider(self, playbook: Playbook, release: str) -> Decider | str:
        used = self._releases.get(release)
        if used is None and release != "starting-values":
            return f"the release {release}"
        try:
            scorer = read_scorer(self.home, used, playbook)
        except DataError as error:
            return f"the release {release} (it cannot be read: {error})"
        return Decider(playbook, FeatureSet.of(playbook, self.snapshot.attributes), scorer, 0)

    def _twins_before(self, moment: int) -> TwinSet | None:
        return next((found for found in reversed(self._twins) if found.stored_at < moment), None)


def _frame(decision: LoggedDecision) -> pl.DataFrame:
    """A record kept as JSON, with the types that it had."""
    columns = {name: dtype for name, dtype in RECORD_TYPES.items() if name in decision.record}
    values = {
        name: pl.Series(name, decision.record[name], dtype=pl.Int64).cast(dtype)
        if name == "decided_at" else pl.Series(name, decision.record[name], dtype=dtype)
        for name, dtype in columns.items()
    }  # fmt: skip
    return pl.DataFrame(values)
