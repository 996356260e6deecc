"""What a dismissal does by its reason: the registry, what a playbook changes, and how far it reaches."""

from __future__ import annotations

from pathlib import Path

import pytest

import data.playbooks
from engine.contract import DISMISS_REASONS
from engine.dismissals import DISMISSALS, Dismissal, PauseScope
from engine.features import FeatureSet, features_as_of
from engine.playbook import PlaybookError, parse_playbook
from tests.engine.builders import ATTRIBUTES, Row, answer, history, moments, playbook, treatment

PHARMA = (Path(data.playbooks.__file__).parent / "pharma.toml").read_text(encoding="utf-8")


OWN = (
    treatment("none", "", kind="none", role="", action="none"),
    treatment("email_news", "email", "news", role="system"),
    treatment("stop_visits", "visit", "news", kind="stop", stops=(("visit", "marketing"),)),
    treatment("visit_news", "visit", "news"),
    treatment("visit_plain", "visit"),
    treatment("visit_safety", "visit", "safety"),
    treatment("website_news", "website", "news"),
)


def kept_away(dismissed: str, scope: PauseScope, *rows: Row, at_day: float = 0.0) -> list[str]:
    """What is kept away after `dismissed` was dismissed yesterday for ten days."""
    rules = playbook(treatments=OWN, dismissals={**DISMISSALS, "other": Dismissal(scope=scope)})
    past = history(answer(-1.0, "dismiss", dismissed, until=9.0, reason="other"), *rows)
    known = features_as_of(
        past, moments("a", at_day=at_day), playbook=rules, features=FeatureSet.of(rules, ATTRIBUTES)
    )
    return [t.id for t, flag in zip(rules.treatments, known.snoozed[0], strict=True) if flag]


def test_every_reason_of_the_contract_does_something_stated():
    """A reason that does nothing is why people stop giving reasons."""
    assert set(DISMISSALS) == set(DISMISS_REASONS)
    assert all(dismissal.cool_down_days > 0 for dismissal in DISMISSALS.values())


def test_a_playbook_changes_what_it_names_and_nothing_else():
    """One number in a file, not a fork."""
    changed = parse_playbook(PHARMA + '\n[feedback.wrong_time]\ncool_down_days = 2\nscope = "topic"\n')

    assert changed.dismissals["wrong_time"] == Dismissal(cool_down_days=2.0, scope="topic")
    assert {k: v for k, v in changed.dismissals.items() if k != "wrong_time"} == {
        k: v for k, v in DISMISSALS.items() if k != "wrong_time"
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[feedback.wrong_tim]\ncool_down_days = 2", "feedback.wrong_tim: .*did you mean 'wrong_time'"),
        ('[feedback.other]\nscope = "country"', "feedback.other.scope"),
        ("[feedback.other]\ncool_down_days = 0", "feedback.other.cool_down_days"),
        ("[feedback.other]\nsuspend_after = 0", "feedback.other.suspend_after"),
    ],
)
def test_a_mistake_is_named_with_its_place(text, said):
    """Nobody may find out by a dismissal that does nothing."""
    with pytest.raises(PlaybookError, match=said):
        parse_playbook(f"{PHARMA}\n{text}\n")


@pytest.mark.parametrize(
    ("dismissed", "scope", "away"),
    [
        ("visit_news", "treatment", ["visit_news"]),
        ("visit_news", "topic", ["visit_news", "website_news"]),
        ("visit_news", "channel", ["visit_news", "visit_plain", "visit_safety"]),
        ("visit_plain", "topic", ["visit_plain"]),
        ("stop_visits", "channel", ["stop_visits"]),
    ],
)
def test_a_dismissal_reaches_as_far_as_its_scope_within_its_role(dismissed, scope, away):
    """The colleague of another role decides for herself, and nothing keeps anybody from stopping contacts."""
    assert kept_away(dismissed, scope) == away


def test_a_wide_pause_ends_with_its_days():
    """A door that was closed in January may be open in March."""
    assert kept_away("visit_news", "channel", at_day=8.9) == ["visit_news", "visit_plain", "visit_safety"]
    assert kept_away("visit_news", "channel", at_day=9.0) == []


def test_a_wide_pause_shortens_no_longer_one_of_another_treatment():
    """What was put off for a month stays so when something like it is dismissed for ten days."""
    longer = answer(-2.0, "snooze", "visit_safety", until=30.0)

    assert kept_away("visit_news", "channel", longer, at_day=12.0) == ["visit_safety"]
