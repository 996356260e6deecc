"""What is known of an account at a moment, verified by hand on histories of a few rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from engine import tallies
from engine.facts import STATISTICS, Attribute, fact_types
from engine.features import Features, FeatureSet, features_as_of
from engine.records import EngineError, History, Moments
from tests.engine.builders import (
    ATTRIBUTES,
    Row,
    account,
    answer,
    features,
    history,
    moments,
    outcome,
    permission,
    planned,
    playbook,
    response,
    team,
    touchpoint,
)

WEB = permission(-400.0, "opt_in", "website", "web_behaviour")


def known(*rows: Row, at_day: float = 0.0, **rules: Any) -> Features:
    return features(history(*rows), moments(at_day=at_day), playbook(**rules))


def fact(found: Features, name: str, treatment: str | None = None) -> float:
    """The value of a fact for the first moment (and a treatment)."""
    values = np.broadcast_to(found.fact(name).values, (len(found.moments), len(found.set.treatments)))
    return float(values[0, found.set.treatments.index(treatment) if treatment else 0])


def test_every_statistic_has_a_loop_and_every_fact_can_be_read() -> None:
    """Whoever adds a statistic to the registry is told at once when nothing counts it."""
    found = known()
    channels, topics = found.set.channels, found.set.topics

    assert {statistic.name for statistic in STATISTICS} == set(tallies.LOOPS)
    for name in fact_types(channels, topics, ATTRIBUTES):
        shape = found.fact(name).values.shape
        assert shape in {(1, 1), (1, 6)}, name


def test_an_unknown_fact_is_a_key_error() -> None:
    """Rules are checked when the playbook is read; here a wrong name is a mistake in the code."""
    with pytest.raises(KeyError):
        known().fact("outbound_fax_30d")


def test_what_happens_in_the_very_microsecond_is_not_known() -> None:
    """Strictly before: the service stores an event first and decides one microsecond later."""
    at_once = touchpoint(0.0, stored=-1.0)
    just_before = touchpoint(-1e-10, stored=-1.0)

    assert fact(known(at_once), "outbound_any_7d") == 0
    assert fact(known(just_before), "outbound_any_7d") == 1


def test_the_border_of_a_window_belongs_to_it() -> None:
    """days <= 7 in SQL and here must mean the same touchpoints."""
    found = known(touchpoint(-7.0), touchpoint(-7.1))

    assert fact(found, "outbound_any_7d") == 1
    assert fact(found, "outbound_any_30d") == 2


def test_a_correction_counts_from_the_moment_it_was_stored() -> None:
    """Yesterday's decision knew the old version; today's knows the new one."""
    wrong = touchpoint(-5.0, id="t", channel="visit")
    right = touchpoint(-5.0, id="t", channel="email", stored=-2.0)
    asked = Moments(("a", "a"), moments(at_day=-3.0).as_of.repeat(2))
    asked.as_of[1] = moments().as_of[0]

    found = features(history(wrong, right), asked)

    assert found.fact("outbound_visit_7d").values[:, 0].tolist() == [1, 0]
    assert found.fact("outbound_email_7d").values[:, 0].tolist() == [0, 1]


def test_a_tombstone_takes_the_fact_away_from_then_on() -> None:
    """Erased by mistake of the source is erased: from its storing on."""
    gone = (touchpoint(-5.0, id="t"), touchpoint(-5.0, id="t", stored=-1.0, deleted=True))

    assert fact(known(*gone, at_day=-2.0), "outbound_any_7d") == 1
    assert fact(known(*gone), "outbound_any_7d") == 0


def test_a_late_fact_is_known_only_once_it_was_stored() -> None:
    """A visit of Monday that is typed in on Friday is no knowledge of Wednesday's decision."""
    late = touchpoint(-5.0, stored=-1.0)

    assert fact(known(late, at_day=-2.0), "outbound_any_7d") == 0
    assert fact(known(late), "outbound_any_7d") == 1


