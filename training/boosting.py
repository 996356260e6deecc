"""LightGBM, set so that the same cases give the same forest: the one place of the project that imports it.

Category codes come from the feature set's levels, never from the batch; column names and order are the
feature set's, so that the engine can read the forest's text without guessing.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.features import Features, FeatureSet
from engine.forest import parse_forest
from engine.records import Floats, Ints
from training.errors import TrainingError
from training.model_rows import AT_ONCE, ModelRows

PATIENCE = 10
READ_AHEAD = 1_000
"""Rows made together where LightGBM asks for one after the other."""
_UNUSABLE = frozenset('"[]{},:')
"""What LightGBM does not take in the name of a column."""


@dataclass(frozen=True)
class Boosting:
    """How forests are grown. The defaults are modest on purpose: outcomes are noisy and effects small.

    Attributes:
        rounds: Trees.
        leaves: Of a tree at most.
        learning_rate: Share of each tree that is taken.
        seed: Of the draws of columns; the only randomness.
        threads: Of LightGBM; the forest does not depend on it.
    """

    rounds: int = 120
    leaves: int = 15
    learning_rate: float = 0.05
    seed: int = 0
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)

    def parameters(self, objective: str, n: int) -> dict[str, Any]:
        """LightGBM's parameters for n rows: at least 20 rows a leaf, more where there are many."""
        return {
            "objective": objective,
            "num_leaves": self.leaves,
            "learning_rate": self.learning_rate,
            "min_data_in_leaf": int(min(max(n / 200, 20), 500)),
            "min_data_per_group": 20,
            "lambda_l2": 1.0,
            "feature_fraction": 0.7,
            "deterministic": True,
            "force_col_wise": True,
            "zero_as_missing": False,
            "seed": self.seed % 2**31,
            "num_threads": self.threads,
            "verbosity": -1,
        }


def grow(
    rows: Floats | ModelRows,
    label: Floats,
    features: FeatureSet,
    boosting: Boosting,
    *,
    objective: str = "regression",
) -> Any:
    """A forest over model rows; a `lightgbm.Booster`.

    Args:
        rows: Shape (n, len(features.names)); `ModelRows` are never all in memory.
        label: Shape (n,).
        features: Names and levels of the columns.
        boosting: Size and seed.
        objective: "regression" or "binary".

    Raises:
        TrainingError: A column's name cannot be stored in a forest's text.
    """
    check_names(features)
    parameters = boosting.parameters(objective, len(rows))
    return grow_named(
        rows,
        label,
        names=features.names,
        categories=set(features.levels),
        parameters=parameters,
        rounds=boosting.rounds,
    )


def grow_named(
    rows: Floats | ModelRows,
    label: Floats,
    *,
    names: Sequence[str],
    categories: Collection[str],
    parameters: Mapping[str, Any],
    rounds: int,
    seen_by: tuple[Floats, Floats] | None = None,
    weight: Floats | None = None,
) -> Any:
    """The same over columns of any names with any parameters; rows may have weights.

    With `seen_by`, rows and label that the forest does not learn from, it stops growing when it has not
    predicted them better for `PATIENCE` rounds; `best_iteration` says how many rounds were best.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import lightgbm  # noqa: PLC0415 - slow to import, and only training needs it

    loading = {"feature_pre_filter": False, "verbosity": -1}
    data = lightgbm.Dataset(
        _given(rows),
        label=label,
        weight=weight,
        feature_name=list(names),
        categorical_feature=[name for name in names if name in categories],
        params=dict(loading),
    )
    if seen_by is None:
        return lightgbm.train(dict(parameters), data, num_boost_round=rounds)
    apart = lightgbm.Dataset(seen_by[0], label=seen_by[1], reference=data, params=dict(loading))
    stop = lightgbm.early_stopping(PATIENCE, verbose=False)
    return lightgbm.train(
        dict(parameters), data, num_boost_round=rounds, valid_sets=[apart], callbacks=[stop]
    )


def _given(rows: Floats | ModelRows) -> Any:
    """Rows as LightGBM takes them; made some at a time, the forest is the same up to 200,000 rows. Of more,
    LightGBM looks at others of them to find where to split."""
    if not isinstance(rows, ModelRows):
        return rows
    import lightgbm  # noqa: PLC0415 - slow to import, and only training needs it

    class InParts(lightgbm.Sequence):
        """Rows that LightGBM asks for."""

        batch_size = AT_ONCE

        def __init__(self) -> None:
            self._first, self._held = 0, rows[:0]

        def __len__(self) -> int:
            return len(rows)

        def __getitem__(self, asked: Any) -> Any:
            """Some rows, or one of those that it is asked for one after the other to find where to split."""
            if not isinstance(asked, int | np.integer):
                return rows[asked]
            if not 0 <= asked - self._first < len(self._held):
                self._first, self._held = int(asked), rows[int(asked) : int(asked) + READ_AHEAD]
            return self._held[asked - self._first]

    return InParts()


class Columns:
    """Rows that several forests with different labels are grown from, read once.

    Attributes:
        rows: Shape (n, columns); `ModelRows` are never all in memory.
    """

    def __init__(self, rows: Floats | ModelRows, names: Sequence[str], categories: Collection[str]) -> None:
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        import lightgbm  # noqa: PLC0415 - slow to import, and only training needs it

        self.rows = rows
        self._lightgbm = lightgbm
        self._data = lightgbm.Dataset(
            _given(rows),
            label=np.zeros(len(rows)),
            feature_name=list(names),
            categorical_feature=[name for name in names if name in categories],
            params={"feature_pre_filter": False, "verbosity": -1, "max_bin": 63},
        ).construct()

    def grow(
        self,
        among: Ints,
        label: Floats,
        parameters: Mapping[str, Any],
        rounds: int,
        weight: Floats | None = None,
    ) -> Any:
        """A forest over some of the rows; labels of shape (len(among),), weights of all rows."""
        data = self._data.subset(
            among.tolist()
        ).construct()  # before the label, which it would else take from all
        data.set_label(label)
        data.set_weight(None if weight is None else weight[among] / weight[among].mean())
        return self._lightgbm.train(dict(parameters) | {"max_bin": 63}, data, num_boost_round=rounds)


def each_pair(booster: Any, features: Features, treatments: Ints) -> Floats:
    """Raw score of every occasion for some treatments, to the bit what the booster says of each row; shape
    (n, len(treatments))."""
    return parse_forest(booster.model_to_string()).predict_pairs(features, treatments)


def raw_scores(booster: Any, rows: Floats | ModelRows) -> Floats:
    """Raw score of model rows; shape (n,)."""
    parts = [
        booster.predict(rows[start : start + AT_ONCE], raw_score=True)
        for start in range(0, len(rows), AT_ONCE)
    ]
    return np.concatenate(parts) if parts else np.empty(0)


def check_names(features: FeatureSet) -> None:
    """Raises TrainingError when a column's name cannot be stored in a forest's text."""
    for name in features.names:
        if _UNUSABLE & set(name) or name != "_".join(name.split()):
            raise TrainingError(
                f"The column {name!r} cannot be a feature's name: rename it in the accounts table "
                "(letters, digits and underscores)."
            )
