"""Two checks of the gate that compare groups: categories of accounts with each other, and now with then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.facts import definitions
from engine.learning_settings import ANY_ISSUE, Fairness
from engine.records import DAY_MICROS, Bools, Floats
from training.cases import Cases
from training.gate_parts import Candidate, Check

MOST_LEVELS = 20
"""An attribute with more categories is a name, not a group."""
LEAST_CONTACTS = 20.0
"""Contacts that a category would have at the rate of all, below which its own rate says nothing."""
ERRORS_APART = 3.0
LEAST_ALONE = 0.005
"""Share of decisions without contact below which it is said that nearly everybody is contacted."""
LEAST_RECENT = 200
RECENCY_DAYS = 90.0
"""Times since something are compared so far back; what is longer ago counts as unknown."""
BINS = 10
_FLOOR = 1e-4
"""Share that an empty bin counts as, so that the index stays finite."""


@dataclass(frozen=True)
class RateRatio:
    """How often accounts of a category are contacted, against all.

    Attributes:
        what: Which contacts: of an issue, or those of them that people carry out.
        attribute, level: By what, for whom.
        rate, ratio: Share of its decisions, and that over the share of all.
        apart: Standard errors, by account, between both.
    """

    what: str
    attribute: str
    level: str
    rate: float
    ratio: float
    apart: float


def fairness(candidate: Candidate) -> Check:
    """No category of accounts is contacted much less, or much more, often than all, or by people, beyond
    chance."""
    cases = candidate.judged.cases
    looked, outside, failing = 0, [], False
    figures: dict[str, float] = {}
    for rule in cases.playbook.fairness:
        for found in rate_ratios(cases, candidate.served, rule):
            looked += 1
            figures[f"{found.what}_{found.attribute}_{found.level}"] = found.ratio
            if not rule.low <= found.ratio <= rule.high and found.apart >= ERRORS_APART:
                outside.append(f"{found.attribute} {found.level} ({_in_words(found.what)}) {found.ratio:.2f}")
                failing = failing or rule.outside == "fail"
    if not looked:
        return Check("fairness", True, "There are no categories with enough contacts to compare.", figures)
    told = "; ".join(outside) if outside else "none is outside the bounds beyond chance"
    everybody = float(candidate.served[:, 0].mean()) < LEAST_ALONE
    nothing = " Nearly everybody is contacted: of that alone no category can differ." if everybody else ""
    sentence = f"Rate of contacts over that of all, {looked} categories looked at: {told}.{nothing}"
    return Check("fairness", not failing, sentence, figures, warning=bool(outside))


def _in_words(what: str) -> str:
    issue, by_people, _ = what.partition(" by people")
    return f"{'all contacts' if issue == ANY_ISSUE else f'contacts on {issue}'}{by_people}"


def rate_ratios(cases: Cases, target: Floats, rule: Fairness) -> list[RateRatio]:
    """Of all categories with enough contacts.

    A policy that takes the best for each account contacts nearly everybody, so that rates of contacts are
    alike whatever it does. Where people and the system both carry contacts out, the rate of those by people,
    the dear ones, is looked at as well.

    Args:
        cases: Held-out cases, n rows.
        target: What the policy chooses; shape (n, T).
        rule: Which issue and attributes.
    """
    treatments, system = cases.playbook.treatments, {role.id for role in cases.playbook.roles if role.system}
    counted = np.array([t.kind == "contact" and rule.issue in (ANY_ISSUE, t.issue) for t in treatments])
    by_people = counted & np.array([t.role not in system for t in treatments])
    found = _of_contacts(cases, target[:, counted].sum(axis=1), rule, rule.issue)
    if by_people.any() and (by_people != counted).any():
        found += _of_contacts(cases, target[:, by_people].sum(axis=1), rule, f"{rule.issue} by people")
    return found


def _of_contacts(cases: Cases, contacted: Floats, rule: Fairness, what: str) -> list[RateRatio]:
    overall = float(contacted.mean())
    found = []
    for attribute in cases.features.set.attributes:
        levels = attribute.levels
        if levels is None or len(levels) > MOST_LEVELS:
            continue
        if rule.attributes and attribute.name not in rule.attributes:
            continue
        codes = cases.features.account[:, cases.features.set.account.index(attribute.name)]
        for code, level in enumerate(levels):
            inside = codes == code
            if overall * _accounts(cases, inside) >= LEAST_CONTACTS:
                rate = float(contacted[inside].mean())
                error = np.sqrt(overall * (1.0 - overall) / _accounts(cases, inside))
                apart = abs(rate - overall) / error if error > 0.0 else 0.0
                found.append(RateRatio(what, attribute.name, level, rate, rate / overall, float(apart)))
    return found


def _accounts(cases: Cases, rows: Bools) -> int:
    return len(set(np.array(cases.account_ids, dtype=object)[rows]))


def drift(candidate: Candidate) -> Check:
    """What is known of accounts now looks like what was learned from."""
    recent, bounds = candidate.recent, candidate.judged.cases.playbook.gate
    if recent is None or len(recent) < LEAST_RECENT:
        count = 0 if recent is None else len(recent)
        return Check("drift", True, f"Got {count} occasions since those learned from, need {LEAST_RECENT}.")
    found, too_young = feature_drift(candidate.judged.cases, recent)
    drifted = {name: size for name, size in found.items() if size > bounds.drift}
    share = len(drifted) / max(len(found), 1)
    most = sorted(drifted.items(), key=lambda item: (-item[1], item[0]))[:5]
    named = "; most: " + ", ".join(f"{name} {size:.2f}" for name, size in most) if most else ""
    young = (
        f" {len(too_young)} look further back than the history did then and are not compared."
        if too_young
        else ""
    )
    sentence = (
        f"Since what was learned from {len(drifted)} of {len(found)} features have drifted (population "
        f"stability index above {bounds.drift:g}){named}; {bounds.drifted_most:.0%} of them may.{young}"
    )
    figures = {"share": share, "largest": max(found.values(), default=0.0), "not_compared": len(too_young)}
    return Check("drift", share <= bounds.drifted_most, sentence, figures, warning=bool(drifted))


def feature_drift(then: Cases, now: Cases) -> tuple[dict[str, float], tuple[str, ...]]:
    """Feature of accounts -> population stability index, without those that never differ.

    A count over 365 days grows for a year after the history began, whatever accounts do. So a feature is
    compared among occasions with at least as much history as it looks back, and times since something as far
    back as `RECENCY_DAYS`, beyond which they are as good as unknown.

    Returns:
        The indices, and features that are not compared because the history was too young on either side.
    """
    found, too_young = {}, []
    looks = {each.name: each for each in definitions("account")}
    for place, name in enumerate(then.features.set.account):
        look = looks.get(name)
        recency = look is not None and look.statistic.startswith("days_since")
        days = RECENCY_DAYS if recency else float(look.window_days or 0) if look else 0.0
        old, new = (_with_history(each, place, days) for each in (then, now))
        if days and min(len(old), len(new)) < LEAST_RECENT:
            too_young.append(name)
            continue
        if recency:
            old, new = (np.where(values > days, np.nan, values) for values in (old, new))
        if len(np.unique(np.concatenate([old, new]))) > 1:
            found[name] = stability_index(old, new, coded=name in then.features.set.levels)
    return found, tuple(too_young)


def _with_history(cases: Cases, place: int, days: float) -> Floats:
    """Values of a feature at occasions before which the history had run for so many days."""
    old_enough = cases.as_of - cases.known_from >= days * DAY_MICROS
    values: Floats = cases.features.account[old_enough, place]
    return values


def stability_index(then: Floats, now: Floats, *, coded: bool = False) -> float:
    """How differently a feature is distributed: sum over bins of (q - p) ln(q / p); no unit.

    Bins are tenths of `then`, or codes; what is not known is a bin of its own. Up to 0.1 is commonly taken
    for the same, above 0.25 for another distribution.

    Args:
        then: Values learned from, NaN = not known; shape (n,).
        now: Values of today; shape (m,).
        coded: Whether values are codes of categories.

    Source:
        Siddiqi (2006), Credit Risk Scorecards; the index is the symmetric divergence of Jeffreys (1946).
    """
    edges = _edges(then[~np.isnan(then)], coded=coded)
    p, q = _shares(then, edges), _shares(now, edges)
    return float(((q - p) * np.log(q / p)).sum())


def _edges(known: Floats, *, coded: bool) -> Floats:
    if not len(known):
        return np.empty(0)
    values = np.unique(known)
    if coded or len(values) <= BINS:
        return values
    return np.unique(np.quantile(known, np.linspace(0.0, 1.0, BINS + 1)[1:-1]))


def _shares(values: Floats, edges: Floats) -> Floats:
    place = np.searchsorted(edges, values, side="left")
    place[np.isnan(values)] = len(edges) + 1
    return np.maximum(np.bincount(place, minlength=len(edges) + 2) / len(values), _FLOOR)
