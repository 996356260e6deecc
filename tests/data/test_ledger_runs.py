"""Nights: lists that grow unseen, and the moment in which they are shown."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from data.ledger.connection import Database
from data.ledger.ledger import Ledger
from data.ledger.schema import dumps
from data.ledger.types import ConflictError, UnknownError
from tests.data.ledgers import DAY, LATER, NOON, decision, night, post, proposal, touch


def shown(ledger: Ledger, account_id: str = "a", now: int = NOON) -> list[tuple[str, bool]]:
    """Treatment and whether it is new, of an account."""
    return [(one.treatment, one.new) for one in ledger.suggestions(account_id, now=now)]


def test_a_run_begins_once(ledger: Ledger) -> None:
    """A night that is started again goes on with what it began."""
    first = ledger.begin_run("n1", NOON - 5, now=NOON)

    again = ledger.begin_run("n1", NOON - 5, now=NOON + 9)

    assert again == first
    assert (first.run_id, first.as_of, first.state, first.started_at) == ("n1", NOON - 5, "running", NOON)
    assert ledger.current_run() is None


def test_what_is_staged_is_not_shown_before_the_run_is_complete(ledger: Ledger) -> None:
    """Until the last account is decided, people work with yesterday's list, all of it."""
    night(ledger, "n1", {"a": [proposal()]})

    night(ledger, "n2", {"a": [proposal("call")], "b": [proposal()]}, now=NOON + DAY, complete=False)

    assert shown(ledger) == [("visit", True)]
    assert shown(ledger, "b") == []
    assert [one.treatment for one in ledger.worklist("u", now=NOON, limit=9)] == ["visit"]
    ledger.complete_run("n2", summary={"accounts": 2}, now=NOON + DAY)
    assert shown(ledger) == [("call", True)]
    assert shown(ledger, "b") == [("visit", True)]
    current = ledger.current_run()
    assert current is not None
    assert (current.run_id, current.state, current.summary) == ("n2", "complete", {"accounts": 2})


def test_a_staged_suggestion_is_known_to_nobody(ledger: Ledger, ledger_url: str) -> None:
    """It may never be shown; nobody can answer it."""
    night(ledger, "n1", {"a": [proposal()]}, complete=False)
    with Database(ledger_url, timeout_seconds=5).reading() as connection:
        suggestion_id = connection.scalar(sa.text("SELECT suggestion_id FROM suggestions"))

    with pytest.raises(UnknownError):
        ledger.suggestion(suggestion_id)
    with pytest.raises(UnknownError):
        ledger.answer(suggestion_id, "accept", user_id="u", rows=[], until=None, now=NOON)


def test_an_account_without_proposals_is_staged_too(ledger: Ledger) -> None:
    """No contact is a decision; a restart must not take it for missing."""
    night(ledger, "n1", {"a": [], "b": [proposal()]}, complete=False)

    assert ledger.staged("n1", ["a", "b"]) == {"a", "b"}
    assert ledger.staged("n1", ["b"]) == {"b"}
    assert ledger.staged("n2", ["a", "b"]) == frozenset()


def test_staging_again_makes_no_duplicates(ledger: Ledger) -> None:
    """Killed between two chunks, a night repeats the last one."""
    lists = {"a": [proposal(), proposal("call", rank=2)]}
    night(ledger, "n1", lists, complete=False)

    night(ledger, "n1", lists)

    assert shown(ledger) == [("visit", True), ("call", True)]


def test_the_same_night_gives_the_same_ids_wherever_it_was_interrupted(ledger: Ledger) -> None:
    """A run that was killed and started again ends the same, or nobody can compare two runs."""
    night(ledger, "n1", {"a": [proposal()]}, complete=False)
    night(ledger, "n1", {"a": [proposal("call")]}, complete=False)

    night(ledger, "n1", {"a": [proposal()], "b": [proposal()]})

    ids = [one.suggestion_id for one in ledger.worklist("u", now=NOON, limit=9)]
    assert sorted(ids) == sorted(set(ids))
    assert shown(ledger) == [("visit", True)]


def test_accounts_that_changed_are_left_out_and_named(ledger: Ledger) -> None:
    """She opted out while the night was computing: her list has to be decided again."""
    ledger.begin_run("n1", NOON, now=NOON)
    versions = ledger.versions()
    ledger.append([touch("e1", "b")], now=NOON)

    changed = ledger.stage(
        "n1", [(decision(f"n1:{a}", a), [proposal()], versions[a]) for a in ("a", "b")], now=NOON
    )

    assert changed == ["b"]
    assert ledger.staged("n1", ["a", "b"]) == {"a"}
    with pytest.raises(UnknownError):
        ledger.decision("n1:b")


