"""What a playbook says of learning: the gate's bounds, who must be treated alike, what is no feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.playbook_text import PlaybookError, Tables

ANY_ISSUE = "any"


@dataclass(frozen=True)
class GateSettings:
    """Bounds that a new release must keep to be put in use.

    Attributes:
        tolerance: How much less than the release in use it may earn at the lower bound, as a share of what
            that earns: with finitely many held-out cases no bound is ever exactly zero.
        calibration: Least share of the expected gain that must be able to come (upper bound of the interval).
        coverage: Least share of decisions in which it can speak of a contact that may be made.
        volume_factor: How many times as many, or as few, contacts of a channel it may choose.
        volume_least: Changes below this share of all decisions are not looked at.
        drift: Population stability index above which a feature has drifted; no unit.
        drifted_most: Share of the features that may have.
    """

    tolerance: float = 0.05
    calibration: float = 0.5
    coverage: float = 0.5
    volume_factor: float = 3.0
    volume_least: float = 0.1
    drift: float = 0.25
    drifted_most: float = 0.5


@dataclass(frozen=True)
class Fairness:
    """How alike the categories of an attribute must be contacted.

    Attributes:
        issue: Contacts of this issue; "any" = of all issues together.
        attributes: Which; () = all attributes with categories.
        low, high: Bounds of (rate of a category) / (rate of all).
        outside: What happens to a release beyond them: it is said, or it does not pass.
    """

    issue: str = ANY_ISSUE
    attributes: tuple[str, ...] = ()
    low: float = 0.8
    high: float = 1.25
    outside: Literal["warn", "fail"] = "warn"


def read_gate(tables: Tables) -> GateSettings:
    """The section [gate]; without it the usual bounds."""
    for table in tables.sections["gate"].values():
        return GateSettings(**table)
    return GateSettings()


def read_fairness(tables: Tables) -> tuple[Fairness, ...]:
    """The section [fairness]; without it all issues together are looked at and told.

    Raises:
        PlaybookError: An issue that is not there.
    """
    issues = tables.sections["issues"]
    for issue in tables.sections["fairness"]:
        if issue != ANY_ISSUE and issue not in issues:
            known = ", ".join((ANY_ISSUE, *issues))
            raise PlaybookError(f"fairness.{issue}: there is no such issue. Give one of {known}.")
    found = tuple(Fairness(issue=issue, **table) for issue, table in tables.sections["fairness"].items())
    return found or (Fairness(),)


def read_immature(tables: Tables) -> str:
    """What happens to occasions whose outcomes are not all known yet: "leave_out" or "weight"."""
    for table in tables.sections["learning"].values():
        return str(table["immature"])
    return "leave_out"


def read_refused(tables: Tables) -> tuple[str, ...]:
    """Attributes that are no features. Raises PlaybookError: a rule could read one and would find nothing."""
    for table in tables.sections["learning"].values():
        refused: tuple[str, ...] = tuple(table["refuse"])
        for name in refused:
            if name in tables.top["attributes"]:
                raise PlaybookError(
                    f"learning.refuse: {name!r} is declared in attributes, where rules may read it. Take it "
                    "out of one of them."
                )
        return refused
    return ()
