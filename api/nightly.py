"""The night: every account decided, bucket by bucket, and published at once when all are done.

One run at a time. A run that was killed goes on where it stopped, with the facts it began with; accounts of
which something new is known are decided again on all of it before they are published. Yesterday's lists are
shown until today's are complete.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

from joblib import Parallel, delayed

from api.decider import Decider, LiveDecider, NoHistoryError, read_decider
from api.night_bucket import AccountList, Night, decide_bucket, judge_bucket, read_lists, without_collection
from api.night_plan import find_prices, make_plan, night_prices
from api.night_spark import BucketWork, each_on_spark
from api.night_summary import summarise
from api.service import Service
from api.stops import standing_stops
from api.twin_night import look_for_twins
from data.compiled import made_by
from data.history import HistoryStore, Snapshot
from data.home import DataError, Home
from data.ingest import take_over
from data.ledger.ledger import Ledger
from data.ledger.types import Run
from data.nights import NightFolder, kept_snapshot, night_folders, remove_nights
from data.playbook_versions import keep_playbook
from data.progress import Progress, quiet
from data.settings import Settings
from data.spark import connected
from data.spark_options import SparkOptions
from data.times import now_micros, to_iso
from data.twins import remove_twin_sets
from engine.plan_offers import first_day
from engine.playbook import Playbook
from engine.records import DAY_MICROS, ContactStop

CHUNK = 400
"""Accounts published in one transaction, so that live writes wait only shortly."""

ONE_PROCESS_ACCOUNTS = 5_000
"""Up to so many accounts are decided sooner than other processes have started."""

Each = Callable[[BucketWork, Night, Sequence[int]], Iterator[int]]
"""Does work on buckets and gives each as soon as that is done."""
_HOUR_MICROS = 3_600_000_000


class NotFreshError(DataError):
    """A source has not delivered for too long to decide on it."""

    exit_code = 4


class MomentError(DataError):
    """The night is asked for a moment that has not come."""

    exit_code = 2


@dataclass(frozen=True)
class NightReport:
    """A run that is complete. `already` = it was so before."""

    run_id: str
    already: bool
    summary: Mapping[str, Any]


def run_night(settings: Settings, *, as_of: int | None = None, ignore_freshness: bool = False,
              spark: SparkOptions | None = None, report: Progress = quiet,
              clock: Callable[[], int] = now_micros) -> NightReport:  # fmt: skip
    """Decide all accounts and publish their lists.

    Args:
        as_of: Microseconds UTC; None = an interrupted run's moment, else now.
        spark: The cluster that decides; None = processes of this machine.
        clock: Microseconds UTC.

    Raises:
        NotFreshError, NoHistoryError, AlreadyRunningError, CorruptReleaseError, PlaybookError, LedgerError.
    """
    home = settings.as_home()
    ledger = Ledger.open(home)
    try:
        with ledger.exclusive("nightly"), connected(spark, home.root / "spark") as session:
            each = partial(each_on_spark, session) if session else partial(_in_processes, settings.processes)
            return _run(
                settings, ledger, as_of, each, ignore_freshness=ignore_freshness, report=report, clock=clock
            )
    finally:
        ledger.close()


def _run(settings: Settings, ledger: Ledger, as_of: int | None, each: Each, *, ignore_freshness: bool,
         report: Progress, clock: Callable[[], int]) -> NightReport:  # fmt: skip
    started = clock()
    if as_of is not None and as_of > started:
        raise MomentError(
            f"{to_iso(as_of)} lies ahead of now ({to_iso(started)}); a night cannot know what is to come."
        )
    hours = {} if ignore_freshness else settings.freshness_hours()
    night, playbook = _begin(settings, ledger, as_of, hours=hours, report=report, clock=clock)
    run = ledger.begin_run(night.run_id, night.as_of, now=clock())
    if run.state == "complete":
        night.folder.write_state(dict(night.folder.state() or {}) | {"state": "complete"})
        return NightReport(night.run_id, already=True, summary=run.summary)
    buckets = [b for b in range(night.snapshot.buckets) if night.snapshot.account_ids(b)]
    if playbook.plan is not None:
        for done, _ in enumerate(each(judge_bucket, night, buckets), start=1):
            report("judging what could be done", done, len(buckets))
        find_prices(night.folder, ledger, playbook, buckets, first_day(playbook, night.as_of))
        report("planning people's days", 1, 1)
    live = LiveDecider(night.home, ledger, settings.playbook, settings.seed)
    service = Service(ledger, _priced(live, night), clock)
    again = 0
    for done, bucket in enumerate(each(decide_bucket, night, buckets), start=1):
        again += _publish(night, bucket, ledger, service, clock)
        report("deciding and publishing", done, len(buckets))
    if playbook.plan is not None:
        plan = make_plan(night.folder, ledger, playbook, buckets)
        night.folder.write_plan(plan.items)
        ledger.plans.store(plan)
    ledger.stand_ins.sweep(now=clock())
    ledger.hand_overs.escalate_late(now=clock())
    previous = ledger.current_run()
    before = None if previous is None else NightFolder(night.home.nights / previous.run_id)
    summary = summarise(night, buckets, playbook, before) | {
        "decided_again": again, "seconds": round((clock() - started) / 1e6, 1),
    }  # fmt: skip
    ledger.complete_run(night.run_id, summary=summary, now=clock())
    night.folder.write_state(dict(night.folder.state() or {}) | {"state": "complete", "summary": summary})
    kept_since = clock() - round(settings.nights_kept_days * DAY_MICROS)
    remove_nights(night.home.nights, before=kept_since, keep=night.run_id)
    ledger.audit.forget(before=clock() - round(settings.audit_days * DAY_MICROS))
    if as_of is not None and playbook.twins is not None and clock() - as_of < DAY_MICROS:
        # Asked for a moment that is past, the night could not use what is found now; the next one can.
        _renew_twins(settings, ledger, playbook, night.snapshot, report=report, clock=clock)
    return NightReport(night.run_id, already=False, summary=summary)


def check_freshness(snapshot: Snapshot, as_of: int, hours: Mapping[str, float]) -> None:
    """Raises NotFreshError naming the first source whose newest row was stored too long before `as_of`."""
    for source, limit in sorted(hours.items()):
        newest = snapshot.newest.get(source)
        if newest is not None and as_of - newest > limit * _HOUR_MICROS:
            raise NotFreshError(
                f"{source}: the newest row was stored at {to_iso(newest)}, "
                f"{(as_of - newest) / _HOUR_MICROS:,.0f} hours before {to_iso(as_of)}; {limit:g} may be. "
                f"Load newer data, raise NEXTBEST_FRESHNESS_{source.upper()}_HOURS or use --ignore-freshness."
            )


def run_id_of(
    as_of: int, playbook: str, release: str, snapshot: str, seed: int, *, stops: Sequence[ContactStop] = ()
) -> str:
    """The run's name: its moment and a hash of all that it depends on."""
    text = json.dumps([as_of, playbook, release, snapshot, seed, *(stop.stop_id for stop in stops)])
    day = to_iso(as_of)[:10]
    return f"{day}-{hashlib.blake2b(text.encode(), digest_size=6).hexdigest()}"


