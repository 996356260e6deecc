"""What further contacts would cost in opt-outs, and so what it is worth to stop them: read from a release.

An opt-out is rare and belongs to a channel, so its probability is pooled: a forest orders accounts by how
likely one more contact makes them opt out, and the classes of that order have their rate and its error from
accounts that the forest had not seen. What stopping is worth counts everything that a coming period would
have brought: opt-outs avoided, costs saved, and what the contacts would have caused, which is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from engine.features import Features
from engine.forest import Forest
from engine.numerics import compiled, exp_one, log_one
from engine.playbook import Playbook
from engine.records import Bools, EngineError, Floats, Ints

OPTOUT_FOREST = "optout.forest.txt"
"""Logarithm of how likely one more contact makes an account opt out; it orders accounts, nothing else."""
COMING_FOREST = "coming.forest.txt"
"""Contacts to come through a channel within the horizon, as logged."""
NORMAL_90 = 1.644854
"""90 % of a normal distribution lie within so many standard errors, 95 % above their lower end."""
_LEAST, _MOST = 1e-9, 0.5
"""Bounds of P(opt-out) by a single contact."""
_ARRAYS = ("optout_edges", "optout_rate", "optout_error", "coming_share")


@dataclass(frozen=True)
class Stopping:
    """What a release has learned of opt-outs; C channels, B classes of accounts, m treatments of the release.

    Attributes:
        channels: Those that it speaks of.
        edges: Scores of the forest between the classes, ascending; shape (B - 1,).
        rate: P(opt-out) by one more contact in each class; shape (B,).
        error: Standard error of it; shape (B,).
        share: Of its channel's coming contacts that are of a treatment; shape (m,).
        horizon_days: The release's general horizon.
    """

    channels: tuple[str, ...]
    edges: Floats
    rate: Floats
    error: Floats
    share: Floats
    horizon_days: float

    @classmethod
    def of(cls, manifest: Mapping[str, Any], arrays: Mapping[str, Any]) -> Stopping | None:
        """That of a release; None where it was learned without opt-outs in view.

        Raises:
            EngineError: The arrays do not fit together, or rates are no probabilities.
        """
        said = manifest.get("stopping")
        if not isinstance(said, Mapping) or "channels" not in said:
            return None
        channels, treatments = tuple(said["channels"]), len(manifest["treatments"])
        found = {name: np.asarray(arrays.get(name, ()), dtype=np.float64) for name in _ARRAYS}
        classes = len(found["optout_rate"])
        wanted = (classes - 1, classes, classes, treatments)
        for (name, values), size in zip(found.items(), wanted, strict=True):
            if values.shape != (size,) or not np.isfinite(values).all():
                raise EngineError(
                    f"The release's array {name!r} has shape {values.shape}, but needs {size} numbers."
                )
        if ((found["optout_rate"] < 0.0) | (found["optout_rate"] > 1.0)).any():
            raise EngineError("The release's array 'optout_rate' holds what is no probability.")
        edges, rate, error, share = found.values()
        return cls(channels, edges, rate, error, share, float(manifest["horizon_days"]))

    def arrays(self) -> dict[str, Floats]:
        """For the release's values; the rest is in `names`."""
        own = (self.edges, self.rate, self.error, self.share)
        return dict(zip(_ARRAYS, own, strict=True))

    def names(self) -> dict[str, list[str]]:
        """For the release's manifest."""
        return {"channels": list(self.channels)}


@dataclass(frozen=True)
class StopWorth:
    """What stopping is worth over a period, one entry a moment; shapes (n,), in currency unless said.

    Attributes:
        contacts: That would come, as logged, were nothing stopped.
        risk: P(they make the account opt out).
        caused: What they would cause, before cost.
        cost: Of them.
        avoided: Risk x what an opt-out loses.
        error: Standard error of `worth`.
        days: That are counted.
    """

    contacts: Floats
    risk: Floats
    caused: Floats
    cost: Floats
    avoided: Floats
    error: Floats
    days: float

    @property
    def worth(self) -> Floats:
        """What stopping saves less what it loses."""
        return self.avoided + self.cost - self.caused

    @property
    def low(self) -> Floats:
        """Lower end of the 90 % interval of `worth`."""
        return self.worth - NORMAL_90 * self.error

    @property
    def high(self) -> Floats:
        """Upper end."""
        return self.worth + NORMAL_90 * self.error

    @property
    def proven(self) -> Bools:
        """Where the chance that stopping is worth less than going on is below 5 %."""
        return self.low > 0.0


