"""The live stream: what changes arrives within a second, in order, for those alone who may see it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.stream import read_id
from data.ledger.changes import KEPT_MICROS, Position
from tests.api.company import Company, served, tables_of


@pytest.fixture
def company(tmp_path: Path, ledger_url: str) -> Iterator[Company]:
    with served(tmp_path, tables_of(["a1", "a2"]), ledger_url=ledger_url) as found:
        yield found


class Watching:
    """An open stream, read event by event."""

    def __init__(self, response: httpx.Response) -> None:
        self.lines = response.iter_lines()
        self.last_id = ""

    def next(self) -> tuple[str, dict[str, Any]]:
        kind, data = "", {}
        for line in self.lines:
            name, _, value = line.partition(": ")
            if name == "id":
                self.last_id = value
            elif name == "event":
                kind = value
            elif name == "data":
                data = json.loads(value)
            elif not line and kind:
                return kind, data
        raise AssertionError("The stream has ended.")


@contextmanager
def watching(company: Company, user_id: str = "am", last_id: str = "") -> Iterator[Watching]:
    headers = company.as_(user_id) | ({"Last-Event-ID": last_id} if last_id else {})
    with company.client.stream("GET", "/v1/stream", headers=headers) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Watching(response)


def test_p1_what_is_suggested_live_arrives_at_once_with_its_trigger(company: Company) -> None:
    """The physician has hardly closed the page."""
    with watching(company) as stream:
        first = stream.next()
        company.reads_page("side_effects", "a1", event_id="read-1")
        told = stream.next()

    assert first == ("ready", {})
    assert (told[0], told[1]["account_id"], told[1]["trigger"]) == ("posted", "a1", "event:read-1")
    assert told[1]["suggestion_id"] in [s["suggestion_id"] for s in company.suggestions("a1")]


def test_who_comes_back_with_the_last_event_misses_nothing(company: Company) -> None:
    """A tablet in a lift."""
    with watching(company) as stream:
        stream.next()
        company.reads_page("side_effects", "a1")
        stream.next()
    seen = stream.last_id
    company.reads_page("side_effects", "a2")
    with watching(company, last_id=seen) as stream:
        told = [stream.next()]
        while told[-1][1].get("account_id") != "a2":
            told.append(stream.next())

    assert told[0] == ("ready", {})
    assert told[-1][0] == "posted"


def test_who_goes_on_from_the_first_word_misses_nothing(company: Company) -> None:
    """The line broke before anything happened; the address says where to begin as well as the header."""
    with watching(company) as stream:
        stream.next()
    company.reads_page("side_effects", "a1", event_id="in-between")
    address = f"/v1/stream?after={stream.last_id}"
    with company.client.stream("GET", address, headers=company.as_("am")) as response:
        stream = Watching(response)
        told = [stream.next(), stream.next()]

    assert told[0] == ("ready", {})
    assert (told[1][0], told[1][1]["trigger"]) == ("posted", "event:in-between")


def test_the_wall_and_the_team_hold_in_the_stream(company: Company) -> None:
    """Of what medical is suggested commercial hears nothing, and a stranger nothing at all."""
    company.reads_page("side_effects", "a1", event_id="one")
    medical = {s["suggestion_id"] for s in company.suggestions("a1", "ml") if s["role"] == "medical_liaison"}
    others = {s["suggestion_id"] for s in company.suggestions("a1")}
    with watching(company, "ml") as theirs, watching(company, "am") as mine:
        theirs.next(), mine.next()
        company.clock.pass_time(minutes=1)
        company.reads_page("efficacy", "a1", event_id="two")
        company.reads_page("dosing", "a2", event_id="end")
        heard = []
        for stream in (theirs, mine):
            told = [stream.next()]
            while told[-1][1]["trigger"] != "event:end":
                told.append(stream.next())
            heard.append({data["suggestion_id"] for _, data in told if data["account_id"] == "a1"})
    with watching(company, "stranger", "0.0.1") as stream:
        resync = stream.next()

    assert medical
    assert heard[0] & medical
    assert not heard[1] & medical
    assert heard[1] <= others | {s["suggestion_id"] for s in company.suggestions("a1")}
    assert resync[0] == "resync"


def test_what_a_colleague_hands_over_arrives_on_her_stream_alone(company: Company) -> None:
    """The liaison hears of it, the reimbursement specialist does not."""
    with watching(company, "ml") as theirs, watching(company, "rs") as other:
        theirs.next(), other.next()
        company.post("/accounts/a1/hand-overs", {"to_role": "medical_liaison", "note": "x"})
        company.reads_page("reimbursement", "a2", event_id="end")
        told, heard = theirs.next(), other.next()

    assert (told[0], told[1]["account_id"]) == ("hand_over", "a1")
    assert heard[1]["account_id"] == "a2"


def test_a_stream_needs_to_know_who_listens(company: Company) -> None:
    """Not even that something has changed."""
    assert company.client.get("/v1/stream").status_code == 401


@pytest.mark.parametrize(
    ("text", "position"),
    [
        (f"3.7.{10 * KEPT_MICROS}", Position(3, 7)), (f"0.7.{8 * KEPT_MICROS}", None), ("nonsense", None),
        (None, None), ("1.2", None), (f"{2**70}.1.{10 * KEPT_MICROS}", None),
    ],
)  # fmt: skip
def test_an_id_that_is_none_or_too_old_is_not_gone_on_from(
    text: str | None, position: Position | None
) -> None:
    """Rather everything anew than something silently missing."""
    assert read_id(text, 10 * KEPT_MICROS - 1) == position
