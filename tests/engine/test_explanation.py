"""Why and why not: the reasons, the facts they quote, and how they are said."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.decide import Decisions
from engine.explanation import Objection, Reason, headline, objection_words, why, why_not, words
from engine.playbook import ContactLimit, Playbook, Suppression, Topic
from engine.wording import Reader
from tests.engine.builders import (
    NOW,
    TREATMENTS,
    at,
    history,
    permission,
    playbook,
    response,
    team,
    touchpoint,
)
from tests.engine.deciding import READY, FixedScorer, decided, index, listed, policy, weight

HOUR = 3_600_000_000
WORTH = FixedScorer({"visit_safety": 300.0, "visit_news": 200.0, "email_news": 50.0})
READ_PAGE = (
    permission(-300.0, purpose="web_behaviour"),
    touchpoint(-3 / 1440, channel="website", direction="inbound", topic="safety"),
)
"""Three minutes ago somebody of the account read the page on safety."""


def reasons(result: Decisions, treatment: str, rules: Playbook | None = None) -> dict[str, Reason]:
    found = why(result, 0, index(result, treatment), rules or playbook())
    return {reason.code: reason for reason in found}


def against(result: Decisions, treatment: str, rules: Playbook | None = None) -> tuple[Objection, ...]:
    return why_not(result, 0, index(result, treatment), rules or playbook())


def said(
    thing: Reason | Objection, language: str = "en", now: int = NOW, rules: Playbook | None = None
) -> str:
    speak = words if isinstance(thing, Reason) else objection_words
    return speak(thing, Reader(language, now, None, rules or playbook()))


def test_what_the_customer_has_just_read_is_told_first() -> None:
    """The flagship: the page, the channel and the minute, each from the facts."""
    result = decided(history(*READY, *READ_PAGE), scorer=WORTH)

    found = why(result, 0, index(result, "visit_safety"), playbook())

    assert found[0].code == "read_topic"
    assert found[0].facts == {
        "topic": "safety", "channel": "website", "days": 3 / 1440, "at": at(-3 / 1440),
    }  # fmt: skip
    assert said(found[0]) == "Looked up “Safety” 3 minutes ago (Website)."


def test_another_topic_or_no_permission_tells_nothing() -> None:
    """A reason that the facts do not carry costs the trust of whoever reads it."""
    read = decided(history(*READY, *READ_PAGE), scorer=WORTH)
    refused = decided(history(*READY, READ_PAGE[1]), scorer=WORTH)

    assert "read_topic" not in reasons(read, "visit_news")
    assert "read_topic" not in reasons(refused, "visit_safety")


def test_a_question_is_told_as_a_question() -> None:
    """Who called us did not read a page."""
    call = touchpoint(-2.0, channel="visit", direction="inbound", topic="news")

    reason = reasons(decided(history(*READY, call), scorer=WORTH), "visit_news")["asked_topic"]

    assert said(reason) == "Turned to us about “News” 2 days ago (Visit)."


def test_a_channel_that_was_used_again_since_is_not_named() -> None:
    """The website was visited for something else meanwhile: to name a channel would be a guess."""
    again = touchpoint(-1 / 1440, channel="website", direction="inbound", topic="news")

    reason = reasons(decided(history(*READY, *READ_PAGE, again), scorer=WORTH), "visit_safety")

    assert "read_topic" not in reason
    assert said(reason["topic_of_interest"]) == "Showed interest in “Safety” 3 minutes ago."


def test_a_trigger_carries_what_its_weight_adds() -> None:
    """Priority (300 - 90) x 4 = 840 instead of 210: the page read adds 630, said once."""
    rules = playbook(
        context_weights=(weight("fresh", "days_since_inbound_safety < 1", 4.0, applies="topic = 'safety'"),),
        optout_loss=0.0,
    )
    found = reasons(decided(history(*READY, *READ_PAGE), rules=rules, scorer=WORTH), "visit_safety", rules)

    assert found["read_topic"].amount == pytest.approx(630.0)
    assert found["expected_value"].amount == pytest.approx(210.0)
    assert "context_weight" not in found


def test_another_weight_is_a_reason_of_its_own_with_the_facts_it_read() -> None:
    """What lifts a suggestion must be visible, or rules cannot be debugged by their readers."""
    rules = playbook(
        context_weights=(weight("large_account", "potential_value > 500", 2.0),), optout_loss=0.0
    )

    found = reasons(decided(history(*READY), rules=rules, scorer=WORTH), "visit_safety", rules)

    assert found["context_weight"].amount == pytest.approx(210.0)
    assert found["context_weight"].facts["potential_value"] == 1000.0
    assert said(found["context_weight"]) == "Counts 2 times as much now (large account)."


def test_expected_value_quotes_money_and_evidence() -> None:
    """The number that ranks is the number that is shown."""
    result = decided(history(*READY), scorer=replace(WORTH, optout=0.002))
    reason = reasons(result, "visit_safety")["expected_value"]

    assert reason.facts["priority"] == result.priority.priority[0, index(result, "visit_safety")]
    assert said(reason) == (
        "Expected to bring 300 EUR more than no contact; cost 90 EUR, risk of an opt-out 1 EUR "
        "(from 50 cases)."
    )


def test_without_evidence_the_estimate_is_called_what_it_is() -> None:
    """A starting value of the playbook is not knowledge."""
    found = reasons(decided(history(*READY), scorer=replace(WORTH, evidence=0)), "visit_safety")

    assert "expected_value" not in found
    assert said(found["starting_value"]).startswith("Starting estimate: 300 EUR more than no contact")


def test_history_of_the_channel_is_counted() -> None:
    """Two visits, one accepted; the last one twelve days ago."""
    past = history(*READY, touchpoint(-40.0, id="v"), response("v", -39.0, "accepted"), touchpoint(-12.0))
    found = reasons(decided(past, scorer=WORTH), "visit_news")

    assert (
        said(found["response_history"])
        == "Positive response to 1 of 2 contacts (Visit) in the last 365 days."
    )
    assert said(found["last_contact"]) == "Last contact (Visit): 12 days ago."


def test_a_first_contact_is_said_to_be_the_first() -> None:
    """Never is not a large number of days."""
    found = reasons(decided(history(*READY), scorer=WORTH), "visit_news")

    assert said(found["no_contact_yet"]) == "No contact yet (Visit)."
    assert not {"last_contact", "response_history"} & set(found)


def test_a_stop_says_what_was_sent_in_vain() -> None:
    """Six e-mails, no answer: the reason to stop, before the money."""
    mails = [touchpoint(-10.0 * i, channel="email", treatment="email_news") for i in range(1, 7)]
    result = decided(history(*READY, *mails), scorer=FixedScorer({"stop_email": 40.0}))

    found = why(result, 0, index(result, "stop_email"), playbook())

    assert [reason.code for reason in found] == ["stop_no_response", "expected_saving"]
    assert said(found[0]) == "6 contacts (E-mail) in the last 90 days, none with a positive response."
    assert said(found[1]) == "Stopping is expected to save 40 EUR; cost 1 EUR (from 50 cases)."


def test_what_was_drawn_says_so_first() -> None:
    """Exploration that pretends to be a recommendation is a lie."""
    rules = playbook(exploration_share=0.9, suppressions=())
    for seed in range(30):
        result = decided(history(*READY), rules=rules, scorer=WORTH, seed=seed)
        first = why(result, 0, int(result.ranking.places[0, 0]), rules)[0]

        assert (first.code == "explored") == bool(result.ranking.explored[0])
        if first.code == "explored":
            assert first.facts["probability"] == result.ranking.probability[0]


def test_no_contact_has_reasons_too() -> None:
    """An empty list must not look like a fault."""
    nothing_pays = decided(history(*READY), scorer=FixedScorer())
    forbidden = playbook(policies=(policy("never", "1 = 0"),))
    nothing_allowed = decided(history(*READY), rules=forbidden, scorer=WORTH)

    assert said(why(nothing_pays, 0, 0, playbook())[0]) == (
        "None of the possible actions (5) is worth more than no contact today."
    )
    assert said(why(nothing_allowed, 0, 0, forbidden)[0]) == "No action is allowed today."


def test_leaders_formula_is_explained_by_its_own_parts() -> None:
    """A reason names what was ranked by, not what was not."""
    rules = playbook(priority="leaders")
    found = reasons(decided(history(*READY), rules=rules, scorer=WORTH), "visit_news", rules)

    assert (
        said(found["expected_response"]) == "25% chance of a positive response worth 200 EUR (from 50 cases)."
    )
    assert found["expected_response"].amount == 50.0


def test_why_not_gives_all_objections_in_funnel_order_with_their_facts() -> None:
    """Visited yesterday, no visit today: the answer quotes the day, the limit its count."""
    rules = playbook(
        policies=(policy("rest", "coalesce(days_since_visit, 99) > 7", applies="channel = 'visit'"),),
        contact_limits=(ContactLimit("v", "visit", "", 1, 7.0),),
        suppressions=(Suppression("pause", "contacts", "treatment", 1, 30.0, 14.0),),
    )
    visit = touchpoint(-1.0, treatment="visit_news", topic="news")

    found = against(decided(history(*READY, visit), rules=rules, scorer=WORTH), "visit_news", rules)

    assert [o.rule for o in found] == ["policy:rest", "limit:v", "suppression:pause"]
    assert found[0].facts == {"days_since_visit": 1.0, "channel": "visit"}
    assert [said(o, rules=rules) for o in found] == [
        "Policy rest. (days since visit: 1)",
        "1 of at most 1 contacts within 7 days are used (Visit).",
        "Paused after 1 × contact within 30 days; 13 days left.",
    ]


def test_why_not_tells_unknown_from_refused() -> None:
    """Asking for a permission helps in one case and offends in the other."""
    unknown = against(decided(history(team())), "email_news")
    refused = against(decided(history(team(), permission(-1.0, "opt_out", "email"))), "email_news")

    assert [o.unknown for o in unknown] == [True]
    assert said(unknown[0]) == "No permission is recorded for marketing messages (E-mail)."
    assert said(refused[0]) == "Opted out of marketing messages (E-mail)."


def test_why_not_without_a_rule_says_how_far_it_is_behind() -> None:
    """Beaten by money: by whom and by how much."""
    rules = playbook(places=1, optout_loss=0.0)
    result = decided(history(*READY), rules=rules, scorer=WORTH)

    (beaten,) = against(result, "visit_news", rules)
    (worthless,) = against(result, "email_safety", rules)

    assert (beaten.rule, beaten.stage) == ("outranked", "arbitration")
    assert (beaten.facts["by"], beaten.facts["short_of"]) == ("visit_safety", 100.0)
    assert said(beaten) == "Worth 110 EUR; “Visit: Safety” with 210 EUR goes first."
    assert (worthless.rule, worthless.facts["short_of"]) == ("below_no_contact", 1.0)
    assert said(worthless) == (
        "Not worth more than no contact: brings 0 EUR, costs 1 EUR, risk of an opt-out 0 EUR."
    )


def test_why_not_names_what_took_the_room() -> None:
    """The list as a whole keeps the limit; the neighbour is named."""
    rules = playbook(contact_limits=(ContactLimit("v", "visit", "", 1, 7.0),))
    (objection,) = against(decided(history(*READY), rules=rules, scorer=WORTH), "visit_news", rules)

    assert (objection.rule, objection.facts["by"]) == ("no_room_together", "visit_safety")


def test_nothing_speaks_against_what_was_placed() -> None:
    """Why not a thing that is there? There is no answer to that."""
    assert against(decided(history(*READY), scorer=WORTH), "visit_safety") == ()


def test_reasons_and_objections_are_json() -> None:
    """They are stored and sent; NaN and numpy numbers are not JSON."""
    result = decided(history(*READY, *READ_PAGE), scorer=WORTH)

    for treatment in range(len(TREATMENTS)):
        for thing in (*why(result, 0, treatment, playbook()), *why_not(result, 0, treatment, playbook())):
            facts = dict(thing.facts)
            assert json.loads(json.dumps(facts, allow_nan=False)) == facts
            assert all(type(value) in (str, int, float, type(None)) for value in facts.values())


@pytest.mark.parametrize(
    ("later", "spoken"),
    [
        (0, "just now"), (119_000_000, "just now"), (120_000_000, "2 minutes ago"), (HOUR, "1 hour ago"),
        (23 * HOUR, "23 hours ago"), (24 * HOUR, "1 day ago"), (80 * HOUR, "3 days ago"), (-HOUR, "just now"),
    ],
)  # fmt: skip
def test_a_sentence_ages_by_the_clock_of_the_reader(later: int, spoken: str) -> None:
    """ "Just now" in the evening about the morning is false."""
    reason = Reason("last_contact", {"channel": "visit", "at": NOW})

    assert said(reason, now=NOW + later) == f"Last contact (Visit): {spoken}."


@pytest.mark.parametrize(
    ("hour_read", "hours_later", "spoken"),
    [(8, 5, "this morning"), (8, 2, "2 hours ago"), (14, 5, "5 hours ago"), (14, 20, "yesterday"),
     (22, 3, "3 hours ago"), (8, 55, "2 days ago")],
)  # fmt: skip
def test_with_a_time_zone_a_sentence_says_this_morning_and_yesterday(
    hour_read: int, hours_later: int, spoken: str
) -> None:
    """In Tehran (UTC+3:30) the morning is another one than in UTC."""
    read = NOW + hour_read * HOUR - HOUR * 7 // 2
    reason = Reason("last_contact", {"channel": "visit", "at": read})

    sentence = words(reason, Reader("en", read + hours_later * HOUR, ZoneInfo("Asia/Tehran"), playbook()))

    assert sentence == f"Last contact (Visit): {spoken}."


@pytest.mark.parametrize(
    ("minutes", "spoken"),
    [(2, "قبل دقيقتين"), (3, "قبل 3 دقائق"), (10, "قبل 10 دقائق"), (11, "قبل 11 دقيقة"), (60, "قبل ساعة")],
)
def test_arabic_numbers_take_their_plural_forms(minutes: int, spoken: str) -> None:
    """Six forms: a wrong one is heard at once."""
    reason = Reason("read_topic", {"topic": "news", "channel": "website", "at": NOW})

    assert spoken in said(reason, "ar", NOW + minutes * 60_000_000)


def test_persian_uses_persian_digits_and_an_unknown_language_english() -> None:
    """Digits follow the language; who reads neither gets what is complete."""
    reason = Reason("read_topic", {"topic": "news", "channel": "website", "at": NOW})

    assert "۳ دقیقه پیش" in said(reason, "fa", NOW + 180_000_000)
    assert said(reason, "tlh", NOW) == "Looked up “News” just now (Website)."


def test_a_stored_reason_can_be_said_later() -> None:
    """The ledger keeps JSON; a fact that an older version did not store is not known, not a crash."""
    stored = json.loads(json.dumps(asdict(Reason("read_topic", {"topic": "news", "at": NOW}))))

    assert said(Reason(**stored)) == "Looked up “News” just now (another channel)."


def with_text(text: str) -> Playbook:
    changed = tuple(replace(t, text={"en": text}) if t.id == "visit_safety" else t for t in TREATMENTS)
    return playbook(treatments=changed)


@pytest.mark.parametrize(
    ("text", "reasons_given", "expected"),
    [
        ("{name} looked it up {when}. Visit {name}.", True,
         "Dr {when} looked it up 3 minutes ago. Visit Dr {when}."),
        ("{name} looked it up {when}. Visit {name}.", False, "Dr {when} looked it up. Visit Dr {when}."),
        ("{when}, a visit", True, "3 minutes ago, a visit"),
        ("{when} Visit {name}", False, "Visit Dr {when}"),
        ("Costs {5} {name", True, "Costs {5} {name"),
    ],
)  # fmt: skip
def test_a_headline_fills_name_and_time_and_nothing_else(
    text: str, reasons_given: bool, expected: str
) -> None:
    """A name is data: braces in it must neither break the sentence nor be filled again."""
    found = (Reason("read_topic", {"topic": "safety", "at": NOW - 180_000_000}),) if reasons_given else ()

    line = headline("visit_safety", found, "Dr {when}", Reader("en", NOW, None, with_text(text)))

    assert line == expected


@pytest.mark.parametrize(
    ("code", "channel", "expected"),
    [
        ("read_topic", "website", "Dr A read it on our site 3 minutes ago. Visit Dr A."),
        ("read_topic", "podcast", "Dr A looked up “Safety” 3 minutes ago (podcast). Visit Dr A."),
        ("asked_topic", "visit", "Dr A turned to us about “Safety” 3 minutes ago (Visit). Visit Dr A."),
        ("topic_of_interest", None, "Dr A showed interest in “Safety” 3 minutes ago. Visit Dr A."),
        (None, None, "Visit Dr A."),
    ],
)
def test_a_headline_says_what_happened_through_the_channel_where_it_happened(
    code: str | None, channel: str | None, expected: str
) -> None:
    """A question on the telephone was never a page of the website, and without a trigger nothing happened."""
    read = {"website": {"en": "{name} read it on our site {when}."}}
    topics = (Topic("news", {"en": "News"}), Topic("safety", {"en": "Safety"}, triggers=read))
    rules = replace(with_text("{trigger} Visit {name}."), topics=topics)
    facts = {"topic": "safety", "at": NOW - 180_000_000} | ({"channel": channel} if channel else {})
    found = (Reason(code, facts),) if code else ()

    line = headline("visit_safety", found, "Dr A", Reader("en", NOW, None, rules))

    assert line == expected


def test_a_name_in_a_right_to_left_sentence_is_isolated() -> None:
    """A Latin name inside Arabic text turns the punctuation around unless it is isolated."""
    rules = replace(with_text("x"), treatments=tuple(
        replace(t, text={"en": "Visit {name}.", "ar": "زيارة {name}."}) for t in TREATMENTS
    ))  # fmt: skip

    line = headline("visit_safety", (), "Dr Olfat", Reader("ar", NOW, None, rules))

    assert line == "زيارة \u2068Dr Olfat\u2069."


def test_a_column_is_called_as_the_playbook_calls_it() -> None:
    """A company's own columns are named in one language in the data and read in three."""
    rules = playbook(columns={"online_hours": {"en": "hours online", "ar": "ساعات الاتصال"}})
    facts = {"attribute": "online_hours", "value": 5.0}

    said = {one: words(Reason("profile", facts), Reader(one, NOW, None, rules))
            for one in ("en", "ar", "fa")}  # fmt: skip
    sized = playbook(column_values={"size": {"solo": {"en": "alone", "ar": "عيادة فردية"}}})
    valued = [words(Reason("profile", {"attribute": column, "value": "solo"}),
                    Reader("ar", NOW, None, sized)) for column in ("size", "industry")]  # fmt: skip
    unnamed = words(Reason("profile", facts), Reader("ar", NOW, None, playbook()))

    assert said == {
        "en": "About the account: hours online = 5.",
        "ar": "عن العميل: ساعات الاتصال = 5.",
        "fa": "دربارهٔ مشتری: hours online = ۵.",
    }
    assert unnamed == "عن العميل: \u2068online hours\u2069 = 5."
    assert valued == ["عن العميل: الحجم = عيادة فردية.", "عن العميل: التخصص أو القطاع = \u2068solo\u2069."]


