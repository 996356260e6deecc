"""Many at once, and processes that die in the middle."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier, Event, Thread
from typing import Any

import pytest
import sqlalchemy as sa

from data.ledger.ledger import Ledger
from data.ledger.types import AlreadyRunningError, ConflictError, OvertakenError, Suggestion
from tests.data.ledgers import NOON, accounts, decision, night, post, proposal, touch

THREADS = 50


def test_fifty_writers_lose_nothing_and_double_nothing(ledger: Ledger) -> None:
    """An event that was acknowledged is there, once, and none fails because others write."""

    def write(n: int) -> None:
        ledger.append([touch(f"e{n}", "ab"[n % 2]), touch(f"f{n}", "ab"[(n + 1) % 2])], now=NOON)
        ledger.append(
            [touch(f"e{n - 1}" if n % 10 else f"e{n}", "ab"[(n - 1 if n % 10 else n) % 2])], now=NOON
        )

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(write, range(THREADS)))

    rows = ledger.tail()
    assert Counter(row.event_id for row in rows) == Counter(
        [f"{kind}{n}" for kind in "ef" for n in range(THREADS)]
    )
    for account in "ab":
        own = [row.stored_at for row in rows if row.account_id == account]
        assert own == sorted(set(own))


def test_fifty_people_answering_are_all_heard(ledger: Ledger) -> None:
    """At nine in the morning everybody opens the list; each answer overtakes it for those who come later."""
    treatments = [f"t{n}" for n in range(THREADS)]
    listed = post(ledger, "d1", *(proposal(treatment, rank=n) for n, treatment in enumerate(treatments, 1)))

    def accept(suggestion: Suggestion) -> None:
        rows, decided = [touch(f"accepted {suggestion.treatment}")], None
        while True:
            try:
                ledger.answer(
                    suggestion.suggestion_id, "accept", user_id="u", rows=rows, until=None, now=NOON,
                    decided=decided,
                )  # fmt: skip
            except OvertakenError:
                decided = ledger.account_state("a").version
            else:
                return

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(accept, listed))

    assert {one.state for one in ledger.suggestions("a", now=NOON)} == {"accepted"}
    assert {row.event_id for row in ledger.tail()} == {f"accepted {treatment}" for treatment in treatments}
    assert ledger.account_state("a").version == THREADS


def test_of_many_who_accept_one_suggestion_one_has_it(ledger: Ledger) -> None:
    """The last contact cannot be taken twice."""
    (visit,) = post(ledger, "d1", proposal())

    def accept(n: int) -> str:
        try:
            ledger.answer(
                visit.suggestion_id, "accept", user_id=f"u{n}", rows=[touch(f"e{n}")], until=None, now=NOON
            )
        except ConflictError:
            return "refused"
        return "accepted"

    with ThreadPoolExecutor(THREADS) as pool:
        answers = Counter(pool.map(accept, range(THREADS)))

    assert answers == {"accepted": 1, "refused": THREADS - 1}
    assert len(ledger.tail()) == 1


def test_two_lists_at_once_never_mix(ledger: Ledger) -> None:
    """Both were decided on the same facts; what is shown is one of them as a whole."""
    for n in range(10):
        start = Barrier(2)
        lists = {
            f"d{n}": [proposal(f"x{n}"), proposal("both", rank=2)],
            f"e{n}": [proposal(f"y{n}"), proposal("both", rank=2)],
        }

        def place(decision_id: str, start: Barrier = start, lists: dict = lists) -> None:
            start.wait()
            ledger.post(decision(decision_id), lists[decision_id], version=0, now=NOON)

        threads = [Thread(target=place, args=(decision_id,)) for decision_id in lists]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        shown = [one.treatment for one in ledger.suggestions("a", now=NOON)]
        assert shown in [[p.treatment for p in listed] for listed in lists.values()]


def test_a_list_and_a_fact_at_once_never_pass_each_other(ledger: Ledger) -> None:
    """Either the list was there first, or it is refused because of the fact."""
    for n in range(10):
        start = Barrier(2)
        version = ledger.account_state("a").version
        refused: list[str] = []

        def place(
            start: Barrier = start, version: int = version, n: int = n, refused: list[str] = refused
        ) -> None:
            start.wait()
            try:
                ledger.post(decision(f"d{n}"), [proposal(f"t{n}")], version=version, now=NOON)
            except ConflictError:
                refused.append("list")

        thread = Thread(target=place)
        thread.start()
        start.wait()
        ledger.append([touch(f"e{n}")], now=NOON)
        thread.join()

        posted = [one.treatment for one in ledger.suggestions("a", now=NOON)] == [f"t{n}"]
        assert posted != bool(refused)


def test_a_take_over_under_live_writes_loses_nothing(ledger: Ledger) -> None:
    """Numbers are given before they are visible; a night that takes over meanwhile must not skip one."""
    taken: list[str] = []

    def take_over() -> None:
        rows = ledger.tail()
        if rows:
            taken.extend(row.event_id for row in rows)
            ledger.replace_blocks([("a", b"x"), ("b", b"x")], watermark=rows[-1].seq)

    def write(n: int) -> None:
        ledger.append([touch(f"e{n}", "ab"[n % 2])], now=NOON)

    with ThreadPoolExecutor(8) as pool:
        writes = [pool.submit(write, n) for n in range(100)]
        while not all(one.done() for one in writes):
            take_over()
    take_over()

    assert Counter(taken) == Counter(f"e{n}" for n in range(100))
    assert ledger.tail() == []


def test_live_lists_while_a_night_completes_are_all_shown(ledger: Ledger) -> None:
    """A list posted in the very moment of the swap belongs to the new run."""
    ids = [f"x{n:02}" for n in range(20)]
    ledger.put_accounts(accounts(*ids))
    night(ledger, "n1", {account: [proposal("mail")] for account in ids}, complete=False)

    def place(account: str) -> None:
        ledger.post(decision(f"d {account}", account), [proposal("call")], version=0, now=NOON)

    with ThreadPoolExecutor(8) as pool:
        posts = [pool.submit(place, account) for account in ids]
        ledger.complete_run("n1", summary={}, now=NOON)
        for one in posts:
            one.result()

    assert [one.treatment for one in ledger.worklist("u", now=NOON, limit=99)] == ["call"] * len(ids)


@contextmanager
def pausing_after(statement: str) -> Iterator[tuple[Event, Event]]:
    """The first thread that runs such a statement stops behind it: (it has stopped, let it go on)."""
    stopped, go_on = Event(), Event()

    def pause(*call: Any) -> None:
        if call[2].startswith(statement) and not stopped.is_set():
            stopped.set()
            go_on.wait(10)

    sa.event.listen(sa.Engine, "after_cursor_execute", pause)
    try:
        yield stopped, go_on
    finally:
        go_on.set()
        sa.event.remove(sa.Engine, "after_cursor_execute", pause)


@pytest.mark.postgres
def test_the_tail_waits_for_rows_that_have_a_lower_number(postgres_url: str) -> None:
    """Row 1 is being stored when row 2 is there already: taking over up to 2 would drop 1 unseen."""
    ledger = Ledger.create(postgres_url)
    ledger.put_accounts(accounts("a", "b"))
    with ThreadPoolExecutor(2) as pool, pausing_after("INSERT INTO events") as (stopped, go_on):
        slow = pool.submit(ledger.append, [touch("e1", "a")], now=NOON)
        stopped.wait(10)
        ledger.append([touch("e2", "b")], now=NOON)
        tail = pool.submit(ledger.tail)
        wait([tail], timeout=0.3)
        go_on.set()

        assert [(row.event_id, row.seq) for row in tail.result()] == [("e1", 1), ("e2", 2)]
        slow.result()
    ledger.close()


@pytest.mark.postgres
def test_the_swap_waits_for_a_list_that_is_being_posted(postgres_url: str) -> None:
    """The list has seen which run is shown and not yet where to write: it must not miss the new one."""
    ledger = Ledger.create(postgres_url)
    ledger.put_accounts(accounts("a"))
    night(ledger, "n1", {"a": [proposal("mail")]}, complete=False)
    with ThreadPoolExecutor(2) as pool, pausing_after("SELECT shown.run_id") as (stopped, go_on):
        slow = pool.submit(ledger.post, decision("d1"), [proposal("call")], version=0, now=NOON)
        stopped.wait(10)
        swap = pool.submit(ledger.complete_run, "n1", summary={}, now=NOON)
        wait([swap], timeout=0.3)
        go_on.set()
        slow.result()
        swap.result()

    assert [one.treatment for one in ledger.suggestions("a", now=NOON)] == ["call"]
    ledger.close()


DIES = """
import os, sys
import sqlalchemy as sa
from data.ledger.ledger import Ledger
from tests.data.ledgers import NOON, decision, proposal, touch

