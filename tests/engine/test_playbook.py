"""Reading a playbook: what the text becomes."""

import re
from dataclasses import replace

import pytest

from data.playbooks import read_playbook, shipped
from engine.playbook import PlaybookError, parse_playbook
from engine.playbook_settings import REQUIRED, SECTIONS
from engine.playbook_text import KINDS
from engine.records import NO_CONTACT
from tests.engine.example_playbook import TEXT, changed


def test_a_playbook_becomes_types_with_defaults_filled_in():
    """Everything after reading trusts these values."""
    playbook = parse_playbook(TEXT)
    visit, mail = playbook.treatment("visit_dosing"), playbook.treatment("email_dosing")

    assert [t.id for t in playbook.treatments] == [NO_CONTACT, "email_dosing", "stop_email", "visit_dosing"]
    assert (visit.kind, visit.purpose, visit.cost, visit.minutes) == ("contact", "marketing", 90, 30)
    assert (mail.cost, mail.minutes) == (3, 0)
    assert visit.approved_until == 1_830_297_600_000_000
    assert playbook.horizon("information") == 90
    assert playbook.horizon("preferences") == 60
    assert playbook.outcome_worth == {"order": 2}
    assert playbook.followed == {"liaison": 1, "manager": 0.05, "system": 1}
    assert playbook.title == {"en": "example", "fa": "example"}
    assert playbook.policies[0].applies.facts == ("channel",)
    assert playbook.context_weights[0].applies is None
    assert [(a.name, a.levels) for a in playbook.attributes] == [
        ("automated", None), ("city", ()), ("potential_value", None), ("segment", ("A", "B")),
    ]  # fmt: skip


def test_no_contact_is_always_first_and_does_nothing():
    """It is what every action is compared with."""
    none = parse_playbook(TEXT).treatments[0]

    assert (none.id, none.kind, none.channel, none.role) == (NO_CONTACT, "none", "", "")
    assert (none.value, none.cost, none.minutes, none.starting_uplift) == (0, 0, 0, 0)


def test_a_stop_costs_nothing_and_names_what_it_ends():
    """Ending a kind of contact is ranked beside contacts."""
    stop = parse_playbook(TEXT).treatment("stop_email")

    assert (stop.kind, stop.cost, stop.starting_uplift) == ("stop", 0, 1)
    assert stop.stops == (("email", "marketing"),)


def test_a_role_always_sees_its_own_suggestions():
    """A list without one's own work would be empty."""
    roles = {role.id: role.sees for role in parse_playbook(TEXT).roles}

    assert roles == {
        "liaison": ("liaison", "manager"),
        "manager": ("manager", "system"),
        "system": ("system",),
    }


def test_the_order_of_tables_in_the_file_does_not_matter():
    """Two people who sort a file differently must get the same decisions."""
    blocks = re.split(r"\n(?=\[)", TEXT)
    other = "\n".join([blocks[0], *reversed(blocks[1:])])

    one, two = parse_playbook(TEXT), parse_playbook(other)

    assert {**vars(one), "version": ""} == {**vars(two), "version": ""}


def test_the_version_follows_the_text_but_not_its_line_ends():
    """The same file checked out on another system is the same playbook; a changed word is not."""
    one = parse_playbook(TEXT).version

    assert re.fullmatch(r"[0-9a-f]{16}", one)
    assert parse_playbook(TEXT.replace("\n", "\r\n")).version == one
    assert parse_playbook("\ufeff" + TEXT).version == one
    assert parse_playbook(TEXT + "# a comment\n").version != one


def test_an_approval_may_end_at_a_moment_with_an_offset():
    """A lawyer may name the hour; a day means until its end (UTC)."""
    text = changed("approved_until = 2027-12-31", "approved_until = 2028-01-01T01:00:00+01:00")

    assert parse_playbook(text).treatment("visit_dosing").approved_until == 1_830_297_600_000_000


def test_an_unknown_treatment_is_asked_for_with_a_hint():
    """Why-not questions are typed by hand."""
    with pytest.raises(PlaybookError, match=r"no treatment 'visit_dosin', did you mean 'visit_dosing'\?"):
        parse_playbook(TEXT).treatment("visit_dosin")


@pytest.mark.parametrize("section", SECTIONS, ids=lambda s: s.name or "top")
def test_every_setting_is_of_a_known_kind_and_says_what_it_means(section):
    """The registry is the single place where settings are added."""
    for setting in section.settings:
        assert setting.kind in KINDS
        assert setting.meaning.endswith(".")
        assert setting.default is REQUIRED or setting.default is None or setting.minimum <= setting.maximum


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_playbook_is_taken_as_it_stands(name):
    """They are what people start from."""
    playbook = read_playbook(name)

    assert playbook.id == name
    assert all(set(t.text) == set(playbook.languages) for t in playbook.treatments[1:])


def test_the_pharma_playbook_keeps_medical_and_commercial_apart():
    """Law, not taste: what the liaison is suggested is not for the account manager."""
    playbook = read_playbook("pharma")
    sees = {role.id: role.sees for role in playbook.roles}
    stop = playbook.treatment("stop_marketing_email")

    assert "medical_liaison" not in sees["account_manager"] + sees["reimbursement_specialist"]
    assert "account_manager" in sees["medical_liaison"]
    assert {t.role for t in playbook.treatments if t.channel == "medical_call"} == {"medical_liaison"}
    assert (stop.role, stop.stops) == ("account_manager", (("email", "marketing"),))
    assert set(playbook.languages) == {"en", "ar", "fa"}


def test_a_playbook_is_read_from_a_path_and_its_absence_said_with_a_hint(tmp_path):
    """The setting takes either; a slip in the name must not be mistaken for an empty file."""
    (tmp_path / "mine.toml").write_text(TEXT, encoding="utf-8")
    (tmp_path / "latin.toml").write_bytes(TEXT.encode("utf-16"))
    zone = changed('id = "example"', 'id = "example"\ndefault_timezone = "Europe/Berlino"')
    (tmp_path / "zone.toml").write_text(zone, encoding="utf-8")

    assert read_playbook(str(tmp_path / "mine.toml")).id == "example"
    with pytest.raises(PlaybookError, match=r"no playbook 'pharm', did you mean 'pharma'\?"):
        read_playbook("pharm")
    with pytest.raises(PlaybookError, match=r"cannot be read: No such file"):
        read_playbook(str(tmp_path / "other.toml"))
    with pytest.raises(PlaybookError, match="is not UTF-8"):
        read_playbook(str(tmp_path / "latin.toml"))
    with pytest.raises(PlaybookError, match="default_timezone: 'Europe/Berlino' is no IANA time zone"):
        read_playbook(str(tmp_path / "zone.toml"))


def test_what_columns_are_called_changes_nothing_else():
    """Names are for people: nobody has to fear for decisions who adds one."""
    renamed = parse_playbook(
        changed(
            'city.name = { en = "town"',
            'city.values.x = { en = "y", fa = "ی" }\n"Über uns".name = { en = "about us"',
        )
    )
    own = parse_playbook(TEXT)

    assert renamed.columns == {"Über uns": {"en": "about us", "fa": "شهر"}}
    assert renamed.column_values == {"Über uns": {}, "city": {"x": {"en": "y", "fa": "ی"}}}
    assert replace(renamed, **{k: getattr(own, k) for k in ("version", "columns", "column_values")}) == own