def test_a_plan_lies_ahead_until_its_day_and_counts_as_nothing_afterwards() -> None:
    """A planned visit stops a second one; a plan that was never carried out is no contact."""
    plan = planned(3.0, channel="visit")

    assert fact(known(plan), "days_until_visit") == 3.0
    assert fact(known(plan), "planned_any") == 1
    assert fact(known(plan), "outbound_visit_7d") == 0
    assert fact(known(plan, at_day=4.0), "planned_any") == 0
    assert fact(known(plan, at_day=4.0), "outbound_visit_7d") == 0


def test_a_cancelled_touchpoint_is_nothing() -> None:
    """Neither a contact nor a plan."""
    found = known(touchpoint(-1.0, status="cancelled"), planned(2.0, status="cancelled"))

    assert fact(found, "outbound_any_7d") == 0
    assert np.isnan(fact(found, "days_until_any"))


def test_the_nearest_plan_and_the_latest_contact_are_told() -> None:
    """ "Visited yesterday, no visit today" reads these numbers."""
    found = known(touchpoint(-9.0), touchpoint(-2.5), planned(8.0), planned(3.0))

    assert fact(found, "days_since_visit") == 2.5
    assert fact(found, "days_until_visit") == 3.0


def test_what_never_happened_is_unknown_not_zero_days_ago() -> None:
    """A recency of 0 would mean today."""
    found = known()

    assert np.isnan(fact(found, "days_since_visit"))
    assert np.isnan(fact(found, "response_rate_visit_365d"))
    assert fact(found, "outbound_visit_365d") == 0


def test_a_channel_that_the_playbook_does_not_have_counts_as_any_contact_only() -> None:
    """A fax of ten years ago still was a contact."""
    found = known(touchpoint(-1.0, channel="fax", treatment="gone", topic="else"))

    assert fact(found, "outbound_any_7d") == 1
    assert found.channel[0, :, found.set.channel.index("outbound_same_channel_7d")].tolist() == [0, 0, 0]


def test_a_response_has_a_time_of_its_own() -> None:
    """A mail of Monday that is clicked on Thursday has no click for a decision on Tuesday."""
    mail, click = touchpoint(-6.0, id="m", channel="email"), response("m", -3.0)

    assert fact(known(mail, click, at_day=-5.0), "responses_email_90d") == 0
    assert fact(known(mail, click), "responses_email_90d") == 1


def test_several_responses_to_one_contact_count_once() -> None:
    """A mail opened, clicked and answered is one mail that worked."""
    mail = touchpoint(-6.0, id="m", channel="email")
    found = known(
        mail, response("m", -5.0), response("m", -4.0, "replied"), touchpoint(-2.0, channel="email")
    )

    assert fact(found, "responses_email_90d") == 1
    assert fact(found, "response_rate_email_365d") == 0.5


def test_viewing_and_rejecting_are_no_positive_responses() -> None:
    """Only what the records call positive is."""
    found = known(touchpoint(-6.0, id="m"), response("m", -5.0, "viewed"), response("m", -4.0, "rejected"))

    assert fact(found, "responses_visit_90d") == 0


def test_a_response_waits_for_its_touchpoint_to_be_known() -> None:
    """The click may arrive before the mail's own record does."""
    mail, click = touchpoint(-6.0, id="m", channel="email", stored=-2.0), response("m", -5.0)

    assert fact(known(mail, click, at_day=-3.0), "responses_email_90d") == 0
    assert fact(known(mail, click), "responses_email_90d") == 1


def test_outcomes_are_worth_what_the_playbook_says() -> None:
    """Half for an order, nothing for a kind that nobody has valued, but it still happened."""
    found = known(
        outcome(-1.0, 100.0), outcome(-2.0, 100.0, kind="order"), outcome(-3.0, 100.0, kind="other")
    )

    assert fact(found, "outcomes_30d") == 3
    assert fact(found, "outcome_value_30d") == 150.0
    assert fact(found, "days_since_outcome") == 1.0


def test_attributes_are_those_known_at_the_moment() -> None:
    """A segment assigned today explains nothing of last month."""
    rows = (account(segment="B", stored=None), account(segment="C", potential_value=5.0, stored=-1.0))

    before, after = known(*rows, at_day=-2.0), known(*rows)

    assert before.fact("segment").values.tolist() == [[1.0]]
    assert after.fact("segment").values.tolist() == [[2.0]]
    assert fact(after, "potential_value") == 5.0


