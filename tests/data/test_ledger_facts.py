"""Accounts, blocks, live rows, and what is personal."""

from __future__ import annotations

import polars as pl
import pytest
import sqlalchemy as sa

from data.ledger.connection import Database
from data.ledger.ledger import Ledger
from data.ledger.types import ConflictError, LedgerError, TailRow, UnknownError
from tests.data.ledgers import NOON, accounts, touch


def rows_of(url: str, query: str) -> list[tuple]:
    """What stands in the database, past the ledger."""
    with Database(url, timeout_seconds=5).reading() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]


def test_a_new_account_has_a_name_and_no_facts(ledger: Ledger) -> None:
    """A decision is possible before anything has happened."""
    state = ledger.account_state("a")

    assert (state.name, state.language, state.timezone) == ("Dr a", "de", "Europe/Berlin")
    assert (state.block, state.tail, state.version) == (b"", (), 0)


def test_an_account_put_again_keeps_its_facts_and_its_key(ledger: Ledger, ledger_url: str) -> None:
    """Loads are repeated; the subject key is what ties personal rows together."""
    ledger.replace_blocks([("a", b"block")], watermark=0)
    key = rows_of(ledger_url, "SELECT subject_key FROM accounts WHERE account_id = 'a'")

    ledger.put_accounts(accounts("a", names={"a": "Dr Anna"}).with_columns(language=pl.lit("ar")))

    state = ledger.account_state("a")
    assert (state.name, state.language, state.block) == ("Dr Anna", "ar", b"block")
    assert rows_of(ledger_url, "SELECT subject_key FROM accounts WHERE account_id = 'a'") == key


def test_an_account_that_is_not_there_is_named(ledger: Ledger) -> None:
    """A typing error in an id is the caller's to see."""
    message = "no account 'zz'"

    with pytest.raises(UnknownError, match=message):
        ledger.account_state("zz")
    with pytest.raises(UnknownError, match=message):
        ledger.append([touch("e1"), touch("e2", "zz")], now=NOON)
    with pytest.raises(UnknownError, match=message):
        ledger.replace_blocks([("zz", b"")], watermark=0)
    with pytest.raises(UnknownError, match=message):
        ledger.put_personal("contacts", pl.DataFrame({"contact_id": ["c"], "account_id": ["zz"]}))
    assert ledger.tail() == []


def test_live_rows_are_returned_as_stored_and_stand_in_the_tail(ledger: Ledger) -> None:
    """What is acknowledged is there, in the order in which it arrived."""
    stored = ledger.append([touch("e1"), touch("e2", "b", channel="email"), touch("e3")], now=NOON)

    assert [(row.event_id, row.seq) for row in stored] == [("e1", 1), ("e2", 2), ("e3", 3)]
    assert ledger.tail() == list(stored)
    assert ledger.account_state("a").tail == (stored[0], stored[2])


def test_rows_of_one_account_are_stored_at_strictly_growing_times(ledger: Ledger) -> None:
    """Known at t means stored before t: two facts at one instant would have no order."""
    first = ledger.append([touch("e1"), touch("e2"), touch("e3", "b")], now=NOON)
    second = ledger.append([touch("e4")], now=NOON - 10)
    third = ledger.append([touch("e5")], now=NOON + 10)

    assert [row.stored_at for row in (*first, *second, *third)] == [NOON, NOON + 1, NOON, NOON + 2, NOON + 10]


def test_times_go_on_growing_after_the_tail_was_taken_over(ledger: Ledger) -> None:
    """The last time is the account's, not the tail's, which is empty after a night."""
    ledger.append([touch("e1")], now=NOON)
    ledger.replace_blocks([("a", b"new")], watermark=1)

    (stored,) = ledger.append([touch("e2")], now=NOON)

    assert stored.stored_at == NOON + 1


def test_the_same_row_again_is_stored_once(ledger: Ledger) -> None:
    """Whoever gets no answer sends again."""
    first = ledger.append([touch("e1")], now=NOON)
    version = ledger.account_state("a").version

    again = ledger.append([touch("e1"), touch("e1")], now=NOON + 5)

    assert again == first * 2
    assert len(ledger.tail()) == 1
    assert ledger.account_state("a").version == version


def test_a_row_is_known_for_good(ledger: Ledger) -> None:
    """A sender that repeats a week later must not make a second fact of it."""
    first = ledger.append([touch("e1")], now=NOON)
    ledger.replace_blocks([("a", b"new")], watermark=1)

    assert ledger.append([touch("e1")], now=NOON + 5) == first
    assert ledger.tail() == []


