"""A playbook tried on all accounts as of a moment: decided as the night decides, and nothing posted.

Several playbooks are tried side by side on the same facts, so that what differs is what the playbook does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import polars as pl
from joblib import Parallel, delayed

from api.decider import Decider, NoHistoryError, read_scorer
from api.night_plan import People, Solved, shadow_prices
from api.nightly import ONE_PROCESS_ACCOUNTS
from api.stops import standing_stops
from data.history import HistoryStore, Snapshot
from data.home import Home
from data.ledger.ledger import Ledger
from data.ledger.types import ReleaseInUse
from data.live import current_team, tail_history
from data.playbooks import playbook_of
from data.progress import Progress, quiet
from data.rewards import rewards
from data.settings import Settings
from data.twins import found_before, twins_known
from engine.decide import Decisions
from engine.features import FeatureSet
from engine.plan_offers import bookings_of, first_day, offers_of
from engine.playbook import Playbook, Treatment
from engine.records import DAY_MICROS, ContactStop, History, Moments, known_rows
from engine.shadow_prices import ShadowPrices

STAGE, SEGMENT = "stage", "segment"


@dataclass(frozen=True)
class Trial:
    """What all buckets of a simulation share; goes to the processes as it is.

    Attributes:
        texts: Of the playbooks, the one on trial first.
        as_of: Microseconds UTC: what is stored strictly before it is known.
        tail: Live rows that the history has not taken over.
        logged: Decisions of the past: account_id, decided_at, treatment, probability.
        prices: Of the plan of each playbook, None = it makes none; found before anything is listed.
    """

    home: Home
    texts: tuple[str, ...]
    release: ReleaseInUse | None
    snapshot: Snapshot
    seed: int
    as_of: int
    stops: tuple[ContactStop, ...]
    tail: Mapping[str, pl.DataFrame]
    logged: pl.DataFrame
    prices: tuple[ShadowPrices | None, ...] = ()


@dataclass(frozen=True)
class Tried:
    """What one playbook decided.

    Attributes:
        accounts: account_id, options (treatments that no rule removed), suggestions, worth (net value of
            place 1 in currency, 0 for no contact), stage, segment and the other attributes of the accounts.
        listed: A row per suggestion: account_id, place, treatment, channel, role, issue (of a contact; null
            for a stop), user_id, minutes, worth, stage, segment.
        funnel: Pairs removed by stage and rule.
        target: Of each row of `Trial.logged` kept in `past`: P(what was chosen then) under this playbook,
            how much of what it would choose the log has at all (supported), and what the release expects to
            be earned by what it would choose (expected) and by what was chosen (predicted), in currency.
        planned: A row per person with time in the plan of all people: role, user_id, minutes (hers, less what
            is booked), planned_minutes, contacts; None = it makes no plan.
    """

    accounts: pl.DataFrame
    listed: pl.DataFrame
    funnel: pl.DataFrame
    target: pl.DataFrame
    planned: pl.DataFrame | None = None


@dataclass(frozen=True)
class Simulation:
    """Playbooks tried side by side; `past`: account_id, probability and reward of past decisions."""

    trial: Trial
    release: str
    tried: tuple[Tried, ...]
    past: pl.DataFrame


def simulate(settings: Settings, texts: Sequence[str], as_of: int, *, report: Progress = quiet) -> Simulation:
    """Decide all accounts under each playbook as of a moment.

    Raises NoHistoryError, LedgerError, CorruptReleaseError, PlaybookError.
    """
    trial = _begin(settings, tuple(texts), as_of)
    buckets = [bucket for bucket in range(trial.snapshot.buckets) if trial.snapshot.account_ids(bucket)]
    plans = _plans(settings, trial, buckets, report)
    trial = replace(trial, prices=tuple(None if plan is None else plan[0] for plan in plans))
    found = list(_each(trial, try_bucket, buckets, "simulating", settings=settings, report=report))
    sides = (_together([part[0][side] for part in found]) for side in range(len(texts)))
    tried = tuple(
        replace(side, planned=None if plan is None else plan[1])
        for side, plan in zip(sides, plans, strict=True)
    )
    release = trial.release.release_id if trial.release else "starting-values"
    return Simulation(trial, release, tried, pl.concat([part[1] for part in found]))


_Part = TypeVar("_Part")


def _each(trial: Trial, work: Callable[[Trial, int], _Part], buckets: Sequence[int], said: str, *,
          settings: Settings, report: Progress) -> Iterator[_Part]:  # fmt: skip
    one = settings.processes == 1 or trial.snapshot.accounts <= ONE_PROCESS_ACCOUNTS
    jobs = Parallel(n_jobs=1 if one else settings.processes, return_as="generator")(
        delayed(work)(trial, bucket) for bucket in buckets
    )
    for done, part in enumerate(jobs, start=1):
        yield part
        report(said, done, len(buckets))


def _plans(settings: Settings, trial: Trial, buckets: Sequence[int], report: Progress
           ) -> list[tuple[ShadowPrices, pl.DataFrame] | None]:  # fmt: skip
    """Of each playbook the prices of the plan that its night would make, and everybody's load in it."""
    books = [playbook_of(text) for text in trial.texts]
    if all(playbook.plan is None for playbook in books):
        return [None for _ in books]
    said = "judging what could be done"
    parts = list(_each(trial, offer_bucket, buckets, said, settings=settings, report=report))
    ledger = Ledger.open(trial.home)
    try:
        return [
            None if playbook.plan is None else _plan(ledger, playbook, trial, [part[side] for part in parts])
            for side, playbook in enumerate(books)
        ]
    finally:
        ledger.close()


