"""What an account adds to the worth of a treatment without cases: what it adds to that of similar ones.

Each learned treatment is asked about the row of the new one: its channel, its topic, and what was lately done
there. What it says beyond its mean effect is taken to be the sum of a part for all treatments, one for its
channel and one for its topic, which is how the linear learner learns; so the new one's is known from theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine import numerics
from engine.contributions import Contributions, Term, added
from engine.features import Features
from engine.playbook import Playbook, Treatment
from engine.readers import LEARNERS, ReleaseParts
from engine.records import NO_CONTACT, Floats, Ints

TURNS = 100
"""Between channels and topics: far more than parts need to settle where treatments share them."""
_DIGITS = 6
"""To which weights are rounded: what is left of 0 is 0."""


@dataclass(frozen=True)
class Inheriting:
    """A treatment that a release has not learned, and those that it inherits from.

    Attributes:
        parts: The release.
        treatment: Place of the new one in the playbook.
        learned: Places of the others in the release; shape (k,).
        weights: What each counts, in worth of doing; shape (k,).
        usual: What they count with their mean effects, which is deducted.
    """

    parts: ReleaseParts
    treatment: int
    learned: Ints
    weights: Floats
    usual: float

    def values(self, features: Features) -> Floats:
        """To be added to the new one's worth, in currency; shape (n,). `features` in the release's codes."""
        none = self.parts.treatments.index(NO_CONTACT)
        rows = np.append(0, np.full(len(self.learned), self.treatment))
        found = LEARNERS[self.parts.learner].values(self.parts, features, rows, np.append(none, self.learned))
        more = np.full(len(found), -self.usual)
        for place, weight in enumerate(self.weights, start=1):
            more += weight * (found[:, place] - found[:, 0])
        return more

    def terms(self) -> list[tuple[Term, ...]]:
        """What the value of each of the others at the new one's row is the sum of."""
        terms_of = LEARNERS[self.parts.learner].terms
        return [terms_of(self.parts, self.treatment, place) for place in self.learned.tolist()]

    def contributions(self, features: Features, moments: Ints, of_none: Contributions) -> Contributions:
        """By the features of the new one's rows; `of_none` are those of no contact at the same moments."""
        constant, by_feature = np.full(len(moments), -self.usual), np.zeros(of_none.features.shape)
        for terms, weight in zip(self.terms(), self.weights, strict=True):
            found = added(terms, features, moments)
            constant += weight * (found.constant - of_none.constant)
            by_feature += weight * (found.features - of_none.features)
        return Contributions(constant, by_feature)


def inheriting(parts: ReleaseParts, playbook: Playbook, believed: Floats) -> tuple[Inheriting, ...]:
    """The contacts of a playbook that a release has not learned; none where its learner tells no accounts
    apart.

    Args:
        believed: How much of what similar treatments say is believed of each; 0 = nothing; shape (T,).
    """
    reads, known = LEARNERS[parts.learner].reads, {t.id: t for t in playbook.treatments}
    learned = np.array(
        [p for p, name in enumerate(parts.treatments) if name in known and known[name].kind == "contact"],
        dtype=np.int64,
    )
    if reads == "nothing" or not len(learned):
        return ()
    parts_of, found = Additive.of([known[parts.treatments[place]] for place in learned]), []
    for place, treatment in enumerate(playbook.treatments):
        if treatment.kind != "contact" or treatment.id in parts.treatments or not believed[place]:
            continue
        counts = parts_of.weights(treatment)
        from_whom, counts = learned[counts != 0.0], counts[counts != 0.0] * believed[place]
        usual = numerics.total(counts * parts.uplift[from_whom])
        if reads == "row":  # whoever is asked says the same
            from_whom, counts = from_whom[:1], np.array([numerics.total(counts)])
        found.append(Inheriting(parts, place, from_whom, counts, usual))
    return tuple(found)


@dataclass(frozen=True)
class Additive:
    """What each of some treatments counts in the parts that their values are sums of; each of shape (k,).

    Attributes:
        common: In the part for all.
        by_channel, by_topic: In what a channel, or a topic, adds to that; on average over the treatments 0.
    """

    common: Floats
    by_channel: Mapping[str, Floats]
    by_topic: Mapping[str, Floats]

    @classmethod
    def of(cls, treatments: Sequence[Treatment]) -> Additive:
        """Least squares, by turns: what a channel adds is the mean of what the topics leave, and vice versa.

        Source:
            Buja, Hastie and Tibshirani (1989), Linear Smoothers and Additive Models (backfitting).
        """
        own, common = np.eye(len(treatments)), np.full(len(treatments), 1.0 / len(treatments))
        channels, topics = ([getattr(t, kind) for t in treatments] for kind in ("channel", "topic"))
        by_channel: Mapping[str, Floats] = {}
        by_topic: Mapping[str, Floats] = dict.fromkeys(topics, np.zeros(len(treatments)))
        for _ in range(TURNS):
            by_channel = _means(channels, [own[i] - common - by_topic[t] for i, t in enumerate(topics)])
            by_topic = _means(topics, [own[i] - common - by_channel[c] for i, c in enumerate(channels)])
        return cls(common, by_channel, by_topic)

    def weights(self, treatment: Treatment) -> Floats:
        """What each counts in the value of another treatment; shape (k,), adding up to 1. A channel or topic
        that none of them has adds nothing."""
        nothing = np.zeros(len(self.common))
        more = self.by_channel.get(treatment.channel, nothing) + self.by_topic.get(treatment.topic, nothing)
        return np.round(self.common + more, _DIGITS)


def _means(names: Sequence[str], rows: Sequence[Floats]) -> dict[str, Floats]:
    """The mean of the rows of each name."""
    found: dict[str, Floats] = {}
    for name, row in zip(names, rows, strict=True):
        found[name] = found[name] + row if name in found else row
    return {name: row / names.count(name) for name, row in found.items()}
