"""Exact scoring of LightGBM forests over accounts x treatments, read from the model's text.

The result equals `Booster.predict(raw_score=True)` to the bit: numeric splits with missing values and
default direction, zero as missing, categorical splits, any number of leaves, constant trees. Leaves are
added in tree order. No lightgbm import.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.features import Features
from engine.records import EngineError, Floats


class ForestError(EngineError):
    """The model's text is not one that can be scored; says what was met."""


@dataclass(frozen=True)
class Forest:
    """A parsed forest. `feature_names` are those of the model's text, in its order."""

    feature_names: tuple[str, ...]

    def predict(self, rows: Floats) -> Floats:
        """Raw score of model rows; rows shape (n, len(feature_names)), result (n,)."""
        raise NotImplementedError

    def predict_pairs(self, features: Features) -> Floats:
        """Raw score of every (moment, treatment) pair; shape (n, T), without building the cross product."""
        raise NotImplementedError


def parse_forest(text: str) -> Forest:
    """Read the text that `Booster.model_to_string` gives. Raises ForestError."""
    raise NotImplementedError