@dataclass(frozen=True)
class Ends:
    """What the stops of a playbook end of what a release has learned; S stops, C channels, T treatments.

    Attributes:
        stops: Their places in the playbook; shape (S,).
        like: A contact through each learned channel that the playbook still uses: what forests read is the
            same for all of a channel; shape (C,).
        through: Places of the treatments that go through each of them, () for what is no contact.
        ended: Share of the channel's coming contacts that a stop ends, by treatment; shape (S, C, T).
        days: For which a stop holds, or else the release's horizon; shape (S,).
        cost: Of each treatment, in currency; shape (T,).
    """

    stops: tuple[int, ...]
    like: Ints
    through: tuple[tuple[int, ...], ...]
    ended: Floats
    days: Floats
    cost: Floats

    @classmethod
    def of(cls, learned: Stopping, playbook: Playbook, treatments: Sequence[str]) -> Ends:
        """Under a playbook; `treatments` are those of the release."""
        own = playbook.treatments
        contacts = [(place, t) for place, t in enumerate(own) if t.kind == "contact"]
        reached = [tuple(p for p, t in contacts if t.channel == channel) for channel in learned.channels]
        through = tuple(members for members in reached if members)
        stops = tuple(place for place, t in enumerate(own) if t.kind == "stop")
        share = dict(zip(treatments, learned.share.tolist(), strict=True))
        ended = np.zeros((len(stops), len(through), len(own)))
        for row, stop in enumerate(stops):
            for column, members in enumerate(through):
                for place in members:
                    if (own[place].channel, own[place].purpose) in own[stop].stops:
                        ended[row, column, place] = share.get(own[place].id, 0.0)
        return cls(
            stops, np.array([m[0] for m in through], dtype=np.int64), through, ended,
            np.array([own[stop].days or learned.horizon_days for stop in stops], dtype=np.float64),
            np.array([t.cost for t in own]),
        )  # fmt: skip


class Going(NamedTuple):
    """What is expected of n accounts if contacts go on; shapes (n, C).

    Attributes:
        rates, errors: P(opt-out) by one more contact of each channel, and its standard error.
        coming: Contacts through it within the release's horizon, as logged.
    """

    rates: Floats
    errors: Floats
    coming: Floats


def going_on(learned: Stopping, ends: Ends, forests: Mapping[str, Forest], features: Features) -> Going:
    """What is expected of accounts.

    Args:
        learned: Of the release.
        ends: Of the same and the playbook.
        forests: Of the release; without `OPTOUT_FOREST` there were too few opt-outs to tell accounts apart.
        features: In the codes of the release.
    """
    shape = (len(features.moments), len(ends.like))
    scores, coming = np.zeros(shape), np.zeros(shape)
    if len(ends.like):
        coming = np.maximum(forests[COMING_FOREST].predict_pairs(features, ends.like), 0.0)
    if OPTOUT_FOREST in forests and len(ends.like):
        scores = forests[OPTOUT_FOREST].predict_pairs(features, ends.like)
    classes = np.searchsorted(learned.edges, scores, side="right")
    return Going(np.clip(learned.rate[classes], _LEAST, _MOST), learned.error[classes], coming)


def worth_of_stops(
    going: Going, ends: Ends, learned: Stopping, *, caused: Floats, uncertainty: Floats, loss: float
) -> tuple[StopWorth, ...]:
    """What each stop is worth, in the order of `Ends.stops`.

    With n contacts to come and the probability r that each ends in an opt-out, they come to one with
    probability 1 - (1 - r)^n, after (1 - (1 - r)^n) / r contacts on average. That contacts would bring less
    than nothing is not believed: most effects below 0 are noise, and no stop shall rest on it. Channels err
    together, so that their errors add up; effects and rates do not, so that their squares do.

    Args:
        caused: Worth caused by one contact of each treatment, in currency; shape (n, T).
        uncertainty: Standard error of it; shape (n, T).
        loss: By an opt-out, in currency.
    """
    length = ends.days / learned.horizon_days
    given = (going, ends.ended, ends.cost, length)
    parts = np.zeros((6, len(ends.stops), len(going.rates)))
    _add_up(given, caused, uncertainty, parts)
    contacts, risk, lost, cost, of_effects, of_rates = parts
    error = np.sqrt(of_effects * of_effects + of_rates * of_rates * (loss * loss))
    return tuple(
        StopWorth(contacts[s], risk[s], lost[s], cost[s], risk[s] * loss, error[s], days=float(ends.days[s]))
        for s in range(len(ends.stops))
    )


@compiled
def _add_up(
    given: tuple[Going, Floats, Floats, Floats], caused: Floats, uncertainty: Floats, parts: Floats
) -> None:
    """Contacts, risk, what they cause, cost, error by effects, by rates; of each stop and account."""
    going, ended, costs, length = given
    for s in range(ended.shape[0]):
        for i in range(going.rates.shape[0]):
            for c in range(ended.shape[1]):
                share, brings, cost, error = 0.0, 0.0, 0.0, 0.0
                for t in range(ended.shape[2]):
                    own = ended[s, c, t]
                    share += own
                    brings += own * caused[i, t]
                    cost += own * costs[t]
                    error += own * uncertainty[i, t]
                if share == 0.0:
                    continue
                brings = max(brings, 0.0)
                coming, rate = going.coming[i, c] * share * length[s], going.rates[i, c]
                risk = 1.0 - exp_one(coming * log_one(1.0 - rate))
                sent = risk / rate / share
                parts[0, s, i] += coming
                parts[1, s, i] += risk - parts[1, s, i] * risk
                parts[2, s, i] += sent * brings
                parts[3, s, i] += sent * cost
                parts[4, s, i] += sent * error
                parts[5, s, i] += coming * going.errors[i, c]
