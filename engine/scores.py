"""What is predicted of each account and treatment, and what the playbook's starting values predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from engine import numerics
from engine.contributions import ConstantTerm, Contributions
from engine.features import Features
from engine.playbook import Playbook
from engine.records import Bools, Floats, Ints, kept_with


@dataclass(frozen=True)
class Scores:
    """Predictions for n moments x T treatments, column 0 = no contact.

    Attributes:
        value: Expected worth of outcomes within the treatment's horizon if it is done, in currency; shape
            (n, T). What a treatment *causes* is value[:, t] - value[:, 0].
        response: P(positive response | treatment), in [0, 1]; shape (n, T); column 0 is 0.
        optout: Added P(opt-out) by the treatment; shape (n, T); column 0 is 0.
        followed: P(the suggestion is followed); shape (n, T).
        evidence: Cases of each treatment behind the prediction; shape (T,).
        uncertainty: Standard error of what a treatment causes, in currency; shape (n, T); column 0 is 0.
        comparable: Whether accounts like this one were given the treatment often enough for its value to be
            judged; shape (n, T); None = all of them.
    """

    value: Floats
    response: Floats
    optout: Floats
    followed: Floats
    evidence: Ints
    uncertainty: Floats
    comparable: Bools | None = None


class Scorer(Protocol):
    """Anything that scores. `release` names it in every decision."""

    @property
    def release(self) -> str:
        """Its name."""
        ...

    def score(self, features: Features) -> Scores:
        """Row i depends on row i of the features alone, to the bit."""
        ...

    def contributions(self, features: Features, moments: Ints, treatment: int) -> Contributions:
        """What each feature adds to the worth that a treatment causes, value[:, t] - value[:, 0].

        Args:
            moments: Places in `features` of those that are explained; shape (m,).
            treatment: Its place in the playbook.

        Returns:
            Constant (m,) and by feature (m, len(features.set.names)), in currency; together they are the
            difference of the scores up to rounding.
        """
        ...

    def response_contributions(self, features: Features, moments: Ints, treatment: int) -> Contributions:
        """The same for P(positive response | treatment), response[:, t]; no unit."""
        ...


@dataclass(frozen=True)
class StartingScorer:
    """The playbook's starting values: what is used before anything has been learned."""

    playbook: Playbook

    @property
    def release(self) -> str:
        """The name of having none."""
        return "starting-values"

    def score(self, features: Features) -> Scores:
        """The same for all accounts: a starting uplift times a starting value; without contact 0."""
        return Scores(
            value=alike(features, starting_values(self.playbook)),
            response=alike(features, starting_response(self.playbook)),
            optout=alike(features, starting_optout(self.playbook)),
            followed=alike(features, starting_followed(self.playbook)),
            evidence=np.zeros(len(self.playbook.treatments), dtype=np.int64),
            uncertainty=alike(features, starting_uncertainty(self.playbook)),
        )

    def contributions(self, features: Features, moments: Ints, treatment: int) -> Contributions:
        """The starting value; no feature adds to it."""
        return ConstantTerm(float(starting_values(self.playbook)[treatment])).contributions(features, moments)

    def response_contributions(self, features: Features, moments: Ints, treatment: int) -> Contributions:
        """The starting uplift; no feature adds to it."""
        amount = self.playbook.treatments[treatment].starting_uplift
        return ConstantTerm(amount).contributions(features, moments)


@kept_with
def starting_values(playbook: Playbook) -> Floats:
    """What each treatment is assumed to cause (a stop: to save), in currency; shape (T,)."""
    return np.array([t.starting_uplift * t.value for t in playbook.treatments], dtype=np.float64)


@kept_with
def starting_response(playbook: Playbook) -> Floats:
    """P(positive response) that each treatment is assumed to cause; shape (T,)."""
    return np.array([t.starting_uplift for t in playbook.treatments], dtype=np.float64)


@kept_with
def starting_uncertainty(playbook: Playbook) -> Floats:
    """Standard error of the starting values, in currency; shape (T,); 0 for no contact.

    A share of the value; a value of 0 is no more certain than those of the others are on average.
    """
    size = np.abs(starting_values(playbook))
    acts = np.array([t.kind != "none" for t in playbook.treatments])
    average = numerics.mean(size[acts]) if acts.any() else 0.0
    found: Floats = np.where(acts, playbook.starting_uncertainty * np.where(size > 0.0, size, average), 0.0)
    return found


@kept_with
def starting_optout(playbook: Playbook) -> Floats:
    """Added P(opt-out) by one more contact: the channel's fatigue; shape (T,). A stop adds none."""
    fatigue = {channel.id: channel.fatigue for channel in playbook.channels}
    return np.array([fatigue[t.channel] if t.kind == "contact" else 0.0 for t in playbook.treatments])


@kept_with
def starting_followed(playbook: Playbook) -> Floats:
    """P(followed) by the role of each treatment, not below the floor; the system does it; shape (T,)."""
    system = {role.id for role in playbook.roles if role.system}
    floor = playbook.followed_floor
    return np.array(
        [
            1.0 if t.kind == "none" or t.role in system else max(playbook.followed.get(t.role, floor), floor)
            for t in playbook.treatments
        ],
        dtype=np.float64,
    )


def alike(features: Features, values: Floats) -> Floats:
    """The same values, shape (T,), for all moments; shape (n, T)."""
    rows = np.empty((len(features.moments), len(values)))
    rows[:] = values
    return rows
