"""How the values of each learner's release are read, and what they are the sum of.

One place to add a learner: an entry of `LEARNERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from engine import numerics
from engine.contributions import ConstantTerm, Contributions, ForestTerm, Term, through
from engine.features import Features
from engine.following import Following
from engine.forest import Forest, same_table
from engine.forest_joint import joint_of, score_joint
from engine.linear import Linear, read_linear
from engine.peers import Peers
from engine.pooling import Pool
from engine.records import NO_CONTACT, Bools, EngineError, Floats, Ints
from engine.scores import alike
from engine.stopping import Stopping

VALUE_FOREST = "value.forest.txt"
WITHOUT_FOREST = "without.forest.txt"
"""What follows without contact, in currency."""
EFFECT_FOREST = "effect.forest.txt"
"""What is added to the linear score of a pair."""
ERROR_FOREST = "error.forest.txt"
"""The standard error of a pair's effect, as a share of that of its treatment's usual account."""
LEAST_SHARE = 0.1
"""Of that: no account is better known."""
DOING, SUGGESTING = "doing", "suggesting"
ESTIMANDS = (DOING, SUGGESTING)
"""What the effects of a release are effects of: landmarks are made of what was done; a logged decision is a
suggestion, done or not, so that its effect has P(followed) in it already."""
LEAST_SCORE, LARGEST_SCORE = -4.0, 3.0
"""Bounds of a score that is a logarithm: nobody is believed to be worth more than 20 times the mean."""


def value_forest_of(treatment: str) -> str:
    """The file of a treatment's own forest in a release of the T-learner."""
    return f"value.{treatment}.forest.txt"


@dataclass(frozen=True)
class Effects:
    """Worth beyond no contact by a score: the linear one, plus that of a forest if there is one.

    Attributes:
        linear: The linear score.
        offset: Worth at score 0 where it is not curved, in currency; shape (m,), m = learned ones.
        scale: Of the score, in currency; shape (m,).
        curved: Where the score is a logarithm: the worth is scale x e^score; elsewhere it is
            offset + scale x score; shape (m,).
    """

    linear: Linear
    offset: Floats
    scale: Floats
    curved: Bools

    def worth(self, scores: Floats, learned: Ints) -> Floats:
        """In currency, of scores of pairs; shape (n, k). `learned` are k places in the release."""
        worth: Floats = self.offset[learned] + self.scale[learned] * scores
        curved = np.flatnonzero(self.curved[learned])
        if curved.size:
            bounded = np.clip(scores[:, curved], LEAST_SCORE, LARGEST_SCORE)
            worth[:, curved] = self.scale[learned[curved]] * numerics.exp(bounded)
        return worth

    def arrays(self) -> dict[str, Floats | Ints]:
        """For the release."""
        own = {"effect_offset": self.offset, "effect_scale": self.scale}
        return self.linear.arrays() | own | {"effect_curved": self.curved.astype(np.float64)}


def read_effects(arrays: Mapping[str, Any], feature_names: tuple[str, ...], treatments: int) -> Effects:
    """From the arrays of a release. Raises EngineError when one is missing or of another shape."""
    names = ("effect_offset", "effect_scale", "effect_curved")
    found = [np.asarray(arrays.get(name, ()), dtype=np.float64) for name in names]
    for name, values in zip(names, found, strict=True):
        if values.shape != (treatments,) or not np.isfinite(values).all():
            raise EngineError(
                f"The release's array {name!r} has shape {values.shape}, but needs {treatments} numbers."
            )
    offset, scale, curved = found
    return Effects(read_linear(arrays, feature_names, treatments), offset, scale, curved > 0.0)


@dataclass(frozen=True)
class ReleaseParts:
    """A release as scoring reads it; arrays have an entry per treatment of the release.

    Attributes:
        id: Of the release.
        learner: What its values come from.
        treatments: Those that it has learned, "none" among them.
        feature_names: What a row had when it was trained.
        levels: Feature -> levels, whose places are the codes that its forests know.
        evidence: Treatment -> cases.
        forests: File -> forest; each gives one score per pair.
        support: Least score of the support forest at which a pair is comparable; None = all pairs are.
        value, uplift, response: What holds for all accounts alike: worth in currency, worth beyond no
            contact, P(positive response).
        error: Standard error of the worth beyond no contact, in currency.
        account_error: How far the worth for a usual account may be from that, a standard error in currency;
            None = it is the same for all accounts.
        pool: What treatments that it has not learned are worth beyond no contact, by channel and topic.
        peers: How often similar accounts responded; None = not counted.
        effects: What its learner adds to the value without contact; None = it predicts values.
        following: How often people do what is suggested; None = nobody has said so far.
        estimand: One of `ESTIMANDS`: of what value, uplift, pool and forests are the effects.
        stopping: What further contacts cost in opt-outs; None = nothing was learned of it.
    """

    id: str
    learner: str
    treatments: tuple[str, ...]
    feature_names: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    evidence: Mapping[str, int]
    forests: Mapping[str, Forest]
    value: Floats
    uplift: Floats
    response: Floats
    error: Floats
    pool: Pool
    support: float | None = None
    peers: Peers | None = None
    effects: Effects | None = None
    following: Following | None = None
    estimand: str = DOING
    stopping: Stopping | None = None
    account_error: Floats | None = None


Values = Callable[[ReleaseParts, Features, Ints, Ints], Floats]
"""release, features in its codes, places in the playbook and in the release -> worth in currency, (n, m)."""


def _fixed_values(release: ReleaseParts, features: Features, own: Ints, theirs: Ints) -> Floats:
    return alike(features, release.value[theirs])


def _forest_values(release: ReleaseParts, features: Features, own: Ints, theirs: Ints) -> Floats:
    return release.forests[VALUE_FOREST].predict_pairs(features, own)


