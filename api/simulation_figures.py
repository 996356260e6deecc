"""The figures of a simulation: volume, people's load, value, fairness, and what is probably not meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl

from api.simulation import SEGMENT, STAGE, Simulation, Tried
from data.playbooks import playbook_of
from data.times import to_iso
from data.versions import newest
from engine import numerics
from engine.clusters import Uncertainty
from engine.contract import WEEKDAYS
from engine.estimation import (
    Interval,
    Logged,
    Terms,
    doubly_robust_terms,
    effective_clusters,
    effective_sample_size,
    logged_terms,
    snips_terms,
    verdict,
)  # fmt: skip
from engine.findings import Finding, Severity
from engine.playbook import Playbook
from engine.records import Floats
from engine.rule_checks import levels_of_nobody

BY = ("channel", "role", STAGE, SEGMENT, "treatment")
"""What volume is counted by."""
MOST_WITHOUT_ACTION, LEAST_OPTIONALITY = 0.30, 7.0
LEAST_RATIO, MOST_RATIO = 0.8, 1.25
MOST_GINI = 0.2
LEAST_CONTACTS = 20
"""A group of accounts that would get fewer at the rate of all is not compared: its own rate says little."""
CHANCE = 2.0
"""Standard errors within which a rate may lie apart without a word."""
MOST_LEVELS = 20
RESAMPLES = 400

SIMULATED: Mapping[str, tuple[Severity, str]] = {
    "many_without_action_simulated": ("warning", "More than 30 % of the accounts get no suggestion."),
    "little_choice_simulated": ("warning", "Fewer than 7 treatments per account are left by the rules."),
    "rates_differ": (
        "warning",
        "A group of accounts gets contacts of an issue under 0.8 or over 1.25 times as often as all.",
    ),
    "contacts_concentrate": (
        "warning",
        "Contacts go to accounts with a high, or a low, value of an attribute: Gini beyond 0.2.",
    ),
    "week_overfull": (
        "note",
        "What somebody's accounts are suggested takes more minutes than a week of hers has.",
    ),
    "value_lower": ("warning", "The estimated value is lower than before, and the interval leaves no doubt."),
}
"""Code -> severity and meaning of what a simulation finds."""


def figures(simulation: Simulation) -> dict[str, Any]:
    """Everything that a simulation tells, as JSON values."""
    books = [playbook_of(text) for text in simulation.trial.texts]
    sides = [
        _side(simulation, playbook, tried) for playbook, tried in zip(books, simulation.tried, strict=True)
    ]
    told: dict[str, Any] = {
        "as_of": to_iso(simulation.trial.as_of),
        "release": simulation.release,
        "currency": books[0].currency,
        "new": sides[0],
        "old": sides[1] if len(sides) > 1 else None,
        "off_policy": _off_policy(simulation),
    }
    snapshot = simulation.trial.snapshot
    strange = levels_of_nobody(books[0], snapshot.attributes, snapshot.left_out)
    return told | {"findings": [vars(found) for found in (*strange, *findings(told))]}


def _side(simulation: Simulation, playbook: Playbook, tried: Tried) -> dict[str, Any]:
    accounts, listed = tried.accounts, tried.listed
    return {
        "playbook": playbook.id,
        "version": playbook.version,
        "accounts": accounts.height,
        "suggestions": listed.height,
        "no_action_ratio": _share(accounts["suggestions"] == 0),
        "optionality": _mean(accounts["options"]),
        "volume": {name: _counts(listed[name]) for name in BY},
        "load": _load(simulation, playbook, listed),
        "planned": _planned(tried.planned),
        "expected_value": {
            "of_first_places": _total(accounts["worth"]),
            "per_account": _mean(accounts["worth"]),
            "of_all_places": _total(listed["worth"]),
        },
        "fairness": _fairness(tried),
        "funnel": tried.funnel.to_dicts(),
    }


# -- load ---------------------------------------------------------------------------------------------


def _load(simulation: Simulation, playbook: Playbook, listed: pl.DataFrame) -> list[dict[str, Any]]:
    """By role: people, minutes of what their accounts are suggested, and how many have less in a week."""
    week = _week_minutes(simulation, playbook)
    persons = (
        listed.filter(pl.col("user_id").is_not_null())
        .group_by("role", "user_id")
        .agg(pl.len().alias("suggestions"), pl.col("minutes").sum())
        .with_columns(
            pl.col("user_id").replace_strict(week, default=None, return_dtype=pl.Float64).alias("week")
        )
        .sort("role", "user_id")
    )
    return [
        {
            "role": role,
            "people": own.height,
            "suggestions_median": own["suggestions"].median(),
            "minutes_median": own["minutes"].median(),
            "minutes_most": own["minutes"].max(),
            "week_minutes_median": own["week"].median(),
            "over_a_week": int((own["minutes"] > own["week"]).fill_null(value=False).sum()),
        }
        for (role,), own in persons.partition_by("role", as_dict=True, maintain_order=True).items()
    ]


def _planned(load: pl.DataFrame | None) -> list[dict[str, Any]] | None:
    """By role: people and what the plan of the coming days gives them to do; None = there is no plan."""
    if load is None:
        return None
    return [
        {
            "role": role,
            "people": own.height,
            "minutes": int(own["minutes"].sum()),
            "planned_minutes": int(own["planned_minutes"].sum()),
            "contacts": int(own["contacts"].sum()),
            "minutes_most": max(own["planned_minutes"].to_list()),
        }
        for (role,), own in load.partition_by("role", as_dict=True, maintain_order=True).items()
    ]


def _week_minutes(simulation: Simulation, playbook: Playbook) -> dict[str, float | None]:
    """User -> minutes of customer time in a week: her calendar, else the plan's day five times."""
    usual = None if playbook.plan is None else playbook.plan.minutes_per_day * 5
    users = newest(simulation.trial.snapshot.common("users"))
    found = {}
    for row in users.iter_rows(named=True):
        days = [row.get(f"{day}_minutes") for day in WEEKDAYS]
        given = [float(day) for day in days if day is not None]
        found[row["user_id"]] = sum(given) if given else usual
    return found


