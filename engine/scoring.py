"""What a release (or, without one, the playbook's starting values) says of each account and treatment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from engine.features import Features
from engine.playbook import Playbook
from engine.records import Floats, Ints


@dataclass(frozen=True)
class Scores:
    """Predictions for n moments x T treatments, column 0 = no contact.

    Attributes:
        value: Expected worth of outcomes within the treatment's horizon, in currency; shape (n, T). What
            a treatment *causes* is value[:, t] - value[:, 0].
        response: P(positive response | treatment), in [0, 1]; shape (n, T); column 0 is 0.
        optout: Added P(opt-out) by the treatment; shape (n, T); column 0 is 0.
        followed: P(the suggestion is followed); shape (n, T).
        evidence: Cases of each treatment behind the prediction; shape (T,).
    """

    value: Floats
    response: Floats
    optout: Floats
    followed: Floats
    evidence: Ints


class Scorer(Protocol):
    """Anything that scores. `release` names it in every decision."""

    @property
    def release(self) -> str: ...

    def score(self, features: Features) -> Scores:
        """Row i depends on row i of the features alone, to the bit."""
        ...


@dataclass(frozen=True)
class StartingScorer:
    """The playbook's starting values: what is used before anything has been learned."""

    playbook: Playbook

    @property
    def release(self) -> str:
        return "starting-values"

    def score(self, features: Features) -> Scores:
        raise NotImplementedError
