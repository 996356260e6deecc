"""Two playbooks are compared by what they say, and every difference is said in words."""

import pytest

from data.playbooks import playbook_text, shipped
from engine.playbook_changes import change_in_words, playbook_changes
from tests.engine.example_playbook import TEXT, changed

FAX = '[channels.fax]\nname = { en = "Fax", fa = "فکس" }\n'
POLICY = '[policies.p]\nstage = "suitability"\nwhen = "outcomes_30d > 1"\ntext = { en = "No.", fa = "نه." }\n'


def said(old: str, new: str) -> list[str]:
    return [line for change in playbook_changes(old, new) for line in change_in_words(change)]


@pytest.mark.parametrize(("new", "line"), [
    (changed("count = 2\ndays = 30", "count = 4\ndays = 30"),
     "Changed: contact limit 'visits', count: from 2 to 4 (+100%)."),
    (TEXT + FAX, "Added: channel 'fax'."),
    (TEXT + POLICY, "Added: policy 'p' (when “outcomes_30d > 1”)."),
    (changed("Visit {name}.", "See {name}."),
     "Changed: treatment 'visit_dosing', text en: from “Visit {name}.” to “See {name}.”."),
    (changed("> 7", "> 14"),
     "Changed: policy 'rested', when: from “COALESCE(days_since_visit, 999) > 7” to "
     "“COALESCE(days_since_visit, 999) > 14”."),
    (changed('sees = ["system"]', 'sees = []'), "Changed: role 'manager', sees: without “system”."),
    (changed("automated = true", "automated = true\noutbound = false"),
     "Changed: channel 'email', outbound: from yes to no."),
    (changed("approved_until = 2027-12-31\n", ""),
     "Changed: treatment 'visit_dosing', approved_until: from “2028-01-01T00:00+00:00” to none."),
])  # fmt: skip
def test_a_difference_is_said_in_a_sentence(new, line):
    """A lawyer who signs a change reads this, not two files of a thousand lines."""
    assert said(TEXT, new) == [line]


def test_what_is_taken_out_is_what_was_put_in():
    """Old and new changed round give the same differences the other way."""
    assert said(TEXT + POLICY, TEXT) == ["Removed: policy 'p' (when “outcomes_30d > 1”)."]


@pytest.mark.parametrize("new", [
    "# A comment\n" + TEXT,
    changed("coalesce(days_since_visit, 999) > 7", "COALESCE( days_since_visit,999 )>7"),
    changed("automated = true", "automated = true\noutbound = true"),
    TEXT + "\n\n",
])  # fmt: skip
def test_what_means_the_same_is_no_difference(new):
    """Comments, order, spaces and a default that is written out change no decision."""
    assert playbook_changes(TEXT, new) == []


def test_any_two_playbooks_can_be_compared():
    """Whatever settings they have, everything that differs finds its words."""
    for old in shipped():
        lines = said(playbook_text(old), playbook_text("pharma"))
        assert all(line.endswith(".") for line in lines)
        assert bool(lines) == (old != "pharma")
