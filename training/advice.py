"""P(followed), learned from what people did with suggestions: by treatment, drawn towards its role.

Few answers say little: a treatment's share is drawn towards that of its role, the role's towards the
playbook's starting value. How strongly treatments of a role hang together is learned, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import lgamma

import polars as pl

from data.history import Snapshot
from engine.following import Following
from engine.playbook import Playbook
from training.cases import Cases
from training.occasions import known

Counts = dict[str, tuple[int, int]]
"""Treatment -> suggestions that were followed, and all of which it is known."""

STARTING_WEIGHT = 10.0
"""So many suggestions the playbook's starting value counts as, against those of a whole role."""
_WEIGHTS = (2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 300.0, 1_000.0)
"""That are tried for the role's share, against those of one treatment; in suggestions."""


def learn_following(snapshot: Snapshot, cases: Cases, *, at: int) -> Following | None:
    """P(followed) by role and treatment; None where nobody said anything yet.

    From logged decisions where there are any, else from answers: landmarks are made of what was done, so
    among them everything was followed.

    Args:
        cases: Matured, so that whoever wanted to had the time to do it.
        at: What was stored strictly before it is known, microseconds UTC.
    """
    counts = of_decisions(cases) if cases.basis == "decisions" else of_answers(snapshot, at)
    return pooled_following(counts, cases.playbook)


def of_decisions(cases: Cases) -> Counts:
    """Of logged decisions. Where deeds are known at all of a treatment, a decision after which neither a deed
    nor a word is known was not followed: counting only what was done would make every share 1."""
    frame = pl.DataFrame({"action": cases.action, "done": pl.Series(cases.followed).fill_nan(None)})
    grouped = frame.group_by("action").agg(
        pl.col("done").sum(), pl.len().alias("all"), pl.col("done").count().alias("said")
    )
    return {
        cases.treatments[row["action"]]: (int(row["done"]), row["all"] if row["done"] else row["said"])
        for row in grouped.sort("action").iter_rows(named=True)
    }


def of_answers(snapshot: Snapshot, at: int) -> Counts:
    """Of suggestions that were completed or dismissed; the last answer to each counts."""
    found: Counts = {}
    for _, history in snapshot.histories():
        rows = known(history, "feedback", at).filter(pl.col("verb").is_in(["complete", "dismiss"]))
        last = rows.sort("occurred_at", "feedback_id").group_by("suggestion_id", "treatment").last()
        counted = last.group_by("treatment").agg((pl.col("verb") == "complete").sum(), pl.len().alias("all"))
        for treatment, done, asked in counted.drop_nulls("treatment").sort("treatment").iter_rows():
            before = found.get(treatment, (0, 0))
            found[treatment] = (before[0] + done, before[1] + asked)
    return found


def pooled_following(counts: Counts, playbook: Playbook) -> Following | None:
    """Shares of roles that people fill and of their treatments; None without a count of any.

    A treatment's share is Beta(weight x role's share, weight x (1 - role's share)) before its counts; the
    weight is the likeliest of a few under the beta-binomial distribution of all counts of the role.

    Source:
        Efron and Morris (1975), Data Analysis Using Stein's Estimator and its Generalizations, for the idea;
        Griffiths (1973), Maximum Likelihood Estimation for the Beta-Binomial Distribution.
    """
    roles: dict[str, float] = {}
    treatments: dict[str, float] = {}
    for role in playbook.roles:
        own = {t.id: counts[t.id] for t in playbook.treatments if t.role == role.id and t.id in counts}
        asked = sum(total for _, total in own.values())
        if role.system or not asked:
            continue
        start = playbook.followed.get(role.id, playbook.followed_floor)
        done = sum(followed for followed, _ in own.values())
        share = (STARTING_WEIGHT * start + done) / (STARTING_WEIGHT + asked)
        weight = _likeliest(list(own.values()), share)
        roles[role.id] = share
        treatments |= {name: (weight * share + k) / (weight + n) for name, (k, n) in own.items()}
    return Following(roles, treatments) if roles else None


def _likeliest(counts: Sequence[tuple[int, int]], share: float) -> float:
    """The weight under which these counts are likeliest; of equal ones the largest, which assumes least
    about treatments."""
    inside = min(max(share, 1e-3), 1.0 - 1e-3)
    return max(reversed(_WEIGHTS), key=lambda weight: _likelihood(counts, inside, weight))


def _likelihood(counts: Sequence[tuple[int, int]], share: float, weight: float) -> float:
    """Logarithm of the beta-binomial likelihood, but for a constant."""
    yes, no = weight * share, weight * (1.0 - share)
    of_none = lgamma(weight) - lgamma(yes) - lgamma(no)
    return sum(of_none + lgamma(yes + k) + lgamma(no + n - k) - lgamma(weight + n) for k, n in counts)