def test_an_unchanged_suggestion_is_the_same_after_the_night_and_not_new(ledger: Ledger) -> None:
    """With the night's place, reasons and expiry."""
    night(ledger, "n1", {"a": [proposal(priority=1.0)]})
    (before,) = ledger.suggestions("a", now=NOON)

    night(ledger, "n2", {"a": [proposal(priority=2.0, expires_at=LATER + DAY)]}, now=NOON + DAY)

    (after,) = ledger.suggestions("a", now=LATER)
    assert after.suggestion_id == before.suggestion_id
    assert (before.new, after.new, after.priority, after.posted_at) == (True, False, 2.0, NOON)


def test_what_the_night_does_not_list_is_withdrawn_or_was_over(ledger: Ledger) -> None:
    """Two different things for whoever looks for it."""
    night(ledger, "n1", {"a": [proposal(), proposal("call", expires_at=NOON + 1, rank=2)]})
    visit, call = ledger.suggestions("a", now=NOON)

    night(ledger, "n2", {"a": []}, now=NOON + DAY)

    assert shown(ledger) == []
    assert ledger.suggestion(visit.suggestion_id).state == "withdrawn"
    assert ledger.suggestion(call.suggestion_id).state == "expired"
    assert [one.treatment for one in ledger.withdrawn_since("a", after=NOON)] == ["visit"]


def test_answers_survive_the_night(ledger: Ledger) -> None:
    """Snoozed stays snoozed, accepted stays accepted, listed again or not."""
    lists = {"a": [proposal(), proposal("call", rank=2)], "b": [proposal(), proposal("call", rank=2)]}
    night(ledger, "n1", lists)
    for account in ("a", "b"):
        visit, call = ledger.suggestions(account, now=NOON)
        ledger.answer(visit.suggestion_id, "accept", user_id="u", rows=[], until=None, now=NOON)
        ledger.answer(call.suggestion_id, "snooze", user_id="u", rows=[], until=NOON + 2 * DAY, now=NOON)
    before = {one.suggestion_id: one.state for one in ledger.worklist("u", now=NOON + 2 * DAY, limit=9)}

    night(ledger, "n2", {"a": lists["a"], "b": []}, now=NOON + DAY)

    assert shown(ledger, now=NOON + DAY) == shown(ledger, "b", now=NOON + DAY) == [("visit", False)]
    after = ledger.worklist("u", now=NOON + 2 * DAY, limit=9)
    assert {one.suggestion_id: one.state for one in after} == before
    assert len(before) == 4
    assert not any(one.new for one in after)


def test_a_dismissal_after_staging_holds_in_the_new_list(ledger: Ledger) -> None:
    """The night had listed it already; the person's answer counts."""
    night(ledger, "n1", {"a": [proposal()]})
    (visit,) = ledger.suggestions("a", now=NOON)
    night(ledger, "n2", {"a": [proposal()]}, now=NOON + DAY, complete=False)

    ledger.answer(visit.suggestion_id, "dismiss", user_id="u", rows=[], until=None, now=NOON + DAY)
    ledger.complete_run("n2", summary={}, now=NOON + DAY)

    assert shown(ledger) == []
    assert ledger.suggestion(visit.suggestion_id).state == "dismissed"


def test_a_live_list_replaces_the_shown_and_the_staged_one(ledger: Ledger) -> None:
    """An event at two in the morning must not be undone by the night's older decision at three."""
    night(ledger, "n1", {"a": [proposal()]})
    night(ledger, "n2", {"a": [proposal(), proposal("mail", rank=2)]}, now=NOON + DAY, complete=False)

    post(ledger, "d1", proposal("call"), now=NOON + DAY)

    assert shown(ledger, now=NOON + DAY) == [("call", True)]
    ledger.complete_run("n2", summary={}, now=NOON + DAY)
    assert shown(ledger, now=NOON + DAY) == [("call", True)]
    assert [one.treatment for one in ledger.withdrawn_since("a", after=0)] == ["visit"]


