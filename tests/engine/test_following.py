"""P(followed) as a release has learned it, under a playbook that may have changed since."""

from __future__ import annotations

import numpy as np
import pytest

from engine.following import Following
from engine.playbook import Playbook
from engine.priority import prioritise
from engine.readers import ESTIMANDS, LEARNERS
from engine.records import EngineError
from engine.scoring import learned_scorer
from tests.engine.builders import playbook
from tests.engine.releases import arrays, known_of, manifest, texts_of

LEARNED = Following({"rep": 0.4}, {"visit_news": 0.7, "stop_email": 0.05})


def served(following: Following | None, rules: Playbook) -> dict[str, float]:
    """P(followed) by treatment, through the release's files."""
    known = known_of()
    said = {} if following is None else {"followed": following.names()}
    values = {} if following is None else following.arrays()
    own = learned_scorer(manifest(known, **said), texts_of("best_fixed", known), arrays(**values), rules)
    scores = own.score(known)
    assert (scores.followed == scores.followed[:1]).all()
    return dict(zip([t.id for t in rules.treatments], scores.followed[0].tolist(), strict=True))


def test_a_release_says_how_often_people_follow_by_treatment_and_else_by_role() -> None:
    """What people answered replaces the playbook's guess of 0.5; the system does what it is told."""
    found = served(LEARNED, playbook())

    by_person = {t.id for t in playbook().treatments if t.role == "rep"}
    assert found["visit_news"] == 0.7
    assert {found[t] for t in by_person - {"visit_news", "stop_email"}} == {0.4}
    assert {found[t.id] for t in playbook().treatments if t.role != "rep" and t.id != "stop_email"} == {1.0}


def test_low_acceptance_does_not_fulfil_itself() -> None:
    """Learned 0.4 for the role, but a floor of 0.6: it stays on the list long enough to show itself."""
    found = served(LEARNED, playbook(followed_floor=0.6))

    assert found["visit_news"] == 0.7
    assert min(found.values()) == 0.6


def test_a_release_without_answers_keeps_the_starting_values() -> None:
    """Older releases, and those of a company where nobody answered yet."""
    assert served(None, playbook())["visit_news"] == 0.5


@pytest.mark.parametrize("learner", sorted(LEARNERS))
@pytest.mark.parametrize("floor", [0.05, 0.6])
def test_whether_people_follow_enters_a_priority_once(learner: str, floor: float) -> None:
    """The effect of suggesting has in it that some do not do it; the priority must not take that off again.

    What is left of the effect in a priority is as learned; cost and fatigue arise where it is done.
    """
    known, rules = known_of(), playbook(followed_floor=floor)
    texts, values = texts_of(learner, known), arrays(**LEARNED.arrays())
    said = {"followed": LEARNED.names()}
    stated = learned_scorer(manifest(known, learner, **said), texts, values, rules).score(known)
    own = learned_scorer(manifest(known, learner, **said, estimand="suggesting"), texts, values, rules)

    scores = own.score(known)
    priority = prioritise(known, scores, rules)

    learned = [place for place, t in enumerate(rules.treatments) if t.id in {"visit_news", "email_news"}]
    effect = (stated.value - stated.value[:, :1])[:, learned]
    spent = (priority.cost + priority.fatigue)[:, learned] * scores.followed[:, learned]
    net = (priority.priority / (priority.weight * priority.lever))[:, learned]
    assert np.allclose(net, effect - spent, rtol=1e-12, atol=1e-9)
    unsure = (priority.uncertainty / (priority.weight * priority.lever))[:, learned]
    assert np.allclose(unsure, stated.uncertainty[:, learned], rtol=1e-12)
    assert priority.followed[0, learned].tolist() == [1.0, 0.7]


def test_reasons_of_an_effect_of_suggesting_add_up_to_what_doing_causes() -> None:
    """Words are made of the amounts that were ranked, whatever the release is an effect of."""
    known, rules = known_of(), playbook()
    own = learned_scorer(
        manifest(known, "linear", followed=LEARNED.names(), estimand="suggesting"),
        texts_of("linear", known), arrays(**LEARNED.arrays()), rules,
    )  # fmt: skip
    visit = [t.id for t in rules.treatments].index("visit_news")

    scores = own.score(known)
    parts = own.contributions(known, np.arange(len(known.moments)), visit)

    caused = scores.value[:, visit] - scores.value[:, 0]
    assert np.allclose(parts.constant + parts.features.sum(axis=1), caused, atol=1e-9)


def test_what_an_unlearned_message_is_worth_is_of_doing_too() -> None:
    """It has its channel's effect, which is one of suggesting, beside the playbook's value of doing it."""
    known, rules = known_of(), playbook()
    said, values = {"followed": LEARNED.names()}, arrays(**LEARNED.arrays())
    visits = [
        place for place, t in enumerate(rules.treatments)
        if t.channel == "visit" and t.kind == "contact" and t.id != "visit_news"
    ]  # fmt: skip

    doing, suggesting = (
        learned_scorer(manifest(known, estimand=e, **said), texts_of("best_fixed", known), values, rules)
        for e in ESTIMANDS
    )

    assert visits
    for place in visits:
        caused = [
            (s.score(known).value[:, place] - s.score(known).value[:, 0])[0] for s in (doing, suggesting)
        ]
        assert caused[1] > caused[0]
        of_it = suggesting.contributions(known, np.arange(1), place)
        assert of_it.constant[0] + of_it.features[0].sum() == pytest.approx(caused[1], abs=1e-9)


def test_a_release_whose_effects_are_of_something_else_is_refused() -> None:
    """Nobody guesses what a number means."""
    known = known_of()

    with pytest.raises(EngineError, match="effects are of 'hoping', but doing or suggesting"):
        learned_scorer(
            manifest(known, estimand="hoping"), texts_of("best_fixed", known), arrays(), playbook()
        )


@pytest.mark.parametrize("wrong", [[1.2], [float("nan")], [0.5, 0.5]])
def test_a_damaged_release_is_refused_by_name(wrong: list[float]) -> None:
    """Rather nothing than a probability that is none."""
    known = known_of()
    damaged = arrays(**LEARNED.arrays() | {"followed_roles": wrong})

    with pytest.raises(EngineError, match="'followed_roles' has shape"):
        learned_scorer(
            manifest(known, followed=LEARNED.names()), texts_of("best_fixed", known), damaged, playbook()
        )
