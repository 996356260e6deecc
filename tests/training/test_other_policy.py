"""The policy of another log, valued in this one: where the truth is known, it comes out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.clusters import Uncertainty
from engine.estimation import Interval, Terms
from tests.training.builders import SMALL, LogSettings, cases_of, stored, tables
from training.cases import Cases, build_cases
from training.other_policy import ESTIMATORS, OtherLogError, difference, shares_of, value_other

LOG = LogSettings(accounts=600, decisions=2)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    return cases_of(tmp_path_factory.mktemp("log"), LOG)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    """Another log of the same world in which most of segment A were visited and most of B written to."""
    rows = cases_of(tmp_path_factory.mktemp("other"), replace(LOG, seed=1, accounts=2400))
    segment_a = rows.features.account[:, rows.features.set.account.index("segment")] == 0
    right = np.where(segment_a, rows.treatments.index("visit_news"), rows.treatments.index("email_news"))
    draw = np.random.default_rng(0).random(len(rows))
    return rows.take((rows.action == right) | (draw < 0.1))


def test_the_intervals_hold_what_the_policy_earned_where_it_ran(log: Cases, other: Cases) -> None:
    """Two randomised logs of one world must agree, or the weights are wrong."""
    found = value_other(log, other, by=("segment",), seed=0)

    assert all(found.holds(name) for name in ESTIMATORS)
    assert all(gap.low < 0.0 < gap.high for gap in found.gap.values())
    assert found.there.estimate > found.logged.high
    assert found.supported == pytest.approx(1.0)
    assert 100 < found.effective < len(log)


def test_a_policy_taken_for_the_same_for_all_misses_what_it_earned(log: Cases, other: Cases) -> None:
    """It depends on the segment; whoever leaves that out values another policy."""
    found = value_other(log, other, by=(), seed=0)

    assert not found.holds("doubly robust")


def test_shares_are_those_of_the_other_log_among_accounts_alike(log: Cases, other: Cases) -> None:
    """Levels are numbered by log, so they are compared as texts; what nobody has gets the shares of all."""
    column = other.features.set.account.index("segment")
    only_b = other.take(other.features.account[:, column] == 1)

    shares = shares_of(log, only_b, ("segment",))

    in_b = log.features.account[:, log.features.set.account.index("segment")] == 1
    expected = only_b.counts / len(only_b)
    assert shares.sum(axis=1) == pytest.approx(1.0)
    assert np.allclose(shares[in_b], expected)
    assert np.allclose(shares[~in_b], expected)


def test_what_this_log_never_did_is_outside_its_scope(log: Cases, other: Cases) -> None:
    """Without one visit in the log nothing is known of visits, whatever the estimators say."""
    without = log.take(log.action != log.treatments.index("visit_news"))

    found = value_other(without, other, by=("segment",), seed=0)

    assert found.verdict.level == "outside scope"
    assert found.supported < 0.7


def test_the_difference_of_independent_logs_has_both_errors(log: Cases, other: Cases) -> None:
    """What the policy earned in its own log is an estimate too."""
    found = value_other(log, other, by=("segment",), seed=0)
    here = found.estimates["self-normalised"]

    gap = difference(here, found.there)

    assert gap.standard_error**2 == pytest.approx(here.standard_error**2 + found.there.standard_error**2)
    assert gap == found.gap["self-normalised"]


def test_a_difference_reaches_as_far_as_few_persons_make_its_parts_reach() -> None:
    """Six persons in one log, none in the other: with 1.96 standard errors 91 % of intervals held 0."""
    held = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        person, ones = np.repeat(np.arange(6), 20), np.ones(120)
        hers = rng.normal(size=120) + rng.normal(size=6)[person]
        by_person = Uncertainty.of(np.arange(120), person, seed=seed, resamples=100)
        alone = Uncertainty.of(np.arange(120), None, seed=seed, resamples=100)
        gap = difference(
            by_person.interval(Terms(hers, ones)), alone.interval(Terms(rng.normal(size=120), ones))
        )
        held.append(gap.low <= 0.0 <= gap.high)

    assert np.mean(held) >= 0.93


def test_each_end_of_a_difference_comes_from_the_ends_that_point_there() -> None:
    """3 + 4 squared below, 5 + 12 squared above: lopsided intervals make a lopsided difference."""
    gap = difference(Interval(10.0, 7.0, 15.0, 2.0), Interval(6.0, -6.0, 10.0, 3.0))

    assert (gap.estimate, gap.low, gap.high) == pytest.approx((4.0, 4.0 - 5.0, 4.0 + 13.0))


def test_few_persons_in_the_other_log_are_limited_evidence_too(log: Cases, other: Cases) -> None:
    """What it earned there is known no better than the four who carried it out tell."""
    four = np.array([f"u{int(account[1:]) % 4}" for account in other.account_ids], dtype=object)

    found = value_other(log, replace(other, person=four), by=("segment",), seed=0)
    few_accounts = value_other(log, other.take(np.arange(len(other)) < 30), by=("segment",), seed=0)

    assert found.verdict.level == "limited evidence"
    assert "those of 4 persons" in found.verdict.sentence
    assert few_accounts.verdict.level == "limited evidence"


def test_an_attribute_that_is_not_there_is_named_with_what_is_near(log: Cases, other: Cases) -> None:
    """A misspelt attribute would silently value another policy."""
    with pytest.raises(OtherLogError, match=r"no attribute 'sgment', did you mean 'segment'\?"):
        value_other(log, other, by=("sgment",), seed=0)

    with pytest.raises(OtherLogError, match=r"no attribute 'colour'\. Known: segment"):
        value_other(log, other, by=("colour",), seed=0)


def test_logs_under_different_playbooks_are_not_compared(log: Cases, tmp_path: Path) -> None:
    """Treatments are numbered by the playbook."""
    fewer = replace(SMALL, treatments=SMALL.treatments[:2] + SMALL.treatments[4:])
    elsewhere = build_cases(stored(tmp_path, tables(LOG)), fewer)

    with pytest.raises(OtherLogError, match="different playbooks"):
        value_other(log, elsewhere, by=(), seed=0)
