"""What the HTTP lines and the load say is measured on right answers: a wrong or lost one fails them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import load
from benchmarks.serving import questions as q
from benchmarks.serving.agree import check_events, check_what_if
from benchmarks.serving.company import Served, company
from benchmarks.serving.generator import BenchError, Run, percentile, undisturbed
from benchmarks.serving.lines import HttpLine, Measured, Side, measured
from benchmarks.serving.processes import Server, Together, nextbest
from benchmarks.serving.workers import rows_of, worker_lines
from data.ledger.ledger import Ledger
from data.ledger.types import User
from data.settings import Settings
from engine.records import Floats

USER = User("u", "Her", "account_manager")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    home = tmp_path_factory.mktemp("home")
    return company(Settings(home=home, models=home / "models", processes=1), accounts=40, trees=10)


@pytest.fixture(scope="module")
def server(served: Served) -> Iterator[Server]:
    with nextbest(served.settings) as found:
        yield found


@pytest.fixture
def ledger(served: Served) -> Iterator[Ledger]:
    found = Ledger.open(served.settings.as_home())
    yield found
    found.close()


def test_the_model_of_the_peers_gives_the_lists_and_scores_that_are_served(
    served: Served, server: Server, ledger: Ledger
) -> None:
    """LightGBM itself on rows worked out beside the service: the same to the bit, or the lines compare apples
    with pears."""
    asked = q.questions(served, ledger, accounts=3)

    def library(question: q.Question, rows: Floats) -> Floats:
        return np.asarray(served.booster.predict(rows, raw_score=True))

    check_what_if(served, ledger, asked, server, [library])
    check_events(served, ledger, asked, server, [library])


def test_a_peer_that_scores_otherwise_fails_the_comparison(
    served: Served, server: Server, ledger: Ledger
) -> None:
    """A fast wrong answer must not get into the table: neither the peer's nor ours."""
    asked = q.questions(served, ledger, accounts=3)

    def library(question: q.Question, rows: Floats) -> Floats:
        return np.asarray(served.booster.predict(rows, raw_score=True))

    def other(question: q.Question, rows: Floats) -> Floats:
        return library(question, rows) + np.arange(len(rows))

    with pytest.raises(BenchError, match="the peers score the same rows differently"):
        check_what_if(served, ledger, asked, server, [library, other])
    with pytest.raises(BenchError, match="the peers' scores give"):
        check_what_if(served, ledger, asked, server, [other])
    with pytest.raises(BenchError, match="has other scores"):
        check_events(served, ledger, asked, server, [other])


def test_all_three_requests_are_answered_under_load(served: Served, server: Server, ledger: Ledger) -> None:
    """The small form: at the peak and at half of it, every answer a 200."""
    asked = q.questions(served, ledger, accounts=5)
    kinds = {"get": q.get_ours(asked), "what-if": q.what_if_ours(asked), "event": q.events_ours(asked, "t")}

    lines = [measured(kind, 0.4, 1, Side("nextbest", server, kinds[kind])) for kind in kinds]

    assert all(line.sides[0].rate > 0 and line.sides[0].processor[0] > 0 for line in lines)
    assert all(line.sides[0].half.delays for line in lines)


def test_several_processes_share_the_requests_and_are_counted_together(served: Served) -> None:
    """A process that was not asked, or not counted, would make two look like twice as much."""
    lines = {}
    for line in worker_lines(served, workers=2, accounts=4, seconds=0.6, turns=1):
        lines[line.what] = [row.split(" | ") for row in rows_of(line)]

    assert list(lines) == ["GET stored suggestions", "POST what-if", "POST event"]
    assert all([one[1], both[1]] == ["1", "2"] and both[3].endswith(")") for one, both in lines.values())


def test_connections_go_to_every_port_in_turn(served: Served, server: Server, ledger: Ledger) -> None:
    """Both at the peak and at half of it; a port where nobody answers is noticed."""
    with nextbest(served.settings) as second:
        both = Together((server, second))
        before = [one.processor_seconds() for one in both.servers]
        requests = q.get_ours(q.questions(served, ledger, accounts=3))
        line = measured("get", 0.6, 1, Side("2", both, requests))

        assert both.ports == (server.port, second.port)
        assert line.sides[0].processor[0] > 0
        assert all(one.processor_seconds() > was for one, was in zip(both.servers, before, strict=True))


def test_an_answer_that_is_an_error_fails_the_line(served: Served, server: Server, ledger: Ledger) -> None:
    """A 404 is answered quickly."""
    question = replace(q.questions(served, ledger, accounts=1)[0], account_id="nobody")

    with pytest.raises(BenchError, match="404"):
        measured("get", 0.2, 1, Side("nextbest", server, q.get_ours([question])))


def test_two_processes_on_one_ledger_tell_every_change_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Events come in through both, streams are open at both and half of them are cut."""
    settings = Settings(home=tmp_path, models=tmp_path / "models")

    wrong = load.measure(settings, streams=8, rate=6.0, seconds=2.0, accounts=40, workers=2)

    assert wrong == 0
    assert "12 events" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("got", "wrong"), [(["0.1.5", "0.2.5"], 0), (["0.1.5"], 1), (["0.1.5", "0.2.5", "0.2.5"], 1)]
)
def test_a_change_that_is_lost_or_told_twice_is_counted(got: list[str], wrong: int) -> None:
    """It decides the exit code."""
    watcher = load.Watcher(USER, "token", 1, cut=False, got=got, delays=[0.1], heard={"load-1": 2.0})
    sent = load.Sent({"load-1": 1.5}, [0.01])

    assert load.report([watcher], {"u": ["0.1.5", "0.2.5"]}, sent, 1.0) == wrong


def test_a_line_says_the_peak_its_ratio_and_what_is_waited_for_at_half_of_it() -> None:
    """Ratios are those of turns beside each other."""
    half = Run(1.0, [0.001] * 99 + [0.02], 0.1)
    ours = Measured("nextbest", [100.0, 120.0, 110.0], [0.002] * 3, half, 0.25)
    peer = Measured("peer", [10.0, 10.0, 10.0], [0.02] * 3, half, 0.5)
    faster = Measured("faster", [1_000.0, 1_200.0, 2_200.0], [0.0001] * 3, half, 0.5)

    first, second, third = HttpLine("GET", (ours, peer, faster)).lines()

    assert first == "| GET | nextbest | 110 |  | 1.0 / 20.0 ms | 2.00 ms |  | 25% |"
    assert second == "| GET | peer | 10 | 11.0x (10.0 to 12.0) | 1.0 / 20.0 ms | 20.00 ms | 10.0x | 50% |"
    assert third == "| GET | faster | 1,200 | 0.10x (0.05 to 0.10) | 1.0 / 20.0 ms | 0.10 ms | 0.05x | 50% |"
    assert percentile([], 0.5) != percentile([], 0.5)  # not a number: nothing was measured


def test_the_collector_stands_still_while_something_is_measured_and_no_longer() -> None:
    """Its pauses in the process that asks would count as the server's; a run that fails must not end it."""
    inside = []

    @undisturbed()
    def fails() -> None:
        inside.append(gc.isenabled())
        raise BenchError

    with pytest.raises(BenchError):
        fails()

    assert inside == [False]
    assert gc.isenabled()
