"""What a playbook says of learning: the gate's bounds, fairness by issue, refused columns."""

from __future__ import annotations

import pytest

from engine.facts import Attribute
from engine.features import FeatureSet
from engine.learning_settings import Fairness, GateSettings
from engine.playbook import PlaybookError, parse_playbook
from tests.engine.builders import ATTRIBUTES, playbook
from tests.engine.example_playbook import TEXT as EXAMPLE


def test_without_a_word_the_usual_bounds_hold() -> None:
    """A playbook that says nothing is still guarded."""
    book = parse_playbook(EXAMPLE)

    assert book.gate == GateSettings()
    assert book.fairness == (Fairness(),)
    assert book.refused == ()


def test_bounds_fairness_and_refused_columns_are_read() -> None:
    """Each reaches the playbook under its own name."""
    book = parse_playbook(
        EXAMPLE + '\n[gate]\ndrift = 0.4\n[fairness.any]\nlow = 0.5\noutside = "fail"\n'
        '[learning]\nrefuse = ["closed_reason"]\n'
    )

    assert book.gate == GateSettings(drift=0.4)
    assert book.fairness == (Fairness(low=0.5, outside="fail"),)
    assert book.refused == ("closed_reason",)


@pytest.mark.parametrize(("text", "said"), [
    ("[fairness.nowhere]\nlow = 0.5", "no such issue"),
    ("[fairness.any]\nlow = 1.5", "low"),
    ("[gate]\nvolume_factor = 0.5", "volume_factor"),
    ("[gate]\ncalibraton = 0.5", "calibration"),
])  # fmt: skip
def test_mistakes_are_named(text: str, said: str) -> None:
    """A bound with a slip in its name would silently be the usual one."""
    with pytest.raises(PlaybookError, match=said):
        parse_playbook(f"{EXAMPLE}\n{text}\n")


def test_a_column_is_not_refused_and_read_by_rules_at_once() -> None:
    """The rule would find nothing and remove everything."""
    declared = parse_playbook(EXAMPLE).attributes[0].name

    with pytest.raises(PlaybookError, match="declared in attributes"):
        parse_playbook(f'{EXAMPLE}\n[learning]\nrefuse = ["{declared}"]\n')


def test_a_refused_column_is_no_feature() -> None:
    """Neither in training nor in serving, which share this one function."""
    leak = Attribute("closed_reason", ("won", "lost"))
    book = playbook(refused=("closed_reason",))

    features = FeatureSet.of(book, (*ATTRIBUTES, leak))

    assert "closed_reason" not in features.account
    assert features.account == FeatureSet.of(playbook(), ATTRIBUTES).account
