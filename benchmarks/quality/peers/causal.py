"""causalml's T- and DR-learner over LightGBM with its defaults: 100 trees of 31 leaves."""

from __future__ import annotations

import numpy as np

from benchmarks.quality.peers.problem import Array, Problem

FOLDS = 3


def t_learner(problem: Problem) -> Array:
    """`BaseTRegressor`: a regression per treatment and one of no contact."""
    from causalml.inference.meta import BaseTRegressor  # noqa: PLC0415

    own, asked = problem.tree_contexts()
    learner = BaseTRegressor(learner=_forest(problem), control_name=0)
    rows = problem.usable
    learner.fit(own[rows], problem.action[rows], problem.reward[rows])
    return _choice(problem, learner.predict(asked, verbose=False))


def dr_learner(problem: Problem) -> Array:
    """`BaseDRLearner`, its probabilities by a LightGBM classifier for each treatment beside no contact."""
    from causalml.inference.meta import BaseDRLearner  # noqa: PLC0415

    own, asked = problem.tree_contexts()
    learner = BaseDRLearner(learner=_forest(problem), control_name=0)
    rows = problem.usable
    context, action = own[rows], problem.action[rows]
    likely = {group: _beside_none(problem, context, action, group) for group in problem.learned if group}
    learner.fit(context, action, problem.reward[rows], p=likely, seed=problem.seed)
    return _choice(problem, learner.predict(asked, verbose=False))


def _forest(problem: Problem) -> object:
    from lightgbm import LGBMRegressor  # noqa: PLC0415

    return LGBMRegressor(n_jobs=1, random_state=problem.seed, verbose=-1)


def _beside_none(problem: Problem, context: Array, action: Array, group: int) -> Array:
    """P(treatment | it or no contact), cross-fitted where known, in [0.01, 0.99]; shape (n,)."""
    from lightgbm import LGBMClassifier  # noqa: PLC0415

    among = np.flatnonzero((action == group) | (action == 0))
    fold = np.random.default_rng([problem.seed, group]).integers(0, FOLDS, len(among))
    likely = np.full(len(action), 0.5)
    for part in range(FOLDS):
        model = LGBMClassifier(n_estimators=30, num_leaves=7, n_jobs=1, random_state=problem.seed, verbose=-1)
        learn, mine = among[fold != part], among[fold == part]
        model.fit(context[learn], action[learn] == group)
        likely[mine] = model.predict_proba(context[mine])[:, 1]
    return np.clip(likely, 0.01, 0.99)


def _choice(problem: Problem, effects: Array) -> Array:
    """Effects of all but no contact, in the order of the groups."""
    return problem.greedy(np.concatenate([np.zeros((len(effects), 1)), effects], axis=1))
