"""Every built-in rule removes what it must and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.features import FeatureSet, features_as_of
from engine.playbook import ContactLimit, Playbook, Suppression
from engine.policies import STAGES, fact_of, object_to
from engine.records import Moments
from tests.engine.builders import (
    ATTRIBUTES,
    NOW,
    TREATMENTS,
    account,
    answer,
    features,
    history,
    permission,
    planned,
    playbook,
    response,
    team,
    touchpoint,
)  # fmt: skip
from tests.engine.deciding import READY, policy


def rules_against(treatment: str, *rows, rules: Playbook | None = None) -> list[str]:
    """The ids of the rules that object to a treatment for account "a"."""
    rules = rules or playbook(suppressions=())
    found = object_to(features(history(*rows), rules=rules), rules)
    flags = found.objects[0, [t.id for t in rules.treatments].index(treatment)]
    return [rule.id for rule, flag in zip(found.rules, flags, strict=True) if flag]


def with_treatment(id: str, **values) -> Playbook:
    changed = tuple(replace(t, **values) if t.id == id else t for t in TREATMENTS)
    return playbook(treatments=changed, suppressions=())


def test_nothing_objects_to_an_account_that_is_served_and_has_agreed() -> None:
    """The ground on which the other tests stand: one change each makes one rule object."""
    for treatment in TREATMENTS:
        assert rules_against(treatment.id, *READY) == []


def test_no_contact_is_never_objected_to() -> None:
    """Leaving an account alone must always be possible, whatever the rules say."""
    nothing = playbook(policies=(policy("never", "1 = 0"), policy("never_none", "kind <> 'none'")))

    assert rules_against("none", rules=nothing) == []
    assert "policy:never" in rules_against("visit_news", *READY, rules=nothing)


@pytest.mark.parametrize(("until", "expected"), [(NOW + 1, []), (NOW, ["approval_expired"])])
def test_an_approval_ends_at_its_moment(until: int, expected: list[str]) -> None:
    """A text without approval must not go out, not even for one microsecond."""
    rules = with_treatment("visit_news", approval="EU-1", approved_until=until)

    assert rules_against("visit_news", *READY, rules=rules) == expected


def test_a_treatment_needs_somebody_in_its_role_unless_the_system_acts() -> None:
    """A suggestion that nobody can carry out is noise; automated mail needs no person."""
    permitted = permission(-400.0, channel="email")

    assert rules_against("visit_news", permitted) == ["no_executor"]
    assert rules_against("visit_news", permitted, team(deleted=True)) == ["no_executor"]
    assert rules_against("email_news", permitted) == []


def test_a_channel_that_only_receives_contacts_nobody() -> None:
    """A website is visited, it visits nobody."""
    rules = with_treatment("visit_news", channel="website")

    assert rules_against("visit_news", *READY, rules=rules) == ["channel_not_outbound"]


@pytest.mark.parametrize(
    ("treatment", "status", "expected"),
    [
        ("email_news", "opt_in", []),
        ("email_news", None, ["consent"]),
        ("email_news", "opt_out", ["consent"]),
        ("visit_news", None, []),
        ("visit_news", "opt_out", ["consent"]),
    ],
)
def test_consent_is_needed_by_channel(treatment: str, status: str | None, expected: list[str]) -> None:
    """E-mail needs a permission, a visit only the lack of a refusal."""
    given = () if status is None else (permission(-10.0, status, treatment.split("_", maxsplit=1)[0]),)

    assert rules_against(treatment, team(), *given) == expected


def test_consent_is_told_apart_by_purpose() -> None:
    """Who wants no advertising may still be told that her order is on its way."""
    rows = (team(), permission(-10.0, "opt_out", "email"), permission(-10.0, "opt_in", "email", "service"))

    assert rules_against("email_news", *rows) == ["consent"]
    assert rules_against("email_safety", *rows) == []


def test_a_missing_permission_is_unknown_and_a_refusal_is_not() -> None:
    """What would change it differs: asking for permission, or accepting the refusal."""
    for rows, expected in (((team(),), True), ((team(), permission(-1.0, "opt_out", "email")), False)):
        found = object_to(features(history(*rows)), playbook())
        rule = next(i for i, r in enumerate(found.rules) if r.id == "consent")

        assert found.objects[0, 1, rule]
        assert found.unknown[0, 1, rule] == expected


def test_a_stop_needs_something_to_stop() -> None:
    """Suggesting to stop what has been stopped makes the engine look blind."""
    stopped = permission(-1.0, "opt_out", "email")

    assert rules_against("stop_email", *READY) == []
    assert rules_against("stop_email", team(), stopped) == ["nothing_to_stop"]


@pytest.mark.parametrize(
    ("applies", "when", "removed", "unknown"),
    [
        (None, "days_since_visit > 7", True, False),
        (None, "days_since_visit > 1", False, False),
        (None, "days_since_email > 1", True, True),
        ("channel = 'email'", "days_since_visit > 7", False, False),
        ("days_since_email > 1", "days_since_visit > 7", True, True),
        ("days_since_email > 1", "days_since_visit > 1", False, False),
    ],
)
def test_a_policy_fails_closed(applies: str | None, when: str, removed: bool, unknown: bool) -> None:
    """Unknown counts as not satisfied for what is demanded, and as applying for whom it concerns."""
    rules = playbook(policies=(policy("p", when, applies=applies),), suppressions=())
    past = history(*READY, touchpoint(-3.0))

    found = object_to(features(past, rules=rules), rules)

    rule = next(i for i, r in enumerate(found.rules) if r.id == "policy:p")
    visit = [t.id for t in rules.treatments].index("visit_news")
    assert (found.objects[0, visit, rule], found.unknown[0, visit, rule]) == (removed, unknown)


def test_a_column_that_the_store_lacks_is_unknown() -> None:
    """A playbook may name a column before the first export brings it; nobody passes until then."""
    rules = playbook(policies=(policy("a_only", "segment = 'A'", applies="channel = 'visit'"),))
    known = features(history(*READY), rules=rules, attributes=())

    found = object_to(known, rules)

    assert not found.eligible[0, 4]
    assert found.unknown[0, 4].any()
    assert found.eligible[0, 1]
    assert fact_of(known, rules, "segment", 0, 4) is None


def test_a_limit_counts_what_was_done_and_what_is_planned() -> None:
    """A planned e-mail has been promised: it takes room before it is sent."""
    rules = playbook(contact_limits=(ContactLimit("email", "email", "", 2, 7.0),), suppressions=())
    one, two = touchpoint(-2.0, channel="email"), planned(1.0, channel="email")

    assert rules_against("email_news", *READY, one, rules=rules) == []
    assert rules_against("email_news", *READY, one, two, rules=rules) == ["limit:email"]
    assert rules_against("email_safety", *READY, one, two, rules=rules) == ["limit:email"]
    assert rules_against("visit_news", *READY, one, two, rules=rules) == []
    assert rules_against("stop_email", *READY, one, two, rules=rules) == []


def test_a_limit_may_be_narrowed_to_a_group() -> None:
    """A limit on promotion must not hold back service."""
    rules = playbook(contact_limits=(ContactLimit("promo", "*", "promotion", 1, 7.0),), suppressions=())
    mail = touchpoint(-2.0, channel="email", treatment="email_news")
    rows = (*READY, mail)

    assert rules_against("visit_news", *rows, rules=rules) == ["limit:promo"]
    assert rules_against("email_safety", *rows, rules=rules) == []


def test_a_pause_ends_after_its_days() -> None:
    """A cool-down that never ends is a ban."""
    pause = Suppression("rest", "contacts", "treatment", 1, 30.0, 14.0)
    rules = playbook(suppressions=(pause,))

    for days, expected in ((-13.0, ["suppression:rest"]), (-14.0, [])):
        visit = touchpoint(days, treatment="visit_news", topic="news")

        assert rules_against("visit_news", *READY, visit, rules=rules) == expected
        assert rules_against("visit_safety", *READY, visit, rules=rules) == []


def test_a_rejection_pauses_its_topic_and_no_stop() -> None:
    """Pausing a stop because of what it stops would keep the harm going."""
    pauses = (Suppression("c", "rejections", "channel", 1, 30.0, 30.0),)
    rules = playbook(suppressions=pauses)
    mail = touchpoint(-5.0, id="m", channel="email", treatment="email_news", topic="news")
    rows = (*READY, mail, response("m", -4.0, "rejected"))

    assert rules_against("email_news", *rows, rules=rules) == ["suppression:c"]
    assert rules_against("stop_email", *rows, rules=rules) == []


def test_a_snooze_lasts_until_its_moment() -> None:
    """Snoozed stays snoozed, and comes back."""
    assert rules_against("visit_safety", *READY, answer(-1.0, "snooze", until=1.0)) == ["snoozed"]
    assert rules_against("visit_safety", *READY, answer(-2.0, "snooze", until=-1.0)) == []
    assert rules_against("visit_news", *READY, answer(-1.0, "snooze", until=1.0)) == []


def test_every_objection_is_kept_and_the_first_stage_counts() -> None:
    """Whoever asks why not must learn all that stands in the way, in funnel order."""
    rules = playbook(policies=(policy("p", "1 = 0", stage="suitability"),))

    found = object_to(features(history(account()), rules=rules), rules)

    names = [rule.id for rule, flag in zip(found.rules, found.objects[0, 4], strict=True) if flag]
    assert names == ["no_executor", "policy:p"]
    assert STAGES[found.first_stage[0, 4]] == "availability"
    assert STAGES[found.first_stage[0, 1]] == "suitability"
    assert found.first_stage[0, 0] == -1


def test_rules_stand_in_canonical_order_whatever_the_playbook_says() -> None:
    """Two texts of one playbook that differ in order must give the same record."""
    rules = [policy("b", "1 = 1"), policy("a", "1 = 1"), policy("c", "1 = 1", stage="eligibility")]

    orders = [
        object_to(features(history(), rules=p), p).rules
        for p in (playbook(policies=tuple(rules)), playbook(policies=tuple(reversed(rules))))
    ]

    assert orders[0] == orders[1]
    assert [r.id for r in orders[0] if r.kind == "policy"] == ["policy:c", "policy:a", "policy:b"]


def test_no_moments_give_no_objections() -> None:
    """An empty bucket is not an error."""
    rules, nobody = playbook(), Moments.at((), NOW)
    known = features_as_of(history(), nobody, playbook=rules, features=FeatureSet.of(rules, ATTRIBUTES))

    found = object_to(known, rules)

    assert found.objects.shape[:2] == (0, 6)
    assert found.first_stage.shape == (0, 6)


@pytest.mark.parametrize(
    ("zone", "default", "expected"),
    [
        (None, "Europe/Berlin", []),
        (None, "", ["no_timezone"]),
        ("Asia/Tehran", "", []),
    ],
)
def test_without_any_time_zone_nobody_is_contacted(
    zone: str | None, default: str, expected: list[str]
) -> None:
    """Nobody knows whether it is night there; to stop something needs no clock."""
    rules = playbook(suppressions=(), default_timezone=default)
    there = account(timezone=zone, stored=-50.0)

    assert rules_against("visit_news", there, *READY, rules=rules) == expected
    assert rules_against("stop_email", there, *READY, rules=rules) == []


def test_a_time_zone_counts_from_when_it_is_known() -> None:
    """Law 2 for this fact as for any other."""
    rules = playbook(suppressions=(), default_timezone="")
    later = (account(stored=-50.0), account(timezone="Asia/Tehran", stored=1.0))

    assert rules_against("visit_news", *later, *READY, rules=rules) == ["no_timezone"]


def test_whom_a_rule_is_about_is_not_mixed_up_between_candidates() -> None:
    """It is kept for the candidates met last: other codes of the same playbook must not answer for them."""
    own = playbook(policies=(policy("visits", "potential_value > 1000000", applies="channel = 'visit'"),))
    asked = features(history(account("a")), Moments.at(["a"], 1_767_225_600_000_000), own)
    turned = replace(asked, treatment=np.ascontiguousarray(asked.treatment[::-1]))

    first = object_to(asked, own)
    other = object_to(turned, own)
    again = object_to(asked, own)

    place = [rule.id for rule in first.rules].index("policy:visits")
    assert np.array_equal(first.objects, again.objects)
    assert first.objects[0, :, place].tolist() != other.objects[0, :, place].tolist()
