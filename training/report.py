"""The report and the card of a release: pictures first, the verdict in words, what was not proven."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import numpy as np
import polars as pl

from data.concentrated import MOST
from data.history import Snapshot
from data.ingest import BEGINNING
from engine.clusters import FEWEST_CLUSTERS, Uncertainty, enough
from engine.estimation import Interval
from engine.records import DAY_MICROS, NO_CONTACT, Floats
from engine.sensitivity import LARGEST
from training import pictures
from training.advice_effects import advice_of
from training.amounts import cut_of
from training.balance import BALANCED, LEAST_IN_ARM, Overlap
from training.behaviour import Assignment
from training.board import Board, board_of
from training.cases import Cases
from training.constants import LEAST_CASES
from training.evaluate import AS_LOGGED, Evaluation, Judged, PolicyValue, claim, uncertainty_of
from training.gate_parts import Gate
from training.leaks import Leak
from training.learners import Fitted
from training.occasions import known
from training.ranking import Ranking
from training.release import moves_effects
from training.segments import SegmentEffect, segment_effects
from training.select import Selection
from training.stopping import doubt
from training.tracking import METRICS, metrics_of, tables_of

SAMPLED_CASES = 20_000
WITHOUT_DECIMALS = 100.0
"""Figures of that size are shown without decimals in the widest table."""
OBSERVATIONAL = (
    "These effects are observational: past assignment was estimated from what was recorded. They speak of "
    "accounts that could well have been given either, and what nobody recorded may explain part of them."
)


@dataclass(frozen=True)
class Findings:
    """Everything that a report tells.

    Attributes:
        manifest: Of the release.
        selection: How the learner was chosen.
        judged: The policies on held-out accounts.
        by_time: The policies on later occasions, where there are enough.
        gate: Whether the release may be used.
        cases, assignment: What was learned from.
        fitted: The learner of the release.
        arrival_days: Days from occasion to outcome.
        at: When the training took place, microseconds UTC.
        not_known_as_of: Attributes that were loaded without saying since when they hold.
        leaks: Columns that look like leaks.
        ranking: How well it can be foretold who will buy, where there are enough cases.
    """

    manifest: Mapping[str, Any]
    selection: Selection
    judged: Judged
    by_time: Evaluation | None
    gate: Gate
    cases: Cases
    assignment: Assignment
    fitted: Fitted
    arrival_days: Floats
    at: int
    not_known_as_of: tuple[str, ...] = ()
    leaks: tuple[Leak, ...] = ()
    ranking: Ranking | None = None


def files_of(findings: Findings) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The release's report.html, board.html and card.md, and what is kept beside them of the run, by file
    name: pictures, tables as CSV, and all figures (`training.tracking.METRICS`)."""
    board = _board(findings)
    judged = findings.judged
    sure = uncertainty_of(judged.cases, seed=int(findings.manifest["seed"]))
    effects = segment_effects(judged, findings.selection.chosen, sure)
    drawn = _pictures(findings, effects) | {
        "board": pictures.money_a_month(board.money, findings.cases.playbook.currency)
    }
    advice = advice_of(judged.cases, judged.assignment.comparable, judged.overlap, sure)
    context = _context(findings, drawn) | {"board": board, "segments": effects, "advice": advice}
    context["enough_persons"] = enough_persons(judged.cases, judged.assignment, judged.overlap, sure)
    documents = {name: _render(name, context).encode() for name in ("report.html", "board.html", "card.md")}
    figures = metrics_of(judged, findings.by_time, findings.selection, board)
    kept = {f"{name}.png": content for name, content in drawn.items()} | tables_of(context)
    return documents, kept | {METRICS: json.dumps(figures, indent=1, sort_keys=True).encode()}


