"""What a night found is a fact with a moment from which it is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from engine.facts import TWIN_FACTS
from engine.features import FeatureSet, features_as_of
from engine.records import DAY_MICROS, History, Moments, empty_frame
from tests.engine.books import settings
from tests.engine.builders import ATTRIBUTES, NOW, at, history, moments, playbook

RULES = playbook(twins=settings(), twin_steps=("email", "visit"))
SET = FeatureSet.of(RULES, ATTRIBUTES)


def finding(days: float, account_id: str = "a", **values: Any) -> dict[str, Any]:
    defaults = {
        "account_id": account_id, "twins_found": 20, "unrealised_value": 9_000.0, "unrealised_low": 4_000.0,
        "unrealised_high": 14_000.0, "approach": "visit|email", "worked": 14, "tried": 20,
        "stored_at": at(days), "deleted": False, "superseded_at": None,
    }  # fmt: skip
    return defaults | values


def past(*findings: dict[str, Any]) -> History:
    schema = empty_frame("twins").schema
    frame = pl.DataFrame(
        list(findings),
        schema={n: pl.Int64() if t == pl.Datetime("us", "UTC") else t for n, t in schema.items()},
    ).cast(dict(schema))
    return History(dict(history(accounts=("a", "b")).frames) | {"twins": frame})


def facts(history: History, asked: Moments | None = None) -> dict[str, Any]:
    known = features_as_of(history, asked or moments(), playbook=RULES, features=SET).known()
    return {name: known[name][0] for name in TWIN_FACTS}


def test_it_is_known_after_it_was_stored_and_not_before() -> None:
    """The night's finding must not reach a decision that was taken before it."""
    found = past(finding(0.0))

    before = facts(found, Moments.at(["a"], NOW))
    after = facts(found, Moments.at(["a"], NOW + 1))

    assert all(value is None or np.isnan(value) for value in before.values())
    assert after == {
        "twins_found": 20.0, "unrealised_value": 9_000.0, "unrealised_low": 4_000.0,
        "unrealised_high": 14_000.0, "twins_worked": 14.0, "twins_tried": 20.0, "twins_step_1": "visit",
        "twins_step_2": "email", "twins_step_3": "",
    }  # fmt: skip


def test_the_later_finding_holds() -> None:
    """Yesterday's claim that was not repeated is gone."""
    nothing = {"twins_found": 0, "unrealised_value": 0.0, "approach": None, "worked": None, "tried": None}
    found = past(finding(-2.0, superseded_at=at(-1.0)), finding(-1.0, **nothing))

    now, before = facts(found), facts(found, moments(at_day=-1.5))

    assert (before["unrealised_value"], now["unrealised_value"]) == (9_000.0, 0.0)
    assert (now["twins_step_1"], np.isnan(now["twins_worked"])) == ("", True)


def test_no_model_sees_them() -> None:
    """A model that learned from what others buy would not be of the account any more."""
    assert not set(TWIN_FACTS) & set(SET.names)


def test_a_step_that_the_playbook_no_longer_has_is_not_known() -> None:
    """Rather no fact than another channel's."""
    assert facts(past(finding(-1.0, approach="fax|visit")))["twins_step_1"] is None


def test_accounts_together_equal_accounts_one_by_one() -> None:
    """The order of rows and who else is asked for do not matter."""
    found = past(finding(-1.0, "b", unrealised_value=5.0), finding(-1.0))
    both = features_as_of(found, moments("b", "a"), playbook=RULES, features=SET).twins

    for place, account in enumerate(("b", "a")):
        alone = features_as_of(found, moments(account), playbook=RULES, features=SET).twins
        np.testing.assert_array_equal(both[place], alone[0])


def test_without_twins_in_the_playbook_there_are_no_such_facts() -> None:
    """A playbook's rules cannot name what nobody looks for."""
    plain = playbook()
    known = features_as_of(past(finding(-1.0)), moments(), playbook=plain,
                           features=FeatureSet.of(plain, ATTRIBUTES))  # fmt: skip

    assert known.twins.shape == (1, 0)
    assert not set(TWIN_FACTS) & set(known.known().columns)


@pytest.mark.parametrize("days", [1.0, 400.0])
def test_a_finding_stays_known_until_the_next(days: float) -> None:
    """A night that failed leaves the last finding, with the moment at which it was stored."""
    assert facts(past(finding(-days)), Moments.at(["a"], NOW + DAY_MICROS))["twins_found"] == 20.0
