"""Prices of a plan: an account's choice becomes the best of priority - price x use, and says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.arbitration import LEFT_OUT, left_out
from engine.decide import Decisions, decide
from engine.explanation import objection_words, why_not
from engine.features import FeatureSet
from engine.plan_settings import Minimum
from engine.playbook import PlaybookError, parse_playbook
from engine.records import History, Moments
from engine.shadow_prices import ShadowPrices, charges
from engine.wording import Reader
from tests.engine.builders import (
    ATTRIBUTES,
    NOW,
    at,
    history,
    moments,
    permission,
    playbook,
    team,
    touchpoint,
)
from tests.engine.deciding import READY, FixedScorer, condition, decided, index, listed
from tests.engine.example_playbook import TEXT

WORTH = {"visit_news": 300.0, "email_news": 60.0}
SHORT = ShadowPrices(minute={"u": 10.0}, slot={"u": 5.0}, quota={"email": 1.0})
"""A visit of 30 minutes by u costs 305, an e-mail 1."""


def priced(
    past: History, prices: ShadowPrices | None, asked: Moments | None = None, **rules: object
) -> Decisions:
    chosen = playbook(**rules)
    return decide(
        past, moments() if asked is None else asked, playbook=chosen,
        features=FeatureSet.of(chosen, ATTRIBUTES), scorer=FixedScorer(WORTH), seed=7, prices=prices,
    )  # fmt: skip


def test_an_hour_that_is_worth_more_elsewhere_is_not_spent_here() -> None:
    """A visit worth 210 does not take the hour of one worth more; the e-mail costs nobody's time."""
    free, short = priced(history(*READY), None), priced(history(*READY), SHORT)

    assert listed(free) == ["visit_news", "email_news"]
    assert listed(short) == ["email_news"]


def test_only_the_colleague_whose_time_is_short_is_charged() -> None:
    """What others have too little of must not keep this one from her accounts."""
    by_another = history(team(user_id="v"), *READY[1:])

    assert listed(priced(by_another, SHORT)) == ["visit_news", "email_news"]


def test_the_team_of_the_moment_is_charged() -> None:
    """A replay of yesterday must charge who was there yesterday."""
    past = history(team(user_id="v", stored=-9.0), team(user_id="u", stored=-1.0))
    asked = Moments(("a", "a"), np.array([at(-5.0), NOW]))

    cost = charges(past, asked, playbook(), SHORT, np.zeros((2, 6)))

    assert cost[:, index(priced(past, None), "visit_news")].tolist() == [0.0, 305.0]


def test_what_the_price_kept_away_says_so_in_words() -> None:
    """Why no visit? Because the hour is worth more elsewhere, by so much."""
    found = priced(history(*READY), SHORT)
    visit = index(found, "visit_news")

    (told,) = why_not(found, 0, visit, playbook())

    assert told.rule == "below_price"
    assert told.facts["charge"] == 305.0
    assert told.facts["short_of"] == pytest.approx(305.0 - float(found.priority.priority[0, visit]))
    assert "305" in objection_words(told, Reader("en", NOW, None, playbook()))
    left = left_out(
        found.priority.ranked, found.objections.eligible, found.ranking, None, found.priority.charge
    )
    assert LEFT_OUT[left[0, visit]] == "below_price"
    assert found.funnel().filter(rule="below_price")["removed"].to_list() == [1]


def test_the_record_keeps_what_was_charged() -> None:
    """A decision is recomputed from its record, long after prices have moved."""
    record = priced(history(*READY), SHORT).record()

    assert dict(record.select("treatment", "charge").iter_rows()) == {
        "none": 0.0, "email_news": 1.0, "email_safety": 1.0, "stop_email": 55.0, "visit_news": 305.0,
        "visit_safety": 305.0,
    }  # fmt: skip
    assert record["due"].to_list() == [0.0] * 6


def test_a_contact_that_is_due_goes_first_and_one_that_is_not_does_not() -> None:
    """Every account of segment A is seen once in a while, though an e-mail earns more."""
    due = Minimum(
        "seen", condition("coalesce(days_since_visit, 999) > 80"), condition("topic = 'safety'"), 500.0
    )
    lately = history(*READY, touchpoint(-20.0, channel="visit", topic="news", treatment="visit_news"))
    others = {"minimums": (due,), "suppressions": ()}

    assert listed(priced(history(*READY), None, **others))[0] in ("visit_safety", "email_safety")
    assert listed(priced(lately, None, **others))[0] == "visit_news"