def test_an_attribute_that_is_missing_or_of_an_unknown_level_is_unknown() -> None:
    """NaN in the model's row, code -1 for a rule."""
    found = known(account(segment="Z", potential_value=None))

    assert found.fact("segment").values.tolist() == [[-1.0]]
    assert np.isnan(found.account[0, found.set.account.index("segment")])
    assert np.isnan(fact(found, "potential_value"))
    assert np.isnan(fact(found, "automated"))


def test_attributes_may_have_any_name_and_flags_are_numbers() -> None:
    """Columns of the user's own may be called like ours."""
    names = tuple(Attribute(name) for name in ("account", "valid_from", "row"))
    past = history(account(account=1.0, valid_from=2.0, row=True))

    found = features(past, attributes=names)

    assert found.account[0, -3:].tolist() == [1.0, 2.0, 1.0]


def test_an_account_without_any_fact_has_features() -> None:
    """The first decision for a new account must not fail."""
    found = known()

    assert fact(found, "outbound_any_365d") == 0
    assert found.consent.shape == (1, 3, 2)
    assert not found.consent.any()


def test_no_moments_give_features_of_no_rows() -> None:
    """An empty bucket is a bucket."""
    found = features(history(touchpoint(-1.0)), Moments((), np.zeros(0, dtype=np.int64)))

    assert found.account.shape == (0, len(found.set.account))
    assert found.row_matrix(np.zeros(0, dtype=np.int64)).shape == (0, len(found.set.names))


def test_an_empty_history_is_a_history() -> None:
    """Nothing was ever loaded, and the answer is that nothing is known."""
    found = features(History({}))

    assert fact(found, "outbound_any_7d") == 0
    assert np.isnan(fact(found, "potential_value"))


def test_tables_may_lack_columns_that_they_need_not_have() -> None:
    """A store without superseded_at or deleted (one version each) is read as it is."""
    bare = history(touchpoint(-1.0))["touchpoints"].drop("superseded_at", "deleted", "details")

    assert fact(features(History({"touchpoints": bare})), "outbound_visit_7d") == 1


def test_web_behaviour_is_invisible_without_its_own_permission() -> None:
    """Nobody who did not agree is told that a visit to a page was seen."""
    page = touchpoint(-1.0, direction="inbound", channel="website", topic="safety")

    assert fact(known(page), "inbound_any_7d") == 0
    assert np.isnan(fact(known(page), "days_since_inbound_safety"))
    assert fact(known(page, WEB), "days_since_inbound_safety") == 1.0
    assert fact(known(page, web_behaviour_needs_consent=False), "inbound_website_7d") == 1


def test_permission_for_web_behaviour_ends_when_it_is_withdrawn() -> None:
    """From then on not even the pages read before are used."""
    page = touchpoint(-3.0, direction="inbound", channel="website")

    found = known(page, WEB, permission(-1.0, "opt_out", "*", "web_behaviour"))

    assert found.web_behaviour.tolist() == [-1.0]
    assert fact(found, "inbound_any_7d") == 0


def test_a_phone_call_by_the_account_needs_no_web_permission() -> None:
    """Turning to us through a channel that we use ourselves is no web behaviour."""
    assert fact(known(touchpoint(-1.0, direction="inbound", channel="visit")), "inbound_visit_7d") == 1


def consent(found: Features, channel: str, purpose: int = 0) -> float:
    return float(found.consent[0, found.set.channels.index(channel), purpose])


def test_the_latest_word_on_a_channel_or_on_all_holds() -> None:
    """A later "*" overrides an earlier e-mail permission, and the other way round."""
    found = known(
        permission(-9.0, "opt_in", "email"),
        permission(-5.0, "opt_out", "*"),
        permission(-2.0, "opt_in", "visit"),
    )

    assert consent(found, "email") == -1
    assert consent(found, "visit") == 1
    assert consent(found, "email", purpose=1) == 0


def test_at_the_same_moment_an_opt_out_wins() -> None:
    """Fail closed."""
    found = known(permission(-2.0, "opt_out", "email"), permission(-2.0, "opt_in", "*"))

    assert consent(found, "email") == -1


