"""What is said of a policy beside its value: persons, unseen confounding, whom first, do estimators agree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.clusters import FEWEST_CLUSTERS, WildBootstrap
from engine.records import DAY_MICROS
from engine.sensitivity import LARGEST
from tests.training.builders import QUICK, LogSettings, cases_of, unlogged
from training.behaviour import assignment_of
from training.cases import Cases
from training.evaluate import (
    AS_LOGGED,
    NO_CONTACT_POLICY,
    Judged,
    accounts_between,
    claim,
    claims_gain,
    evaluate,
    strength_sentence,
    time_split,
    uncertainty_of,
)
from training.learners import LEARNERS
from training.splits import held_out


@pytest.fixture(scope="module")
def personal(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    """Segments want opposite things; logged at random."""
    return cases_of(tmp_path_factory.mktemp("personal"), LogSettings(accounts=900))


@pytest.fixture(scope="module")
def zero(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    """Contacts cause nothing."""
    return cases_of(tmp_path_factory.mktemp("zero"), LogSettings(accounts=600, effect=0.0))


def judged(cases: Cases) -> Judged:
    """The best fixed action and one forest on accounts that they have not seen."""
    assignment, held = assignment_of(cases, QUICK, seed=0), held_out(cases.account_ids, 0.4, seed=0)
    mine, known = cases.take(~held), assignment.take(~held)
    fitted = {n: LEARNERS[n].learn(mine, known.probability, QUICK) for n in ("best_fixed", "s_learner")}
    return evaluate(cases.take(held), assignment.take(held), fitted, seed=0)


@pytest.fixture(scope="module")
def of_personal(personal: Cases) -> Judged:
    return judged(personal)


@pytest.fixture(scope="module")
def of_unlogged(personal: Cases) -> Judged:
    return judged(unlogged(personal))


def with_persons(cases: Cases, persons: int) -> Cases:
    """Accounts are served by so many representatives."""
    codes = np.unique(np.array(cases.account_ids), return_inverse=True)[1] % persons
    return replace(cases, person=np.array([f"u{code}" for code in codes], dtype=object))


def test_nothing_unseen_can_overturn_what_was_logged(of_personal: Judged) -> None:
    """Logged probabilities are known, so there is no such figure."""
    assert all(value.strength is None for value in of_personal.evaluation.policies)
    assert strength_sentence(of_personal.evaluation.of("s_learner")) == ""


def test_a_large_gain_on_estimated_probabilities_takes_a_strong_confounder(of_unlogged: Judged) -> None:
    """30 per decision with a noise of 10: the sentence says by how much the odds would have to be off."""
    value = of_unlogged.evaluation.of("s_learner")

    assert value.strength is not None
    assert 1.5 < value.strength <= LARGEST
    assert "to explain this gain away" in strength_sentence(value)
    assert of_unlogged.evaluation.of(NO_CONTACT_POLICY).strength is None


def test_a_claim_on_estimated_probabilities_says_what_would_overturn_it(of_unlogged: Judged) -> None:
    """Whoever reads the claim reads its weakness beside it."""
    sure = [
        replace(value, verdict=replace(value.verdict, level="directional"))
        for value in of_unlogged.evaluation.policies
    ]

    said = claim(replace(of_unlogged.evaluation, policies=tuple(sure)), "s_learner")

    assert "more than chance. Probabilities were estimated: something that nobody recorded" in said


def test_a_difference_that_hardly_any_account_shows_is_no_gain(of_personal: Judged) -> None:
    """Where nobody was given what either policy does, the difference is the model's guess, and sure of it."""
    cases, targets = of_personal.cases, of_personal.targets
    ours, fixed, account = targets["s_learner"], targets["best_fixed"], np.arange(len(of_personal.cases))
    chosen = account, cases.action
    theirs = (ours != fixed).any(axis=1) & (ours[chosen] + fixed[chosen] > 0.0)
    few = [replace(value, between=9) for value in of_personal.evaluation.policies]

    assert accounts_between(cases, account, ours, fixed) == theirs.sum() > 100
    assert accounts_between(cases.take(~theirs), account[~theirs], ours[~theirs], fixed[~theirs]) == 0
    assert claims_gain(of_personal.evaluation, "s_learner")
    assert not claims_gain(replace(of_personal.evaluation, policies=tuple(few)), "s_learner")
    said = claim(replace(of_personal.evaluation, policies=tuple(few)), "s_learner")
    assert "only 9 accounts were given what s_learner or the best fixed action does" in said