def _plan(ledger: Ledger, playbook: Playbook, trial: Trial, parts: Sequence[tuple[pl.DataFrame, pl.DataFrame]]
          ) -> tuple[ShadowPrices, pl.DataFrame]:  # fmt: skip
    first = first_day(playbook, trial.as_of)
    offers, booked = (pl.concat([part[kind] for part in parts]) for kind in (0, 1))
    people = People.of(ledger, playbook, offers, booked, first)
    solved = Solved.of(offers, people, playbook, ledger.plans.moves(from_day=first))
    given = offers.filter(pl.Series(solved.plan.day >= 0))
    used = given.group_by("user_id").agg(pl.col("minutes").sum().alias("planned_minutes"),
                                         pl.len().cast(pl.Int64).alias("contacts"))  # fmt: skip
    free = np.maximum(people.limits(playbook).minutes, 0).sum(axis=1)  # counts
    roles = {user.user_id: user.role for user in ledger.users()}
    load = pl.DataFrame(
        {"role": [roles.get(user, "") for user in people.users], "user_id": people.users, "minutes": free},
        schema={"role": pl.String(), "user_id": pl.String(), "minutes": pl.Int64()},
    )
    load = load.join(used, on="user_id", how="left").with_columns(
        pl.col("planned_minutes", "contacts").fill_null(0)
    )
    return shadow_prices(solved.prices, given.select("account_id", "treatment")), load.sort("role", "user_id")


def offer_bucket(trial: Trial, bucket: int) -> list[tuple[pl.DataFrame, pl.DataFrame]]:
    """What a bucket's accounts bring to the plan of each playbook: offers, and what is booked."""
    accounts = trial.snapshot.account_ids(bucket)
    history = _facts(trial, bucket, accounts)
    found = []
    for text in trial.texts:
        decider = _decider(trial, text, None)
        decisions = decider.decide(history, Moments.at(accounts, trial.as_of, trial.stops))
        first = first_day(decider.playbook, trial.as_of)
        found.append(
            (offers_of(decisions, history, decider.playbook, first),
             bookings_of(history, trial.as_of, decider.playbook, first))
        )  # fmt: skip
    return found


