"""What a release says of each account and treatment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np

from engine import numerics
from engine.contributions import (
    ConstantTerm,
    Contributions,
    ForestTerm,
    Question,
    Term,
    added,
    through,
    whole,
)
from engine.features import Features
from engine.following import Following
from engine.forest import parse_forest
from engine.inheriting import Inheriting, inheriting
from engine.peers import Peers
from engine.playbook import Playbook
from engine.pooling import Pool, combined
from engine.readers import (
    DOING,
    ERROR_FOREST,
    ESTIMANDS,
    LEARNERS,
    LEAST_SHARE,
    VALUE_FOREST,
    LearnerReader,
    ReleaseParts,
    read_effects,
    value_forest_of,
)
from engine.recoding import recoded
from engine.records import NO_CONTACT, Bools, EngineError, Floats, Ints, kept_for
from engine.scores import (
    Scorer,
    Scores,
    StartingScorer,
    alike,
    starting_followed,
    starting_optout,
    starting_response,
    starting_uncertainty,
    starting_values,
)
from engine.stopping import COMING_FOREST, Ends, Going, Stopping, StopWorth, going_on, worth_of_stops

__all__ = [
    "FORMAT", "LEARNERS", "RESPONSE_FOREST", "SUPPORT_FOREST", "VALUE_FOREST",
    "LearnedScorer", "LearnerReader", "ReleaseParts", "Scorer", "Scores", "StartingScorer",
    "learned_scorer", "value_forest_of",
]  # fmt: skip

RESPONSE_FOREST = "response.forest.txt"
SUPPORT_FOREST = "support.forest.txt"
FORMAT = 2


@dataclass(frozen=True)
class LearnedScorer:
    """A release under a playbook.

    What it has not learned has no contact's value plus what its channel and topic are worth, to all accounts
    (weighted with the playbook's starting value by the certainty of both) and to this one (`inheriting`).
    """

    parts: ReleaseParts
    playbook: Playbook

    @property
    def release(self) -> str:
        """Its id."""
        return self.parts.id

    def score(self, features: Features) -> Scores:
        """Score all pairs. Raises EngineError when a feature of the release is missing."""
        theirs = recoded(features, self.parts)
        own, places = self._own
        scores = Scores(
            value=self._values(theirs, own, places),
            response=self._responses(theirs, own, places),
            optout=alike(features, starting_optout(self.playbook)),
            followed=alike(features, self._followed),
            evidence=self._evidence.copy(),
            uncertainty=self._uncertainty(theirs, own, places),
            comparable=self._comparable(theirs, own[own > 0]),
        )
        return self._with_stops(scores, theirs)

    def stop_worth(self, features: Features, scores: Scores, treatment: int) -> StopWorth | None:
        """What the worth of a stop is made of, given these features' scores; None = it was not learned."""
        if self.parts.stopping is None or treatment not in self._ends.stops:
            return None
        found = self._worth_of_stops(_going(recoded(features, self.parts), self), scores)
        return found[self._ends.stops.index(treatment)]

    def contributions(self, features: Features, moments: Ints, treatment: int) -> Contributions:
        """Of the release's value of the treatment less that of no contact. Raises as `score` does."""
        asked = self.playbook.treatments[treatment]
        if asked.kind == "stop" and self.parts.stopping is not None:
            values = self.score(features).value[moments]
            return whole(features, values[:, treatment] - values[:, 0])
        if asked.id not in self.parts.treatments or asked.kind == "stop":
            return self._unlearned_contributions(features, moments, treatment)
        theirs = recoded(features, self.parts)
        of_it, of_none = self._own_terms(theirs, moments, treatment), self._of_no_contact(theirs, moments)
        share = 1.0 if self._share_done is None else float(self._share_done[treatment])
        return Contributions(
            (of_it.constant - of_none.constant) / share, (of_it.features - of_none.features) / share
        )

    def _unlearned_contributions(self, features: Features, moments: Ints, treatment: int) -> Contributions:
        """One amount for all, and what it inherits of accounts."""
        usual = ConstantTerm(float(self._unlearned[0][treatment])).contributions(features, moments)
        new = self._inheriting.get(treatment)
        if new is None:
            return usual
        theirs = recoded(features, self.parts)
        more = new.contributions(theirs, moments, self._of_no_contact(theirs, moments))
        return Contributions(usual.constant + more.constant, more.features)

    def response_contributions(self, features: Features, moments: Ints, treatment: int) -> Contributions:
        """Those to the forest's raw score, times the mean slope of the sigmoid between it and its constant:
        they add up from the probability of the mean account to that of this one."""
        asked = self.playbook.treatments[treatment]
        forest = self.parts.forests.get(RESPONSE_FOREST)
        if asked.kind == "stop" and self.parts.stopping is not None:
            return whole(features, self.score(features).response[moments, treatment])
        if asked.id not in self.parts.treatments or asked.kind != "contact":
            amount = 0.0 if asked.kind == "none" else asked.starting_uplift
            return ConstantTerm(amount).contributions(features, moments)
        if forest is None:
            learned = self.parts.treatments.index(asked.id)
            return ConstantTerm(float(self.parts.response[learned])).contributions(features, moments)
        raw = ForestTerm(forest, treatment).contributions(recoded(features, self.parts), moments)
        return through(numerics.sigmoid, raw)

    def questions(
        self, features: Features, moment: int, treatment: int, *, of_response: bool
    ) -> Iterator[Question]:
        """What `contributions` (or `response_contributions`) of a pair asks forests."""
        asked, forest = self.playbook.treatments[treatment], self.parts.forests.get(RESPONSE_FOREST)
        new, terms = self._inheriting.get(treatment), tuple[Term, ...]()
        if asked.id in self.parts.treatments and asked.kind != "stop":
            if not of_response:
                terms = (*self._terms(treatment), *self._terms(0))
            elif forest is not None:
                terms = (ForestTerm(forest, treatment),)
        elif new is not None and not of_response:
            terms = (*chain.from_iterable(new.terms()), *self._terms(0))
        for term in terms:
            for one in term.forests:
                yield recoded(features, self.parts), moment, one

    def splits(self, feature: str) -> Floats:
        """Where its forests split a number, in no order; empty for a feature that they do not read."""
        found = [np.zeros(0)]
        for forest in self.parts.forests.values():
            if feature in forest.feature_names:
                read = forest.trees.feature == forest.feature_names.index(feature)
                found.append(forest.trees.threshold[read])
        if self.parts.effects is not None:
            found.append(self.parts.effects.linear.borders(feature))
        return np.concatenate(found)

    def _of_no_contact(self, features: Features, moments: Ints) -> Contributions:
        """Asked of every treatment on a list: what was asked last stays with the features."""
        held = vars(features).get("of_no_contact")
        if held is None or held[0] is not self.parts or not np.array_equal(held[1], moments):
            held = self.parts, moments.copy(), self._own_terms(features, moments, 0)
            vars(features)["of_no_contact"] = held
        found: Contributions = held[2]
        return found

    def _own_terms(self, features: Features, moments: Ints, treatment: int) -> Contributions:
        return added(self._terms(treatment), features, moments)

    def _terms(self, treatment: int) -> tuple[Term, ...]:
        learned = self.parts.treatments.index(self.playbook.treatments[treatment].id)
        return LEARNERS[self.parts.learner].terms(self.parts, treatment, learned)

    def _values(self, features: Features, own: Ints, places: Ints) -> Floats:
        """Of doing, also where the release's effects are those of suggesting."""
        learned = LEARNERS[self.parts.learner].values(self.parts, features, own, places)
        share = self._share_done
        values = learned[:, :1] + self._unlearned[0][None, :]
        values[:, own] = _of_doing(learned, None if share is None else share[own])
        for new in self._inheriting.values():
            values[:, new.treatment] += new.values(features)
        return values

    def _with_stops(self, scores: Scores, features: Features) -> Scores:
        """With opt-outs as learned, and stops worth what they save; what is not proven is not promoted."""
        if self.parts.stopping is None:
            return scores
        going = _going(features, self)
        for column, members in enumerate(self._ends.through):
            scores.optout[:, list(members)] = going.rates[:, column : column + 1]
        judged = np.ones(scores.value.shape, dtype=np.bool_)
        comparable = judged if scores.comparable is None else scores.comparable
        for place, found in zip(self._ends.stops, self._worth_of_stops(going, scores), strict=True):
            usual = self.playbook.treatments[place].starting_uplift
            scores.value[:, place] = scores.value[:, 0] + found.worth
            scores.response[:, place] = np.where(found.proven, usual, 0.0)
            scores.uncertainty[:, place], comparable[:, place] = found.error, found.proven
        return replace(scores, comparable=comparable)

    def going(self, features: Features) -> Going:
        """What is expected if contacts go on; `features` in the codes of the release."""
        return going_on(self._stopping, self._ends, self.parts.forests, features)

    def _worth_of_stops(self, going: Going, scores: Scores) -> tuple[StopWorth, ...]:
        return worth_of_stops(
            going, self._ends, self._stopping, caused=scores.value - scores.value[:, :1],
            uncertainty=scores.uncertainty, loss=self.playbook.optout_loss,
        )  # fmt: skip

    @property
    def _stopping(self) -> Stopping:
        assert self.parts.stopping is not None
        return self.parts.stopping

    @cached_property
    def _ends(self) -> Ends:
        return Ends.of(self._stopping, self.playbook, self.parts.treatments)

    def _comparable(self, features: Features, contacts: Ints) -> Bools | None:
        """Where the log had decisions like it; what was not learned rests on starting values anyway."""
        if self.parts.support is None:
            return None
        comparable = np.ones((len(features.moments), len(self.playbook.treatments)), dtype=np.bool_)
        likely = self.parts.forests[SUPPORT_FOREST].predict_pairs(features, contacts)
        comparable[:, contacts] = likely >= self.parts.support
        return comparable

    def _uncertainty(self, features: Features, own: Ints, places: Ints) -> Floats:
        """Of the mean effect, and of how far an account may be from what is said of it."""
        share, mean = self._share_done, self._unlearned[1].copy()
        mean[own] = self.parts.error[places] / (1.0 if share is None else share[own])
        mean[0] = 0.0
        unsure, (contacts, usual) = alike(features, mean), self._account_error
        if contacts.size:
            share_of = self.parts.forests[ERROR_FOREST].predict_pairs(features, contacts)
            own_error = usual * np.maximum(share_of, LEAST_SHARE)
            unsure[:, contacts] = np.sqrt(mean[contacts] ** 2 + own_error * own_error)
        return unsure

    @cached_property
    def _account_error(self) -> tuple[Ints, Floats]:
        """Contacts that are worth more to some accounts, and how far a usual one may be from what is said.

        What was not learned inherits what accounts add from its channel, and the error of that with it.
        """
        error, share = self.parts.account_error, self._share_done
        usual = np.zeros(len(self.playbook.treatments))
        if error is not None:
            own, places = self._own
            usual[own] = error[places] / (1.0 if share is None else share[own])
            channel = np.array([treatment.channel for treatment in self.playbook.treatments])
            for new in self._inheriting:
                near = places[(own > 0) & (channel[own] == channel[new])]
                among = near if near.size else places[own > 0]
                usual[new] = self._believed[new] * numerics.mean(error[among])
        contacts = np.flatnonzero(usual > 0.0)
        return contacts, usual[contacts]

    @cached_property
    def _own(self) -> tuple[Ints, Ints]:
        """Places in the playbook of what the release has learned, and their places in the release."""
        learned = {treatment: place for place, treatment in enumerate(self.parts.treatments)}
        own = [
            place
            for place, treatment in enumerate(self.playbook.treatments)
            if treatment.id in learned and treatment.kind != "stop"
        ]
        places = [learned[self.playbook.treatments[place].id] for place in own]
        return np.array(own, dtype=np.int64), np.array(places, dtype=np.int64)

    @cached_property
    def _evidence(self) -> Ints:
        found = [self.parts.evidence.get(t.id, 0) for t in self.playbook.treatments]
        return np.array(found, dtype=np.int64)

    @cached_property
    def _followed(self) -> Floats:
        """As people followed so far, where that is known; shape (T,)."""
        start, learned = starting_followed(self.playbook), self.parts.following
        return start if learned is None else learned.under(self.playbook, start)

    @cached_property
    def _share_done(self) -> Floats | None:
        """How many of the suggestions behind the release's effects were carried out; shape (T,).

        None where its effects are those of doing. The share is the very one by which a priority is
        multiplied, floor included, so that the effect of suggesting comes out of it as it was learned.
        """
        if self.parts.estimand == DOING:
            return None
        contact = np.array([t.kind == "contact" for t in self.playbook.treatments])
        return np.where(contact, self._followed, 1.0)

    @cached_property
    def _unlearned(self) -> tuple[Floats, Floats]:
        """Worth beyond no contact and its error of every treatment as if it had no cases; shapes (T,)."""
        start, unsure = starting_values(self.playbook), starting_uncertainty(self.playbook)
        worth, left = combined(*self._pooled, start, unsure)
        contact = np.array([t.kind == "contact" for t in self.playbook.treatments])
        return np.where(contact, worth, start), np.where(contact, left, unsure)

    @cached_property
    def _believed(self) -> Floats:
        """What the pool counts in that worth beside the starting value, of worth of doing; shape (T,)."""
        _, error = self._pooled
        nothing, share = np.zeros(len(error)), self._share_done
        believed, _ = combined(np.ones(len(error)), error, nothing, starting_uncertainty(self.playbook))
        return believed if share is None else believed / share

    @cached_property
    def _pooled(self) -> tuple[Floats, Floats]:
        """Worth of doing beyond no contact, and its error, by channel and topic; shapes (T,)."""
        effect, error = self.parts.pool.of(
            [t.channel for t in self.playbook.treatments], [t.topic for t in self.playbook.treatments]
        )
        share = self._share_done
        return (effect, error) if share is None else (effect / share, error / share)

    @cached_property
    def _inheriting(self) -> Mapping[int, Inheriting]:
        """Place in the playbook -> a contact that was not learned."""
        found = inheriting(self.parts, self.playbook, self._believed)
        return {new.treatment: new for new in found}

    def _responses(self, features: Features, own: Ints, places: Ints) -> Floats:
        responses = alike(features, starting_response(self.playbook))
        forest = self.parts.forests.get(RESPONSE_FOREST)
        if forest is None:
            responses[:, own] = self.parts.response[places]
        else:
            responses[:, own] = numerics.sigmoid(forest.predict_pairs(features, own))
        responses[:, 0] = 0.0
        return responses


@kept_for
def _going(features: Features, scorer: LearnedScorer) -> Going:
    """Asked when the pairs are scored, and of every stop that is explained."""
    return scorer.going(features)


def learned_scorer(
    manifest: Mapping[str, Any],
    texts: Mapping[str, str],
    arrays: Mapping[str, Mapping[str, Any]],
    playbook: Playbook,
) -> LearnedScorer:
    """Read a release.

    Args:
        manifest: format 2, learner, reader (how it is read; else as its learner), release, treatments ("none"
            among them), feature_names, levels, evidence, pool (channels and topics), followed (names of the
            arrays of `engine.following`; optional), estimand (one of `ESTIMANDS`; absent = doing), stopping
            (channels of `engine.stopping`; optional), horizon_days (with stopping).
        texts: File -> forest text: value.forest.txt (S-learner), value.<treatment>.forest.txt (T-learner;
            a treatment without one has no contact's value plus its uplift), response.forest.txt (optional),
            support.forest.txt (only with the array "support"), error.forest.txt (with "account_error"),
            optout.forest.txt (optional); of learners that have effects without.forest.txt and
            effect.forest.txt.
        arrays: "values" -> value, uplift, response, error: an entry per treatment of the release;
            pool_effect, pool_error: by channel and topic; and, where past assignment was estimated, support:
            the least score of a comparable pair, shape (1,); account_error (only with error.forest.txt), an
            entry per treatment; of learners that have effects those of
            `engine.readers.Effects`.
        playbook: Under which it is to score.

    Raises:
        EngineError: Another format, an unknown learner, a missing file or arrays of another shape.
    """
    if manifest.get("format") != FORMAT:
        raise EngineError(
            f"Got a release of format {manifest.get('format')!r}, but format {FORMAT} is read; "
            "train a new one."
        )
    wanted = ("release", "learner", "treatments", "feature_names", "levels", "evidence", "pool")
    missing = [key for key in wanted if key not in manifest]
    if missing:
        raise EngineError(f"The release's manifest has no {missing[0]!r}: it is damaged.")
    treatments = tuple(manifest["treatments"])
    names = tuple(manifest["feature_names"])
    learner = _known_learner(str(manifest.get("reader", manifest["learner"])), texts)
    own = arrays.get("values", {})
    parts = ReleaseParts(
        id=str(manifest["release"]),
        learner=learner,
        treatments=treatments,
        feature_names=names,
        levels={name: tuple(levels) for name, levels in manifest["levels"].items()},
        evidence={str(name): int(count) for name, count in manifest["evidence"].items()},
        forests={name: parse_forest(text) for name, text in texts.items() if name.endswith(".forest.txt")},
        pool=_pool(manifest["pool"], arrays),
        **{name: _constants(arrays, name, len(treatments)) for name in _CONSTANTS},
        support=_support(arrays, texts),
        effects=read_effects(own, names, len(treatments)) if LEARNERS[learner].effects else None,
        peers=Peers.of(manifest),
        following=Following.of(manifest, own),
        estimand=_estimand(manifest),
        stopping=Stopping.of(manifest, own),
        account_error=_account_error(arrays, texts, len(treatments)),
    )
    if parts.stopping is not None and COMING_FOREST not in parts.forests:
        raise EngineError(f"The release has learned of opt-outs, but has no {COMING_FOREST!r}.")
    if NO_CONTACT not in treatments:
        raise EngineError("The release has not learned no contact ('none'), so it cannot say what is caused.")
    return LearnedScorer(parts, playbook)


def _of_doing(value: Floats, share: Floats | None) -> Floats:
    """Worth if it is done, from the worth of suggesting what is done in that share of the cases."""
    none = value[:, :1]
    return value if share is None else none + (value - none) / share


def _estimand(manifest: Mapping[str, Any]) -> str:
    said = str(manifest.get("estimand", DOING))
    if said not in ESTIMANDS:
        raise EngineError(
            f"The release's effects are of {said!r}, but {' or '.join(ESTIMANDS)} is read; it is damaged."
        )
    return said


def _known_learner(learner: str, texts: Mapping[str, str]) -> str:
    if learner not in LEARNERS:
        near = get_close_matches(learner, LEARNERS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise EngineError(f"The release is of learner {learner!r}, which is not known here.{hint}")
    for name in LEARNERS[learner].forests:
        if name not in texts:
            raise EngineError(f"The release of learner {learner!r} has no {name!r}: it is incomplete.")
    return learner


_CONSTANTS = ("value", "uplift", "response", "error")


def _pool(names: Mapping[str, Any], arrays: Mapping[str, Mapping[str, Any]]) -> Pool:
    channels, topics = tuple(names["channels"]), tuple(names["topics"])
    shape = (len(channels) + 1, len(topics) + 1)
    own = arrays.get("values", {})
    effect, error = (np.asarray(own.get(key, ()), dtype=np.float64) for key in ("pool_effect", "pool_error"))
    wrong = effect.shape != shape or error.shape != shape or not np.isfinite(effect).all()
    if wrong or not (error >= 0.0).all():
        raise EngineError(
            f"The release's pooled effects have shapes {effect.shape} and {error.shape}, but need {shape}, "
            "one for each of its channels and topics and one for others."
        )
    return Pool(channels, topics, effect, error)


def _constants(arrays: Mapping[str, Mapping[str, Any]], name: str, count: int) -> Floats:
    found = np.asarray(arrays.get("values", {}).get(name, ()), dtype=np.float64)
    if found.shape != (count,) or not np.isfinite(found).all():
        raise EngineError(
            f"The release's array {name!r} has shape {found.shape}, but needs {count} finite numbers, "
            "one for each of its treatments."
        )
    return found


def _account_error(
    arrays: Mapping[str, Mapping[str, Any]], texts: Mapping[str, str], count: int
) -> Floats | None:
    if "account_error" not in arrays.get("values", {}) and ERROR_FOREST not in texts:
        return None
    if ERROR_FOREST not in texts:
        raise EngineError(f"The release says how far accounts may be off, but has no {ERROR_FOREST!r}.")
    return _constants(arrays, "account_error", count)


def _support(arrays: Mapping[str, Mapping[str, Any]], texts: Mapping[str, str]) -> float | None:
    if "support" not in arrays.get("values", {}):
        return None
    if SUPPORT_FOREST not in texts:
        raise EngineError(f"The release says which pairs are comparable, but has no {SUPPORT_FOREST!r}.")
    return float(_constants(arrays, "support", 1)[0])
