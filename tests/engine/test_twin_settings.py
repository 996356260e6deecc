"""Section [twins] of a playbook: read, checked, and absent where nobody asks for it."""

from __future__ import annotations

import pytest

from engine.conditions import ConditionError
from engine.playbook import parse_playbook
from engine.playbook_text import PlaybookError
from tests.engine.example_playbook import TEXT

ON = TEXT + "\n[twins]\n"


def test_without_the_table_no_twins_are_looked_for() -> None:
    """Comparing customers with each other is nobody's default."""
    assert parse_playbook(TEXT).twins is None
    assert parse_playbook(TEXT).twin_steps == ()


def test_the_table_alone_switches_it_on_with_stated_defaults() -> None:
    """A marketer writes one line."""
    found = parse_playbook(ON)

    assert found.twins is not None
    assert (found.twins.neighbours, found.twins.steps) == (80, "channel")
    assert set(found.twin_steps) <= {channel.id for channel in found.channels}
    assert found.twin_steps


def test_it_can_be_switched_off_without_taking_it_out() -> None:
    """The settings stay for the day when it is wanted again."""
    assert parse_playbook(ON + "on = false\n").twins is None


def test_steps_of_medical_roles_alone_are_none() -> None:
    """What medical colleagues do is no sales approach."""
    found = parse_playbook(ON)
    sides = {role.id: role.side for role in found.roles}
    medical = {t.channel for t in found.treatments if t.kind == "contact" and sides[t.role] == "medical"}
    others = {t.channel for t in found.treatments if t.kind == "contact" and sides[t.role] != "medical"}

    assert set(found.twin_steps) == others
    assert not (medical - others) & set(found.twin_steps)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("neigbours = 90", "twins.neigbours: unknown setting, did you mean 'neighbours'?"),
        ('traits = ["segmnt"]', "twins.traits: unknown attribute 'segmnt', did you mean 'segment'?"),
        ('outcomes = ["odrer"]', "twins.outcomes: unknown kind of outcome 'odrer'"),
        ('steps = "colour"', "twins.steps: unknown choice 'colour'"),
        ("error_rate = 0", "twins.error_rate: got 0, need a number from 0.0001 to 0.5."),
        ("neighbours = 20", "twins.least_twins: got 10, but 0.25 of 20 neighbours are fewer"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(line: str, said: str) -> None:
    """Whoever wrote it can put it right."""
    with pytest.raises(PlaybookError) as caught:
        parse_playbook(ON + line + "\n")

    assert str(caught.value).startswith(said)


def test_rules_may_name_what_was_found_only_where_it_is_looked_for() -> None:
    """A weight on a fact that never exists would be dead."""
    weight = '\n[context_weights.gap]\nwhen = "unrealised_value > 1000"\nweight = 1.5\n'

    assert parse_playbook(ON + weight).context_weights[-1].when.facts
    with pytest.raises((PlaybookError, ConditionError), match="unrealised_value"):
        parse_playbook(TEXT + weight)
