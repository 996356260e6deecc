"""What a check of the gate looks at and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from data.artifacts import Release
from engine.records import Floats
from training.cases import Cases
from training.evaluate import Judged, finite


@dataclass(frozen=True)
class Check:
    """What one condition of the gate says.

    Attributes:
        name: In the registry.
        passed: Whether it lets the release pass.
        sentence: Why, with figures and bounds.
        figures: The figures alone, by name; those that are not known are NaN.
        warning: Whether it lets it pass, but somebody should look.
    """

    name: str
    passed: bool
    sentence: str
    figures: Mapping[str, float] = field(default_factory=dict)
    warning: bool = False

    def as_json(self) -> dict[str, Any]:
        """For the manifest."""
        plain: dict[str, Any] = finite(
            {"name": self.name, "passed": self.passed, "warning": self.warning, "sentence": self.sentence,
             "figures": dict(self.figures)}
        )  # fmt: skip
        return plain


@dataclass(frozen=True)
class Gate:
    """Whether a release may replace the one in use."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """All checks are."""
        return all(check.passed for check in self.checks)

    @property
    def failed(self) -> tuple[Check, ...]:
        """Those that say no."""
        return tuple(check for check in self.checks if not check.passed)

    @property
    def warnings(self) -> tuple[Check, ...]:
        """Those that let it pass, but should be looked at."""
        return tuple(check for check in self.checks if check.passed and check.warning)

    def of(self, name: str) -> Check:
        """One check. Raises KeyError."""
        return {check.name: check for check in self.checks}[name]


@dataclass(frozen=True)
class Candidate:
    """What the checks look at.

    Attributes:
        judged: The policies on held-out accounts.
        chosen: The learner of the new release.
        in_use: The release in use, if there is one that can be read.
        damaged: What is wrong with the release in use; "" = nothing, or there is none.
        recent: Occasions whose outcomes are not known yet: how accounts are now; None = not given.
        served: What the release would choose on the held-out cases, learned from all accounts; shape (n, T).
        seed: Of the resamples.
    """

    judged: Judged
    chosen: str
    in_use: Release | None
    damaged: str
    recent: Cases | None
    served: Floats
    seed: int

    @property
    def target(self) -> Floats:
        """What it would choose on the held-out cases, learned from the others; shape (n, T)."""
        return self.judged.targets[self.chosen]
