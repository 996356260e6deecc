"""Landmarks: the same clock for every arm."""

from __future__ import annotations

import polars as pl

from engine.records import DAY_MICROS, History
from tests.engine.builders import NOW, at, history, row, touchpoint
from training.occasions import LandmarkSettings, decided, known, landmarks


def laid(
    past: History, reports: tuple[str, ...] = (), **settings: float
) -> list[tuple[str, float, str | None]]:
    """Occasions of accounts a and b in the 56 days before NOW as (account, days from NOW, treatment)."""
    found = landmarks(
        past,
        ("a", "b"),
        start=at(-56),
        until=NOW,
        at=NOW,
        settings=LandmarkSettings(**({"period_days": 28.0} | settings)),
        reports=reports,
    )
    days = found.with_columns(((pl.col("as_of") - NOW) / DAY_MICROS).round(3))
    return sorted(days.select("account_id", "as_of", "treatment").iter_rows(), key=str)


def test_the_first_contact_within_the_grace_window_is_the_action() -> None:
    """Everybody has the same moments; who was not contacted in time belongs to "none"."""
    past = history(
        touchpoint(-55.0, treatment="visit_news"),
        touchpoint(-54.0, treatment="email_news"),
        touchpoint(-10.0, treatment="visit_news"),
        accounts=("a", "b"),
    )

    occasions = laid(past)

    assert occasions == [
        ("a", -28.0, "none"),
        ("a", -56.0, "visit_news"),
        ("b", -28.0, "none"),
        ("b", -56.0, "none"),
    ]


def test_a_contact_at_the_very_moment_counts_and_one_at_the_end_of_grace_does_not() -> None:
    """The window is [as_of, as_of + grace)."""
    past = history(
        touchpoint(-56.0, treatment="visit_news"),
        touchpoint(-21.0, treatment="visit_news"),
        accounts=("a", "b"),
    )

    actions = {(account, day): treatment for account, day, treatment in laid(past)}

    assert actions["a", -56.0] == "visit_news"
    assert actions["a", -28.0] == "none"


def test_planned_cancelled_and_inbound_contacts_are_no_action() -> None:
    """Only what we really did."""
    past = history(
        touchpoint(-27.0, treatment="visit_news", status="cancelled"),
        touchpoint(-26.5, treatment="visit_news", status="planned"),
        accounts=("a", "b"),
    )

    assert {treatment for _, _, treatment in laid(past)} == {"none"}


def test_an_enquiry_opens_an_occasion_of_its_own_and_closes_the_grid_around_it() -> None:
    """Otherwise contacts that answer an enquiry would look as if they had caused what the interest did."""
    past = history(
        touchpoint(-25.0, direction="inbound", channel="website"),
        touchpoint(-24.0, treatment="visit_news"),
        accounts=("a", "b"),
    )

    occasions = laid(past)

    assert ("a", -25.0, "visit_news") in occasions
    assert ("a", -28.0, "none") not in occasions
    assert ("b", -28.0, "none") in occasions


def test_a_safety_report_opens_no_occasion() -> None:
    """It is no signal: nothing may be learned from what was done after it."""
    past = history(touchpoint(-25.0, direction="inbound", topic="adverse_event"), accounts=("a", "b"))

    assert laid(past, reports=("adverse_event",)) == laid(history(accounts=("a", "b")))
    assert laid(past) != laid(past, reports=("adverse_event",))


def test_grid_moments_near_an_enquiry_go_whatever_followed() -> None:
    """Dropping only those that were answered would leave "none" to the interested."""
    unanswered = history(touchpoint(-25.0, direction="inbound", channel="website"), accounts=("a", "b"))

    occasions = laid(unanswered)

    assert [day for account, day, _ in occasions if account == "a"] == [-25.0, -56.0]


def test_a_burst_of_page_views_is_one_occasion() -> None:
    """Ten pages in a morning are one interest; its moment is the last of them."""
    views = [
        touchpoint(-25.0 + hour / 24, direction="inbound", channel="website", account_id="b")
        for hour in range(10)
    ]

    occasions = laid(history(*views, accounts=("a", "b")))

    assert [day for account, day, _ in occasions if account == "b"] == [-24.625, -56.0]


def test_an_enquiry_followed_by_another_one_is_no_occasion_whatever_was_done() -> None:
    """Who asks again is contacted more and buys more: a contact after the second answers the second."""
    for contacts in ([], [touchpoint(-24.0, treatment="visit_news")]):
        past = history(
            touchpoint(-25.0, direction="inbound", channel="website"),
            touchpoint(-21.0, direction="inbound", channel="website"),
            *contacts,
            accounts=("a", "b"),
        )

        assert [day for account, day, _ in laid(past) if account == "a"] == [-21.0, -56.0]


def test_the_grid_is_closed_around_every_enquiry_of_a_burst() -> None:
    """Three enquiries six days apart are one interest; a moment near the second or third is as near as near
    the first."""
    past = history(
        *(touchpoint(day, direction="inbound", channel="website") for day in (-40.0, -34.0, -30.0)),
        accounts=("a", "b"),
    )

    assert [day for account, day, _ in laid(past) if account == "a"] == [-30.0, -56.0]


