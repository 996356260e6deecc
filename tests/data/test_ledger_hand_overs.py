"""Hand-overs: asked, answered, late, returned; what people write stands apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from data.ledger.connection import Database
from data.ledger.hand_over_types import HandOver, NewHandOver
from data.ledger.ledger import Ledger
from data.ledger.types import ConflictError, UnknownError
from tests.data.ledgers import DAY, NOON, decision, post, team, touch, users

HOUR = DAY // 24


def new(id: str = "h1", **values: Any) -> NewHandOver:
    base = NewHandOver(
        id, "a", "asked", by_role="account_manager", to_role="seller", by_user="anna", to_user="ben",
        due_at=NOON + 4 * HOUR, note="She asked about prices.",
    )  # fmt: skip
    return replace(base, **values)


def waiting(ledger: Ledger, user: str = "ben", role: str = "seller") -> list[str]:
    return [one.hand_over_id for one in ledger.hand_overs.for_person(user, role)]


def answer(ledger: Ledger, verb: Any, user: str = "ben", id: str = "h1", **others: Any) -> HandOver:
    return ledger.hand_overs.answer(id, verb, user_id=user, **({"now": NOON + HOUR} | others))


def test_what_is_handed_over_waits_for_the_one_it_is_for(ledger: Ledger) -> None:
    """And for nobody else; the one that is due first is on top."""
    made = ledger.hand_overs.ask(new(), now=NOON)
    ledger.hand_overs.ask(new("h0", due_at=NOON + 2 * HOUR), now=NOON)
    ledger.hand_overs.ask(new("h2", due_at=None), now=NOON)

    assert waiting(ledger) == ["h0", "h1", "h2"]
    assert waiting(ledger, "carla") == waiting(ledger, "anna", "account_manager") == []
    assert (made.state, made.account_name, made.texts) == (
        "asked",
        "Dr a",
        {"note": "She asked about prices."},
    )
    assert [one.hand_over_id for one in ledger.hand_overs.asked_by("anna")] == ["h0", "h1", "h2"]
    assert {one.hand_over_id for one in ledger.hand_overs.of_account("a")} == {"h0", "h1", "h2"}


def test_what_a_role_has_together_is_whose_who_takes_it_on(ledger: Ledger) -> None:
    """A pool of colleagues: the first who accepts has it alone from then on."""
    ledger.hand_overs.ask(new(to_user=None), now=NOON)
    before = (waiting(ledger), waiting(ledger, "dora"), waiting(ledger, "dora", "other"))

    answer(ledger, "accept", "dora")

    assert before == (["h1"], ["h1"], [])
    assert (waiting(ledger), waiting(ledger, "dora")) == ([], ["h1"])


def test_the_same_again_changes_nothing(ledger: Ledger) -> None:
    """A tablet without connection sends twice."""
    ledger.hand_overs.ask(new(), now=NOON)
    once = answer(ledger, "done", text="Called.", rows=[touch("call")])

    assert ledger.hand_overs.ask(new(note="Other words."), now=NOON + DAY) == once
    assert answer(ledger, "done", text="Called.", rows=[touch("call")], now=NOON + DAY) == once
    assert (once.state, once.closed_at, once.texts["answer"]) == ("done", NOON + HOUR, "Called.")
    assert [row.event_id for row in ledger.account_state("a").tail] == ["call"]


def test_it_returns_with_a_reason_to_the_one_who_handed_it_over(ledger: Ledger) -> None:
    """A lead that sales do not want must not vanish."""
    ledger.hand_overs.ask(new(), now=NOON)

    back = answer(ledger, "reject", reason="not_qualified", text="No budget.")
    at_hers = waiting(ledger, "anna", "account_manager")
    closed = answer(ledger, "close", "anna")

    assert (back.state, back.reason, back.texts["comment"]) == ("returned", "not_qualified", "No budget.")
    assert (at_hers, waiting(ledger)) == (["h1"], [])
    assert (closed.state, closed.reason) == ("rejected", "not_qualified")
    assert waiting(ledger, "anna", "account_manager") == []


def test_what_a_rule_handed_over_returns_to_the_place_in_the_accounts_team(ledger: Ledger) -> None:
    """Nobody asked by herself, so it goes to whoever serves the account in that role."""
    ledger.put_users(users(anna=None, eve=None))
    ledger.put_team(team(a="anna", b="eve"))
    ledger.hand_overs.ask(new(by_user=None), now=NOON)

    answer(ledger, "reject", reason="not_mine")

    assert waiting(ledger, "anna", "account_manager") == ["h1"]
    assert waiting(ledger, "eve", "account_manager") == []


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [("done", "accept", "is done by ben"), ("accept", "accept", "is accepted by ben"),
     ("reject", "done", "is returned by ben"), (None, "close", "is asked and cannot be answered")],
)  # fmt: skip
def test_an_answer_that_it_no_longer_takes_is_refused(
    ledger: Ledger, first: str | None, second: str, said: str
) -> None:
    """Two people, one task: the second learns who was first, and no fact of hers is stored."""
    ledger.hand_overs.ask(new(), now=NOON)
    if first:
        answer(ledger, first)

    with pytest.raises(ConflictError, match=said):
        answer(ledger, second, "dora", rows=[touch("late")])

    assert not ledger.account_state("a").tail


def test_what_is_late_goes_to_the_manager_once_and_can_still_be_done(ledger: Ledger) -> None:
    """A lead must be contacted within the agreed time; late ones are escalated and counted."""
    ledger.put_users(users(ben="mia", mia=None).with_columns(role=pl.lit("seller")))
    ledger.hand_overs.ask(new(), now=NOON)
    ledger.hand_overs.ask(new("pool", to_user=None), now=NOON)
    ledger.hand_overs.ask(new("tomorrow", due_at=NOON + DAY), now=NOON)

    counts = [ledger.hand_overs.escalate_late(now=NOON + hours * HOUR) for hours in (3, 4, 5, 24)]
    found = {one.hand_over_id: one for one in ledger.hand_overs.of_account("a")}
    done = answer(ledger, "done", now=NOON + 25 * HOUR)

    assert counts == [0, 2, 0, 1]
    assert [found[id].state for id in ("h1", "pool", "tomorrow")] == ["escalated"] * 3
    assert (found["h1"].escalated_to, found["h1"].escalated_at) == ("mia", NOON + 4 * HOUR)
    assert waiting(ledger, "mia", "manager") == ["pool", "tomorrow"]
    assert (done.state, done.late(NOON)) == ("done", True)
    assert not found["tomorrow"].late(NOON)


def test_a_decision_hands_over_once(ledger: Ledger) -> None:
    """Qualified tonight and tomorrow night is one lead, and so while it waits; later it may be one again."""

    def qualified(id: str, at: int) -> None:
        handed = vars(new(f"lead-{id}", kind="qualified", rule="ready", note=None, again_micros=30 * DAY))
        version = ledger.account_state("a").version
        ledger.post(replace(decision(id), hand_overs=[handed]), [], version=version, now=at)

    qualified("d1", NOON)
    qualified("d2", NOON + DAY)
    qualified("d3", NOON + 40 * DAY)
    answer(ledger, "done", id="lead-d1", now=NOON + 40 * DAY)
    qualified("d4", NOON + 41 * DAY)
    qualified("d5", NOON + 42 * DAY)

    assert [one.hand_over_id for one in ledger.hand_overs.of_account("a")] == ["lead-d4", "lead-d1"]


def test_a_decision_that_is_refused_hands_nothing_over(ledger: Ledger) -> None:
    """It was taken on old facts, so what it found is not known to hold."""
    with pytest.raises(ConflictError):
        ledger.post(replace(decision("d1"), hand_overs=[vars(new())]), [], version=7, now=NOON)

    assert ledger.hand_overs.of_account("a") == []


def test_what_people_write_is_personal(ledger: Ledger, ledger_url: str) -> None:
    """Erasing a person's rows takes the words; that something was handed over remains."""
    ledger.hand_overs.ask(new(), now=NOON)
    answer(ledger, "done", text="Called: is ill.")

    with Database(ledger_url, timeout_seconds=5).writing() as connection:
        rows = connection.execute(sa.text("SELECT * FROM hand_overs")).all()
        connection.execute(sa.text("DELETE FROM personal"))

    assert "ill" not in str(rows)
    assert "prices" not in str(rows)
    left = ledger.hand_overs.find("h1")
    assert (left.state, left.texts, left.account_name) == ("done", {}, "erased")


def test_an_unknown_one_is_said(ledger: Ledger) -> None:
    """Not a silent nothing."""
    with pytest.raises(UnknownError, match="no hand-over 'nix'"):
        ledger.hand_overs.find("nix")
    with pytest.raises(UnknownError, match="no account 'zz'"):
        ledger.hand_overs.ask(new(account_id="zz"), now=NOON)


def test_details_of_live_touchpoints_are_found_by_account(ledger: Ledger) -> None:
    """Inside sales must know what the form said, on the same day."""
    form = touch("form", details='{"budget": "10k"}', direction="inbound", occurred_at=NOON)
    ledger.append([form, touch("bare", occurred_at=NOON)], now=NOON)
    post(ledger, "d1")

    (found,) = ledger.told(["a", "b"], after=NOON - DAY)

    assert (found.touchpoint_id, found.direction, found.details) == ("form", "inbound", '{"budget": "10k"}')
    assert ledger.told(["b"], after=0) == ledger.told(["a"], after=NOON) == []
