"""`make bench`: every comparison, one row each; with --write docs/speed.md and its pictures."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import deciding, learners, plan, rule_engine, speed_page, touchpoints
from benchmarks.harness import Alone, Comparison
from benchmarks.material import Material, forest, world
from benchmarks.parts import parts_of
from benchmarks.scale.night import measure_alone

NO_ZEN = "Left out: policies against zen, which is not installed (pip install '.[bench-rules]')."


@dataclass(frozen=True)
class Sizes:
    """How much is measured; `highs` = people that HiGHS plans, `night` = accounts of the night."""

    accounts: int
    pairs: int
    touchpoints: int
    decisions: int
    people: int
    highs: int
    night: int


SMALL = Sizes(2_000, 300_000, 500_000, 25_000, people=20, highs=2, night=10_000)
LARGE = Sizes(20_000, 3_000_000, 10_000_000, 500_000, people=200, highs=10, night=1_000_000)


def main() -> None:
    """Print the table; what is written is written again after every row, so that nothing is lost."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="the large form: hours, 15 GB of disk")
    parser.add_argument("--write", action="store_true", help="write docs/speed.md")
    parser.add_argument("--home", type=Path, help="of the night; what is loaded there is not loaded again")
    given = parser.parse_args()
    sizes, material = LARGE if given.full else SMALL, world(2_000)
    command = "make bench FULL=1" if given.full else "python -m benchmarks --write"
    print("Processor time, medians of five interleaved pairs; ratio = peer / ours (extremes).\n")
    print("| what | against | ours | peer | ratio |\n|---|---|---|---|---|")
    found: list[Comparison | Alone] = []
    for each in _comparisons(material, sizes, given.home):
        print(each.line(), flush=True)
        found.append(each)
        if given.write:
            speed_page.put(speed_page.table(found, command))
    if given.write:
        speed_page.write(found, _pictures(material, sizes), command)


def _comparisons(material: Material, sizes: Sizes, home: Path | None) -> Iterator[Comparison | Alone]:
    """Every row of the table, the night last, since it takes longest."""
    yield from deciding.comparisons(material, accounts=sizes.accounts, pairs=sizes.pairs)
    row_by_row = rule_engine.comparison(material, sizes.pairs)
    if row_by_row is None:
        print(NO_ZEN, file=sys.stderr)
    else:
        yield row_by_row
    yield from learners.comparisons(material, deciding.tiled(material.known(), sizes.accounts // 4))
    yield from touchpoints.comparisons(sizes.touchpoints, sizes.decisions)
    yield from plan.comparisons(sizes.people, sizes.highs)
    with tempfile.TemporaryDirectory() as folder:
        place = home or Path(folder) / "home"
        yield measure_alone(place, sizes.night, 2).comparison()


def _pictures(material: Material, sizes: Sizes) -> dict[str, str]:
    """Growth with size of scoring and of features, and the parts of a decision."""
    known = material.known()
    booster = forest(known, trees=300, leaves=31)
    accounts = [sizes.accounts // part for part in (100, 10, 1)]
    scored = [deciding.scoring(deciding.tiled(known, many), booster, "") for many in accounts]
    rows = [sizes.touchpoints // part for part in (100, 10, 1)]
    counted = [touchpoints.snapshot_against_duckdb(touchpoints.log(many)) for many in rows]
    parts = [
        parts_of(material, booster, 1, repeats=500),
        parts_of(material, booster, len(material.moments), repeats=7),
    ]
    return {
        speed_page.GROWTH: speed_page.picture(
            "Scoring by number of accounts, processor time", accounts, scored
        ),
        speed_page.FEATURES: speed_page.picture(
            "Features by number of touchpoints, processor time", rows, counted
        ),
        speed_page.WHERE: speed_page.shares("Where the time of a decision goes", parts),
    }


if __name__ == "__main__":
    main()
