"""Linear bandits learned from the log as a batch, by MABWiser and by contextualbandits."""

from __future__ import annotations

import numpy as np

from benchmarks.quality.peers.problem import Array, Problem


def lin_ucb(problem: Problem) -> Array:
    """MABWiser's LinUCB: a ridge regression per treatment; alpha 0, as there is nothing to explore."""
    from mabwiser.mab import MAB, LearningPolicy  # noqa: PLC0415

    own, asked = (_with_one(context) for context in problem.linear_contexts())
    rows = problem.usable
    bandit = MAB(problem.learned, LearningPolicy.LinUCB(alpha=0.0, l2_lambda=10.0), seed=problem.seed)
    bandit.fit(problem.action[rows], problem.reward[rows], own[rows])
    expected = bandit.predict_expectations(asked)
    return problem.greedy(np.array([[row[arm] for arm in problem.learned] for row in expected]))


def doubly_robust(problem: Problem) -> Array:
    """contextualbandits' `DoublyRobustEstimator`: regression one against the rest over doubly robust costs.

    It is made for rewards in [0, 1], to which ours are brought; its reward estimates are ridge regressions.
    """
    from contextualbandits.offpolicy import DoublyRobustEstimator  # noqa: PLC0415
    from sklearn.linear_model import Ridge  # noqa: PLC0415

    own, asked = problem.linear_contexts()
    rows = problem.usable
    low, high = np.quantile(problem.reward, [0.0, 0.999])
    reward = np.clip((problem.reward[rows] - low) / (high - low), 0.0, 1.0)
    arm = np.searchsorted(problem.learned, problem.action[rows])
    expected = np.empty((len(rows), len(problem.learned)))
    for column in range(len(problem.learned)):
        mine = arm == column
        expected[:, column] = Ridge(alpha=10.0).fit(own[rows][mine], reward[mine]).predict(own[rows])
    policy = DoublyRobustEstimator(
        Ridge(alpha=10.0), -expected, nchoices=len(problem.learned), method="rovr",
        handle_invalid=False, c=None, pmin=0.01, random_state=problem.seed, njobs=1,
    )  # fmt: skip
    policy.fit(own[rows], arm, reward, problem.probability[rows])
    return problem.greedy(-policy.oracle.decision_function(asked, apply_softmax=False))


def _with_one(context: Array) -> Array:
    """LinUCB has no intercept of its own."""
    return np.concatenate([context, np.ones((len(context), 1))], axis=1)