def _begin(settings: Settings, ledger: Ledger, as_of: int | None, *, hours: Mapping[str, float],
           report: Progress, clock: Callable[[], int]) -> tuple[Night, Playbook]:  # fmt: skip
    """The run of the same moment, playbook, release and seed, if it was interrupted or nothing was loaded
    since; else a new one on what is known."""
    home, in_use = settings.as_home(), ledger.release_in_use()
    current = HistoryStore(home.history).current()
    if current is None:
        raise NoHistoryError(home)
    decider = read_decider(home, settings.playbook, in_use, current, seed=settings.seed)
    keep_playbook(ledger, settings.playbook, decider.playbook, now=clock())
    playbook, release = decider.playbook.version, decider.scorer.release
    stops = standing_stops(ledger)
    depends = [playbook, release, settings.seed, *(list(vars(stop).values()) for stop in stops)]
    _note_complete(home, ledger.current_run())
    before = _run_before(home, depends, as_of, current.id, clock())
    if before is not None:
        folder, snapshot, moment = before
    else:
        found_at = 0
        if as_of is None and decider.playbook.twins is not None:
            snapshot = take_over(home, ledger, clock(), report)
            check_freshness(snapshot, clock(), hours)
            found_at = _renew_twins(settings, ledger, decider.playbook, snapshot, report=report, clock=clock)
        versions, moment = ledger.versions(), max(clock(), found_at + 1) if as_of is None else as_of
        snapshot = take_over(home, ledger, clock(), report)
        check_freshness(snapshot, moment, hours)
        run_id = run_id_of(moment, playbook, release, snapshot.id, settings.seed, stops=stops)
        folder = NightFolder(home.nights / run_id)
        if folder.state() is None:
            folder.write_versions(versions)
            folder.write_state(
                {
                    "state": "running",
                    "as_of": moment,
                    "snapshot": snapshot.id,
                    "depends": depends,
                    "made_by": made_by(),
                }
            )
    night = Night(
        folder.path.name, moment, home, settings.playbook, in_use, snapshot, settings.seed, folder, stops
    )
    return night, decider.playbook


