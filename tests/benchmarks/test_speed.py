"""What the speed table says is measured on equal results, and is written where readers look for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import plan, speed_page
from benchmarks.harness import Alone, Comparison, compare, shown
from benchmarks.material import forest, world
from benchmarks.parts import PARTS, Parts, parts_of
from benchmarks.scale.night import measure_alone
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

    speed_page.write([FOUND, Alone("large", "nobody", 3.0)], {"speed.svg": "<svg></svg>"}, "make bench")
    text = page.read_text(encoding="utf-8")

    assert text.startswith("above\n")
    assert text.endswith("\nbelow\n")
    assert "old" not in text
    assert "| one | another | 2.00 ms | 30.00 ms | 15.0x (14.0 to 16.0) |" in text
    assert "| large | nobody | 3.00 s | | |" in text
    assert (tmp_path / "docs/pictures/speed.svg").read_text(encoding="utf-8") == "<svg></svg>"


def test_what_was_measured_once_has_no_extremes() -> None:
    """A night of a million accounts is not run five times; its ratio must not look as if it had been."""
    once = Comparison("night", "predict", 4.0, 2.0, (0.5,))

    assert once.line().endswith("| 0.5x, once |")


def test_the_night_is_measured_in_a_process_of_its_own_whose_failures_are_told(tmp_path: Path) -> None:
    """Its memory is the night's alone; what cannot be handed to that process would end it without a word."""
    (tmp_path / "taken").write_text("a file where a folder should be")

    with pytest.raises(NotADirectoryError, match="taken"):
        measure_alone(tmp_path / "taken" / "home", accounts=10, processes=1)


def test_pictures_show_every_size_and_every_part() -> None:
    """Where people look first; a bar is as wide as its share."""
    growth = speed_page.picture("Growth", (10, 100), [FOUND, FOUND])
    shares = speed_page.shares("Parts", [Parts(1, (1e-4, 1e-4, 2e-4, 0.0, 0.0)), Parts(100, (1e-3,) * 5)])

    assert [f">{size}<" in growth for size in (10, 100)] == [True, True]
    assert [f">{name}<" in growth for name in ("nextbest", "another")] == [True, True]
    assert [f">{part}<" in shares for part in PARTS] == [True] * len(PARTS)
    assert "1 account: 400 us" in shares
    assert "100 accounts: 5.00 ms, 50 us each" in shares
    assert f'width="{speed_page.WIDTH / 2:.1f}"' in shares


def test_the_parts_of_a_decision_are_all_timed() -> None:
    """The picture of where time goes is worth nothing if a part is left out."""
    material = world(40)
    booster = forest(material.known(), trees=3, leaves=4)

    found = parts_of(material, booster, 7, repeats=2)

    assert found.moments == 7
    assert len(found.seconds) == len(PARTS)
    assert min(found.seconds) > 0.0


def test_a_plan_is_listed_only_if_it_is_as_good_as_the_solver_s() -> None:
    """Three rows: hours of one's own, quotas that are shared, and the size at which no solver finishes."""
    own, shared, alone = plan.comparisons(people=2, highs_people=1, repeats=1)

    assert isinstance(own, Comparison)
    assert isinstance(shared, Comparison)
    assert isinstance(alone, Alone)
    assert "own proven gap" in alone.line()