def test_an_opt_out_of_one_contact_counts_for_the_account() -> None:
    """A practice's second physician said no; the account's address may be hers."""
    found = known(
        permission(-2.0, "opt_in", "email", contact_id="p"),
        permission(-9.0, "opt_out", "email", contact_id="q"),
    )

    assert consent(found, "email") == -1


@pytest.mark.parametrize("kind", ["unsubscribed", "complained"])
def test_unsubscribing_is_an_opt_out_of_marketing_until_a_later_opt_in(kind: str) -> None:
    """Whoever clicked "unsubscribe" gets no further mail, whether or not a preference row follows."""
    rows = (
        permission(-9.0, "opt_in", "email"),
        touchpoint(-5.0, id="m", channel="email"),
        response("m", -4.0, kind),
    )

    assert consent(known(*rows), "email") == -1
    assert consent(known(*rows), "visit") == 0
    assert consent(known(*rows), "email", purpose=1) == 0
    assert consent(known(*rows, permission(-1.0, "opt_in", "email")), "email") == 1
    assert fact(known(*rows), "optouts_365d") == 1


def test_a_liking_is_no_permission() -> None:
    """Consent and preference are kept apart."""
    assert consent(known(permission(-2.0, "preferred", "email", kind="liking")), "email") == 0


def test_limits_count_what_was_done_and_what_is_planned() -> None:
    """In any 7 days at most so many e-mails: those of the last 7 and of the next 7."""
    mail = {"channel": "email", "treatment": "email_news"}
    found = known(
        touchpoint(-6.9, **mail),
        touchpoint(-7.0, **mail),
        planned(6.9, **mail),
        planned(7.0, **mail),
        touchpoint(-1.0, channel="email", treatment="email_safety"),
        touchpoint(-1.0, status="cancelled"),
        touchpoint(-1.0, channel="fax"),
        touchpoint(-1.0, direction="inbound", channel="email"),
    )

    assert found.limits.tolist() == [[6.0, 2.0]]


def test_a_pause_begins_with_the_last_of_the_events_that_came_together() -> None:
    """Two dismissals within 30 days: the second begins it; a lone later one does not begin another."""
    found = known(answer(-80.0), answer(-60.0), answer(-5.0))
    visit = found.set.treatments.index("visit_safety")

    assert found.tracked[0, 1, visit] == 60.0
    assert np.isnan(found.tracked[0, 1]).sum() == 5


def test_a_suppression_of_one_channel_counts_and_pauses_that_channel_alone() -> None:
    """A rejected e-mail on a topic ends e-mails on the topic, not visits."""
    found = known(
        touchpoint(-3.0, id="m", channel="email", topic="safety"),
        response("m", -2.0, "rejected"),
        touchpoint(-3.0, id="v", channel="visit", topic="news"),
        response("v", -2.0, "rejected"),
    )

    paused = {id for id, days in zip(found.set.treatments, found.tracked[0, 3], strict=True) if days == 2.0}
    assert paused == {"email_safety"}


def test_an_opt_out_of_everything_pauses_every_channel() -> None:
    """The account asked to be left alone."""
    found = known(permission(-4.0, "opt_out", "*"))

    assert found.tracked[0, 2, 1:].tolist() == [4.0] * 5
    assert fact(found, "optouts_365d") == 1


def test_a_snooze_lasts_until_its_end_and_the_latest_answer_holds() -> None:
    """Snoozed stays snoozed; accepted again is accepted."""
    visit = playbook().treatments.index(next(t for t in playbook().treatments if t.id == "visit_safety"))

    assert known(answer(-1.0, "snooze", until=2.0)).snoozed[0, visit] == 1.0
    assert known(answer(-1.0, "snooze", until=2.0), at_day=2.0).snoozed[0, visit] == 0.0
    assert known(answer(-2.0, "dismiss", until=9.0), answer(-1.0, "accept")).snoozed[0, visit] == 0.0


def test_a_role_is_there_while_somebody_has_it() -> None:
    """A colleague who left is no executor any more."""
    left = (team(stored=-9.0), team(stored=-1.0, deleted=True))

    assert known(*left, at_day=-2.0).has_role.tolist() == [[1.0, 0.0]]
    assert known(*left).has_role.tolist() == [[0.0, 0.0]]


