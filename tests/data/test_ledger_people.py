"""Colleagues, teams, tokens, and the release in use."""

from __future__ import annotations

import polars as pl
import pytest
import sqlalchemy as sa

from data.ledger.connection import Database
from data.ledger.ledger import Ledger
from data.ledger.types import ReleaseInUse, UnknownError, User
from tests.data.ledgers import NOON, team, users


def test_colleagues_come_back_as_put(ledger: Ledger) -> None:
    """Their role decides what they may see."""
    ledger.put_users(users(u="v").with_columns(language=pl.lit("fa"), monday_minutes=pl.lit(300.0)))

    found = {user.user_id: user for user in ledger.users()}

    assert sorted(found) == ["boss", "u", "v"]
    assert found["u"] == User("u", "U", "account_manager", manager_id="v", language="fa")


def test_whoever_is_on_the_team_or_above_it_serves_the_account(ledger: Ledger) -> None:
    """Nobody else may read it."""
    ledger.put_users(users(boss="chief", chief=None))

    served = {user: ledger.serves(user, "a") for user in ("u", "boss", "chief", "v", "nobody")}

    assert served == {"u": True, "boss": True, "chief": True, "v": False, "nobody": False}
    assert not ledger.serves("u", "no such account")


def test_a_manager_is_above_all_who_report_to_her_people_too(ledger: Ledger) -> None:
    """At any distance, and never above herself."""
    ledger.put_users(users(u="boss", boss="chief", chief="boss"))

    below = {user: [one.user_id for one in ledger.managed(user)] for user in ("chief", "boss", "u", "nobody")}

    assert below == {"chief": ["boss", "u"], "boss": ["chief", "u"], "u": [], "nobody": []}


def test_people_who_manage_each_other_do_not_hang_a_request(ledger: Ledger) -> None:
    """Data have errors; a question must still end."""
    ledger.put_users(users(u="v", v="u"))

    assert ledger.serves("v", "a")
    assert not ledger.serves("boss", "a")


def test_a_team_is_what_was_put_last(ledger: Ledger) -> None:
    """A territory moves to a colleague, and the one before must not see it any more."""
    ledger.put_team(team(a="v"))

    assert ledger.team("a") == {"account_manager": "v"}
    assert (ledger.serves("u", "a"), ledger.serves("u", "b")) == (False, True)


def test_a_place_marked_deleted_is_taken_away(ledger: Ledger) -> None:
    """The contract says so with a tombstone."""
    ledger.put_team(team(a="u").with_columns(deleted=pl.lit(True)))

    assert ledger.team("a") == {}
    assert not ledger.serves("boss", "a")


def test_a_colleague_who_left_can_do_nothing_any_more(ledger: Ledger) -> None:
    """Not with the token she still has, and not by being on a team."""
    token = ledger.issue_token("u", now=NOON, expires_at=NOON + 10)

    ledger.put_users(users(u=None).with_columns(deleted=pl.lit(True)))

    assert ledger.user_of_token(token, now=NOON) is None
    assert not ledger.serves("u", "a")
    assert "u" not in [user.user_id for user in ledger.users()]


def test_a_token_is_good_until_it_expires(ledger: Ledger) -> None:
    """And whoever makes one up is nobody."""
    token = ledger.issue_token("u", now=NOON, expires_at=NOON + 10)

    at = {now: ledger.user_of_token(token, now=NOON + now) for now in (0, 9, 10)}

    assert [user.user_id if user else None for user in at.values()] == ["u", "u", None]
    assert ledger.user_of_token(token + "x", now=NOON) is None


def test_the_database_does_not_know_the_tokens(ledger: Ledger, ledger_url: str) -> None:
    """A copy of the ledger must not open the service."""
    token = ledger.issue_token("u", now=NOON, expires_at=NOON + 10)

    with Database(ledger_url, timeout_seconds=5).reading() as connection:
        kept = str(connection.execute(sa.text("SELECT * FROM tokens")).all())

    assert token not in kept
    assert ledger.issue_token("u", now=NOON, expires_at=NOON + 10) != token


def test_no_token_for_nobody(ledger: Ledger) -> None:
    """A typing error in a user id is said at once, not at the first request."""
    with pytest.raises(UnknownError, match="no user 'zz'"):
        ledger.issue_token("zz", now=NOON, expires_at=NOON + 10)


def test_the_release_promoted_last_is_in_use(ledger: Ledger) -> None:
    """A rollback is the promotion of the one before; the log keeps both."""
    assert ledger.release_in_use() is None

    ledger.put_release_in_use("r1", "hash 1", now=NOON, by="train")
    ledger.put_release_in_use("r2", "hash 2", now=NOON, by="train")
    ledger.put_release_in_use("r1", "hash 1", now=NOON, by="rollback")

    assert ledger.release_in_use() == ReleaseInUse("r1", "hash 1", NOON)
    assert [release.release_id for release in ledger.release_log()] == ["r1", "r2", "r1"]
