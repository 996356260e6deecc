"""`make bench`: every comparison, one row each; with --write docs/speed.md and its picture."""

from __future__ import annotations

import argparse

from benchmarks import deciding, learners, rule_engine, touchpoints
from benchmarks.material import forest, world
from benchmarks.speed_page import write

SMALL = {"accounts": 2_000, "pairs": 300_000, "touchpoints": 500_000, "decisions": 25_000}
LARGE = {"accounts": 20_000, "pairs": 3_000_000, "touchpoints": 10_000_000, "decisions": 500_000}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="the large form")
    parser.add_argument("--write", action="store_true", help="write docs/speed.md")
    given = parser.parse_args()
    sizes = LARGE if given.full else SMALL
    material = world(2_000)
    print("Processor time, medians of five interleaved pairs; ratio = peer / ours (extremes).\n")
    print("| what | against | ours | peer | ratio |\n|---|---|---|---|---|")
    found, row_by_row = [], rule_engine.comparison(material, sizes["pairs"])
    for each in (
        *deciding.comparisons(material, accounts=sizes["accounts"], pairs=sizes["pairs"]),
        *([] if row_by_row is None else [row_by_row]),
        *learners.comparisons(material, deciding.tiled(material.known(), sizes["accounts"] // 4)),
        *touchpoints.comparisons(sizes["touchpoints"], sizes["decisions"]),
    ):
        print(each.line(), flush=True)
        found.append(each)
    if row_by_row is None:
        print("Left out: policies against zen, which is not installed (pip install '.[bench-rules]').")
    if given.write:
        known = material.known()
        booster = forest(known, trees=300, leaves=31)
        steps = tuple(sizes["accounts"] // part for part in (100, 10, 1))
        growth = [deciding.scoring(deciding.tiled(known, step), booster, "") for step in steps]
        write(found, steps, growth, "make bench FULL=1" if given.full else "python -m benchmarks --write")


if __name__ == "__main__":
    main()
