"""Who may not get what, each with its reason: availability, engagement policies, contact policies.

A rule only removes. Every objection of a pair is kept, not only the first; the funnel names for each pair
the first stage that removed it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.features import Features
from engine.playbook import Playbook
from engine.records import Bools

STAGES: tuple[str, ...] = (
    "availability", "eligibility", "applicability", "suitability", "consent", "contact_policy",
)  # fmt: skip
"""In funnel order. Availability: approval lasts, somebody has the role, the channel can be used."""


@dataclass(frozen=True)
class Rule:
    """One rule that may object, built in or of the playbook; `id` is stable and shown ("consent",
    "limit:email_30d", "policy:no_visit_after_visit")."""

    id: str
    stage: str


@dataclass(frozen=True)
class Objections:
    """Which rule objects to which pair.

    Attributes:
        rules: In canonical order (stage, then id); the order in the playbook does not matter.
        objects: Shape (n, T, len(rules)); True = this rule removes this pair.
        unknown: Same shape; True = it objects because a fact is not known.
    """

    rules: tuple[Rule, ...]
    objects: Bools
    unknown: Bools

    @property
    def eligible(self) -> Bools:
        """Pairs to which no rule objects; shape (n, T)."""
        raise NotImplementedError

    @property
    def first_stage(self) -> npt.NDArray[np.int8]:
        """Index into STAGES of the first stage that removed the pair, -1 = survived; shape (n, T)."""
        raise NotImplementedError


def object_to(features: Features, playbook: Playbook) -> Objections:
    """All objections to all pairs. "none" is never objected to."""
    raise NotImplementedError
