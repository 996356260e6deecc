"""Rules that look beyond one treatment remove what they must and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.playbook import Equivalent, Playbook, Repeat, Suppression, Topic
from engine.policies import object_to
from engine.timing import expires_at
from tests.engine.builders import (
    NOW,
    TREATMENTS,
    Row,
    answer,
    at,
    features,
    history,
    moments,
    offer,
    planned,
    playbook,
    response,
    touchpoint,
    treatment,
)
from tests.engine.deciding import READY, FixedScorer, decided, listed, objecting

WORTH = FixedScorer({t.id: 100.0 for t in TREATMENTS[1:]} | {"visit_news": 200.0, "stop_email": 0.0})


def against(chosen: str, *rows: Row, rules: Playbook, at_day: float = 0.0) -> list[str]:
    """The ids of the rules that object to a treatment for account "a"."""
    known = features(history(*READY, *rows), moments(at_day=at_day), rules)
    found = object_to(known, rules)
    flags = found.objects[0, [t.id for t in rules.treatments].index(chosen)]
    return [rule.id for rule, flag in zip(found.rules, flags, strict=True) if flag]


def calm(id: str = "", **values) -> Playbook:
    """The small playbook without pauses, one treatment changed."""
    changed = tuple(replace(t, **values) if t.id == id else t for t in TREATMENTS)
    return playbook(treatments=changed, suppressions=())


# -- validity ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(NOW, None, []), (NOW + 1, None, ["not_valid"]), (None, NOW + 1, []), (None, NOW, ["not_valid"])],
)
def test_a_treatment_is_suggested_within_its_time_alone(start, end, expected) -> None:
    """A congress that is over is not invited to, not even for one microsecond."""
    assert against("visit_news", rules=calm("visit_news", valid_from=start, valid_until=end)) == expected
    assert against("visit_safety", rules=calm("visit_news", valid_from=start, valid_until=end)) == []


def test_a_playbook_that_is_not_valid_contacts_nobody_and_still_lets_stop() -> None:
    """Whoever forgets to renew a playbook must not keep an unwanted mail going by it."""
    over = replace(calm(), valid_until=NOW)

    assert against("visit_news", rules=over) == ["not_valid"]
    assert against("stop_email", rules=over) == []


def test_a_suggestion_ends_with_the_first_of_its_ends() -> None:
    """A text whose approval ends tomorrow must not stand on a list for a week."""
    rules = calm("visit_news", approved_until=at(2.0), valid_until=at(1.0))

    ends = expires_at(rules, moments().as_of)[0]

    ids = [t.id for t in rules.treatments]
    assert ends[ids.index("visit_news")] == at(1.0)
    assert ends[ids.index("visit_safety")] == at(7.0)
    assert expires_at(replace(rules, valid_until=at(0.5)), moments().as_of)[0].max() == at(0.5)


# -- medical and commercial -------------------------------------------------------------------------


def medical(*concerns: str, days: float = 30.0) -> Playbook:
    """Safety belongs to a liaison; the representative has the news and a visit without a topic."""
    roles = playbook().roles
    topics = (
        Topic("news", {"en": "News"}),
        Topic("safety", {"en": "Safety"}, side="medical", concerns=concerns),
    )
    own = (*(t for t in TREATMENTS if t.id != "visit_safety"), treatment("visit_open"))
    return playbook(topics=topics, roles=roles, treatments=own, suppressions=(), medical_question_days=days)


def asked(day: float, topic: str = "safety") -> Row:
    return touchpoint(day, direction="inbound", topic=topic)


def test_while_a_medical_question_is_open_commercial_roles_keep_silent_on_it() -> None:
    """An off-label question must not be answered by a visit that sells."""
    for rules, expected in ((medical(), []), (medical("news"), ["medical_question"])):
        assert against("visit_open", asked(-2.0), rules=rules) == ["medical_question"]
        assert against("visit_news", asked(-2.0), rules=rules) == expected
        assert against("email_news", asked(-2.0), rules=rules) == []


def test_a_medical_question_is_closed_by_an_answer_or_by_time() -> None:
    """Silence that never ends would be a ban."""
    reply = touchpoint(-1.0, channel="email", topic="safety")

    assert against("visit_open", asked(-2.0), reply, rules=medical()) == []
    assert against("visit_open", reply, asked(-0.5), rules=medical()) == ["medical_question"]
    assert against("visit_open", asked(-2.0), rules=medical(days=2.0)) == []
    assert against("visit_open", asked(-2.0, "news"), rules=medical()) == []


# -- offers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("price", "expected"), [(99.0, ["open_offer"]), (100.0, []), (101.0, [])])
def test_nothing_is_offered_below_an_open_quote(price: float, expected: list[str]) -> None:
    """The buyer who has signed nothing yet must not learn that waiting pays."""
    rules = calm("email_news", price=price)

    assert against("email_news", offer(-5.0, 100.0), rules=rules) == expected
    assert against("visit_news", offer(-5.0, 100.0), rules=rules) == []


@pytest.mark.parametrize(
    ("quote", "holds"),
    [
        ({}, True),
        ({"expires_at": 0.0}, False),
        ({"expires_at": 0.5}, True),
        ({"closed_at": -1.0}, False),
        ({"topic": "news"}, True),
        ({"topic": "safety"}, False),
        ({"topic": "safety", "product": "gold"}, True),
        ({"topic": "news", "product": "silver"}, False),
        ({"product": "gold"}, True),
        ({"currency": "USD", "price": 1.0}, True),
        ({"stored": 1.0}, False),
        ({"deleted": True}, False),
    ],
)
def test_a_quote_counts_while_it_is_open_and_about_the_same(quote: dict, holds: bool) -> None:
    """What may be something else counts as the same: fail closed."""
    rules = calm("email_news", price=90.0, product="gold")

    assert against("email_news", offer(-5.0, **quote), rules=rules) == (["open_offer"] if holds else [])


def test_a_quote_is_open_until_it_is_known_to_be_closed() -> None:
    """The decision of yesterday did not know what was settled behind its back."""
    rules = calm("email_news", price=90.0)
    rows = (offer(-5.0, offer_id="q"), offer(-5.0, offer_id="q", stored=-1.0, closed_at=-3.0))

    assert against("email_news", *rows, rules=rules, at_day=-2.0) == ["open_offer"]
    assert against("email_news", *rows, rules=rules) == []


def test_of_several_quotes_the_highest_counts_and_another_currency_is_not_known() -> None:
    """Undercutting any of them undercuts."""
    rules = calm("email_news", price=90.0)
    quotes = (offer(-5.0, 80.0), offer(-4.0, 120.0), offer(-3.0, 85.0))

    known = features(history(*READY, *quotes), rules=rules)
    foreign = features(history(*READY, offer(-5.0, 1.0, currency="USD")), rules=rules)

    assert known.offered[0, 1] == 120.0
    found = object_to(foreign, rules)
    rule = [r.id for r in found.rules].index("open_offer")
    assert found.unknown[0, 1, rule]


# -- a topic held by a person -----------------------------------------------------------------------

HELD = playbook(suppressions=(), topic_held_days=7.0)


@pytest.mark.parametrize(
    ("row", "holds"),
    [
        (touchpoint(-6.9, topic="news"), True),
        (touchpoint(-7.0, topic="news"), False),
        (touchpoint(-1.0, topic="safety"), False),
        (touchpoint(-1.0, treatment="visit_news"), True),
        (touchpoint(-1.0, topic="news", direction="inbound"), True),
        (touchpoint(-1.0, topic="news", direction="inbound", channel="website"), False),
        (touchpoint(-1.0, topic="news", channel="email"), False),
        (touchpoint(-1.0, topic="news", status="cancelled"), False),
        (touchpoint(-1.0, topic="news", stored=1.0), False),
        (planned(20.0, topic="news"), True),
        (planned(-1.0, topic="news", stored=-3.0), True),
        (planned(-8.0, topic="news", stored=-9.0), False),
    ],
)
def test_automated_messages_wait_while_a_person_deals_with_the_topic(row: Row, holds: bool) -> None:
    """A mail that contradicts what was said yesterday costs trust in both."""
    expected = ["topic_held"] if holds else []

    assert against("email_news", row, rules=HELD) == expected
    assert against("visit_news", row, rules=HELD) == []
    assert against("email_news", row, rules=replace(HELD, topic_held_days=0.0)) == []


def test_no_list_has_a_person_and_a_machine_on_one_topic() -> None:
    """Both would speak at the same time; what is worth more goes first, other topics stay."""
    apart = decided(history(*READY), rules=HELD, scorer=WORTH)
    free = decided(history(*READY), rules=replace(HELD, topic_held_days=0.0), scorer=WORTH)

    assert listed(apart) == ["visit_news", "email_safety"]
    assert listed(free) == ["visit_news", "email_news", "email_safety"]


# -- the same by two colleagues ---------------------------------------------------------------------

SAME = Equivalent("same", (), ("email", "visit"), 7.0, same_topic=True)


def equals(**values) -> Playbook:
    return playbook(suppressions=(), equivalents=(replace(SAME, **values),))


@pytest.mark.parametrize(
    ("row", "holds"),
    [
        (touchpoint(-6.9, topic="news"), True),
        (touchpoint(-7.0, topic="news"), False),
        (touchpoint(-1.0, topic="safety"), False),
        (touchpoint(-1.0, treatment="visit_news"), True),
        (touchpoint(-1.0, topic="news", role="system"), False),
        (touchpoint(-1.0, topic="news", role="liaison"), True),
        (touchpoint(-1.0, topic="news", channel="website"), False),
        (touchpoint(-1.0, topic="news", channel="email"), False),
        (touchpoint(-1.0, topic="news", direction="inbound"), False),
        (planned(3.0, topic="news"), True),
        (planned(-3.0, topic="news", stored=-4.0), True),
        (answer(-1.0, "snooze", "visit_news", until=2.0), True),
        (answer(-1.0, "snooze", "visit_news", until=-0.5), False),
        (answer(-1.0, "dismiss", "visit_news", until=2.0), False),
    ],
)
def test_what_one_role_does_no_second_role_does_again(row: Row, holds: bool) -> None:
    """Two calls about the same thing tell the customer that we do not speak with each other."""
    assert against("email_news", row, rules=equals()) == (["equivalent:same"] if holds else [])


def test_equivalents_may_be_named_by_action_and_for_all_topics() -> None:
    """A call is a call, whatever it is about, where the playbook says so."""
    visit = touchpoint(-1.0, treatment="visit_safety", topic="safety")

    assert against("email_news", visit, rules=equals()) == []
    assert against("email_news", visit, rules=equals(same_topic=False)) == ["equivalent:same"]
    by_action = equals(channels=(), actions=("email_news", "visit_news"))
    assert against("email_news", visit, rules=by_action) == []
    assert against("email_news", touchpoint(-1.0, treatment="visit_news"), rules=by_action) == [
        "equivalent:same"
    ]
    assert against("email_safety", touchpoint(-1.0, treatment="visit_news"), rules=by_action) == []


def test_no_list_has_the_same_thing_twice() -> None:
    """Two persons would be shown it at the same time."""
    assert listed(decided(history(*READY), rules=equals(), scorer=WORTH)) == ["visit_news", "email_safety"]


def test_the_same_role_is_no_second_one() -> None:
    """A follow-up by the colleague who was there is the affair of other rules."""
    visit = touchpoint(-1.0, treatment="visit_news", topic="news")

    assert against("visit_news", visit, rules=equals()) == []
    assert against("visit_news", touchpoint(-1.0, channel="email", topic="news"), rules=equals()) == [
        "equivalent:same"
    ]


# -- repetition -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "holds"),
    [
        (touchpoint(-13.9, treatment="visit_news"), True),
        (touchpoint(-14.0, treatment="visit_news"), False),
        (touchpoint(-1.0, treatment="visit_safety"), False),
        (touchpoint(-1.0), False),
        (planned(3.0, treatment="visit_news"), True),
        (planned(-3.0, treatment="visit_news", stored=-4.0), False),
        (touchpoint(-1.0, treatment="visit_news", status="cancelled"), False),
    ],
)
def test_a_treatment_is_repeated_after_its_days(row: Row, holds: bool) -> None:
    """The same visit again next week is no suggestion."""
    rules = calm("visit_news", repeat_after_days=14.0)

    assert against("visit_news", row, rules=rules) == (["repeat"] if holds else [])


def test_a_treatment_is_done_at_most_so_often_ever() -> None:
    """A welcome is said once, however long ago; a plan that came to nothing is none."""
    rules = calm("visit_news", at_most=2)
    once, twice = (touchpoint(day, treatment="visit_news") for day in (-900.0, -300.0))

    assert against("visit_news", once, rules=rules) == []
    assert against("visit_news", once, twice, rules=rules) == ["at_most"]
    assert against("visit_news", once, planned(1.0, treatment="visit_news"), rules=rules) == ["at_most"]
    assert against("visit_news", once, planned(-1.0, stored=-2.0, treatment="visit_news"), rules=rules) == []


def test_an_action_counts_all_its_channels() -> None:
    """Explained on a visit is explained, also to the mail."""
    own = tuple(replace(t, action="tell") if t.id in ("email_news", "visit_news") else t for t in TREATMENTS)
    rules = playbook(treatments=own, suppressions=(), action_repeats=(Repeat("action", "tell", 14.0, None),))
    visit = touchpoint(-3.0, treatment="visit_news")

    result = decided(history(*READY, visit), rules=rules)

    assert objecting(result, "email_news") == ["repeat"]
    assert objecting(result, "visit_safety") == []


def test_one_list_holds_no_more_repeats_than_are_left() -> None:
    """Two on one list are two when both are done."""
    own = tuple(replace(t, action="tell") if t.kind == "contact" else t for t in TREATMENTS)

    def places(after: float | None, most: int | None, *rows: Row) -> list[str]:
        rules = playbook(treatments=own, suppressions=(), places=4,
                         action_repeats=(Repeat("action", "tell", after, most),))  # fmt: skip
        contacts = {"email_news", "email_safety", "visit_news", "visit_safety"}
        return [
            id for id in listed(decided(history(*READY, *rows), rules=rules, scorer=WORTH)) if id in contacts
        ]

    done = touchpoint(-300.0, treatment="visit_safety")
    assert len(places(None, 9)) == 4
    assert places(14.0, None) == ["visit_news"]
    assert places(None, 2) == ["visit_news", "email_news"]
    assert places(None, 3, done) == ["visit_news", "email_news"]
    assert places(None, 2, done) == ["visit_news"]


# -- what suppressions track ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("track", "said"),
    [("impressions", "viewed"), ("clicks", "clicked"), ("replies", "replied"), ("attendances", "attended"),
     ("acceptances", "accepted"), ("rejections", "rejected")],
)  # fmt: skip
def test_every_response_can_be_tracked(track: str, said: str) -> None:
    """Seen three times and never clicked is as much of an answer as a refusal."""
    rules = playbook(suppressions=(Suppression("rest", track, "treatment", 2, 30.0, 30.0),))
    mail = touchpoint(-5.0, id="m", channel="email", treatment="email_news")
    seen = [response("m", day, said) for day in (-4.0, -3.0)]

    assert against("email_news", mail, *seen, rules=rules) == ["suppression:rest"]
    assert against("email_news", mail, seen[0], rules=rules) == []
    other = "clicked" if said != "clicked" else "viewed"
    assert against("email_news", mail, *(response("m", d, other) for d in (-4.0, -3.0)), rules=rules) == []


def test_a_pause_may_go_by_action_or_group() -> None:
    """What was refused as a mail is not offered as a visit the next day."""
    own = tuple(replace(t, action="tell") if t.id in ("email_news", "visit_news") else t for t in TREATMENTS)
    mail = (
        touchpoint(-5.0, id="m", channel="email", treatment="email_news"),
        response("m", -4.0, "rejected"),
    )

    def paused(scope: str, *rows: Row) -> list[str]:
        rules = playbook(treatments=own, suppressions=(Suppression("s", "rejections", scope, 1, 30.0, 30.0),))
        known = features(history(*READY, *rows), rules=rules)
        flags = object_to(known, rules).objects[0].any(axis=1)
        return [t.id for t, flag in zip(own, flags, strict=True) if flag]

    assert paused("action", *mail) == ["email_news", "visit_news"]
    assert paused("group", *mail) == ["email_news", "visit_news", "visit_safety"]
    assert paused("treatment", *mail) == ["email_news"]
    unknown = (touchpoint(-5.0, id="x", channel="email"), response("x", -4.0, "rejected"))
    assert paused("action", *unknown) == []


def test_facts_that_only_rules_read_go_by_account() -> None:
    """What happened with another account must not hold this one back."""
    rules = replace(equals(), topic_held_days=7.0)
    past = history(*READY, touchpoint(-1.0, topic="news", account_id="b"), accounts=("a", "b"))

    known = features(past, moments("a", "b", "a"), rules)

    assert np.isnan(known.held[[0, 2]]).all()
    assert known.held[1, 0] == 1.0
    assert np.isnan(known.equivalent[[0, 2]]).all()