def _forests_values(release: ReleaseParts, features: Features, own: Ints, theirs: Ints) -> Floats:
    """A treatment without a forest has no contact's value plus its uplift."""
    ids = [NO_CONTACT, *(release.treatments[learned] for learned in theirs[1:])]
    files = tuple(value_forest_of(treatment) for treatment in ids)
    grown = np.flatnonzero([name in release.forests for name in files])
    scores = _each_its_own(release, features, own[grown], tuple(files[place] for place in grown))
    values = scores[:, :1] + release.uplift[theirs]
    values[:, grown] = scores
    return values


def _each_its_own(release: ReleaseParts, features: Features, own: Ints, files: tuple[str, ...]) -> Floats:
    """Scores of forests, each of one treatment; shape (n, files). They are put side by side once, and kept
    with the release for the treatments asked for last."""
    memory, asked = vars(release).setdefault("joint", {}), (files, own.tobytes())
    kept = memory.get(asked)
    if kept is None or kept[0] is not features.set or not same_table(kept[1], features.treatment):
        joint = joint_of([release.forests[name] for name in files], features, own)
        kept = memory[asked] = (features.set, features.treatment, joint)
    return score_joint(kept[2], features, len(files))


def _effect_values(release: ReleaseParts, features: Features, own: Ints, theirs: Ints) -> Floats:
    effects = _effects_of(release)
    without = _each_its_own(release, features, own[:1], (WITHOUT_FOREST,))[:, 0]
    scores = effects.linear.predict_pairs(features, own, theirs)
    if EFFECT_FOREST in release.forests:
        scores = scores + release.forests[EFFECT_FOREST].predict_pairs(features, own)
    values = without[:, None] + effects.worth(scores, theirs)
    values[:, 0] = without
    return values


def _effects_of(release: ReleaseParts) -> Effects:
    if release.effects is None:
        raise EngineError(f"The release of learner {release.learner!r} has no effects: it is damaged.")
    return release.effects


Terms = Callable[[ReleaseParts, int, int], tuple[Term, ...]]
"""release, place of a treatment in the playbook and in the release -> what its value is the sum of."""


def _fixed_terms(release: ReleaseParts, own: int, learned: int) -> tuple[Term, ...]:
    return (ConstantTerm(float(release.value[learned])),)


def _forest_terms(release: ReleaseParts, own: int, learned: int) -> tuple[Term, ...]:
    return (ForestTerm(release.forests[VALUE_FOREST], own),)


def _forests_terms(release: ReleaseParts, own: int, learned: int) -> tuple[Term, ...]:
    forest = release.forests.get(value_forest_of(release.treatments[learned]))
    if forest is not None:
        return (ForestTerm(forest, own),)
    none = release.forests[value_forest_of(NO_CONTACT)]
    return ForestTerm(none, 0), ConstantTerm(float(release.uplift[learned]))


@dataclass(frozen=True)
class EffectTerm:
    """What a treatment is worth beyond no contact, by the features that its score reads.

    Where the score is a logarithm, each feature has its part of the change from the mean account to this one,
    in proportion to its part of the score.
    """

    release: ReleaseParts
    own: int
    learned: int

    @property
    def forests(self) -> tuple[ForestTerm, ...]:
        """The forest that its score is corrected by, where it has one."""
        forest = self.release.forests.get(EFFECT_FOREST)
        return () if forest is None else (ForestTerm(forest, self.own),)

    def contributions(self, features: Features, moments: Ints) -> Contributions:
        """In currency. Raises ForestError when a feature is not known."""
        effects, learned = _effects_of(self.release), np.array([self.learned])
        raw = effects.linear.contributions(features, moments, self.own, self.learned)
        for term in self.forests:
            more = term.contributions(features, moments)
            raw = Contributions(raw.constant + more.constant, raw.features + more.features)
        return through(lambda scores: effects.worth(scores[:, None], learned)[:, 0], raw)


def _effect_terms(release: ReleaseParts, own: int, learned: int) -> tuple[Term, ...]:
    without = ForestTerm(release.forests[WITHOUT_FOREST], 0)
    return (without,) if own == 0 else (without, EffectTerm(release, own, learned))


@dataclass(frozen=True)
class LearnerReader:
    """How the values of a learner's release are read, and how they are explained.

    Attributes:
        values: All asked-for values at once.
        forests: Files that the release cannot do without.
        terms: What the value of one treatment is the sum of. Each term says what every feature adds to it
            (`engine.contributions`), so that reasons add up to what was ranked; a contract test compares the
            sum with `values`.
        effects: Whether the release has the arrays of `Effects`.
        reads: What a value follows from: "nothing" of the account; the pair's "row" alone, whichever of the
            release's treatments it is asked as; or the row and the "treatment".
    """

    values: Values
    forests: tuple[str, ...]
    terms: Terms
    effects: bool = False
    reads: Literal["nothing", "row", "treatment"] = "treatment"


LEARNERS: Mapping[str, LearnerReader] = {
    "best_fixed": LearnerReader(_fixed_values, (), _fixed_terms, reads="nothing"),
    "linear": LearnerReader(_effect_values, (WITHOUT_FOREST,), _effect_terms, effects=True),
    "s_learner": LearnerReader(_forest_values, (VALUE_FOREST,), _forest_terms, reads="row"),
    "doubly_robust": LearnerReader(
        _effect_values, (WITHOUT_FOREST, EFFECT_FOREST), _effect_terms, effects=True
    ),
    "t_learner": LearnerReader(_forests_values, (value_forest_of(NO_CONTACT),), _forests_terms),
}
"""Learner of a release -> its reader. One place to add: an entry here."""
