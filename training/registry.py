"""The registry of learners: from cases to what every treatment is expected to be worth.

One place to add a learner: a function decorated with `learner`, here or in a package of its own that names
its module under the entry-point group `nextbest.learners`. The contract tests run over the registry.
Complexity orders learners: where two are equally good within the noise, the simpler one is chosen.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any

import numpy as np

from engine.features import Features
from engine.readers import LEARNERS as READERS
from engine.records import Floats, Ints
from training.amounts import steady
from training.boosting import Boosting
from training.cases import Cases
from training.constants import Constants
from training.errors import TrainingError

GROUP = "nextbest.learners"


@dataclass(frozen=True)
class Fitted(ABC):
    """What a learner has learned.

    Attributes:
        constants: What holds for all accounts alike.
        treatments: T, how many treatments the playbook has.
        boosters: File name in the release -> forest (`lightgbm.Booster`).
        reader: How a release of it is read: a name of `engine.readers.LEARNERS`.
    """

    constants: Constants
    treatments: int
    boosters: Mapping[str, Any] = field(default_factory=dict)
    reader: str = ""

    def predict(self, features: Features) -> Floats:
        """Expected worth of outcomes within the horizon, in currency; shape (n, T); NaN = not learned."""
        values = np.full((len(features.moments), self.treatments), np.nan)
        values[:, self.constants.learned] = self._learned_values(features)
        return values

    def texts(self) -> Mapping[str, str]:
        """File name -> forest text, for the release."""
        return {name: booster.model_to_string() for name, booster in self.boosters.items()}

    def arrays(self) -> Mapping[str, Floats | Ints]:
        """Further arrays that the reader needs, for the release."""
        return {}

    def importance(self) -> Mapping[str, float]:
        """Feature -> gain, summed over forests; empty where there is none."""
        gains: dict[str, float] = {}
        for booster in self.boosters.values():
            gain = booster.feature_importance(importance_type="gain")
            for name, added in zip(booster.feature_name(), gain, strict=True):
                gains[name] = gains.get(name, 0.0) + float(added)
        return gains

    @abstractmethod
    def _learned_values(self, features: Features) -> Floats:
        """Columns of `predict` for the treatments learned; shape (n, len(learned)), or one row for all."""


Learn = Callable[[Cases, Floats, Boosting], Fitted]
"""cases, assignment probabilities (n,), size of forests -> what was learned."""


@dataclass(frozen=True)
class Learner:
    """An entry of the registry. `complexity` grows: ties go to the simpler one."""

    name: str
    complexity: float
    function: Learn

    def learn(self, cases: Cases, assignment: Floats, boosting: Boosting) -> Fitted:
        """What it learns from these cases, wild outcomes cut (`training.amounts`)."""
        return self.function(steady(cases), assignment, boosting)


LEARNERS: dict[str, Learner] = {}


def learner(name: str, *, complexity: float) -> Callable[[Learn], Learn]:
    """Register a function as a learner."""

    def register(learn: Learn) -> Learn:
        taken = {entry.complexity: other for other, entry in LEARNERS.items() if other != name}
        if name in LEARNERS and LEARNERS[name].function is not learn:
            raise TrainingError(f"Two learners are called {name!r}; rename one.")
        if complexity in taken:
            raise TrainingError(
                f"The learner {name!r} has complexity {complexity:g}, like {taken[complexity]!r}; ties go to "
                "the simpler one, so choose another."
            )
        LEARNERS[name] = Learner(name, complexity, learn)
        return learn

    return register


def load_installed() -> None:
    """Let installed packages register their learners (entry points of `nextbest.learners`).

    Raises:
        TrainingError: One of them cannot be loaded; names it and says why.
    """
    for point in entry_points(group=GROUP):
        try:
            point.load()
        except Exception as error:
            raise TrainingError(
                f"The learner package {point.value!r} cannot be loaded ({error}); repair or uninstall it."
            ) from error


def reader_of(name: str, fitted: Fitted) -> str:
    """How a release of a learner is read. Raises TrainingError when the engine does not know that way."""
    reader = fitted.reader or name
    if reader not in READERS:
        raise TrainingError(
            f"The learner {name!r} writes releases that are to be read as {reader!r}, which the engine does "
            f"not know; it reads {', '.join(READERS)}."
        )
    return reader
