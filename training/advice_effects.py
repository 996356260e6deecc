"""What suggesting causes, beside what is seen where people did it; two kinds of figures that never mix.

Whom something is suggested to was drawn or can be modelled; who then does it is the choice of people who know
more than the log. So the first is an effect, and the second only a difference: types keep them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.clusters import Uncertainty
from engine.estimation import Interval, mean_terms
from engine.records import Bools
from training.balance import LEAST_IN_ARM, Overlap
from training.cases import Cases


@dataclass(frozen=True)
class Suggested:
    """Intention to treat: what suggesting caused, whether it was followed or not.

    Attributes:
        decisions: How many were suggested it.
        effect: Worth beyond no contact in currency, before cost; None = cannot be judged.
    """

    decisions: int
    effect: Interval | None


@dataclass(frozen=True)
class Done:
    """As treated, observational: those with whom it was done, beside those left alone who could have had it.

    Attributes:
        decisions: With how many it was done.
        difference: Of mean worth in currency, before cost; it holds why people chose to do it as well.
    """

    decisions: int
    difference: Interval


@dataclass(frozen=True)
class Advice:
    """Of one treatment that people carry out."""

    treatment: str
    suggested: Suggested
    done: Done


def advice_of(
    cases: Cases, comparable: Bools, overlap: Sequence[Overlap], uncertainty: Uncertainty
) -> tuple[Advice, ...]:
    """Of treatments by people that were suggested, and done with enough accounts; empty where no decisions
    were logged, because what is known then is only what was done.

    Args:
        cases: Held out.
        comparable: What such accounts were given often enough to judge it; shape (n, T).
        overlap: What the log can say of each treatment on the same cases.
        uncertainty: Of the same cases.
    """
    if cases.basis != "decisions":
        return ()
    system = {role.id for role in cases.playbook.roles if role.system}
    by_person = {t.id for t in cases.playbook.treatments if t.kind == "contact" and t.role not in system}
    found, account = [], uncertainty.accounts.cluster
    for row in overlap:
        index = cases.treatments.index(row.treatment)
        inside = comparable[:, index] & comparable[:, 0]
        did, alone = inside & (cases.action == index) & (cases.followed == 1.0), inside & (cases.action == 0)
        enough = min(len(np.unique(account[rows])) for rows in (did, alone)) >= LEAST_IN_ARM
        if row.treatment in by_person and enough:
            done = Done(
                int(did.sum()),
                uncertainty.difference(*(mean_terms(cases.reward, rows) for rows in (did, alone))),
            )
            found.append(Advice(row.treatment, Suggested(row.cases, row.effect), done))
    return tuple(found)
