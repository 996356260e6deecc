"""A forest on top of a score: what the linear part of an effect leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.features import FeatureSet
from engine.readers import LARGEST_SCORE, LEAST_SCORE
from engine.records import Bools, Floats, Ints
from training.boosting import Boosting, check_names

MOST_LEVELS = 32
"""Of an attribute that the forest reads."""
MOST_ROUNDS, STEP = 240, 20
"""Trees at most, and the steps in which their number is chosen."""


@dataclass(frozen=True)
class Curve:
    """From the score of a row to the effect that is to be predicted; shapes (n,).

    Attributes:
        start: The score without a forest.
        scale, offset: The effect is scale x e^score where it is curved, else offset + scale x score.
        curved: Where the score is a logarithm.
    """

    start: Floats
    scale: Floats
    offset: Floats
    curved: Bools

    def take(self, rows: Bools) -> Curve:
        """Of some rows."""
        return Curve(self.start[rows], self.scale[rows], self.offset[rows], self.curved[rows])

    def effects(self, added: Floats) -> tuple[Floats, Floats]:
        """Effects and their slopes with something added to the scores; shapes (n,)."""
        score = self.start + added
        bent = self.scale * np.exp(np.clip(score, LEAST_SCORE, LARGEST_SCORE))
        straight = self.offset + self.scale * score
        return np.where(self.curved, bent, straight), np.where(self.curved, bent, self.scale)


@dataclass(frozen=True)
class Rest:
    """What a forest on top is grown from.

    Attributes:
        curve: From scores to effects.
        rows: Model rows; shape (n, F).
        label: Effects with their noise, in currency; shape (n,).
        fold: Of each row, by account; shape (n,).
        noise: Standard deviation of the labels around effects; shape (n,).
    """

    curve: Curve
    rows: Floats
    label: Floats
    fold: Ints
    noise: Floats

    def take(self, rows: Bools) -> Rest:
        """Some of the rows."""
        return Rest(
            self.curve.take(rows), self.rows[rows], self.label[rows], self.fold[rows], self.noise[rows]
        )


def grow_on(rest: Rest, features: FeatureSet, boosting: Boosting) -> Any:
    """A forest that is added to scores, grown as long as effects are predicted better for accounts not seen.

    It reads attributes with few levels, and what was done in the same channel, on the same topic and with the
    same message: what is counted over all of them says more of what follows anyway than of effects. The last
    fold is kept apart to see how many trees are good.

    Args:
        rest: What the linear score leaves.
        features: Names and levels of the columns.
        boosting: Size and seed.

    Raises:
        TrainingError: A column's name cannot be stored in a forest's text.
    """
    check_names(features)
    apart = rest.fold == rest.fold.max()
    trial, unseen = _grown(rest.take(~apart), features, boosting, MOST_ROUNDS), rest.take(apart)
    errors = {}
    for count in range(0, MOST_ROUNDS + 1, STEP):
        added = np.zeros(len(unseen.label))
        if count:
            added = trial.predict(unseen.rows, raw_score=True, num_iteration=count)
        errors[count] = float((((unseen.label - unseen.curve.effects(added)[0]) / unseen.noise) ** 2).mean())
    best = min(errors, key=lambda count: errors[count])
    return _grown(rest, features, boosting, max(best, 1))


def _grown(rest: Rest, features: FeatureSet, boosting: Boosting, rounds: int) -> Any:
    import lightgbm  # noqa: PLC0415 - slow to import, and only training needs it

    weight = 1.0 / rest.noise**2

    def gradients(added: Floats, _: Any) -> tuple[Floats, Floats]:
        effect, slope = rest.curve.effects(added)
        return (effect - rest.label) * slope * weight, slope**2 * weight

    n = len(rest.rows)
    data = lightgbm.Dataset(
        rest.rows,
        label=rest.label,
        feature_name=list(features.names),
        categorical_feature=[name for name in features.names if name in features.levels],
        params={"feature_pre_filter": False, "verbosity": -1, "max_bin": 63},
    )
    parameters = boosting.parameters("regression", n) | {
        "objective": gradients, "max_bin": 63, "feature_fraction": 0.5, "min_data_per_group": 100,
        "min_data_in_leaf": int(min(max(n / 1000, 20), 100)), "interaction_constraints": [_read(features)],
    }  # fmt: skip
    return lightgbm.train(parameters, data, num_boost_round=rounds)


def _read(features: FeatureSet) -> list[int]:
    """Places of the columns that a forest of effects reads."""
    counted = set(features.account) - {attribute.name for attribute in features.attributes}
    levels = features.levels
    many = {name for name in features.account if name in levels and len(levels[name]) > MOST_LEVELS}
    return [place for place, name in enumerate(features.names) if name not in counted | many]