ledger = Ledger.open(sys.argv[1])
seen = 0

@sa.event.listens_for(sa.Engine, "after_cursor_execute")
def die(connection, cursor, statement, parameters, context, executemany):
    global seen
    if statement.startswith(("INSERT", "UPDATE", "DELETE")):
        seen += 1
        if seen == int(sys.argv[3]):
            os._exit(9)

if sys.argv[2] == "stage":
    rows = [(decision(f"n1:{a}", a), [proposal(), proposal("call", rank=2)], 0) for a in "ab"]
    ledger.stage("n1", rows, now=NOON)
elif sys.argv[2] == "append":
    ledger.append([touch("e1", details="x"), touch("e2", "b")], now=NOON)
elif sys.argv[2] == "complete":
    ledger.complete_run("n1", summary={}, now=NOON)
elif sys.argv[2] == "exclusive":
    with ledger.exclusive("nightly"):
        os._exit(9)
"""


def killed(url: str, work: str, statement: int) -> None:
    """Do that work in a process that ends after so many writing statements."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", DIES, url, work, str(statement)]
    done = subprocess.run(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, check=False)
    assert done.returncode == 9


@pytest.mark.parametrize("statement", [1, 3])
def test_a_process_that_dies_while_staging_leaves_nothing_half(
    ledger: Ledger, ledger_url: str, statement: int
) -> None:
    """And the restarted night ends as if nothing had happened."""
    ledger.begin_run("n1", NOON, now=NOON)

    killed(ledger_url, "stage", statement)

    assert ledger.staged("n1", ["a", "b"]) == frozenset()
    lists = {account: [proposal(), proposal("call", rank=2)] for account in "ab"}
    night(ledger, "n1", lists)
    assert len(ledger.worklist("u", now=NOON, limit=99)) == 4


