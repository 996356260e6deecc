"""What a release says of each account and treatment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
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
from engine.inheriting import Inheriting, inheriting
from engine.playbook import Playbook
from engine.pooling import combined
from engine.readers import (
    DOING,
    ERROR_FOREST,
    LEARNERS,
    LEAST_SHARE,
    VALUE_FOREST,
    ReleaseParts,
    value_forest_of,
)
from engine.recoding import recoded
from engine.records import Bools, Floats, Ints, kept_for
from engine.released import SUPPORT_FOREST, read_release
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
from engine.stopping import Ends, Going, Stopping, StopWorth, going_on, worth_of_stops

__all__ = [
    "LEARNERS", "RESPONSE_FOREST", "SUPPORT_FOREST", "VALUE_FOREST", "LearnedScorer", "Scorer", "Scores",
    "StartingScorer", "learned_scorer", "value_forest_of",
]  # fmt: skip

RESPONSE_FOREST = "response.forest.txt"


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
    """A release under a playbook; its parts as `read_release` takes them. Raises EngineError."""
    return LearnedScorer(read_release(manifest, texts, arrays), playbook)


def _of_doing(value: Floats, share: Floats | None) -> Floats:
    """Worth if it is done, from the worth of suggesting what is done in that share of the cases."""
    none = value[:, :1]
    return value if share is None else none + (value - none) / share