# -- fairness -----------------------------------------------------------------------------------------


def _fairness(tried: Tried) -> list[dict[str, Any]]:
    """How often each group of accounts is suggested a contact, of any issue and of each, against all; for
    numbers Gini."""
    contacts = tried.listed.filter(pl.col("issue").is_not_null())
    rows = _shares(tried.accounts, contacts, "any")
    for (issue,), own in sorted(contacts.partition_by("issue", as_dict=True).items()):
        rows += _shares(tried.accounts, own, str(issue))
    return rows


def _shares(accounts: pl.DataFrame, contacts: pl.DataFrame, issue: str) -> list[dict[str, Any]]:
    found = accounts.with_columns(
        contacted=pl.col("account_id").is_in(contacts["account_id"].unique().implode())
    )
    overall = _share(found["contacted"])
    apart = {"account_id", "options", "suggestions", "worth", "contacted", STAGE}
    rows: list[dict[str, Any]] = []
    for name in (column for column in accounts.columns if column not in apart):
        known = found.filter(pl.col(name).is_not_null())
        if known.height * overall < LEAST_CONTACTS:
            continue
        if known[name].dtype == pl.Float64:
            gini = concentration(known[name].to_numpy(), known["contacted"].to_numpy())
            rows.append({"issue": issue, "attribute": name, "gini": gini, "accounts": known.height})
            continue
        groups = known.group_by(name).agg(accounts=pl.len(), rate=pl.col("contacted").mean()).sort(name)
        rows += [
            {"issue": issue, "attribute": name, "level": row[name], "accounts": row["accounts"],
             "rate": row["rate"], "ratio": row["rate"] / overall,
             "errors_apart": _apart(row["rate"], overall, row["accounts"])}
            for row in groups.iter_rows(named=True)
            if groups.height <= MOST_LEVELS and row["accounts"] * overall >= LEAST_CONTACTS
        ]  # fmt: skip
    return rows


