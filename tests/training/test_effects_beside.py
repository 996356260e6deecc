"""The plain difference and the effect stand side by side, with what explains the gap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.estimation import Interval
from tests.training.builders import QUICK, LogSettings, cases_of, segment_a, targeted
from training.cases import Cases
from training.effects_beside import Beside, effects_beside


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    return cases_of(tmp_path_factory.mktemp("log"), LogSettings(accounts=1_500))


def rich_visited(logged: Cases) -> Cases:
    """A is worth 200 more and visited six times as often; no probability was logged."""
    cases = targeted(logged)
    return replace(
        cases,
        reward=cases.reward + 200.0 * segment_a(cases),
        probability=np.full(len(cases), np.nan),
    )


@pytest.fixture(scope="module")
def found(logged: Cases) -> dict[str, Beside]:
    cases = rich_visited(logged)
    return {each.row.treatment: each for each in effects_beside(cases, QUICK, seed=0)}


def test_the_slope_is_far_above_the_effect_where_the_rich_are_visited(found: dict[str, Beside]) -> None:
    """A visit causes 40 for A and costs B 10; the table of means says more than 100."""
    visit = found["visit_news"].row

    assert visit.plain is not None
    assert visit.effect is not None
    assert visit.plain.low > 100.0
    assert 0.0 < visit.effect.estimate < 50.0
    assert visit.effect.high < visit.plain.low


def test_what_sets_apart_those_who_were_visited_is_named(found: dict[str, Beside]) -> None:
    """Without the reason, people believe the larger figure."""
    names = dict(found["visit_news"].row.apart)
    said = "\n".join(found["visit_news"].lines())

    assert names["segment = A"] > 0.5
    assert "segment = A +" in said
    assert "They differ because of whom it was given" in said


def test_how_much_unseen_would_explain_the_effect_is_said(found: dict[str, Beside]) -> None:
    """An effect that a trifle would overturn is not to be sold."""
    strength = found["visit_news"].strength

    assert strength is not None
    assert strength > 1.0
    assert f"factor of {strength:.2f}" in "\n".join(found["visit_news"].lines())


def test_what_a_visit_costs_does_not_change_what_would_explain_its_effect(
    logged: Cases, found: dict[str, Beside]
) -> None:
    """The effect beside it is before cost: a visit of 40 that brings 20 has an effect all the same."""
    cases = rich_visited(logged)
    dear = [replace(each, cost=4.0 * each.cost) for each in cases.playbook.treatments]
    cases = replace(cases, playbook=replace(cases.playbook, treatments=tuple(dear)))

    visit = {each.row.treatment: each for each in effects_beside(cases, QUICK, seed=0)}["visit_news"]

    assert visit.row.effect == found["visit_news"].row.effect
    assert visit.strength == pytest.approx(found["visit_news"].strength, rel=1e-6)


def test_what_harms_is_said_to_lose_and_not_to_gain_no_more_than_chance(found: dict[str, Beside]) -> None:
    """Whoever reads that nothing is gained for certain may go on with what drives accounts away."""
    harm = Interval(-9.5, -11.6, -7.7, 1.0, 0.95)
    row = replace(found["visit_news"].row, effect=harm)

    for strength in (1.0, None):
        said = "\n".join(Beside(row, True, strength).lines())
        assert "it loses: the whole interval is below 0." in said
        assert "chance" not in said


def test_of_what_few_persons_did_nothing_is_said_for_certain(logged: Cases) -> None:
    """Three people made all contacts: an interval by account knows nothing of what they are like."""
    cases = rich_visited(logged)
    person = np.array([f"u{int(account[1:]) % 3}" for account in cases.account_ids], dtype=object)
    by_three = replace(cases, person=person)

    visit = {each.row.treatment: each for each in effects_beside(by_three, QUICK, seed=0)}["visit_news"]
    harm = replace(visit, row=replace(visit.row, effect=Interval(-9.5, -11.6, -7.7, 1.0, 0.95)))

    for each in (visit, harm):
        said = "\n".join(each.lines())
        assert "Fewer than 6 persons serve those given it" in said
        assert "it loses" not in said
        assert "factor of" not in said


def test_figures_that_agree_are_not_said_to_differ(found: dict[str, Beside]) -> None:
    """What sets the accounts apart is told all the same."""
    row = found["visit_news"].row
    alike = replace(found["visit_news"], row=replace(row, effect=row.plain))

    said = "\n".join(alike.lines())

    assert "They differ" not in said
    assert "Before the decision those given it were apart" in said


def test_with_logged_probabilities_nothing_unseen_can_explain_it(logged: Cases) -> None:
    """A randomised log needs no sensitivity, and plain and adjusted agree."""
    rows = {each.row.treatment: each for each in effects_beside(logged, QUICK, seed=0)}
    visit = rows["visit_news"].row

    assert rows["visit_news"].strength is None
    assert visit.plain is not None
    assert visit.effect is not None
    assert visit.plain.low < visit.effect.estimate < visit.plain.high
    assert "segment = A" not in dict(visit.apart)


def test_a_treatment_without_overlap_cannot_be_judged(found: dict[str, Beside]) -> None:
    """Said in one line, with nothing that looks like a figure."""
    row = replace(found["visit_news"].row, effect=None)

    assert Beside(row, True, None).lines() == [f"visit_news: {row.cases:,} cases; cannot be judged."]