def test_a_live_list_counts_as_staged(ledger: Ledger) -> None:
    """Accounts that changed during the night are decided live; completing must not withdraw their lists."""
    ledger.begin_run("n1", NOON, now=NOON)

    post(ledger, "d1", proposal())
    ledger.complete_run("n1", summary={}, now=NOON)

    assert ledger.staged("n1", ["a", "b"]) == {"a"}
    assert shown(ledger) == [("visit", True)]


def test_completing_twice_changes_nothing(ledger: Ledger) -> None:
    """A command started again after it had ended."""
    night(ledger, "n1", {"a": [proposal()]})
    post(ledger, "d1", proposal("call"))
    before = (ledger.current_run(), shown(ledger))

    ledger.complete_run("n1", summary={"other": 1}, now=NOON + DAY)

    assert (ledger.current_run(), shown(ledger)) == before


def test_a_complete_run_takes_no_more_and_an_unknown_one_nothing(ledger: Ledger) -> None:
    """Its lists are on show; changing them unseen is what runs are there to prevent."""
    night(ledger, "n1", {"a": [proposal()]})

    with pytest.raises(ConflictError, match="'n1' is complete"):
        ledger.stage("n1", [], now=NOON)
    for call in (
        lambda: ledger.stage("zz", [], now=NOON),
        lambda: ledger.complete_run("zz", summary={}, now=NOON),
    ):
        with pytest.raises(UnknownError, match="no run 'zz'"):
            call()


def test_a_run_that_was_given_up_is_forgotten(ledger: Ledger) -> None:
    """Yesterday's half night must not be completed over today's, nor leave suggestions behind."""
    night(ledger, "n1", {"a": [proposal("mail")]}, complete=False)

    night(ledger, "n2", {"a": [proposal()]}, now=NOON + DAY)

    assert shown(ledger) == [("visit", True)]
    assert ledger.staged("n1", ["a", "b"]) == frozenset()
    assert ledger.withdrawn_since("a", after=0) == []
    with pytest.raises(UnknownError):
        ledger.complete_run("n1", summary={}, now=NOON + DAY)


def test_lists_that_are_no_longer_shown_are_cleared_away(ledger: Ledger, ledger_url: str) -> None:
    """Or the ledger grows by millions of rows a night."""
    for n in range(3):
        night(ledger, f"n{n}", {"a": [proposal()], "b": []}, now=NOON + n)

    with Database(ledger_url, timeout_seconds=5).reading() as connection:
        left = {
            table: set(connection.scalars(sa.text(f"SELECT DISTINCT run_id FROM {table}")))
            for table in ("listings", "published")
        }

    assert left == {"listings": {"n2"}, "published": {"n2"}}


def test_reasons_are_kept_once_until_a_night_has_others(ledger: Ledger, ledger_url: str) -> None:
    """They are most of what a list says, and on the first night a listing and its suggestion say the same."""
    first, other = [{"code": "read_topic", "topic": "dosing"}], [{"code": "read_topic", "topic": "safety"}]
    night(ledger, "n1", {"a": [proposal(reasons=first)]})
    new = ledger.suggestions("a", now=NOON)
    night(ledger, "n2", {"a": [proposal(reasons=other), proposal("mail", reasons=first)]}, now=NOON + 1)

    shown_reasons = {one.treatment: one.reasons for one in ledger.suggestions("a", now=NOON + 1)}

    with Database(ledger_url, timeout_seconds=5).reading() as connection:
        kept = connection.execute(
            sa.text(
                "SELECT s.treatment, s.reasons, l.reasons FROM suggestions s "
                "JOIN listings l ON l.suggestion_id = s.suggestion_id ORDER BY s.treatment"
            )
        ).all()
    assert [one.reasons for one in new] == [first]
    assert shown_reasons == {"visit": other, "mail": first}
    assert [tuple(row) for row in kept] == [
        ("mail", dumps(first), "null"), ("visit", dumps(first), dumps(other))
    ]  # fmt: skip
    assert ledger.suggestion(new[0].suggestion_id).reasons == other


def test_an_answer_to_what_was_first_posted_keeps_its_reasons(ledger: Ledger) -> None:
    """What the person answered to is shown with it for good."""
    night(ledger, "n1", {"a": [proposal()]})
    (offered,) = ledger.suggestions("a", now=NOON)

    ledger.answer(offered.suggestion_id, "accept", user_id="u", rows=[touch("e1")], until=None, now=NOON)
    night(ledger, "n2", {"a": []}, now=NOON + 1)

    assert ledger.suggestion(offered.suggestion_id).reasons == offered.reasons != []