def _decider(trial: Trial, text: str, prices: ShadowPrices | None) -> Decider:
    playbook = playbook_of(text)
    features = FeatureSet.of(playbook, trial.snapshot.attributes)
    scorer = read_scorer(trial.home, trial.release, playbook)
    return Decider(playbook, features, scorer, trial.seed, prices=prices)


def _begin(settings: Settings, texts: tuple[str, ...], as_of: int) -> Trial:
    home = settings.as_home()
    snapshot = HistoryStore(home.history).current()
    if snapshot is None:
        raise NoHistoryError(home)
    horizon = round(playbook_of(texts[0]).horizon("") * DAY_MICROS)
    ledger = Ledger.open(home)
    try:
        rows = [row for row in ledger.tail() if row.seq > snapshot.tail_watermark]
        logged = ledger.logged.last_before(as_of - horizon)
        in_use, stops = ledger.release_in_use(), standing_stops(ledger)
    finally:
        ledger.close()
    tail = tail_history(rows).frames
    return Trial(home, texts, in_use, snapshot, settings.seed, as_of, stops, tail, logged)


def try_bucket(trial: Trial, bucket: int) -> tuple[list[Tried], pl.DataFrame]:
    """What each playbook decides for a bucket's accounts, and the past decisions of these."""
    accounts = trial.snapshot.account_ids(bucket)
    history = _facts(trial, bucket, accounts)
    first = playbook_of(trial.texts[0])
    past = _past(trial, history, accounts, round(first.horizon("") * DAY_MICROS))
    asked = past.select("account_id", as_of="decided_at")
    reward = rewards(history, asked, first, at=trial.as_of, horizon=round(first.horizon("") * DAY_MICROS))
    tried = []
    for text, prices in zip(trial.texts, trial.prices, strict=True):
        decider = _decider(trial, text, prices)
        decisions = decider.decide(history, Moments.at(accounts, trial.as_of, trial.stops))
        if prices is not None:
            # What is planned now, and what is used up, was not so then.
            decider = replace(decider, prices=replace(prices, planned={}, closed=frozenset()))
        tried.append(_tried(decider, history, decisions, _target(decider, history, past)))
    return tried, past.select("account_id", "probability", reward=pl.Series(reward, dtype=pl.Float64))


def _facts(trial: Trial, bucket: int, accounts: tuple[str, ...]) -> History:
    own = pl.col("account_id").is_in(accounts)
    later = History({table: frame.filter(own) for table, frame in trial.tail.items()})
    history = trial.snapshot.read(bucket).append(later)
    twins = twins_known(found_before(trial.home, trial.as_of), accounts)
    return History({**history.frames, "twins": twins})


def _past(trial: Trial, history: History, accounts: tuple[str, ...], horizon: int) -> pl.DataFrame:
    """The latest decision of each account of which all outcomes are known: ours, or one that was loaded."""
    ended = pl.col("decided_at") < trial.as_of - horizon
    loaded = (
        known_rows(history["decisions"], trial.as_of)
        .filter(pl.col("place").fill_null(1) == 1, pl.col("probability") > 0.0)
        .select("account_id", pl.col("decided_at").to_physical(), "treatment", "probability")
    )
    rows = pl.concat([trial.logged, loaded]).filter(ended, pl.col("account_id").is_in(accounts))
    latest = rows.sort("decided_at", maintain_order=True).unique(
        "account_id", keep="last", maintain_order=True
    )
    return latest.sort("account_id")