def test_a_landmark_is_earlier_only_when_its_grace_is_over_too(personal: Cases) -> None:
    """Its window begins with the contact, which may be seven days later."""
    moments = np.sort(np.unique(personal.as_of))
    window = replace(personal, windows=((moments[-1] - moments[0]) / DAY_MICROS,))

    logged, laid = (time_split(replace(window, basis=basis))[0] for basis in ("decisions", "landmarks"))

    assert logged.sum() == (personal.as_of == moments[0]).sum()
    assert laid.sum() == 0


def test_where_nothing_is_gained_no_confounder_is_needed(zero: Cases) -> None:
    """1: chance alone explains it."""
    evaluation = judged(unlogged(zero)).evaluation

    assert evaluation.of("s_learner").strength == 1.0


@pytest.mark.parametrize(("persons", "usual"), [(40, 20.0), (12, -25.0), (4, -25.0)])
def test_what_the_interval_by_person_cannot_tell_from_nothing_takes_no_confounder(
    personal: Cases, persons: int, usual: float
) -> None:
    """Contacts gain with some representatives and lose with others: accounts alone would call that sure."""
    cases = with_persons(unlogged(personal), persons)
    code = np.unique(np.array(cases.account_ids), return_inverse=True)[1] % persons
    skill = np.random.default_rng(4).normal(usual, 90.0, persons)[code]
    found = judged(replace(cases, reward=cases.reward + np.where(cases.action > 0, skill, 0.0)))

    for value in found.evaluation.policies:
        shown = [value.versus_nobody, value.versus_fixed or value.versus_nobody]
        if persons < FEWEST_CLUSTERS or min(each.low for each in shown) <= 0.0:
            assert value.strength in {None, 1.0}


def test_contacting_the_best_first_gains_more_than_random_order(personal: Cases) -> None:
    """Contacts of B do nothing: whoever is asked for half of all decisions should choose A."""
    poor = personal.features.account[:, personal.features.set.account.index("segment")] == 1.0
    found = judged(replace(personal, reward=np.where(poor, 100.0, personal.reward))).gains

    curve = found["s_learner"].curve
    assert found["s_learner"].area.low > 0.0
    assert curve.gain[10] > 1.5 * curve.random[10]
    assert found["best_fixed"].area.estimate == pytest.approx(0.0, abs=1e-9)


def test_where_all_gain_alike_there_is_nobody_to_contact_first(of_personal: Judged) -> None:
    """A and B gain 30 and 29, by different contacts: which matters, whom does not."""
    assert of_personal.gains["s_learner"].area.low < 0.0 < of_personal.gains["s_learner"].area.high


def test_differences_that_are_expected_come(of_personal: Judged, zero: Cases) -> None:
    """The slope's interval holds 1 where the model is right, and not where nothing works."""
    right, nothing = of_personal.gains["s_learner"].slope, judged(zero).gains["s_learner"].slope

    assert right is not None
    assert right.low < 1.1
    assert right.high > 0.3
    assert nothing is None or nothing.low < 0.5


def test_all_five_estimates_of_a_random_log_agree(of_personal: Judged) -> None:
    """Far apart, model or weights would be wrong; here both are right."""
    value = of_personal.evaluation.of("s_learner")

    centre = value.doubly_robust.estimate
    assert value.ips.estimate == pytest.approx(centre, abs=15.0)
    for other in (value.direct, value.snips.estimate, value.shrunk):
        assert other == pytest.approx(centre, abs=4.0)


