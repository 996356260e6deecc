"""Learners of other packages: what they return is looked at each time they learn.

The product's own learners are checked by tests. Somebody else's may stop, leave out a value or write files
that the engine reads otherwise; without a look here that is found out in the middle of a run, or at night.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.readers import DOING
from engine.records import Floats
from engine.scoring import learned_scorer
from training.boosting import Boosting
from training.cases import Cases
from training.errors import TrainingError
from training.learners import LEARNERS, Fitted, Learn, load_installed
from training.release import manifest_of, values_of

LOOKED_AT = 2_000
"""Cases that are asked about, at most."""
PRODUCT = "training."
_AGREE = 1e-9
"""Of the largest value: how far the files may be from what was predicted."""


def watch_installed() -> None:
    """Let installed packages register their learners, and look at whatever those return from now on.

    Raises:
        TrainingError: One of them cannot be loaded.
    """
    load_installed()
    for name, entry in LEARNERS.items():
        own = isinstance(entry.function, _Watched) or entry.function.__module__.startswith(PRODUCT)
        if not own:
            LEARNERS[name] = replace(entry, function=_Watched(name, entry.function))


@dataclass(frozen=True)
class _Watched:
    """A learner of another package."""

    name: str
    learn: Learn

    def __call__(self, cases: Cases, assignment: Floats, boosting: Boosting) -> Fitted:
        """The same. Raises TrainingError where it stops, or its values cannot be compared or served."""
        try:
            fitted = self.learn(cases, assignment, boosting)
            self._look(fitted, cases)
        except TrainingError:
            raise
        except Exception as error:
            said = " ".join(str(error).split()).rstrip(".")
            raise TrainingError(
                f"The learner {self.name!r} of {self.learn.__module__} stopped with {type(error).__name__}: "
                f"{said}; repair or uninstall it."
            ) from error
        return fitted

    def _look(self, fitted: object, cases: Cases) -> None:
        if not isinstance(fitted, Fitted):
            self._refuse(f"returned {type(fitted).__name__}, need a training.registry.Fitted")
            return
        asked = cases.take(np.arange(0, len(cases), max(1, len(cases) // LOOKED_AT)))
        learned = fitted.constants.learned
        predicted = fitted.predict(asked.features)[:, learned]
        if not np.isfinite(predicted).all():
            case, place = np.argwhere(~np.isfinite(predicted))[0]
            self._refuse(
                f"expects {predicted[case, place]} of {cases.treatments[learned[place]]!r} for an account, "
                "need a finite worth of every treatment in constants.learned"
            )
        manifest = manifest_of(self.name, fitted, cases, "look", {}) | {"estimand": DOING}
        parts = values_of(fitted)
        scorer = learned_scorer(manifest, parts.texts, {"values": parts.arrays}, cases.playbook)
        served = scorer.score(asked.features).value[:, learned]
        apart = np.abs(served - predicted).max()
        if not apart <= _AGREE * max(float(np.abs(predicted).max()), 1.0):
            self._refuse(
                f"predicts other values than the engine reads from its files as {manifest['reader']!r}, by "
                f"up to {apart:,.2f}: what is compared must be what is served"
            )

    def _refuse(self, what: str) -> None:
        raise TrainingError(
            f"The learner {self.name!r} of {self.learn.__module__} {what}; repair or uninstall it."
        )
