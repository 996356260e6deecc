"""Every mistake in a playbook is said in one line, with its place and what is near."""

import re

import pytest

from engine.playbook import PlaybookError, parse_playbook
from engine.playbook_settings import SECTIONS
from tests.engine.example_playbook import TEXT, changed


def message_of(text):
    with pytest.raises(PlaybookError) as error:
        parse_playbook(text)
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('channel = "visit"', 'channel = "vist"',
         "treatments.visit_dosing.channel: unknown channel 'vist', did you mean 'visit'?"),
        ('topic = "dosing"', 'topic = "dosage"', "treatments.visit_dosing.topic: unknown topic 'dosage'"),
        ('role = "manager"', 'role = "manger"',
         "treatments.visit_dosing.role: unknown role 'manger', did you mean 'manager'?"),
        ('issue = "information"', 'issue = "informations"', "unknown issue 'informations', did you mean"),
        ('group = "talks"', 'group = "talk"',
         "treatments.visit_dosing.group: unknown group 'talk', did you mean"),
        ('group = "talks"', 'group = "stop"',
         "'stop' is no group of issue 'information'; it has talks, mails."),
        ('channel = "visit"\ncount', 'channel = "vist"\ncount',
         "contact_limits.visits.channel: unknown channel"),
        ('sees = ["manager"]', 'sees = ["boss"]', "roles.liaison.sees: unknown role 'boss'"),
        ('sees = ["system"]', 'sees = ["liaison"]',
         "roles.manager.sees: 'manager' is commercial and may not see"),
        ('role = "system"', 'role = "manager"', "treatments.email_dosing.role: channel 'email' is automated"),
        ('role = "manager"', 'role = "system"',
         "treatments.visit_dosing.role: channel 'visit' is not automated"),
        ("value = 500", "valeu = 500",
         "treatments.visit_dosing.valeu: unknown setting, did you mean 'value'?"),
        ("[policies.rested]", "[polices.rested]", "polices: unknown setting, did you mean 'policies'?"),
        ("value = 500\n", "", "treatments.visit_dosing.value: missing."),
        ("starting_uplift = 0.2\n", "", "treatments.visit_dosing.starting_uplift: missing."),
        ('currency = "EUR"\n', "", "currency: missing."),
        ('currency = "EUR"', 'currency = "euro"', "currency: got 'euro', need an ISO 4217 code"),
        ('id = "example"', 'id = "Ex ample"', "id: got 'Ex ample', need an id of small letters"),
        ("cost = 90", 'cost = "90"', "channels.visit.cost: got '90', need a number."),
        ("cost = 90", "cost = true", "channels.visit.cost: got true, need a number."),
        ("cost = 90", "cost = nan", "channels.visit.cost: got nan, need a number."),
        ("cost = 90", "cost = -1", "channels.visit.cost: got -1, need at least 0."),
        ("followed = 0.01", "followed = 60", "roles.manager.followed: got 60, need a number from 0 to 1."),
        ("automated = true", 'automated = "yes"', "channels.email.automated: got 'yes', need true or false."),
        ("count = 2", "count = 2.5", "contact_limits.visits.count: got 2.5, need a whole number."),
        ("days = 30", "days = 0", "contact_limits.visits.days: got 0, need more than 0 days"),
        ('side = "medical"', 'side = "medic"',
         "roles.liaison.side: unknown choice 'medic', did you mean 'medical'?"),
        ('stage = "suitability"', 'stage = "later"',
         "policies.rested.stage: unknown choice 'later'; known: app"),
        ('track = "rejections"', 'track = "visits"', "suppressions.rejected.track: unknown choice 'visits'"),
        ('languages = ["en", "fa"]', 'languages = ["en", "fa", "ar"]', "the text in 'ar' is missing."),
        ('languages = ["en", "fa"]', 'languages = ["english"]',
         "languages: got ['english'], need a list of ISO"),
        ('languages = ["en", "fa"]', 'languages = ["en", "en"]', "languages: 'en' stands there twice."),
        ('languages = ["en", "fa"]\n', "", "languages: missing."),
        ('fa = "ویزیت" }', 'fa = " " }', "channels.visit.name: the text in 'fa' is missing."),
        ('fa = "ویزیت" }', 'fa = "ویزیت", de = "Besuch" }', "channels.visit.name: unknown language 'de'"),
        ('"Visit {name}."', '"Visit {nam}."',
         "treatments.visit_dosing.text.en: got 'Visit {nam}.', only {name}, {when} and {trigger} may stand"),
        ('"Visit {name}."', '"Visit {name."', "treatments.visit_dosing.text.en: got"),
        ('"Visit {name}."', '"Visit {name!r}."', "may stand in braces."),
        ('"Visit {name}."', '"Visit {}."', "treatments.visit_dosing.text.en: got 'Visit {}.'"),
        ("approved_until = 2027-12-31", 'approved_until = "2027-12-31"', "need a day without quotes"),
        ("approved_until = 2027-12-31", "approved_until = 2027-12-31T10:00:00", "need an offset"),
        ("coalesce(days_since_visit, 999) > 7", "sgment = 'A'",
         "policies.rested.when: unknown fact 'sgment', did you mean 'segment'?"),
        ("coalesce(days_since_visit, 999) > 7", "automated", "policies.rested.when: 'automated' is a number"),
        ("coalesce(days_since_visit, 999) > 7", "count(segment) > 1", "policies.rested.when: "),
        ("coalesce(days_since_visit, 999) > 7", "current_date > 7", "reads no clock"),
        ("coalesce(days_since_visit, 999) > 7", "", "policies.rested.when: the condition is empty"),
        ('"channel = \'visit\'"', '"channel = \'vist\'"',
         "policies.rested.applies: channel is never 'vist', did you"),
        ('"channel = \'visit\'"', '"role = \'manger\'"', "role is never 'manger', did you mean 'manager'?"),
        ("[topics.dosing]", "[topics.visit]", "treatments.email_dosing.topic: unknown topic 'dosing'"),
        ("[topics.dosing]", "[topics.dosing]\nname = { en = 'D', fa = 'D' }\n[topics.email]",
         "would mean two things: one of channel 'email' and one of topic 'email'"),
        ("[channels.email]", "[channels.any]\nname = { en = 'D', fa = 'D' }\n[channels.email]",
         "would mean two things: a built-in one and one of channel 'any'"),
        ('city = "text"', 'channel = "text"', "'channel' would mean two things"),
        ('city = "text"', 'city = "words"', "attributes.city: got 'words', need"),
        ("outcomes = { order = 2 }", "outcomes = { order = -2 }", "outcomes.order: got -2, need at least 0."),
        ("outcomes = { order = 2 }", "outcomes = 2", "outcomes: got 2, need a table."),
        ("outcomes = { order = 2 }", "outcomes = { order = 1 }\nlevers = { issue = { x = 5 } }",
         "levers.issue.x: unknown issue 'x'."),
        ("outcomes = { order = 2 }", "outcomes = { order = 1 }\nlevers = { treatment = { x = 5 } }",
         "levers.treatment: unknown kind of lever"),
        ("outcomes = { order = 2 }",
         "outcomes = { order = 1 }\nlevers = { issue = { information = -60 }, group = { mails = -50 } }",
         "those of treatments.email_dosing add up to -110, need at least -100."),
        ("outcomes = { order = 2 }", "outcomes = { order = 1 }\nexploration_share = 1", "from 0 to 0.5."),
        ("outcomes = { order = 2 }",
         'outcomes = { order = 1 }\nexploration = "thompson"\npriority = "leaders"',
         'exploration: "thompson" draws from what is uncertain of the value caused'),
        ('stops = ["email:marketing"]\n', "", "treatments.stop_email.stops: missing."),
        ('stops = ["email:marketing"]', 'stops = ["mail:marketing"]', "unknown channel 'mail', did you mean"),
        ('stops = ["email:marketing"]', 'stops = ["email"]', "need channel:purpose"),
        ("value = 500", 'value = 500\nstops = ["email:marketing"]', 'only a treatment of kind = "stop"'),
        ("[treatments.stop_email]", "[treatments.none]", "treatments.none: 'none' always exists"),
        ("[treatments.stop_email]", "[treatments.visit_dosing]", "The playbook is not TOML: "),
        ("[treatments.stop_email]", "[treatments.Stop]", "treatments.Stop: got 'Stop', need an id"),
        ("[topics.dosing]", "[topics]\ndosing = 3\n[topics.x]", "topics.dosing: got 3, need a table."),
        ("cost = 90", "cost = ", "The playbook is not TOML: Invalid value (at line 10, column 8)."),
    ],
)  # fmt: skip
def test_every_mistake_is_one_line_with_its_place_and_what_is_near(old, new, said):
    """Whoever edits a playbook must find the slip without a programmer."""
    assert said in message_of(changed(old, new))


@pytest.mark.parametrize("section", [s.name for s in SECTIONS if s.required])
def test_a_playbook_without_a_needed_section_says_which(section):
    """An empty playbook can decide nothing."""
    blocks = re.split(r"\n(?=\[)", TEXT)
    text = "\n".join(block for block in blocks if not block.startswith(f"[{section}."))

    assert message_of(text).startswith(f"{section}: missing; need at least one")


def test_an_empty_text_is_refused():
    """A file that was lost on the way must not become a playbook without rules."""
    assert "missing" in message_of("")