def _renew_twins(settings: Settings, ledger: Ledger, playbook: Playbook, snapshot: Snapshot, *,
                 report: Progress, clock: Callable[[], int]) -> int:  # fmt: skip
    """Look for twins on all that the snapshot has; returns from when on what was found is known."""
    home = settings.as_home()
    found_at = look_for_twins(
        home, ledger, playbook, snapshot, processes=settings.processes, clock=clock, report=report
    )
    remove_twin_sets(home, before=clock() - round(settings.nights_kept_days * DAY_MICROS))
    return found_at


def _note_complete(home: Home, shown: Run | None) -> None:
    """The run on show is complete, also where it died before it could write that down."""
    if shown is None:
        return
    folder = NightFolder(home.nights / shown.run_id)
    state = folder.state()
    if state is not None and state["state"] == "running":
        folder.write_state(dict(state) | {"state": "complete", "summary": shown.summary})


def _run_before(home: Home, depends: list[Any], as_of: int | None, history: str, now: int
                ) -> tuple[NightFolder, Snapshot, int] | None:  # fmt: skip
    """A run that was begun and not completed, without a moment given one of the last day; or a complete one
    of just this moment and history. The night's own decisions, which are taken over when a new one begins,
    are no reason to do it again."""
    for folder in reversed(night_folders(home.nights)):
        state = folder.state()
        if state is None or state["depends"] != depends:
            continue
        if state["state"] == "complete" and (state["as_of"] != as_of or state["snapshot"] != history):
            continue
        if state["as_of"] != as_of and (as_of is not None or now - state["as_of"] > DAY_MICROS):
            continue
        snapshot = kept_snapshot(home, state["snapshot"])
        if snapshot is not None:
            return folder, snapshot, state["as_of"]
    return None


def _priced(live: LiveDecider, night: Night) -> Callable[[], Decider]:
    """What decides again while the night publishes: by the prices of its own plan."""
    prices = night_prices(night.folder)
    plan = "" if prices is None else night.run_id
    return lambda: replace(live(), prices=prices, plan=plan)


def _in_processes(processes: int, work: BucketWork, night: Night, buckets: Sequence[int]) -> Iterator[int]:
    """The buckets, each as soon as the work on it is done."""
    if processes == 1 or len(buckets) == 1 or night.snapshot.accounts <= ONE_PROCESS_ACCOUNTS:
        for bucket in buckets:
            work(night, bucket)
            yield bucket
        return
    jobs = Parallel(n_jobs=processes, return_as="generator")(delayed(work)(night, b) for b in buckets)
    for bucket, _ in zip(buckets, jobs, strict=True):
        yield bucket


@without_collection()
def _publish(night: Night, bucket: int, ledger: Ledger, service: Service, clock: Callable[[], int]) -> int:
    """Stage a bucket's lists in chunks; returns how many accounts were decided again on newer facts."""
    lists = list(read_lists(night, bucket))
    accounts = [found.decision.account_id for found in lists]
    staged, versions = ledger.staged(night.run_id, accounts), night.folder.versions(accounts)
    left = iter([found for found in lists if found.decision.account_id not in staged])
    again = 0
    while chunk := list(islice(left, CHUNK)):
        current = [found for found in chunk if not found.redecide]
        moved = ledger.stage(night.run_id, [_as_staged(found, versions) for found in current], now=clock())
        again += len(moved) + len(chunk) - len(current)
        older = [found.decision.account_id for found in chunk if found.redecide]
        _publish_fresh(night, [*moved, *older], ledger, service, clock)
    return again


def _as_staged(found: AccountList, versions: Mapping[str, int]) -> Any:
    return found.decision, found.proposals, versions.get(found.decision.account_id, -1)


def _publish_fresh(
    night: Night, accounts: list[str], ledger: Ledger, service: Service, clock: Callable[[], int]
) -> None:
    """Decide on all that is known of the accounts and stage that, until nothing new comes in between."""
    while accounts:
        triggers = dict.fromkeys(accounts, f"night:{night.run_id}")
        fresh = service.fresh(triggers, not_before=night.as_of)
        accounts = ledger.stage(
            night.run_id, [(live.logged, live.proposals, version) for live, version in fresh], now=clock()
        )