def test_the_system_alone_has_no_persons(personal: Cases) -> None:
    """E-mails hang together with nobody."""
    mails = with_persons(personal.take(personal.action < 2), 12)

    assert uncertainty_of(mails, seed=0).served_by is None


def test_visits_by_few_persons_are_judged_by_person_too(personal: Cases) -> None:
    """Twelve representatives: the wild bootstrap; the wider interval is shown."""
    evaluation = judged(with_persons(personal, 12)).evaluation

    assert isinstance(uncertainty_of(with_persons(personal, 12), seed=0).persons, WildBootstrap)
    assert evaluation.persons == 12
    plain = judged(personal).evaluation
    for name in ("s_learner", "best_fixed"):
        wide, narrow = evaluation.of(name).doubly_robust, plain.of(name).doubly_robust
        assert wide.half_width >= narrow.half_width


def test_hardly_any_persons_are_limited_evidence(personal: Cases) -> None:
    """Three representatives: what contacts do cannot be told from what the three are like."""
    value = judged(with_persons(personal, 3)).evaluation.of("s_learner")

    assert value.verdict.level == "limited evidence"
    assert "3 persons" in value.verdict.sentence


def test_three_persons_show_what_three_can_show(personal: Cases) -> None:
    """A range with its own level instead of a 95 % interval that does not exist, or of silence."""
    evaluation = judged(with_persons(personal, 3)).evaluation

    found = evaluation.of("s_learner").few_persons
    assert set(found) == {AS_LOGGED, NO_CONTACT_POLICY, "best fixed"}
    beyond_none = found[NO_CONTACT_POLICY]
    assert (beyond_none.persons, beyond_none.level, beyond_none.chance) == (3, 0.75, 0.25)
    assert 0.0 < beyond_none.low < evaluation.of("s_learner").versus_nobody.estimate < beyond_none.high
    assert evaluation.of(NO_CONTACT_POLICY).few_persons[NO_CONTACT_POLICY].chance == 1.0
    assert judged(with_persons(personal, 12)).evaluation.of("s_learner").few_persons == {}


def test_without_negative_answers_there_is_no_response_forest(personal: Cases, tmp_path: Path) -> None:
    """Everybody answered everything: rates by treatment stand in, nothing fails."""
    from training.release import parts_of

    cheerful = replace(personal, responded=personal.action > 0)
    fitted = LEARNERS["best_fixed"].learn(cheerful, cheerful.probability, QUICK)

    parts = parts_of(fitted, cheerful, QUICK)

    assert "response.forest.txt" not in parts.texts
    assert (parts.arrays["response"][1:] > 0.9).all()


def test_features_that_never_vary_are_no_obstacle(personal: Cases) -> None:
    """Nothing is known of anybody: one action for all is what there is to say."""
    alike = replace(
        personal,
        features=replace(
            personal.features,
            account=np.zeros_like(personal.features.account),
            channel=np.zeros_like(personal.features.channel),
            topic=np.zeros_like(personal.features.topic),
            message=np.zeros_like(personal.features.message),
        ),
    )

    found = judged(unlogged(alike))

    mixes = found.evaluation.of("s_learner").mix
    assert max(mixes.values()) == 1.0
    assert found.overlap[0].before != found.overlap[0].before  # NaN: there is nothing to balance


def test_a_category_that_nobody_had_in_training_is_scored(personal: Cases) -> None:
    """Accounts of a segment that was never seen get a finite value and a place in the evaluation."""
    column = personal.features.set.account.index("segment")
    rich = personal.features.account[:, column] == 0.0
    mine = personal.take(~rich)

    fitted = LEARNERS["s_learner"].learn(mine, mine.probability, QUICK)

    assert np.isfinite(fitted.predict(personal.take(rich).features)[:, [0, 1, 4]]).all()