@pytest.mark.parametrize(("column", "value", "said"), [
    ("language", "de", {"en": "language = German", "ar": "اللغة = الألمانية", "fa": "زبان = آلمانی"}),
    ("country", "FR", {"en": "country = France", "ar": "البلد = فرنسا", "fa": "کشور = فرانسه"}),
    ("country", "Atlantis", {"en": "country = Atlantis"}),
    ("potential_value", 53459.0, {"en": "potential a year = 53,459 EUR",
                                  "fa": "ارزش بالقوهٔ سالانه = ۵۳٬۴۵۹ یورو"}),
    ("automated", 1.0, {"en": "served automatically = yes", "ar": "خدمة آلية = نعم"}),
    ("automated", None, {"en": "served automatically = not known"}),
    ("segment", "A", {"en": "segment = A"}),
])  # fmt: skip
def test_columns_of_the_contract_are_said_in_words(column: str, value: Any, said: dict[str, str]) -> None:
    """Nobody reads codes before a door; an account's page and its reasons say the same."""
    reason = Reason("profile", {"attribute": column, "value": value})

    for language, expected in said.items():
        assert expected in words(reason, Reader(language, NOW, None, playbook()))


def test_a_policy_speaks_in_the_language_of_its_playbook_and_survives_its_removal() -> None:
    """An objection stored under yesterday's playbook may name a policy that is gone."""
    objection = Objection("policy:gone_one", "suitability", True, {"days_since_visit": None})

    assert (
        said(objection)
        == "gone_one Not satisfied, because something is not known. (days since visit: not known)"
    )