def _apart(rate: float, overall: float, accounts: int) -> float:
    """How many standard errors of a share of so many accounts the rate lies from that of all."""
    error = (overall * (1.0 - overall) / accounts) ** 0.5
    return abs(rate - overall) / error if error > 0.0 else 0.0


def concentration(values: np.typing.NDArray[np.float64], contacted: np.typing.NDArray[np.bool_]) -> float:
    """Gini of contacts over accounts ordered by an attribute: 0 = evenly, towards 1 (-1) = all go to the
    highest (lowest) values. Equal values share their mean rank.

    Source:
        Kakwani, Wagstaff and van Doorslaer (1997), Socioeconomic Inequalities in Health (concentration
        index).
    """
    mean = float(np.count_nonzero(contacted)) / len(contacted)
    if mean == 0.0:
        return 0.0
    rank = (pl.Series(values).rank("average").to_numpy() - 0.5) / len(values)
    return 2.0 / mean * numerics.mean(np.where(contacted, rank, 0.0)) - 1.0


# -- value --------------------------------------------------------------------------------------------


def _off_policy(simulation: Simulation) -> dict[str, Any] | None:
    """What these playbooks would have earned per decision on what was logged; None where nothing was.

    Each account's latest decision of which all outcomes are known, accounts resampled, both playbooks and
    what was logged on the same draws. With a release doubly robust: what it expects, corrected by what was
    earned, self-normalised weights beside it. Without one those weights alone.
    """
    past = simulation.past
    if past.is_empty():
        return None
    logged = Logged(
        past["reward"].to_numpy(), np.zeros(past.height, dtype=np.int64), past["probability"].to_numpy(),
        np.arange(past.height),
    )  # fmt: skip
    sure = Uncertainty.of(logged.cluster, None, seed=simulation.trial.seed, resamples=RESAMPLES)
    earned, released = logged_terms(logged), simulation.trial.release is not None
    sides = []
    for tried in simulation.tried:
        target = np.clip(tried.target["target"].to_numpy(), 0.0, 1.0)[:, None]
        weighted = snips_terms(logged, target)
        terms = robust_terms(logged, target[:, 0], tried.target) if released else weighted
        sides.append((terms, logged.weights(target), _mean(tried.target["supported"]), weighted))
    told = [_estimate(side, logged, sure, earned) for side in sides]
    difference = sure.difference(sides[0][0], sides[1][0]) if len(sides) > 1 else None
    return {
        "decisions": past.height,
        "estimator": "doubly robust" if released else "SNIPS",
        "logged": earned.value,
        "new": told[0],
        "old": told[1] if len(told) > 1 else None,
        "difference": None if difference is None else _interval(difference),
    }


def robust_terms(logged: Logged, chosen: Floats, expected: pl.DataFrame) -> Terms:
    """`doubly_robust_terms` of what was chosen against all else, taken together as one treatment."""
    predicted, rest = expected["predicted"].to_numpy(), 1.0 - chosen
    others = np.where(rest > 0.0, expected["expected"].to_numpy() - chosen * predicted, 0.0)
    model = np.stack([predicted, others / np.where(rest > 0.0, rest, 1.0)], axis=1)
    return doubly_robust_terms(logged, np.stack([chosen, rest], axis=1), model)


