"""What a user would pick instead, each in a process of its own: `python -m benchmarks.quality.peers`.

Nothing of the product is imported here: a peer gets arrays in a folder and answers with choices. It sees the
same rows, the same knowledge and the same eligibility as ours, rewards net of cost, and has one thread.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """A tool, where its adapter is and how it is set.

    Attributes:
        title: For tables.
        module, function: The adapter, below this folder.
        packages: Whose versions are reported.
        setting: Its size in words.
    """

    title: str
    module: str
    function: str
    packages: tuple[str, ...]
    setting: str


PEERS: dict[str, Peer] = {
    "vw": Peer(
        "Vowpal Wabbit", "wabbit", "doubly_robust", ("vowpalwabbit",),
        "doubly robust, account crossed with treatment, channel and topic, 3 passes",
    ),
    "linucb": Peer(
        "MABWiser LinUCB", "bandits", "lin_ucb", ("mabwiser",),
        "a ridge regression per treatment (penalty 10), greedy",
    ),
    "causalml_t": Peer(
        "causalml T-learner", "causal", "t_learner", ("causalml", "lightgbm"),
        "LightGBM, 100 trees x 31 leaves per treatment",
    ),
    "causalml_dr": Peer(
        "causalml DR-learner", "causal", "dr_learner", ("causalml", "lightgbm"),
        "LightGBM, 100 trees x 31 leaves, three folds",
    ),
    "econml_dr": Peer(
        "econml DR policy", "econ", "dr_policy", ("econml", "lightgbm"),
        "honest forest of 100 policy trees over LightGBM nuisances, two folds",
    ),
    "contextualbandits": Peer(
        "contextualbandits DR", "bandits", "doubly_robust", ("contextualbandits", "costsensitive"),
        "ridge regressions over doubly robust costs (penalty 10)",
    ),
}  # fmt: skip
