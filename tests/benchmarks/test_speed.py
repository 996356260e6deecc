"""What the speed table says is measured on equal results, and is written where readers look for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import speed_page
from benchmarks.harness import Comparison, compare, shown
from benchmarks.touchpoints import agree, checksums, comparisons, log, ours

FOUND = Comparison("one", "another", 0.002, 0.03, (14.0, 15.0, 16.0))


def test_features_agree_with_the_peers_that_they_are_compared_with() -> None:
    """A peer that counts something else would be fast or slow for nothing."""
    lines = [found.line() for found in comparisons(touchpoints=3_000, decisions=200)]

    assert len(lines) == 4


def test_a_count_that_differs_by_one_is_seen() -> None:
    """Sums of days are compared to nine digits, counts must be equal."""
    right = checksums(ours(log(3_000, 200)))
    wrong = {scope: [values[0] + 1.0, *values[1:]] for scope, values in right.items()}

    assert agree(right, right)
    assert not agree(right, wrong)


def test_a_comparison_whose_results_differ_fails() -> None:
    """A fast wrong answer must not get into the table."""
    with pytest.raises(AssertionError, match="sum: the result differs from that of peer"):
        compare("sum", "peer", lambda: 1, lambda: 2, same=lambda a, b: a == b)


@pytest.mark.parametrize(
    ("seconds", "text"), [(2.5, "2.50 s"), (0.0125, "12.50 ms"), (0.00031, "310 us"), (0.0, "0 us")]
)
def test_a_time_is_shown_in_the_unit_in_which_it_is_read_best(seconds: float, text: str) -> None:
    """A decision takes microseconds, a training minutes."""
    assert shown(seconds) == text


def test_the_table_replaces_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What people have written around it stays."""
    (tmp_path / "docs/pictures").mkdir(parents=True)
    page = tmp_path / "docs/speed.md"
    page.write_text(f"above\n{speed_page.BEGIN}\nold\n{speed_page.END}\nbelow\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    speed_page.write([FOUND], (10, 100), [FOUND, FOUND], "make bench")
    text = page.read_text(encoding="utf-8")

    assert text.startswith("above\n")
    assert text.endswith("\nbelow\n")
    assert "old" not in text
    assert "| one | another | 2.00 ms | 30.00 ms | 15.0x (14.0 to 16.0) |" in text
    assert "</svg>" in (tmp_path / "docs/pictures/speed.svg").read_text(encoding="utf-8")
