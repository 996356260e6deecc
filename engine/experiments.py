"""Standing tests: which part of the accounts is decided in another way, so that the engine can be compared.

A unit (an account, a person with all her accounts, a territory) has a point, hash(unit, salt) mod 10,000.
The arms of a test are ranges of points, one after the other in the order of the playbook; what is left at
the end is the engine's. So a unit never changes its arm, whatever else happens, and an arm added at the end
takes from the engine alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.conditions import near
from engine.numerics import bits
from engine.playbook_text import PlaybookError, Tables

POINTS = 10_000
"""Into how many points the units are divided: the smallest share is 0.0001."""
ARMS: tuple[str, ...] = (
    "engine", "control", "random_eligible", "propensity_only", "no_levers", "eligibility_only",
)  # fmt: skip
"""What may be compared: the engine as it is; no suggestions at all; any eligible treatment, drawn at random;
ranked by the response propensity alone; all levers at 1; only policies of the stage eligibility asked.
Consent, limits, pauses, approvals, stops and the rules that are built in hold in all of them."""
ENGINE, CONTROL, RANDOM, PROPENSITY, NO_LEVERS, ELIGIBILITY = range(len(ARMS))
OUTSIDE = -1
"""Of a decision that no test looks at: before its start, or of a unit that is not known."""
COPY = "\x1f"
"""Parts the id of an account from the number of its copy, where several futures of it are decided."""

Unit = Literal["account", "person", "territory"]


@dataclass(frozen=True)
class Arm:
    """One arm and how many of the 10,000 points it has."""

    id: str
    points: int


@dataclass(frozen=True)
class Experiment:
    """The section [experiment] of a playbook.

    Attributes:
        unit: What is assigned as a whole.
        role: Of units that are people: the role whose person an account belongs to; else "".
        arms: In the order of their ranges; those of the engine that are not named come last.
        always: Policies that are asked in the arm eligibility_only too.
        starts: Microseconds UTC; decisions before are the engine's and no part of the test.
        weeks: After which it is to be read, as planned.
        salt: Another salt is another test with other units in its arms.
    """

    unit: Unit
    arms: tuple[Arm, ...]
    starts: int
    salt: str
    weeks: int = 12
    role: str = ""
    always: tuple[str, ...] = ()

    def arm_of(self, unit: str) -> int:
        """The arm of a unit, an index into `ARMS`."""
        left = point(unit, self.salt)
        for arm in self.arms:
            if left < arm.points:
                return ARMS.index(arm.id)
            left -= arm.points
        return ENGINE

    def share(self, arm: int) -> float:
        """The share of units that an arm (an index into `ARMS`) has, in [0, 1]."""
        named = sum(each.points for each in self.arms if each.id == ARMS[arm])  # counts
        rest = POINTS - sum(each.points for each in self.arms) if arm == ENGINE else 0  # counts
        return (named + rest) / POINTS


def point(unit: str, salt: str) -> int:
    """hash(unit, salt) mod 10,000: the same on every machine and for ever (blake2b); copies share it."""
    return bits(0, "experiment", salt, unit.partition(COPY)[0]) % POINTS


def read_experiment(tables: Tables) -> Experiment | None:
    """The section's settings; None = it is not there or switched off. Raises PlaybookError."""
    for given in tables.sections["experiment"].values():
        if given["on"]:
            _check_role(given["unit"], given["role"])
            return Experiment(
                unit=given["unit"], arms=_arms(given["arms"]), starts=given["starts"],
                salt=tables.top["salt"], weeks=given["weeks"], role=given["role"], always=given["always"],
            )  # fmt: skip
    return None


def rebalanced(before: Experiment | None, after: Experiment | None) -> str:
    """Why a test that has begun would be spoilt by a change of the playbook, in one line; "" = it is not.

    Arms may be added at the end, and the section may be taken away as a whole. Another salt is another test.
    The planned end stays: whoever moves it to a week that looks good has looked every week.
    """
    if before is None or after is None or before.salt != after.salt:
        return ""
    ways_out = "give the playbook another salt to begin a new test."
    for name in ("unit", "role", "starts", "weeks"):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            return f"experiment.{name}: got {new!r}, but the test runs with {old!r}; {ways_out}"
    if after.arms[: len(before.arms)] != before.arms:
        old, new = (", ".join(_told(arm) for arm in each.arms) for each in (before, after))
        return (
            f"experiment.arms: [{new}] would move units that the running test has assigned by [{old}]; "
            f"add arms at the end only, or {ways_out}"
        )
    return ""


def _arms(given: tuple[str, ...]) -> tuple[Arm, ...]:
    arms = tuple(_arm(text) for text in given)
    if not arms:
        raise PlaybookError('experiment.arms: name at least one arm with its share, such as "control:0.1".')
    ids = [arm.id for arm in arms]
    for arm in ids:
        if ids.count(arm) > 1:
            raise PlaybookError(f"experiment.arms: {arm!r} stands there twice.")
    total = sum(arm.points for arm in arms)  # counts
    if total > POINTS:
        raise PlaybookError(f"experiment.arms: the shares add up to {total / POINTS:g}, need at most 1.")
    return arms


def _arm(text: str) -> Arm:
    name, _, share = text.partition(":")
    if name not in ARMS:
        raise PlaybookError(f"experiment.arms: unknown arm {name!r}{near(name, ARMS) or _known()}")
    try:
        points = float(share) * POINTS
    except ValueError:
        points = float("nan")
    if not 1 <= points <= POINTS or abs(points - round(points)) > 1e-6:
        raise PlaybookError(
            f"experiment.arms: got {text!r}, need arm:share with a share of 0.0001 to 1 in steps of 0.0001, "
            f"such as {name}:0.1."
        )
    return Arm(name, round(points))


def _told(arm: Arm) -> str:
    return f"{arm.id}:{arm.points / POINTS:g}"


def _check_role(unit: str, role: str) -> None:
    if unit == "person" and not role:
        raise PlaybookError(
            "experiment.role: missing. Say whose accounts belong together, such as the rep's."
        )
    if unit != "person" and role:
        raise PlaybookError(f"experiment.role: only units that are people have one, not {unit!r}.")


def _known() -> str:
    return f"; known: {', '.join(ARMS)}."