def test_why_not_names_the_neighbour_on_the_full_limit_not_on_one_with_room() -> None:
    """Both share the limit over all contacts, which has room; the one on visits is full."""
    limits = (ContactLimit("all", "*", "", 10, 30.0), ContactLimit("v", "visit", "", 1, 7.0))
    rules = playbook(contact_limits=limits, optout_loss=0.0)
    worth = FixedScorer({"email_news": 900.0, "visit_safety": 300.0, "visit_news": 200.0})
    result = decided(history(*READY), rules=rules, scorer=worth)

    (objection,) = against(result, "visit_news", rules)

    assert listed(result) == ["email_news", "visit_safety"]
    assert (objection.rule, objection.facts["by"]) == ("no_room_together", "visit_safety")


def test_a_weight_that_reads_an_old_question_is_told_without_its_trigger() -> None:
    """The page was read 60 days ago: too old to be told, but what lifts the priority must be."""
    lifted = weight("asked_once", "inbound_safety_365d >= 1", 2.0, applies="topic = 'safety'")
    page = touchpoint(-60.0, channel="website", direction="inbound", topic="safety")
    rules = playbook(context_weights=(lifted,), optout_loss=0.0)

    found = reasons(
        decided(history(*READY, READ_PAGE[0], page), rules=rules, scorer=WORTH), "visit_safety", rules
    )

    assert "read_topic" not in found
    assert found["context_weight"].amount == pytest.approx(210.0)


@pytest.mark.parametrize(("language", "spoken"), [("en", "-5"), ("ar", "\u200e-5"), ("fa", "\u200e-۵")])
def test_a_minus_stands_before_its_number_in_every_direction_of_writing(language: str, spoken: str) -> None:
    """Right to left, a bare minus is shown behind the number: 5- is no loss of five."""
    loss = Objection("below_no_contact", "arbitration", False, {"caused": -5.0, "cost": 1.0, "fatigue": 0.0})

    assert f"{spoken} " in said(loss, language)
    assert said(loss, language).count("\u200e") == spoken.count("\u200e")