@pytest.mark.parametrize(
    "other",
    [touch("e1", channel="email"), touch("e1", "b"), TailRow("e1", "outcomes", "a", touch("e1").content)],
)
def test_the_same_id_with_other_content_is_refused_and_nothing_is_stored(
    ledger: Ledger, other: TailRow
) -> None:
    """Two systems that number alike must not overwrite each other, and a batch is all or nothing."""
    ledger.append([touch("e1")], now=NOON)

    with pytest.raises(ConflictError, match="'e1' was stored before with other content"):
        ledger.append([touch("e2"), other], now=NOON)
    with pytest.raises(ConflictError):
        ledger.append([touch("e3"), touch("e3", channel="email")], now=NOON)

    assert [row.event_id for row in ledger.tail()] == ["e1"]


def test_a_row_of_an_unknown_table_says_what_is_near(ledger: Ledger) -> None:
    """The history would not know where to put it."""
    with pytest.raises(LedgerError, match="'touchpoint', did you mean 'touchpoints'"):
        ledger.append([TailRow("e1", "touchpoint", "a", {})], now=NOON)


def test_contents_come_back_equal(ledger: Ledger) -> None:
    """Floats to the bit, text of any script, nothing where nothing was."""
    content = {"value": 0.1 + 0.2, "text": "سارة", "quantity": None, "flag": True, "at": NOON}

    ledger.append([TailRow("e1", "outcomes", "a", content)], now=NOON)

    assert ledger.account_state("a").tail[0].content == content


def test_taking_over_drops_the_rows_contained_and_keeps_later_ones(ledger: Ledger) -> None:
    """A row is in the block or in the tail: in neither it is lost, in both it counts twice."""
    ledger.append([touch("e1"), touch("e2", "b"), touch("e3")], now=NOON)

    ledger.replace_blocks([("a", b"to two")], watermark=2)

    state = ledger.account_state("a")
    assert (state.block, [row.event_id for row in state.tail]) == (b"to two", ["e3"])
    assert [row.event_id for row in ledger.account_state("b").tail] == ["e2"]


def test_taking_over_is_no_news_but_a_load_is(ledger: Ledger) -> None:
    """A night decides on what it took over; a list of opt-outs loaded meanwhile makes it decide again."""
    ledger.append([touch("e1")], now=NOON)
    before = ledger.versions()

    ledger.replace_blocks([("a", b"taken over")], watermark=1)
    ledger.replace_blocks([("a", b"taken over")], watermark=1)
    assert ledger.versions() == before

    ledger.replace_blocks([("a", b"loaded")], watermark=1)
    assert ledger.versions() == {**before, "a": before["a"] + 1}


def test_a_block_older_than_the_one_there_is_refused(ledger: Ledger) -> None:
    """Its missing rows have left the tail already and would be lost."""
    ledger.append([touch("e1"), touch("e2")], now=NOON)
    ledger.replace_blocks([("a", b"to two")], watermark=2)

    with pytest.raises(ConflictError, match="already holds live rows up to 2, got one up to 1"):
        ledger.replace_blocks([("a", b"to one")], watermark=1)

    assert ledger.account_state("a").block == b"to two"


def test_many_blocks_go_in_pieces(ledger: Ledger) -> None:
    """A load of all accounts must not block live writes for its whole duration."""
    ids = [f"x{n:04}" for n in range(701)]
    ledger.put_accounts(accounts(*ids))

    ledger.replace_blocks(((account, account.encode()) for account in ids), watermark=0)

    assert [ledger.account_state(account).block for account in ids[::100]] == [a.encode() for a in ids[::100]]


def test_personal_columns_of_live_rows_are_kept_apart(ledger: Ledger, ledger_url: str) -> None:
    """Facts carry no free text, so that erasing a person is deleting rows of one table."""
    ledger.append([touch("e1", details='{"note": "secret"}')], now=NOON)
    ledger.put_personal(
        "contacts",
        pl.DataFrame({"contact_id": ["c1"], "account_id": ["a"], "name": ["Nora"], "title": [None]}),
    )

    facts = rows_of(ledger_url, "SELECT content FROM tail")
    personal = rows_of(
        ledger_url,
        "SELECT source, row_key, content FROM personal JOIN accounts USING (subject_key) "
        "WHERE account_id = 'a' ORDER BY source, row_key",
    )
    assert "secret" not in str(facts)
    assert "details" not in ledger.account_state("a").tail[0].content
    assert personal == [
        ("accounts", "a", '{"name":"Dr a"}'),
        ("contacts", "c1", '{"name":"Nora"}'),
        ("touchpoints", "e1", '{"details":"{\\"note\\": \\"secret\\"}"}'),
    ]


def test_an_erased_person_is_called_erased_and_the_facts_remain(ledger: Ledger, ledger_url: str) -> None:
    """Erasure removes who somebody is, not what was learned."""
    ledger.append([touch("e1")], now=NOON)
    with Database(ledger_url, timeout_seconds=5).writing() as connection:
        connection.execute(
            sa.text(
                "DELETE FROM personal WHERE subject_key IN "
                "(SELECT subject_key FROM accounts WHERE account_id = 'a')"
            )
        )

    state = ledger.account_state("a")

    assert state.name == "erased"
    assert len(state.tail) == 1
    assert ledger.account_state("b").name == "Dr b"
