"""What the ledger keeps of signing in: sessions that end, attempts that count, nothing that can be stolen."""

from __future__ import annotations

import polars as pl
import pytest
import sqlalchemy as sa

from data.ledger.connection import Database
from data.ledger.ledger import Ledger
from data.ledger.types import UnknownError
from tests.data.ledgers import DAY, NOON, accounts, team, users

HOUR = DAY // 24


def session_of(ledger: Ledger, token: str, now: int = NOON, idle: int = 8 * HOUR) -> str | None:
    found = ledger.sign_ins.session(token, idle_since=now - idle, now=now)
    return found.user.user_id if found else None


def begin(ledger: Ledger, user_id: str = "u", now: int = NOON, ended: str | None = None) -> str:
    return ledger.sign_ins.begin_session(
        user_id, attempt="t", forgiven=[], ended=ended, now=now, expires_at=now + 3 * DAY
    )


def test_a_session_ends_when_idle_after_its_time_and_when_signed_out(ledger: Ledger) -> None:
    """A tablet left in a waiting room must not stay open for ever."""
    token = begin(ledger)
    used = [session_of(ledger, token, NOON + hours * HOUR) for hours in (7, 14, 23)]
    for hours in range(7, 73, 7):
        session_of(ledger, token, NOON + hours * HOUR)
    over = session_of(ledger, token, NOON + 72 * HOUR)
    other = begin(ledger)
    ledger.sign_ins.end_session(other)

    assert used == ["u", "u", None]
    assert over is None
    assert session_of(ledger, other) is None


def test_using_a_session_keeps_it_until_its_time_is_over(ledger: Ledger) -> None:
    """Nobody signs in again in the middle of a day's work."""
    token = begin(ledger)

    assert [session_of(ledger, token, NOON + h * HOUR) for h in (6, 12, 18, 24)] == ["u"] * 4


def test_signing_in_again_ends_the_session_before(ledger: Ledger) -> None:
    """A token that somebody planted or copied earlier is worth nothing."""
    before = begin(ledger)
    after = begin(ledger, ended=before)

    assert (session_of(ledger, before), session_of(ledger, after)) == (None, "u")


def test_a_new_password_and_leaving_end_all_sessions(ledger: Ledger) -> None:
    """Whoever leaves, or whose password was stolen, is out at once."""
    token = begin(ledger)
    ledger.sign_ins.put_password("u", "hash", now=NOON)
    changed = session_of(ledger, token)
    token = begin(ledger)
    ledger.put_users(users(u=None).with_columns(deleted=pl.lit(value=True)))

    assert changed is None
    assert session_of(ledger, token) is None
    assert ledger.sign_ins.password_hash("u") is None
    with pytest.raises(UnknownError, match="no user 'u'"):
        ledger.sign_ins.put_password("u", "hash", now=NOON)


def test_nothing_in_the_database_opens_a_session(ledger: Ledger, ledger_url: str) -> None:
    """A stolen backup must not let anybody in."""
    token = begin(ledger)

    database = Database(ledger_url, timeout_seconds=5)
    with database.reading() as connection:
        kept = connection.execute(sa.text("SELECT * FROM sessions")).all()
    database.close()

    assert token not in str(kept)


def test_attempts_in_vain_count_until_they_are_old_or_one_succeeds(ledger: Ledger) -> None:
    """Guessing is stopped, forgetting is not punished for ever."""

    def attempt(n: int, now: int = NOON) -> bool:
        return ledger.sign_ins.begin_attempt(f"{n}-{now}", {"here": 3, "user": 5}, since=now - HOUR, now=now)

    first = [attempt(n) for n in range(5)]
    later = attempt(9, NOON + HOUR + 1)
    ledger.sign_ins.begin_session(
        "u", attempt=f"9-{NOON + HOUR + 1}", forgiven=["here"], ended=None, now=NOON, expires_at=NOON + DAY
    )
    again = [attempt(n, NOON + HOUR + 2) for n in range(4)]

    assert first == [True, True, True, False, False]
    assert later
    assert again == [True, True, True, False]


def test_the_chosen_language_outlives_a_load(ledger: Ledger) -> None:
    """The nightly load of users must not turn her page into another language."""
    token = begin(ledger)
    ledger.sign_ins.choose_language("u", "fa")
    ledger.put_users(users(u="boss").with_columns(language=pl.lit("en")))

    found = ledger.sign_ins.session(token, idle_since=0, now=NOON)

    assert found is not None
    assert found.user.language == "fa"


def test_the_accounts_she_serves_are_exactly_those_that_she_may_read(ledger: Ledger) -> None:
    """A list that knows more than the door lets names out."""
    ledger.put_accounts(accounts("x", "y", names={"x": "Dr Älter", "y": "dr bauer"}))
    ledger.put_team(team(x="u", y="v"))
    ledger.put_users(users(boss="chief", chief=None))
    for user in ("u", "v", "boss", "chief", "nobody"):
        listed = [account for account, _ in ledger.accounts_served(user)]

        assert sorted(listed) == [a for a in ("a", "b", "x", "y") if ledger.serves(user, a)]
    assert ledger.accounts_served("v")[0] == ("y", "dr bauer")
