"""Small releases, learned on the fly from random histories."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np

from engine.features import Features
from engine.playbook import Playbook
from engine.readers import ERROR_FOREST
from engine.scoring import LEARNERS, LearnedScorer, learned_scorer
from tests.engine.builders import features, history, playbook
from tests.engine.random_histories import random_history, random_moments

LEARNED = ("none", "email_news", "visit_news")
POOL = [[4.0, 5.0], [15.0, 16.0], [9.0, 10.0]]
"""Effects of e-mail, visit and other channels, by topic: news and others."""
VALUE, UPLIFT, RESPONSE = [10.0, 14.0, 25.0], [0.0, 4.0, 15.0], [0.0, 0.2, 0.3]


def known_of(seed: int = 1, count: int = 80) -> Features:
    return features(random_history(seed), random_moments(seed, count))


def grown(known: Features, *, objective: str = "regression", seed: int = 0) -> str:
    """A small forest over the rows of random actions."""
    draw = np.random.default_rng(seed)
    action = draw.integers(0, 6, size=len(known.moments))
    label = action + known.fact("outbound_any_365d").values[:, 0] + draw.normal(size=len(action))
    if objective == "binary":
        label = (label > np.median(label)).astype(np.float64)
    names = known.set.names
    data = lightgbm.Dataset(
        known.row_matrix(action), label, feature_name=list(names),
        categorical_feature=[name for name in names if name in known.set.levels],
    )  # fmt: skip
    parameters = {"objective": objective, "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 2}
    return lightgbm.train(parameters, data, num_boost_round=6).model_to_string()


def manifest(known: Features, learner: str = "best_fixed", **values: Any) -> dict[str, Any]:
    return {
        "format": 2, "learner": learner, "release": "20260101", "playbook": "0" * 16,
        "treatments": list(LEARNED), "feature_names": list(known.set.names),
        "levels": {name: list(levels) for name, levels in known.set.levels.items()},
        "evidence": {"none": 500, "email_news": 80, "visit_news": 60},
        "pool": {"channels": ["email", "visit"], "topics": ["news"]},
    } | values  # fmt: skip


def arrays(**values: Any) -> dict[str, dict[str, Any]]:
    given_ = {
        "value": VALUE, "uplift": UPLIFT, "response": RESPONSE, "error": [0.0, 1.0, 5.0],
        "pool_effect": POOL, "pool_error": np.full((3, 2), 3.0),
        "effect_offset": [0.0, 4.0, 15.0], "effect_scale": [0.0, 3.0, 10.0], "effect_curved": [0.0, 0.0, 1.0],
    } | linear_arrays() | values  # fmt: skip
    return {"values": {name: np.array(value) for name, value in given_.items()}}


def linear_arrays() -> dict[str, Any]:
    """A bend of a number, whether it is missing, a range, and a range of two; by the rows of `features`."""
    names = features(history()).set.names
    number, days = names.index("potential_value"), names.index("days_since_same_channel")
    basis = {
        "kind": [0, 1, 2, 3], "first": [number, days, days, number], "second": [-1, -1, -1, days],
        "low": [3.0, 0.0, 2.0, 0.0], "high": [2.0, 0.0, 20.0, np.inf], "low_of_second": [0.0, 0.0, 0.0, 5.0],
        "high_of_second": [0.0, 0.0, 0.0, 50.0], "knot": [-3.0, 0.0, 0.0, 0.0],
        "mean": [2.5, 0.3, 0.2, 0.1], "spread": [1.0, 1.0, 0.5, 1.0],
        "constant": [0.0, 0.2, -0.1],
        "weights": [[0.0, 0.5, 0.3], [0.0, -0.4, 0.1], [0.0, 0.2, 0.6], [0.0, 0.7, -0.2]],
    }  # fmt: skip
    return {f"linear_{name}": np.array(values) for name, values in basis.items()}


def texts_of(learner: str, known: Features) -> dict[str, str]:
    return {name: grown(known, seed=place) for place, name in enumerate(LEARNERS[learner].forests)}


def everybody_gets(known: Features, contacts: float) -> str:
    """A forest of contacts to come that says the same of all accounts and channels."""
    names = known.set.names
    data = lightgbm.Dataset(np.zeros((50, len(names))), np.full(50, contacts), feature_name=list(names))
    parameters = {"objective": "regression", "verbosity": -1, "num_threads": 1}
    return lightgbm.train(parameters, data, num_boost_round=1).model_to_string()


def stopping_scorer(known: Features, rules: Playbook | None = None, *, rate: float = 0.1, error: float = 0.01,
                    coming: float = 4.0, account_error: float = 0.0) -> LearnedScorer:  # fmt: skip
    """A release whose e-mails end in opt-outs at a rate, all accounts being alike; visits never do."""
    own = {
        "optout_edges": [], "optout_rate": [rate], "optout_error": [error], "coming_share": [0.0, 1.0, 1.0],
    }  # fmt: skip
    texts = {"coming.forest.txt": everybody_gets(known, coming)}
    if account_error:
        own["account_error"] = [0.0, account_error, account_error]
        texts[ERROR_FOREST] = everybody_gets(known, 1.0)
    said = manifest(known, stopping={"channels": ["email"]}, horizon_days=60.0)
    return learned_scorer(said, texts, arrays(**own), rules or playbook())


def scorer(
    known: Features, learner: str = "best_fixed", rules: Playbook | None = None, **values: Any
) -> LearnedScorer:
    texts = texts_of(learner, known)
    return learned_scorer(manifest(known, learner, **values), texts, arrays(), rules or playbook())