def _target(decider: Decider, history: History, past: pl.DataFrame) -> pl.DataFrame:
    """How likely this playbook would have chosen what was chosen, on what was known then."""
    if past.is_empty():
        return pl.DataFrame(
            schema=dict.fromkeys(("target", "supported", "expected", "predicted"), pl.Float64())
        )
    moments = Moments(tuple(past["account_id"]), past["decided_at"].to_numpy())
    decisions = decider.decide(history, moments)
    places = {treatment: place for place, treatment in enumerate(decisions.treatments)}
    chosen = np.array([places.get(treatment, -1) for treatment in past["treatment"]], dtype=np.int64)
    target = decisions.ranking.target
    own = np.where(chosen >= 0, target[np.arange(len(chosen)), chosen], 0.0)
    logged = np.isin(np.arange(target.shape[1]), chosen)
    value, followed = decisions.scores.value, decisions.scores.followed
    earned = value[:, :1] + (value - value[:, :1]) * followed
    predicted = np.where(chosen >= 0, earned[np.arange(len(chosen)), chosen], 0.0)
    return pl.DataFrame(
        {
            "target": own,
            "supported": target[:, logged].sum(axis=1),  # probabilities
            "expected": (target * earned).sum(axis=1),
            "predicted": predicted,
        }
    )


def _tried(decider: Decider, history: History, decisions: Decisions, target: pl.DataFrame) -> Tried:
    priority, places = decisions.priority, decisions.ranking.places
    worth = (priority.caused - priority.cost - priority.fatigue) * priority.followed
    known = _attributes(decisions)
    row, place = np.nonzero(places > 0)
    treatment = places[row, place]
    own = decider.playbook.treatments
    teams = current_team(history, int(decisions.moments.as_of[0]))
    accounts = [decisions.moments.account_ids[index] for index in row]
    roles = [own[index].role for index in treatment]
    listed = pl.DataFrame(
        {
            "account_id": pl.Series(accounts, dtype=pl.String),
            "place": place + 1,
            "treatment": pl.Series([own[index].id for index in treatment], dtype=pl.String),
            "channel": pl.Series([own[index].channel for index in treatment], dtype=pl.String),
            "role": pl.Series(roles, dtype=pl.String),
            "issue": pl.Series([_issue(own[index]) for index in treatment], dtype=pl.String),
            "user_id": pl.Series(
                [teams.get(a, {}).get(role) for a, role in zip(accounts, roles, strict=True)], dtype=pl.String
            ),
            "minutes": np.array([own[index].minutes for index in treatment], dtype=np.float64),
            "worth": worth[row, treatment],
        }
    ).join(known.select("account_id", STAGE, SEGMENT), on="account_id", how="left", maintain_order="left")
    first = np.maximum(places[:, 0], 0)
    frame = known.with_columns(
        options=pl.Series(decisions.objections.eligible[:, 1:].sum(axis=1)),
        suggestions=pl.Series((places > 0).sum(axis=1)),
        worth=pl.Series(worth[np.arange(len(first)), first]),
    )
    return Tried(frame, listed, decisions.funnel(), target)


def _issue(treatment: Treatment) -> str | None:
    return treatment.issue if treatment.kind == "contact" else None


def _attributes(decisions: Decisions) -> pl.DataFrame:
    """account_id, stage, segment and every other attribute, by name; levels written out."""
    features = decisions.features
    names = dict.fromkeys([STAGE, SEGMENT, *(a.name for a in features.set.attributes)])
    columns = [pl.Series("account_id", decisions.moments.account_ids, dtype=pl.String)]
    for name in names:
        if name not in features.set.sources:
            columns.append(pl.Series(name, [None] * len(decisions.moments), dtype=pl.String))
            continue
        fact = features.fact(name)
        values = np.broadcast_to(fact.values, (len(decisions.moments), fact.values.shape[1]))[:, 0]
        if fact.levels is None:
            columns.append(pl.Series(name, values).fill_nan(None))
            continue
        codes = np.where(values < 0, len(fact.levels), values).astype(np.int64)
        columns.append(pl.Series(name, (*fact.levels, None), dtype=pl.String).gather(codes))
    return pl.DataFrame(columns)


def _together(parts: Sequence[Tried]) -> Tried:
    funnel = pl.concat([part.funnel for part in parts])
    keys = ["stage", "rule"]
    return Tried(
        pl.concat([part.accounts for part in parts]),
        pl.concat([part.listed for part in parts]),
        funnel.group_by(keys, maintain_order=True).agg(pl.col("removed", "remaining").sum()),
        pl.concat([part.target for part in parts]),
    )