def _estimate(
    side: tuple[Terms, Floats, float, Terms], logged: Logged, sure: Uncertainty, earned: Terms
) -> dict[str, Any]:
    terms, weights, supported, weighted = side
    interval, effective = sure.interval(terms), effective_sample_size(weights)
    judged = verdict(
        interval, effective=effective, clusters=effective_clusters(weights, logged.cluster),
        supported=supported, logged_probabilities=True, scale=earned.value,
    )  # fmt: skip
    return _interval(interval) | {
        "effective_sample_size": effective, "supported": supported, "verdict": judged.level,
        "because": judged.sentence, "snips": _interval(sure.interval(weighted)),
    }  # fmt: skip


def _interval(interval: Interval) -> dict[str, float | None]:
    values = {"estimate": interval.estimate, "low": interval.low, "high": interval.high}
    return {name: float(value) if np.isfinite(value) else None for name, value in values.items()}


# -- what is probably not meant -----------------------------------------------------------------------


def findings(told: Mapping[str, Any]) -> Iterator[Finding]:
    """What of the new playbook's figures lies outside what is usual."""
    new = told["new"]
    if new["no_action_ratio"] > MOST_WITHOUT_ACTION:
        yield _found("many_without_action_simulated", "accounts",
                     f"{new['no_action_ratio']:.1%} of the accounts get no suggestion.",
                     "Look at the funnel for what removes most.")  # fmt: skip
    if new["optionality"] < LEAST_OPTIONALITY:
        yield _found("little_choice_simulated", "accounts",
                     f"The rules leave {new['optionality']:.1f} treatments per account.",
                     "Add treatments, or loosen what removes most in the funnel.")  # fmt: skip
    for row in new["fairness"]:
        yield from _unfair(row)
    for row in new["load"]:
        if row["over_a_week"]:
            yield _found("week_overfull", f"role {row['role']}",
                         f"For {row['over_a_week']} of {row['people']} people it is more than a week holds.",
                         "Day lists and the plan leave the rest out; see whether that is meant.")  # fmt: skip
    difference = (told["off_policy"] or {}).get("difference")
    if difference and difference["high"] is not None and difference["high"] < 0.0:
        yield _found("value_lower", "value",
                     f"It would have earned {-difference['estimate']:.2f} {told['currency']} less a decision "
                     f"({-difference['high']:.2f} to {-difference['low']:.2f}).",
                     "Look at what changed: nextbest playbook diff OLD NEW.")  # fmt: skip


def _unfair(row: Mapping[str, Any]) -> Iterator[Finding]:
    if "gini" in row:
        if abs(row["gini"]) > MOST_GINI:
            end = "high" if row["gini"] > 0.0 else "low"
            yield _found("contacts_concentrate", f"{row['attribute']}, issue {row['issue']}",
                         f"Contacts go to accounts with a {end} {row['attribute']} (Gini {row['gini']:.2f}).",
                         "See whether value or a rule asks for it, and whether that is meant.")  # fmt: skip
    elif not LEAST_RATIO <= row["ratio"] <= MOST_RATIO and row["errors_apart"] > CHANCE:
        yield _found("rates_differ", f"{row['attribute']} = {row['level']}, issue {row['issue']}",
                     f"{row['rate']:.1%} of these {row['accounts']:,} accounts are suggested a contact, "
                     f"{row['ratio']:.2f} times the share of all.",
                     "See in the funnel which rule or worth does it, and whether that is meant.")  # fmt: skip


def _found(code: str, where: str, says: str, do: str) -> Finding:
    return Finding(code, SIMULATED[code][0], where, says, do)


def _counts(values: pl.Series) -> dict[str, int]:
    counts = values.fill_null("-").value_counts(name="n").sort("n", values.name, descending=[True, False])
    return dict(zip(counts[values.name].to_list(), counts["n"].to_list(), strict=True))


def _share(flags: pl.Series) -> float:
    return int(flags.sum()) / len(flags) if len(flags) else 0.0


def _mean(values: pl.Series) -> float:
    return _total(values) / len(values) if len(values) else 0.0


def _total(values: pl.Series) -> float:
    return numerics.total(values.cast(pl.Float64).to_numpy())