def arrival_days(snapshot: Snapshot, cases: Cases, at: int) -> Floats:
    """Days from an occasion to each outcome in its window, over some thousand occasions; shape (m,)."""
    asked = pl.DataFrame({"account_id": cases.account_ids, "as_of": cases.as_of})
    asked = asked.gather_every(max(1, len(cases) // SAMPLED_CASES))
    horizon = int(cases.window_days * DAY_MICROS)
    later = pl.col("occurred_at").to_physical() - pl.col("as_of")
    found = []
    for bucket in range(snapshot.buckets):
        outcomes = known(snapshot.read(bucket, ("outcomes",)), "outcomes", at)
        pairs = outcomes.join(asked, on="account_id").select(after=later)
        found.append(pairs.filter((pl.col("after") >= 0) & (pl.col("after") < horizon))["after"].to_numpy())
    return np.concatenate(found) / DAY_MICROS if found else np.empty(0)


def not_known_as_of(snapshot: Snapshot) -> tuple[str, ...]:
    """Attributes of accounts of which nobody knows since when they hold: loaded first, without stored_at."""
    found: set[str] = set()
    names = [attribute.name for attribute in snapshot.attributes]
    for bucket in range(snapshot.buckets):
        accounts = snapshot.table(bucket, "accounts")
        undated = accounts.filter(pl.col("stored_at").to_physical() <= BEGINNING)
        found |= {name for name in names if undated[name].null_count() < undated.height}
    return tuple(name for name in names if name in found)


def interval_text(interval: Interval) -> str:
    """12.34 (11.20 to 13.50)."""
    return f"{interval.estimate:,.2f} ({interval.low:,.2f} to {interval.high:,.2f})"


def beyond_chance(interval: Interval, *, enough_persons: bool = True) -> str:
    """Whether an effect is one: what has both signs in its interval is no figure to act on, nor is what so
    few persons did that their ways of working may be all of it."""
    if not enough_persons:
        return "too few persons"
    if interval.low > 0.0:
        return "more"
    return "less" if interval.high < 0.0 else "may be nothing"


def decimals_of(intervals: Sequence[Interval | None]) -> int:
    """Decimals of a table of figures: none where one has three digits before them, so that ten columns fit on
    a tablet and none looks more exact than it is."""
    bounds = [abs(bound) for one in intervals if one is not None for bound in (one.low, one.high)]
    return 0 if max(bounds, default=0.0) >= WITHOUT_DECIMALS else 2


def rounded(value: float, places: int) -> str:
    """A figure with so many decimals; nothing is less than 0 by rounding."""
    return f"{value:z,.{places}f}"


def by_whom(persons: int | None) -> str:
    """Of what intervals are, by how many persons serve the held-out accounts."""
    if persons is None:
        return "by account"
    if not enough(persons):
        served = "1 person serves" if persons == 1 else f"{persons} persons serve"
        none = f"by person there is none below {FEWEST_CLUSTERS}"
        return f"by account only, and so too narrow: {served} them, and {none}"
    return "by account or person, the wider one"


def persons_note(persons: int) -> str:
    """How far the persons who serve the held-out accounts are in the intervals."""
    if enough(persons):
        return (
            f"The held-out accounts are served by {persons} persons, whose accounts hang together: of the "
            "intervals by account and by person the wider one is shown."
        )
    served = "1 person" if persons == 1 else f"{persons} persons"
    return (
        f"The held-out accounts are served by {served}, fewer than the {FEWEST_CLUSTERS} that an interval by "
        "person needs: intervals are by account only and too narrow, because what one person's accounts have "
        "in common is not in them. Nothing is called more than chance."
    )


def factor_text(strength: float | None) -> str:
    """By which factor something unseen would have to change odds; - = there is none to tell."""
    if strength is None:
        return "-"
    return f"> {LARGEST:g}" if strength >= LARGEST else f"{strength:.2f}"


def unseen_sentence(assignment: Assignment) -> str:
    """What the factor of the policy table means, or why there is none."""
    if assignment.logged:
        return (
            "The unseen factor is -: all probabilities were logged, so nothing unseen can have had a part in "
            "what was chosen."
        )
    return (
        "The unseen factor: probabilities were estimated, and by so much something that nobody recorded "
        "would have to change the odds of what was chosen, so that the policy is no longer better than "
        "contacting nobody and the best fixed action by more than chance. 1.00: it is not even without. "
        "As logged and no contact, which the others are compared with, have none (-)."
    )


def grounds(policies: Sequence[PolicyValue]) -> list[tuple[list[str], str]]:
    """What the evidence of policies is called for: those with the same sentence together, in their order.

    What was done is counted as it came, so a reliable value of it rests on no probabilities, logged or not.
    """
    together: dict[str, list[str]] = {}
    for value in policies:
        sentence = value.verdict.sentence
        if value.policy == AS_LOGGED and value.verdict.level == "reliable":
            sentence = (
                f"Evidence worth {value.effective:,.0f} decisions as they came, which needs no "
                "probabilities, and a narrow interval."
            )
        together.setdefault(sentence, []).append(value.policy)
    return [(names, sentence) for sentence, names in together.items()]


def _board(findings: Findings) -> Board:
    evaluation, chosen = findings.judged.evaluation, findings.selection.chosen
    gate = findings.gate
    warnings = [f"The gate says no, {check.name}: {check.sentence}" for check in gate.failed]
    looks = [check for check in gate.warnings if check.name != "evidence"]  # the page says it itself
    warnings += [f"To be looked at, {check.name}: {check.sentence}" for check in looks]
    warnings += [f"Looks like a leak: {leak.sentence}" for leak in findings.leaks]
    warnings += _concentrated(findings.cases)
    return board_of(findings.cases, evaluation, chosen, warnings=warnings)


def _pictures(findings: Findings, effects: Sequence[SegmentEffect]) -> dict[str, bytes]:
    currency, chosen = findings.cases.playbook.currency, findings.selection.chosen
    counts = {name: int(n) for name, n in zip(findings.cases.treatments, findings.cases.counts, strict=True)}
    drawn = {
        "values_accounts": pictures.values_by_policy(findings.judged.evaluation, chosen, currency),
        "cases": pictures.cases_by_treatment(counts),
        "overlap": pictures.overlap(findings.judged.overlap, _without_cases(findings)),
        "uplift": pictures.uplift(findings.judged.gains, chosen, currency),
        "arrival": pictures.arrival(findings.arrival_days, findings.cases.window_days),
    }
    if findings.by_time is not None:
        drawn["values_time"] = pictures.values_by_policy(findings.by_time, chosen, currency)
    if findings.judged.gains[chosen].tenths:
        drawn["calibration"] = pictures.calibration(findings.judged.gains[chosen].tenths, currency)
    if effects:
        drawn["segments"] = pictures.segments(effects, currency)
    moved = moves_effects(findings.manifest, findings.fitted, findings.cases)
    if moved:
        drawn["importance"] = pictures.importance(moved, currency)
    gains = findings.fitted.importance()
    if gains:
        drawn["splits"] = pictures.splits(gains)
    return drawn


def _without_cases(findings: Findings) -> list[str]:
    """Contacts of the playbook that nobody among the held-out accounts was given."""
    given = {row.treatment for row in findings.judged.overlap}
    contacts = [each.id for each in findings.cases.playbook.treatments if each.kind == "contact"]
    return [treatment for treatment in contacts if treatment not in given]


def overlap_sentence(rows: Sequence[Overlap], without: Sequence[str]) -> str:
    """Of how many treatments the log can say nothing or little, and how many weighting does not balance."""
    given = [row for row in rows if row.treatment != NO_CONTACT]
    judged = [row for row in given if row.judged]
    every, few = len(given) + len(without), sum(row.effective < LEAST_CASES for row in judged)
    apart = sum(row.after > BALANCED for row in judged)
    first = f"{every - len(judged)} of {every} treatments cannot be judged; of the other {len(judged)}"
    if len(judged) == every:
        first = f"all {every} treatments can be judged; of them"
    return (
        f"{first}, {few} have an effective sample size below {LEAST_CASES} and {apart} are not balanced by "
        "weighting."
    )


def _context(findings: Findings, drawn: Mapping[str, bytes]) -> dict[str, Any]:
    inline = {name: base64.b64encode(content).decode() for name, content in drawn.items()}
    evaluations = [(findings.judged.evaluation, inline["values_accounts"])]
    if findings.by_time is not None:
        evaluations.append((findings.by_time, inline["values_time"]))
    return {
        "manifest": findings.manifest,
        "selection": findings.selection,
        "gate": findings.gate,
        "evaluations": evaluations,
        "pictures": inline,
        "mix": _mix(findings),
        "overlap": findings.judged.overlap,
        "least_in_arm": LEAST_IN_ARM,
        "overlap_places": decimals_of(
            [each for row in findings.judged.overlap for each in (row.plain, row.effect)]
        ),
        "overlap_sentence": overlap_sentence(findings.judged.overlap, _without_cases(findings)),
        "stopping": findings.manifest.get("stopping"),
        "stopping_doubt": doubt(findings.manifest.get("stopping")),
        "unseen": unseen_sentence(findings.judged.assignment),
        "by_overlap": findings.assignment.estimates is not None and not findings.assignment.logged,
        "observational": "" if findings.judged.assignment.logged else OBSERVATIONAL,
        "chosen": findings.judged.evaluation.of(findings.selection.chosen),
        "gains": findings.judged.gains[findings.selection.chosen],
        "cases": len(findings.cases),
        "accounts": len(set(findings.cases.account_ids)),
        "ripe": "" if (~findings.cases.matured).any() else "matured ",
        "basis": "logged decisions" if findings.cases.basis == "decisions" else "landmarks over touchpoints",
        "currency": findings.cases.playbook.currency,
        "roles": {role.id: role.name.get("en", role.id) for role in findings.cases.playbook.roles},
        "left_out": findings.cases.left_out,
        "as_of": f"{datetime.fromtimestamp(findings.at / 1_000_000, tz=UTC):%Y-%m-%d %H:%M UTC}",
        "claim": claim(findings.judged.evaluation, findings.selection.chosen),
        "notes": notes(findings),
        "leaks": findings.leaks,
        "ranking": findings.ranking,
    }


def enough_persons(
    cases: Cases, assignment: Assignment, rows: Iterable[Overlap], sure: Uncertainty
) -> dict[str, bool]:
    """Treatment -> whether those whose accounts were given it are enough for an interval by person: what one
    of twelve persons did alone shows nothing of how the others would do it."""
    likely, found = assignment.comparable, dict[str, bool]()
    for row in rows:
        index = cases.treatments.index(row.treatment)
        given = (cases.action == index) & likely[:, index] & likely[:, 0]
        found[row.treatment] = sure.enough_persons and sure.enough_for(given)
    return found


def _mix(findings: Findings) -> list[tuple[str, float, float]]:
    logged = findings.judged.evaluation.of(AS_LOGGED).mix
    chosen = findings.judged.evaluation.of(findings.selection.chosen).mix
    names = [name for name in findings.cases.treatments if name in logged or name in chosen]
    return [(name, logged.get(name, 0.0), chosen.get(name, 0.0)) for name in names]


def notes(findings: Findings) -> list[str]:
    """What a reader must know to read the figures rightly."""
    cases, assignment = findings.cases, findings.assignment
    said = [
        "The figures say what this one decision would have earned, everything later staying as it was "
        "logged. The effect of the whole programme shows only against a control group.",
        "The release was learned once more from all matured cases; the figures are those of the same learner "
        "before that, on accounts that it had not seen.",
        _horizons_note(cases),
    ]
    immature = int((~cases.matured).sum())
    if immature:
        said.append(
            f"{immature:,} of the cases are immature: what came of them so far counts, each part of the "
            "window by the inverse of the share of cases old enough to show it. Means are right if outcomes "
            "arrive now as they did before."
        )
    said += _concentrated(cases)
    cut = cut_of(cases)
    if cut is not None:
        said.append(
            f"Outcomes are very unequal: for learning, worth beyond {cut.cap:,.0f} counts as that much "
            f"({cut.above:.2%} of the cases), and all is multiplied by {cut.scale:.2f}: the sum stays. "
            "The figures count what came, uncut."
        )
    if cases.overlap() > 0:
        said.append(
            f"{cases.overlap():.0%} of the outcome windows begin before the account's earlier one has ended: "
            "an outcome can count for several occasions. Intervals resample whole accounts for that reason."
        )
    if not assignment.logged:
        said.append(
            f"For {assignment.estimated:.0%} of the cases no assignment probability was logged, or none that "
            "can be true. It was estimated from what was recorded; what was not recorded may explain part of "
            "any difference."
        )
    said += assignment.doubts
    persons = findings.judged.evaluation.persons
    if persons is not None:
        said.append(persons_note(persons))
    if cases.basis == "landmarks":
        said.append(
            "Occasions were laid over the touchpoints. Those in whose grace window the account turned to us "
            "were replaced by one just after that, so contacts that answer an enquiry are compared with "
            "enquiries left unanswered."
        )
    if findings.not_known_as_of:
        said.append(
            f"Not known as of: {', '.join(findings.not_known_as_of)}. These attributes were loaded without "
            "stored_at, so what they say counts as known from the beginning, even if it came later."
        )
    contacts = {treatment.id for treatment in cases.playbook.treatments if treatment.kind == "contact"}
    starting = sorted(contacts - set(findings.manifest["treatments"]))
    if starting:
        said.append(f"Too few cases to learn from, so starting values are used: {', '.join(starting)}.")
    return said


def _concentrated(cases: Cases) -> list[str]:
    """Whether one account holds more than half of the worth that is counted, sizes added up."""
    account = np.unique(cases.account_ids, return_inverse=True)[1]
    sizes = np.bincount(account, np.abs(cases.reward))
    share = float(sizes.max() / sizes.sum()) if sizes.any() else 0.0
    if share <= MOST:
        return []
    return [
        f"One account of {len(sizes):,} holds {share:.1%} of the worth that the cases count: what was "
        "learned is about it and hardly holds for others. Look for a slip among the largest outcomes; "
        "`nextbest train` names the kind where it is a single one."
    ]


def _horizons_note(cases: Cases) -> str:
    if len(cases.windows) == 1:
        return "One window of outcomes, that of the playbook's general horizon, holds for all treatments."
    own = ", ".join(f"{days:g}" for days in cases.windows[1:])
    return (
        f"Some issues have a horizon of their own ({own} days). What a treatment causes is counted within "
        "its issue's, beside no contact within the same; levels are those of "
        f"{cases.horizon_days:g} days."
    )


def _render(name: str, context: Mapping[str, Any]) -> str:
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - commands that render nothing do not wait

    environment = Environment(
        autoescape=name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["grounds"] = grounds
    environment.filters["interval"] = interval_text
    environment.filters["beyond_chance"] = beyond_chance
    environment.filters["by_whom"] = by_whom
    environment.filters["factor"] = factor_text
    environment.filters["rounded"] = rounded
    environment.filters["difference"] = lambda size: f"{size:.2f}" if np.isfinite(size) else ""
    source = files("training").joinpath("templates", name).read_text(encoding="utf-8")
    return environment.from_string(source).render(context)
