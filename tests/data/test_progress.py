"""Progress of a long command, as it stands in a log."""

from __future__ import annotations

import pytest

from data.progress import _lines, reporting


def test_away_from_a_terminal_a_stage_is_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """A bar in a log file is thousands of lines that nobody can read."""
    with reporting() as report:
        for done in range(1_001):
            report("history", done, 1_000)
        for done in range(2):
            report("swap", done, 1)
        report("blocks", 0, 0)

    said = capsys.readouterr()

    assert said.err.splitlines() == ["history: 0 of 1,000", "history: 1,000 of 1,000", "swap", "blocks"]
    assert not said.out


def test_on_a_terminal_it_is_a_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it goes when the command ends, so that the result stands alone."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")

    with reporting() as report:
        report("history", 500, 1_000)

    said = capsys.readouterr()

    assert "history" in said.err
    assert "50%" in said.err
    assert not said.out


def test_a_stage_that_lasts_says_every_minute_how_fast_it_goes_and_how_long_it_will(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whoever waits for a night wants to know whether it ends before the morning."""
    now = 0.0
    report = _lines(lambda: now)
    for done in range(0, 2_001, 5):
        now = done / 10
        report("deciding", done, 2_000)

    assert capsys.readouterr().err.splitlines() == [
        "deciding: 0 of 2,000",
        "deciding: 600 of 2,000, 10 a second, 2 min left",
        "deciding: 1,200 of 2,000, 10 a second, 80 s left",
        "deciding: 1,800 of 2,000, 10 a second, 20 s left",
        "deciding: 2,000 of 2,000",
    ]


def test_steps_that_take_minutes_say_how_long_each_takes(capsys: pytest.CaptureFixture[str]) -> None:
    """A rate of 0.005 a second tells nobody anything."""
    now = 0.0
    report = _lines(lambda: now)
    for done in range(4):
        now = done * 200.0
        report("comparing learners", done, 5)

    assert capsys.readouterr().err.splitlines()[1:] == [
        "comparing learners: 1 of 5, 3 min each, 13 min left",
        "comparing learners: 2 of 5, 3 min each, 10 min left",
        "comparing learners: 3 of 5, 3 min each, 7 min left",
    ]