@pytest.mark.parametrize("worth", [1.0, None])
def test_a_minimum_without_a_price_goes_before_everything_of_its_account(worth: float | None) -> None:
    """At least means at least: even a visit that costs more than it earns is listed, and first."""
    due = Minimum("seen", condition("days_since_visit is null"), condition("topic = 'safety'"), worth)
    poor = FixedScorer({"visit_safety": -50.0, "email_safety": -60.0, "visit_news": 300.0})

    book = playbook(minimums=(due,), suppressions=())
    first = decided(history(*READY), moments(), rules=book, scorer=poor)

    names = [first.treatments[place] for place in first.ranking.places[0] if place > 0]
    assert ("visit_safety" in names) == (worth is None)
    assert (names[0] in ("visit_safety", "email_safety")) == (worth is None)


def test_what_is_due_pays_a_price() -> None:
    """A minimum says in money how much it matters; beyond that it gives way."""
    due = Minimum(
        "seen", condition("coalesce(days_since_visit, 999) > 80"), condition("channel = 'visit'"), 100.0
    )

    assert "visit_news" in listed(priced(history(*READY), SHORT, minimums=(due,)))
    assert "visit_news" not in listed(priced(history(*READY), ShadowPrices({"u": 20.0}), minimums=(due,)))


def test_what_the_plan_has_given_its_time_pays_nothing_for_it() -> None:
    """A visit that is in the plan must not fall off the list by the price that the plan made."""
    planned = replace(SHORT, planned={"a": frozenset({"visit_news"}), "b": frozenset({"email_news"})})

    assert listed(priced(history(*READY), planned)) == ["visit_news", "email_news"]


def test_through_a_channel_that_is_used_up_goes_only_what_is_planned() -> None:
    """A quota must hold however much a late e-mail would be worth."""
    closed = replace(SHORT, closed=frozenset({"email"}))
    planned = replace(closed, planned={"a": frozenset({"email_news"})})

    assert listed(priced(history(*READY), closed)) == ["none"]
    assert listed(priced(history(*READY), planned)) == ["email_news"]


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=5), st.floats(0.0, 20.0), st.floats(0.0, 50.0))
@settings(max_examples=25, deadline=None)
def test_with_prices_too_accounts_together_equal_one_by_one(
    who: list[str], minute: float, quota: float
) -> None:
    """The night and a live event must agree under the same prices."""
    past = history(
        *(team(account_id=id, user_id=user) for id, user in zip("abc", "uvu", strict=True)),
        *(permission(-400.0, channel="email", account_id=id) for id in "ab"), accounts="abc",
    )  # fmt: skip
    prices = ShadowPrices({"u": minute}, {"v": minute}, {"email": quota})

    together = priced(past, prices, moments(*who))
    alone = [priced(past, prices, moments(id)) for id in who]

    assert (together.ranking.places == np.concatenate([one.ranking.places for one in alone])).all()
    assert (together.priority.ranked == np.concatenate([one.priority.ranked for one in alone])).all()


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ("[quotas.mails]\nchannel = 'email'\ncount = 9", "add the table .plan."),
        (
            "[plan]\n[quotas.a]\nchannel = 'email'\ncount = 9\n[quotas.b]\nchannel = 'email'\ncount = 8",
            "the quota 'a'",
        ),
        ("[plan]\nhorizon_days = 40", "from 1 to 28"),
        ("[plan]\nspacing = 3", "did you mean 'spacing_days'"),
        ("[minimums.m]\nwhen = 'segmnt = 1'\nworth = 1", "segment"),
    ],
)
def test_a_wrong_plan_is_refused_by_name(more: str, named: str) -> None:
    """Who writes a playbook is told the place and what is near."""
    with pytest.raises(PlaybookError, match=named):
        parse_playbook(TEXT + more)


def test_a_playbook_plans_only_when_it_says_so() -> None:
    """Nobody's lists change because a newer version of the engine could plan."""
    assert parse_playbook(TEXT).plan is None
    assert parse_playbook(TEXT + "[plan]\non = false").plan is None
    assert parse_playbook(TEXT + "[plan]").plan is not None
