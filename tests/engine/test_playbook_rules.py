"""Rules of a playbook that are tables: what the text becomes, and what is refused."""

from __future__ import annotations

import pytest

from engine.playbook import Equivalent, Playbook, PlaybookError, Repeat, parse_playbook
from engine.playbook_rules import Calendar
from tests.engine.example_playbook import TEXT, changed

DAY = 86_400_000_000


def with_more(*tables: str) -> Playbook:
    return parse_playbook("\n".join((TEXT, *tables)))


def applies(setting: str) -> str:
    """The canonical text of whom the policy is about."""
    policy = parse_playbook(changed("applies = \"channel = 'visit'\"", setting)).policies[0]
    return "" if policy.applies is None else policy.applies.text


def test_rules_that_are_tables_become_types() -> None:
    """Everything after reading trusts these values."""
    playbook = with_more(
        "[actions.explain_dosing]\nat_most = 3",
        "[equivalents.told]\nchannels = ['visit']\nactions = ['explain_dosing']\ndays = 14",
    )

    assert playbook.repeats == (Repeat("action", "explain_dosing", None, 3),)
    assert playbook.equivalents == (Equivalent("told", ("explain_dosing",), ("visit",), 14.0, True),)


def test_a_day_begins_and_ends_as_people_mean_it() -> None:
    """From the 1st to the 31st includes both."""
    text = changed("value = 500", "valid_from = 2027-01-01\nvalid_until = 2027-01-01\nvalue = 500")
    visit = parse_playbook(text).treatment("visit_dosing")

    assert visit.valid_until is not None
    assert visit.valid_until - visit.valid_from == DAY


def test_a_treatment_says_how_often_it_is_repeated() -> None:
    """Only those with a limit are counted."""
    text = changed("value = 500", "repeat_after_days = 7\nvalue = 500")

    assert parse_playbook(text).repeats == (Repeat("treatment", "visit_dosing", 7.0, None),)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ('for = "issue:information"', "issue = 'information'"),
        ('for = "group:talks"', "action_group = 'talks'"),
        ('for = "action:explain_dosing"', "action = 'explain_dosing'"),
        ('for = ["channel:visit", "role:system"]', "channel = 'visit' OR role = 'system'"),
        ('for = ["issue:information", "issue:preferences"]\napplies = "cost > 3"',
         "(issue = 'information' OR issue = 'preferences') AND (cost > 3)"),
        ("", ""),
    ],
)  # fmt: skip
def test_for_is_short_for_whom_a_policy_is_about(setting: str, expected: str) -> None:
    """A lawyer writes for = "issue:access" and need not know the names of facts."""
    assert applies(setting) == expected


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("applies = ", 'for = "issu:information"\napplies = ',
         "policies.rested.for: unknown level 'issu', did you mean 'issue'?"),
        ("applies = ", 'for = "issue:informatio"\napplies = ',
         "policies.rested.for: issue is never 'informatio', did you mean 'information'?"),
        ("applies = ", 'for = "issue"\napplies = ', "policies.rested.for: got 'issue', need level:id"),
        ("applies = ", "for = 3\napplies = ", "policies.rested.for: got 3, need a list of texts"),
        ("[topics.dosing]", "[topics.dosing]\nside = 'medical'",
         "treatments.visit_dosing.role: 'manager' is commercial and the topic 'dosing' medical"),
        ("[topics.dosing]", "[topics.dosing]\nconcerns = ['dosage']",
         "topics.dosing.concerns: unknown topic 'dosage', did you mean 'dosing'?"),
        ("value = 500", "valid_from = 2027-02-01\nvalid_until = 2027-01-01\nvalue = 500",
         "treatments.visit_dosing.valid_until: it ends before it begins"),
        ('id = "example"', 'id = "example"\nvalid_from = 2027-02-01\nvalid_until = 2027-01-01',
         "valid_until: it ends before it begins"),
        ("value = 10", "value = 10\nat_most = 1", "treatments.stop_email.at_most: only a contact has it"),
        ("value = 500", "value = 500\nat_most = 0", "visit_dosing.at_most: got 0, need at least 1."),
        ("[topics.dosing]", "[actions.explain_dose]\nat_most = 1\n[topics.dosing]",
         "actions.explain_dose: unknown action 'explain_dose', did you mean 'explain_dosing'?"),
        ("[topics.dosing]", "[actions.explain_dosing]\n[topics.dosing]",
         "actions.explain_dosing: give repeat_after_days, at_most or both."),
        ("[topics.dosing]", "[equivalents.x]\ndays = 3\n[topics.dosing]",
         "equivalents.x: name actions, channels or both"),
        ("[topics.dosing]", "[equivalents.x]\ndays = 3\nactions = ['x']\n[topics.dosing]",
         "equivalents.x.actions: unknown action 'x'"),
        ('id = "example"', 'id = "example"\ntopic_held_days = -1', "topic_held_days: got -1, need at"),
    ],
)  # fmt: skip
def test_every_mistake_is_one_line_with_its_place(old: str, new: str, said: str) -> None:
    """Whoever edits a playbook must find the slip without a programmer."""
    with pytest.raises(PlaybookError) as error:
        parse_playbook(changed(old, new))

    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_the_topic_of_one_side_may_go_to_a_role_of_both() -> None:
    """The system sends what medicine has approved."""
    text = changed("[topics.dosing]", "[topics.dosing]\nside = 'medical'")
    text = text.replace('role = "manager"\nissue = "information"', 'role = "liaison"\nissue = "information"')

    assert parse_playbook(text).topics[0].side == "medical"


def test_hours_and_calendars_become_numbers() -> None:
    """Minutes of the day, Monday = 0, days since 1970."""
    text = changed("cost = 90", 'cost = 90\nquiet_hours = "20:30-07:00"\nworking_days = true')

    playbook = parse_playbook(
        text + "\n[calendars.ir]\nworking_days = ['sunday', 'monday']\nholidays = [1970-01-03]"
    )

    visit = next(channel for channel in playbook.channels if channel.id == "visit")
    assert (visit.quiet_hours, visit.working_days) == ((20 * 60 + 30, 7 * 60), True)
    assert playbook.calendars == (Calendar("ir", (0, 6), (2,)),)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("cost = 90", 'cost = 90\nquiet_hours = "20-7"', "visit.quiet_hours: got '20-7', need hours"),
        ("cost = 90", 'cost = 90\nquiet_hours = "24:00-07:00"', "got '24:00-07:00', need hours"),
        ("cost = 90", 'cost = 90\nquiet_hours = "07:00-07:00"', "is the whole day"),
        ("[topics.dosing]", "[calendars.iran]\n[topics.dosing]", "calendars.iran: got 'iran', need"),
        ("[topics.dosing]", "[calendars.ir]\nworking_days = ['fryday']\n[topics.dosing]",
         "calendars.ir.working_days: unknown choice 'fryday', did you mean 'friday'?"),
        ("[topics.dosing]", "[calendars.ir]\nworking_days = []\n[topics.dosing]", "name at least one day"),
        ("[topics.dosing]", "[calendars.ir]\nholidays = ['2027-01-01']\n[topics.dosing]",
         "calendars.ir.holidays: got ['2027-01-01'], need a list of days without quotes"),
    ],
)  # fmt: skip
def test_mistakes_in_hours_and_calendars(old: str, new: str, said: str) -> None:
    """A slip here would ring somebody up at night."""
    with pytest.raises(PlaybookError) as error:
        parse_playbook(changed(old, new))

    assert said in str(error.value)
