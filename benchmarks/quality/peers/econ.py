"""econml's doubly robust policy learner: an honest forest of 100 policy trees over LightGBM nuisances."""

from __future__ import annotations

import numpy as np

from benchmarks.quality.peers.problem import Array, Problem


def dr_policy(problem: Problem) -> Array:
    """`DRPolicyForest`; boosted nuisances, and the root of the columns a split, or it would not finish."""
    from econml.policy import DRPolicyForest  # noqa: PLC0415
    from lightgbm import LGBMClassifier, LGBMRegressor  # noqa: PLC0415

    own, asked = (np.nan_to_num(context, nan=-1.0) for context in problem.tree_contexts())
    rows = problem.usable
    forest = DRPolicyForest(
        model_regression=LGBMRegressor(n_jobs=1, random_state=problem.seed, verbose=-1),
        model_propensity=LGBMClassifier(
            n_estimators=20, num_leaves=7, n_jobs=1, random_state=problem.seed, verbose=-1
        ),
        min_propensity=0.01, categories=problem.learned, max_features="sqrt", n_jobs=1,
        random_state=problem.seed,
    )  # fmt: skip
    forest.fit(problem.reward[rows], problem.action[rows], X=own[rows])
    effects = forest.predict_value(asked)
    return problem.greedy(np.concatenate([np.zeros((len(effects), 1)), effects], axis=1))
