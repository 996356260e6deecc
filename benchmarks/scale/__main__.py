"""`python -m benchmarks.scale load|night|training`: what size costs; docs/scale.md keeps the figures."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.scale.load import measure_load
from benchmarks.scale.night import measure_night
from benchmarks.scale.training import SIZES, measure_training


def main() -> None:
    """Measure one thing at one size and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("what", choices=["load", "night", "training"])
    parser.add_argument("--accounts", type=int, default=20_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--cases", type=int, nargs="*", help="of a training")
    parser.add_argument("--folder", type=Path, help="keep the home that is made there")
    given = parser.parse_args()
    if given.what == "training":
        print("| cases | time | processor time | memory at most (PSS) |\n|---|---|---|---|")
        for size in given.cases or SIZES:
            print(measure_training(size, given.processes).line(), flush=True)
        return
    with tempfile.TemporaryDirectory() as scratch:
        home = given.folder or Path(scratch) / "home"
        print("| what | measured |\n|---|---|")
        if given.what == "load":
            lines = measure_load(home, given.accounts).lines()
        else:
            lines = measure_night(home, given.accounts, given.processes).lines()
        print("\n".join(lines))


if __name__ == "__main__":
    main()