def test_the_grid_is_closed_where_an_enquiry_was_made_although_it_was_stored_later() -> None:
    """Whoever took the call knew of it, whatever the system knew."""
    past = history(
        touchpoint(-29.0, direction="inbound", channel="website", stored=-10.0), accounts=("a", "b")
    )

    assert [day for account, day, _ in laid(past) if account == "a"] == [-10.0, -56.0]


def test_a_late_stored_enquiry_opens_its_occasion_when_it_was_known() -> None:
    """Nobody can react to what is not stored yet."""
    past = history(
        touchpoint(-25.0, direction="inbound", channel="website", stored=-22.0), accounts=("a", "b")
    )

    assert ("a", -22.0, "none") in laid(past)


def test_only_versions_known_at_the_time_of_training_hold() -> None:
    """A correction stored later is not known yet; one stored before replaces the first version."""
    past = history(
        touchpoint(-27.0, id="t", treatment="visit_news"),
        touchpoint(-27.0, id="t", treatment="email_news", stored=-5.0),
        touchpoint(-27.0, id="u", treatment="visit_news", account_id="b"),
        touchpoint(-27.0, id="u", account_id="b", stored=-5.0, deleted=True),
        accounts=("a", "b"),
    )

    early, late = known(past, "touchpoints", at(-10)), known(past, "touchpoints", NOW)

    assert sorted(early["treatment"]) == ["visit_news", "visit_news"]
    assert late["treatment"].to_list() == ["email_news"]


def delays(past: History, accounts: tuple[str, ...]) -> list[tuple[str, float]]:
    """(treatment, days from the moment to that from which outcomes count) in the order of the moments."""
    found = landmarks(
        past, accounts, start=at(-56), until=NOW, at=NOW, settings=LandmarkSettings(period_days=28.0)
    )
    days = found.with_columns(days=((pl.col("counted_from") - pl.col("as_of")) / DAY_MICROS).round(3))
    return list(days.select("treatment", "days").iter_rows())


def test_outcomes_count_from_the_contact_on_and_for_those_left_alone_after_delays_like_the_contacts() -> None:
    """Two contacts after one and four days; eight moments left alone have each of the two delays as often."""
    past = history(
        touchpoint(-55.0, account_id="a", treatment="visit_news"),
        touchpoint(-24.0, account_id="b", treatment="visit_news"),
        accounts=("a", "b", "c", "d", "e"),
    )

    found = delays(past, ("a", "b", "c", "d", "e"))

    assert sorted(days for treatment, days in found if treatment == "visit_news") == [1.0, 4.0]
    assert sorted(days for treatment, days in found if treatment == "none") == [1.0] * 4 + [4.0] * 4


def test_delays_after_an_enquiry_are_not_those_of_the_grid() -> None:
    """Who asked is called the next day; a moment after an enquiry that was not answered counts from there."""
    past = history(
        touchpoint(-40.0, account_id="a", direction="inbound", channel="website"),
        touchpoint(-39.0, account_id="a", treatment="visit_news"),
        touchpoint(-40.0, account_id="b", direction="inbound", channel="website"),
        touchpoint(-50.0, account_id="c", treatment="visit_news"),
        accounts=("a", "b", "c"),
    )

    found = delays(past, ("a", "b", "c"))

    assert sorted(found)[:3] == [("none", 1.0), ("none", 6.0), ("none", 6.0)]
    assert ("visit_news", 1.0) in found


def test_where_nobody_was_contacted_outcomes_count_from_the_moment() -> None:
    """There is no delay to be like."""
    assert {days for _, days in delays(history(accounts=("a", "b")), ("a", "b"))} == {0.0}


def test_only_place_one_of_a_logged_decision_is_a_case() -> None:
    """Places below follow deterministically and carry no probability."""
    base = {"decided_at": at(-20), "policy": "p", "account_id": "a"}
    past = history(
        row("decisions", -20.0, decision_id="d1", treatment="none", place=1, **base),
        row("decisions", -20.0, decision_id="d2", treatment="visit_news", place=2, **base),
        row("decisions", -20.0, decision_id="d3", treatment="email_news", **base),
    )

    assert sorted(decided(past, NOW)["treatment"]) == ["email_news", "none"]


def test_a_night_done_again_for_the_same_moment_is_one_case() -> None:
    """Its decisions have other ids. In logs of others a time may be a day, and hold two decisions."""
    past = history(
        *(
            row("decisions", -20.0, decision_id=f"{policy}{n}", treatment="visit_news", policy=policy,
                account_id="a", decided_at=at(-20))
            for policy in ("nextbest", "theirs")
            for n in range(2)
        )
    )  # fmt: skip

    assert sorted(decided(past, NOW)["decision_id"]) == ["nextbest0", "theirs0", "theirs1"]