def test_a_process_that_dies_while_storing_has_stored_nothing(ledger: Ledger, ledger_url: str) -> None:
    """The sender got no answer and sends again."""
    killed(ledger_url, "append", 2)

    assert ledger.tail() == []
    assert len(ledger.append([touch("e1", details="x"), touch("e2", "b")], now=NOON)) == 2


@pytest.mark.parametrize("statement", [1, 4])
def test_a_process_that_dies_while_completing_leaves_the_old_lists(
    ledger: Ledger, ledger_url: str, statement: int
) -> None:
    """Yesterday's list stays until today's is complete."""
    post(ledger, "d1", proposal("mail"))
    night(ledger, "n1", {"a": [proposal()]}, complete=False)

    killed(ledger_url, "complete", statement)

    assert [one.treatment for one in ledger.suggestions("a", now=NOON)] == ["mail"]
    ledger.complete_run("n1", summary={}, now=NOON)
    assert [one.treatment for one in ledger.suggestions("a", now=NOON)] == ["visit"]


def test_the_lock_of_a_process_that_died_is_free(ledger: Ledger, ledger_url: str) -> None:
    """A night that was killed must not need somebody to clean up before the next."""
    killed(ledger_url, "exclusive", 0)

    for _ in range(300):  # a server notices within moments that nobody is at the other end
        try:
            with ledger.exclusive("nightly"):
                return
        except AlreadyRunningError:
            time.sleep(0.1)
    pytest.fail("The lock of a process that died is still held.")
