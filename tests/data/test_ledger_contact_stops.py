"""Contacts stopped for everybody: at once, whatever is under way, until somebody resumes them."""

from __future__ import annotations

import threading

import pytest

from data.ledger.ledger import Ledger
from data.ledger.types import ConflictError, StopOrder, UnknownError
from tests.data.ledgers import NOON, decision, night, post, proposal, touch


def order(level: str = "channel", of: str = "visit", *, now: int = NOON + 10) -> StopOrder:
    """A stop by a playbook with the treatments visit, call and mail."""
    both = ("call", "visit")
    covered = {"channel:visit": ("visit",), "all:": ("mail", *both), "action:talk": both}
    treatments = covered[f"{level}:{of}"]
    spared = tuple(t for t in ("call", "mail", "stop_mail", "visit") if t not in treatments)
    return StopOrder(level, of, "recall of the leaflet", "boss", now, treatments, spared)


def shown(ledger: Ledger, account_id: str = "a") -> list[str]:
    return [one.treatment for one in ledger.suggestions(account_id, now=NOON + 20)]


def test_a_stop_withdraws_what_is_open_put_off_and_accepted(ledger: Ledger) -> None:
    """Nobody may carry out tomorrow what was stopped today."""
    visit, call = post(ledger, "d1", proposal(), proposal("call", rank=2, channel="phone"))
    ledger.answer(visit.suggestion_id, "accept", user_id="u", rows=[touch("x")], until=None, now=NOON + 1)

    kept, withdrawn, accepted = ledger.stop_contacts(order("action", "talk"))

    assert (kept.stop_id, withdrawn, [one.suggestion_id for one in accepted]) == (1, 2, [visit.suggestion_id])
    assert shown(ledger) == []
    assert ledger.suggestion(call.suggestion_id).state == "withdrawn"
    assert (kept.reason, kept.stopped_by, kept.stopped_at) == ("recall of the leaflet", "boss", NOON + 10)


def test_what_is_not_covered_stays(ledger: Ledger) -> None:
    """A stop of visits is no stop of calls; one that the playbook does not know goes with its channel."""
    post(ledger, "d1", proposal(), proposal("call", rank=2, channel="phone"),
         proposal("stop_mail", rank=3, channel="visit"), proposal("old", rank=4))  # fmt: skip

    ledger.stop_contacts(order())

    assert shown(ledger) == ["call", "stop_mail"]
    ledger.stop_contacts(order("all", ""))
    assert shown(ledger) == ["stop_mail"]


def test_a_list_decided_before_the_stop_is_not_posted_after_it(ledger: Ledger) -> None:
    """The stop came between deciding and posting."""
    ledger.stop_contacts(order())

    with pytest.raises(ConflictError, match="has just been stopped: decide again"):
        post(ledger, "d1", proposal())

    post(ledger, "d2", proposal("call", channel="phone"))
    assert shown(ledger) == ["call"]


def test_a_list_decided_under_the_stop_is_taken_as_it_is(ledger: Ledger) -> None:
    """Who knew of the stop has reckoned with it: the playbook of today may cover something else."""
    ledger.stop_contacts(order())

    ledger.post(decision("d1", stops=["1"]), [proposal()], version=0, now=NOON + 11)

    assert shown(ledger) == ["visit"]


def test_a_stop_while_a_night_is_staged_holds_for_what_was_staged_and_what_comes(ledger: Ledger) -> None:
    """The night takes hours; an emergency does not wait for it."""
    lists = {"a": [proposal()], "b": [proposal(), proposal("call", rank=2, channel="phone")]}
    night(ledger, "n1", {"a": lists["a"]}, complete=False)
    ledger.stop_contacts(order())

    versions = ledger.versions()
    left = ledger.stage("n1", [(decision("n1:b", "b"), lists["b"], versions["b"])], now=NOON + 12)
    ledger.complete_run("n1", summary={}, now=NOON + 13)

    assert left == ["b"]
    assert shown(ledger, "a") == shown(ledger, "b") == []


def test_stopping_twice_is_one_stop_and_withdraws_what_came_in_since(ledger: Ledger) -> None:
    """Whoever is not sure that it worked may press again."""
    first, _, _ = ledger.stop_contacts(order())
    ledger.post(decision("d1", stops=["1"]), [proposal()], version=0, now=NOON + 11)

    again, withdrawn, _ = ledger.stop_contacts(order(now=NOON + 12))

    assert (again, withdrawn) == (first, 1)
    assert ledger.contact_stops() == [first]


def test_a_stop_ends_when_somebody_resumes_it_and_stays_in_the_log(ledger: Ledger) -> None:
    """Who stopped, who resumed, why: months later somebody asks."""
    stop, _, _ = ledger.stop_contacts(order())

    over = ledger.resume_contacts(stop.stop_id, by="lawyer", reason="new leaflet", now=NOON + 15)
    again = ledger.resume_contacts(stop.stop_id, by="other", reason="", now=NOON + 16)

    assert (over.resumed_by, over.resumed_at, over.resume_reason) == ("lawyer", NOON + 15, "new leaflet")
    assert again == over
    assert ledger.contact_stops() == []
    assert ledger.stop_log() == [over]
    post(ledger, "d1", proposal())
    assert shown(ledger) == ["visit"]
    with pytest.raises(UnknownError, match="no stop of contacts with the number 9"):
        ledger.resume_contacts(9, by="boss", reason="", now=NOON)


def test_no_list_slips_in_beside_a_stop(ledger: Ledger) -> None:
    """Fifty requests are posting while somebody stops: afterwards nothing of it is on any list."""
    start, refused = threading.Barrier(51), []

    def posting(number: int) -> None:
        start.wait()
        account = "ab"[number % 2]
        try:
            ledger.post(decision(f"d{number}", account), [proposal()], version=0, now=NOON + number)
        except ConflictError:
            refused.append(number)

    def stopping() -> None:
        start.wait()
        ledger.stop_contacts(order())

    threads = [threading.Thread(target=posting, args=(number,)) for number in range(50)]
    threads.append(threading.Thread(target=stopping))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert shown(ledger, "a") == shown(ledger, "b") == []
    with pytest.raises(ConflictError):
        post(ledger, "after", proposal())
