"""What each treatment causes beside the plain difference of means: how much of a slope is targeting.

Whoever is contacted was chosen, and mostly because he buys. The plain difference between those contacted and
those left alone is then no effect; both stand side by side here, with what explains the gap and with how
much more, unseen, would explain the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from data.progress import Progress, quiet
from engine.clusters import FEWEST_CLUSTERS, Uncertainty
from engine.records import Floats
from engine.sensitivity import LARGEST
from training.balance import Overlap, overlap
from training.behaviour import Assignment, assignment_of
from training.boosting import Boosting
from training.cases import Cases
from training.evaluate import strength_beside, uncertainty_of
from training.learners import LEARNERS
from training.report import enough_persons, interval_text
from training.select import FOLDS, cross_fitted, logged_of, net_model
from training.splits import folds_of

LEARNER = "s_learner"


@dataclass(frozen=True)
class Beside:
    """A treatment's effect beside the plain difference.

    Attributes:
        row: Plain difference, adjusted effect, balance, and what sets apart those given it.
        enough_persons: Whether those whose accounts were given it are enough for an interval by person.
        strength: By which factor something unseen would have to change the odds of who was given it, so that
            giving it to all who could have it no longer brings more, before its cost as the effect is, than
            leaving them alone; 1 = it does not even without; `LARGEST` = that much or more; None =
            probabilities were logged.
    """

    row: Overlap
    enough_persons: bool
    strength: float | None

    def lines(self) -> list[str]:
        """The figures in words."""
        row = self.row
        if row.plain is None or row.effect is None:
            return [f"{row.treatment}: {row.cases:,} cases; cannot be judged."]
        said = [
            f"{row.treatment}: {row.cases:,} cases; plain difference {interval_text(row.plain)}, "
            f"adjusted effect {interval_text(row.effect)}."
        ]
        if row.apart:
            apart = ", ".join(f"{name} {size:+.2f}" for name, size in row.apart)
            why = "They differ because of whom it was given: before" if self._differ else "Before"
            said.append(
                f"  {why} the decision those given it were apart from those left alone, in standard "
                f"deviations, by {apart}."
            )
        if not self.enough_persons:
            said.append(
                f"  Fewer than {FEWEST_CLUSTERS} persons serve those given it: intervals, by account only, "
                "are too narrow, and what these persons are like may be all of it."
            )
        elif row.effect.high < 0.0:
            said.append("  Given to all who could have it, it loses: the whole interval is below 0.")
        elif self.strength is not None and self.strength <= 1.0:
            said.append("  Given to all who could have it, no more than chance explains is gained.")
        elif self.strength is not None:
            factor = "more than 10" if self.strength >= LARGEST else f"{self.strength:.2f}"
            said.append(
                "  Something that nobody recorded would have to change the odds of who was given it by a "
                f"factor of {factor} to explain this effect away."
            )
        return said

    @property
    def _differ(self) -> bool:
        """Whether either figure lies outside the interval of the other."""
        plain, effect = self.row.plain, self.row.effect
        assert plain is not None
        assert effect is not None
        return not (
            plain.low <= effect.estimate <= plain.high and effect.low <= plain.estimate <= effect.high
        )


def effects_beside(
    cases: Cases, boosting: Boosting, *, seed: int, progress: Progress = quiet
) -> tuple[Beside, ...]:
    """A row for each treatment with cases, from all cases: models are cross-fitted by account.

    Args:
        cases: Matured cases.
        boosting: Size of the forests.
        seed: Of folds and resamples.
        progress: Called with (stage, done, of).

    Raises:
        TooFewCasesError: One action only, or nobody was left alone.
    """
    assignment = assignment_of(cases, boosting, seed=seed, progress=progress)
    progress("expected outcomes", 0, 1)
    folds = folds_of(cases.account_ids, FOLDS, seed=seed)
    learner = {LEARNER: LEARNERS[LEARNER]}
    values = cross_fitted(learner, cases, assignment, folds, boosting)[LEARNER].values
    model = net_model(values, cases.cost)
    progress("expected outcomes", 1, 1)
    sure = uncertainty_of(cases, seed=seed)
    rows = overlap(cases, assignment, model, sure)
    enough = enough_persons(cases, assignment, rows, sure)
    found = []
    for done, row in enumerate(rows):
        progress("sensitivity", done, len(rows))
        if row.treatment != cases.treatments[0]:
            strength = _strength(cases, assignment, model, row, sure)
            found.append(Beside(row, enough[row.treatment], strength))
    progress("sensitivity", len(rows), len(rows))
    return tuple(found)


def _strength(
    cases: Cases, assignment: Assignment, model: Floats, row: Overlap, sure: Uncertainty
) -> float | None:
    """Of giving it to all who could have it and nothing, beside leaving these alone."""
    if assignment.logged or row.effect is None:
        return None
    if not row.effect.low > 0.0:
        return 1.0
    index = cases.treatments.index(row.treatment)
    inside = assignment.comparable[:, index] & assignment.comparable[:, 0]
    alone = np.zeros(model.shape)
    alone[:, 0] = 1.0
    given = alone.copy()
    given[inside] = 0.0
    given[inside, index] = 1.0
    logged = replace(logged_of(cases, assignment), reward=cases.reward)  # the effect is before cost, too
    return strength_beside(logged, given, alone, model + cases.cost, known=assignment.known, uncertainty=sure)