def test_the_candidates_own_scope_is_that_of_its_channel_topic_and_treatment() -> None:
    """A rule says "same_channel" once instead of naming every channel."""
    found = known(touchpoint(-1.0, channel="email", topic="news", treatment="email_news"))

    assert fact(found, "outbound_same_channel_7d", "email_safety") == 1
    assert fact(found, "outbound_same_topic_7d", "visit_news") == 1
    assert fact(found, "outbound_same_treatment_7d", "email_news") == 1
    assert fact(found, "outbound_same_treatment_7d", "email_safety") == 0
    assert np.isnan(fact(found, "outbound_same_channel_7d", "none"))


def test_what_is_known_of_a_candidate_does_not_depend_on_the_account() -> None:
    """Channel, topic, group, cost ... as a rule names them; what it does not have is the text ""."""
    found = known()
    channel, cost = found.fact("channel"), found.fact("cost")

    assert channel.levels is not None
    assert [channel.levels[int(code)] for code in channel.values[0]] == [
        "",
        "email",
        "email",
        "email",
        "visit",
        "visit",
    ]
    assert cost.values[0].tolist() == [0.0, 1.0, 1.0, 1.0, 90.0, 90.0]


def test_a_models_row_is_made_of_the_groups() -> None:
    """Column by column what a forest reads of a pair; the place of no contact is empty, not zero."""
    found = known(touchpoint(-1.0, channel="email", topic="news", treatment="email_news"), WEB)
    none, mail = found.row_matrix(np.array([0]))[0], found.row_matrix(np.array([1]))[0]
    names = found.set.names

    assert mail[names.index("outbound_same_channel_7d")] == 1
    assert mail[names.index("outbound_any_7d")] == 1
    assert np.isnan(none[names.index("outbound_same_channel_7d")])
    assert np.isnan(none[names.index("days_since_same_topic")])
    assert len(names) == len(set(names)) == len(none)


def test_features_of_another_playbook_are_refused() -> None:
    """Codes of another playbook would be read as something else without a word."""
    other = FeatureSet.of(playbook(treatments=playbook().treatments[:3]), ATTRIBUTES)

    with pytest.raises(EngineError, match="another playbook"):
        features_as_of(history(), moments(), playbook=playbook(), features=other)


def test_a_playbook_without_topics_and_outcomes_has_features() -> None:
    """The smallest playbook is one."""
    rules = playbook(topics=(), outcome_worth={}, suppressions=(), contact_limits=())

    found = features(history(outcome(-1.0), touchpoint(-2.0, topic="news")), rules=rules)

    assert fact(found, "outcomes_30d") == 1
    assert np.isnan(fact(found, "days_since_same_topic"))
    assert np.isnan(found.row_matrix(np.array([1]))[0, found.set.names.index("days_since_same_topic")])


def test_rows_of_other_accounts_do_no_harm() -> None:
    """A bucket's history holds more than one asks for."""
    other = touchpoint(-1.0, account_id="b")
    frame = history(other, touchpoint(-2.0))["touchpoints"]

    assert fact(features(History({"touchpoints": frame})), "outbound_any_7d") == 1
    assert frame.select(pl.len()).item() == 2


def test_what_was_known_is_kept_under_the_names_that_rules_use() -> None:
    """A decision has to be recomputable from its record: every fact, codes as the text they stand for."""
    found = known(account(segment="B"), touchpoint(-3.0, channel="visit", treatment="visit_dosing"))

    kept = found.known().row(0, named=True)

    assert kept["account_id"] == "a"
    assert kept["segment"] == "B"
    assert kept["outbound_visit_7d"] == fact(found, "outbound_visit_7d") == 1.0
    for name, source in found.set.sources.items():
        if source.group == "account" or source.member:
            assert name in kept
    for place, treatment in enumerate(found.set.treatments[1:], start=1):
        column = found.set.message.index("outbound_same_treatment_30d")
        assert kept[f"outbound_same_treatment_30d:{treatment}"] == found.message[0, place, column]
