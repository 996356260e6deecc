"""One training run from the history to a release, its report and, if it passes the gate, its use."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from data.artifacts import CorruptReleaseError, Release, read_release, write_release
from data.history import HistoryStore, Snapshot
from data.home import Home
from data.ledger.ledger import Ledger
from data.progress import Progress
from data.spark import connected
from data.spark_options import SparkOptions
from engine.playbook import Playbook
from engine.records import Floats
from training import report
from training.account_errors import learn_account_errors
from training.advice import learn_following
from training.behaviour import Assignment, assignment_of
from training.boosting import Boosting
from training.cases import Cases, build_cases, known_at
from training.errors import NoHistoryError
from training.evaluate import Evaluation, Judged, claims_gain, evaluate, evaluate_by_time, finite
from training.gains import all_json
from training.gate import judge
from training.gate_parts import Gate
from training.horizons import on_one_clock
from training.leaks import Leak, find_leaks
from training.learners import LEARNERS, Fitted
from training.maturing import counted, matured
from training.own_learners import watch_installed
from training.peers import count_peers
from training.ranking import Ranking, rank_by_time
from training.release import (
    manifest_of,
    parts_of,
    release_id,
    with_account_errors,
    with_following,
    with_stopping,
    with_support,
)
from training.select import Selection, choosable, greedy, select
from training.splits import HELD_OUT, held_out
from training.stopping import learn_stopping
from training.support import Support, learn_support
from training.tracking import Run, record


@dataclass(frozen=True)
class Settings:
    """Of one training run.

    Attributes:
        made_at: The present, microseconds UTC; becomes part of the release's id.
        at: What was stored before is known, microseconds UTC; None = everything.
        seed: Of splits, forests and resamples.
        promote: Put the release in use if it passes the gate.
        boosting: Size of the forests.
    """

    made_at: int
    at: int | None = None
    seed: int = 0
    promote: bool = True
    boosting: Boosting = Boosting()  # noqa: RUF009 - frozen


@dataclass(frozen=True)
class Outcome:
    """What a training run did."""

    release: Release
    selection: Selection
    evaluation: Evaluation
    by_time: Evaluation | None
    gate: Gate
    promoted: bool
    cases: Cases
    report: Path
    mlflow_run: str
    leaks: tuple[Leak, ...]


@dataclass(frozen=True)
class _Served:
    """What the release will serve.

    Attributes:
        fitted: The chosen learner, of all cases.
        support: What it takes for comparable; None = whatever is eligible.
    """

    fitted: Fitted
    support: Support | None

    def choices(self, judged: Judged) -> Floats:
        """What it would choose on the held-out cases, as `training.gate` asks the release in use; shape
        (n, T)."""
        cases = judged.cases
        may = choosable(cases, judged.assignment) & choosable(cases, judged.assignment, self.support)
        return greedy(self.fitted.predict(cases.features), cases.cost, may)


@dataclass(frozen=True)
class _Learned:
    """What the cases say, before anything is written."""

    cases: Cases
    assignment: Assignment
    selection: Selection
    judged: Judged
    by_time: Evaluation | None
    ranking: Ranking | None
    served: _Served
    leaks: tuple[Leak, ...] = ()


def train(home: Home, playbook: Playbook, settings: Settings, *, spark: SparkOptions | None = None,
          progress: Progress) -> Outcome:  # fmt: skip
    """Learn from the history, compare, write a release with its report, and put it in use if it may be.

    Args:
        home: History, ledger, releases and MLflow.
        playbook: Under which to learn.
        settings: Time, seed and size.
        spark: The cluster that makes the cases; None = this process.
        progress: Called with (stage, done, of).

    Raises:
        NoHistoryError: Nothing has been loaded.
        TooFewCasesError: Too few or immature cases, or one action only.
        LedgerError: The ledger cannot be opened; nothing was learned yet.
        TrainingError: An installed package of learners cannot be loaded.
    """
    watch_installed()
    snapshot = loaded(home)
    ledger = Ledger.open(home)
    try:
        with connected(spark, home.root / "spark") as session:
            built = build_cases(snapshot, playbook, at=settings.at, spark=session, progress=progress)
        ripe = matured(built)
        leaks = leaks_of(ripe, snapshot, settings.at)
        learned = replace(_learn(counted(built), ripe, settings, progress), leaks=leaks)
        gate = judge(
            learned.judged, learned.selection.chosen, *_in_use(home, ledger), seed=settings.seed,
            recent=built.take(~built.matured), served=learned.served.choices(learned.judged),
        )  # fmt: skip
        progress("writing the release", 0, 1)
        release, run_id = _write(home, snapshot, learned, gate, settings)
        progress("writing the release", 1, 1)
        promoted = settings.promote and gate.passed
        if promoted:
            ledger.put_release_in_use(
                release.id, release.manifest_hash, now=settings.made_at, by="nextbest train"
            )
    finally:
        ledger.close()
    found = learned.judged.evaluation
    path = home.models / release.id / "report.html"
    return Outcome(
        release,
        learned.selection,
        found,
        learned.by_time,
        gate,
        promoted,
        learned.cases,
        path,
        run_id,
        leaks,
    )


def leaks_of(cases: Cases, snapshot: Snapshot, at: int | None) -> tuple[Leak, ...]:
    """Columns of accounts that look like leaks."""
    undated = report.not_known_as_of(snapshot)
    return find_leaks(cases, snapshot, undated=undated, at=known_at(snapshot, at))


def loaded(home: Home) -> Snapshot:
    """The history in use. Raises NoHistoryError."""
    snapshot = HistoryStore(home.history).current()
    if snapshot is None:
        raise NoHistoryError("There is no history yet: load one with `nextbest ingest FOLDER`.")
    return snapshot


def _learn(cases: Cases, ripe: Cases, settings: Settings, progress: Progress) -> _Learned:
    """From the cases that count (`training.maturing`); `ripe` = the mature ones with what truly came."""
    boosting, seed = settings.boosting, settings.seed
    assignment = assignment_of(cases, boosting, seed=seed, progress=progress)
    likely = assignment.take(cases.matured)
    ripe = on_one_clock(ripe, likely, boosting, seed=seed)
    cases = on_one_clock(cases, assignment, boosting, seed=seed)
    held = held_out(cases.account_ids, HELD_OUT, seed=seed)
    train_cases, known = cases.take(~held), assignment.take(~held)
    selection = select(train_cases, known, boosting, seed=seed, progress=progress)
    fitted = {}
    for done, (name, entry) in enumerate(LEARNERS.items()):
        progress("learning for the held-out accounts", done, len(LEARNERS))
        fitted[name] = entry.learn(train_cases, known.probability, boosting)
    progress("learning for the held-out accounts", len(LEARNERS), len(LEARNERS))
    progress("valuing policies on held-out accounts", 0, 1)
    sentence = f"Accounts held out by hash ({HELD_OUT:.0%}); nothing was learned or chosen on them."
    support = learn_support(train_cases, known, boosting, seed=seed)
    judged = evaluate(
        cases.take(held), assignment.take(held), fitted, seed=seed, support=support, sentence=sentence
    )
    progress("valuing policies on held-out accounts", 1, 1)
    progress("valuing policies on later occasions", 0, 1)
    by_time = evaluate_by_time(ripe, likely, selection.shown, boosting, seed=seed)
    progress("valuing policies on later occasions", 1, 1)
    ranking = rank_by_time(ripe, boosting, seed=seed)
    progress("learning from all accounts", 0, 1)
    served = _Served(
        LEARNERS[selection.chosen].learn(cases, assignment.probability, boosting),
        learn_support(cases, assignment, boosting, seed=seed),
    )
    progress("learning from all accounts", 1, 1)
    return _Learned(cases, assignment, selection, judged, by_time, ranking, served)


def _in_use(home: Home, ledger: Ledger) -> tuple[Release | None, str]:
    """The release in use, and what is wrong with it: a new one is the way out of a damaged one."""
    used = ledger.release_in_use()
    if used is None:
        return None, ""
    try:
        return read_release(home.models, used.release_id, manifest_hash=used.manifest_hash), ""
    except CorruptReleaseError as error:
        return None, str(error)


def _write(
    home: Home, snapshot: Snapshot, learned: _Learned, gate: Gate, settings: Settings
) -> tuple[Release, str]:
    cases, selection = learned.cases, learned.selection
    fitted, support = learned.served.fitted, learned.served.support
    at = known_at(snapshot, settings.at)
    following = learn_following(snapshot, cases, at=at)
    stopping = learn_stopping(snapshot, cases, fitted, settings.boosting, at=at, seed=settings.seed)
    errors = learn_account_errors(
        learned.judged.cases, selection.models, fitted.constants.learned, settings.boosting,
        share=1.0 - HELD_OUT, seed=settings.seed,
    )  # fmt: skip
    parts = with_following(with_support(parts_of(fitted, cases, settings.boosting), support), following)
    parts = with_account_errors(with_stopping(parts, stopping), errors)
    identity = release_id(settings.made_at, parts)
    manifest = manifest_of(
        selection.chosen, fitted, cases, identity, _facts(snapshot, learned, gate, settings, at)
    )
    manifest |= {} if following is None else {"followed": following.names()}
    manifest |= {} if stopping is None else {"stopping": stopping.as_json()}
    findings = report.Findings(
        manifest, selection, learned.judged, learned.by_time, gate, cases, learned.assignment, fitted,
        report.arrival_days(snapshot, cases, at), at, report.not_known_as_of(snapshot), learned.leaks,
        learned.ranking,
    )  # fmt: skip
    documents, drawn = report.files_of(findings)
    release = write_release(home.models, identity, parts.files() | documents, manifest)
    with tempfile.TemporaryDirectory() as scratch:
        figures = _metrics(learned) | _gate_metrics(gate)
        tags = _tags(manifest, learned, gate)
        run = Run(identity, _params(manifest), tags, figures, documents | drawn, settings.made_at)
        return release, record(home, run, Path(scratch))


def _facts(snapshot: Snapshot, learned: _Learned, gate: Gate, settings: Settings, at: int) -> dict[str, Any]:
    found = [learned.judged.evaluation, *([learned.by_time] if learned.by_time else [])]
    return {
        "made_at": settings.made_at,
        "trained_as_of": at,
        "snapshot": snapshot.id,
        "seed": settings.seed,
        "basis": learned.cases.basis,
        "cases": len(learned.cases),
        "accounts": len(set(learned.cases.account_ids)),
        "left_out": dict(learned.cases.left_out),
        "immature": {"counted": learned.cases.playbook.immature,
                     "cases": int((~learned.cases.matured).sum())},
        "selection": learned.selection.sentence,
        "evaluation": {
            each.name: {"decisions": each.decisions, "accounts": each.accounts, "persons": each.persons,
                        "policies": [value.as_json() for value in each.policies]}
            for each in found
        },
        "gains": finite(all_json(learned.judged.gains)),
        "overlap": [finite(asdict(row)) for row in learned.judged.overlap],
        "peers": count_peers(snapshot, at).as_json(),
        "leaks": [leak.as_json() for leak in learned.leaks],
        "ranking": None if learned.ranking is None else learned.ranking.as_json(),
        "refused": list(learned.cases.playbook.refused),
        "gate": [check.as_json() for check in gate.checks],
        "versions": {name: version(name) for name in ("lightgbm", "numpy", "polars", "numba")},
    }  # fmt: skip


def _params(manifest: dict[str, Any]) -> dict[str, Any]:
    names = (
        "learner",
        "playbook",
        "playbook_id",
        "snapshot",
        "seed",
        "basis",
        "cases",
        "accounts",
        "horizon_days",
    )
    columns = {"leaks": [leak["column"] for leak in manifest["leaks"]], "refused": manifest["refused"]}
    joined = {name: ", ".join(each) or "none" for name, each in columns.items()}
    return {name: manifest[name] for name in names} | joined


def _tags(manifest: dict[str, Any], learned: _Learned, gate: Gate) -> dict[str, str]:
    """What somebody looks for among many runs."""
    value = learned.judged.evaluation.of(learned.selection.chosen)
    return {
        "nextbest.release": manifest["release"],
        "nextbest.learner": manifest["learner"],
        "nextbest.playbook": manifest["playbook_id"],
        "nextbest.verdict": value.verdict.level,
        "nextbest.gain_claimed": str(claims_gain(learned.judged.evaluation, manifest["learner"])).lower(),
        "nextbest.gate": ", ".join(check.name for check in gate.failed) or "passed",
        "nextbest.leaks": str(len(learned.leaks)),
    }


def _metrics(learned: _Learned) -> dict[str, float]:
    metrics = {"cases": float(len(learned.cases))}
    if learned.ranking is not None:
        metrics["ranking.area"] = learned.ranking.area.estimate
    for value in learned.judged.evaluation.policies:
        name = value.policy.replace(" ", "_")
        interval = value.doubly_robust
        metrics |= {
            f"{name}.doubly_robust": interval.estimate,
            f"{name}.doubly_robust_low": interval.low,
            f"{name}.doubly_robust_high": interval.high,
            f"{name}.snips": value.snips.estimate,
            f"{name}.effective_sample_size": value.effective,
        }
    return {name: figure for name, figure in metrics.items() if np.isfinite(figure)}


def _gate_metrics(gate: Gate) -> dict[str, float]:
    """Whether each check passed, and its figures."""
    metrics = {f"gate.{check.name}.passed": float(check.passed) for check in gate.checks}
    for check in gate.checks:
        metrics |= {_metric_name(f"gate.{check.name}.{name}"): size for name, size in check.figures.items()}
    return metrics


def _metric_name(name: str) -> str:
    """With what MLflow does not take in a name replaced: categories are whatever people call them."""
    return "".join(each if each.isascii() and (each.isalnum() or each in "_-. ") else "_" for each in name)
