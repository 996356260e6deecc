"""All learners of the product, and the response model: import this, and the registry is full.

- best_fixed: every treatment is worth the same for all accounts. The bar that personalisation must pass.
- linear: effects by traits, channel and topic (`training.effects`).
- s_learner: one forest over account and treatment together; new messages inherit from channel and topic.
- doubly_robust: mean effects corrected by what was logged, and one forest of how accounts differ from them.
- t_learner: one forest per treatment with enough cases.
"""

from __future__ import annotations

import numpy as np

from engine.features import Features
from engine.records import Floats
from training import effects, forests, robust
from training.boosting import Boosting, grow
from training.cases import Cases
from training.constants import LEAST_CASES, Constants, constants, learnable
from training.model_rows import ModelRows
from training.registry import LEARNERS, Fitted, Learn, Learner, learner, load_installed, reader_of

__all__ = [
    "LEARNERS", "LEAST_CASES", "Constants", "Fitted", "Learn", "Learner", "constants", "effects", "forests",
    "learn_response", "learnable", "learner", "load_installed", "reader_of", "robust",
]  # fmt: skip


class FixedValues(Fitted):
    """Every treatment is worth the same for all."""

    def _learned_values(self, features: Features) -> Floats:
        return self.constants.value


@learner("best_fixed", complexity=0)
def learn_fixed(cases: Cases, assignment: Floats, boosting: Boosting) -> Fitted:
    """The mean of each treatment, its effect pooled with the others'."""
    return FixedValues(constants(cases, assignment, boosting), len(cases.treatments))


LEAST_RESPONSES = 100
"""With fewer positive responses there is no response forest, only rates by treatment."""


def learn_response(cases: Cases, boosting: Boosting) -> str | None:
    """The text of a forest of P(positive response | account, treatment); None = too few responses."""
    contacts = (cases.action > 0) & cases.matured & np.isin(cases.action, learnable(cases))
    if min(cases.responded[contacts].sum(), (~cases.responded[contacts]).sum()) < LEAST_RESPONSES:
        return None
    rows = ModelRows.of(cases.features, cases.action, np.flatnonzero(contacts))
    label = cases.responded[contacts].astype(np.float64)
    booster = grow(rows, label, cases.features.set, boosting, objective="binary")
    text: str = booster.model_to_string()
    return text
