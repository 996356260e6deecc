"""`make bench-quality`: measure what is missing, then print the tables or write them into docs/method.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.quality import certainty, ours
from benchmarks.quality.found import Found
from benchmarks.quality.peers import PEERS
from benchmarks.quality.pictures import curves
from benchmarks.quality.results import ROOT, TRACKED, Cell, Results
from benchmarks.quality.run import Plan, affordable, cells, full, run, small
from benchmarks.quality.tables import document, put_into
from benchmarks.quality.worlds import preset
from data.home import DataError
from data.progress import reporting
from training.errors import TrainingError

PAGE, PICTURE = ROOT / "docs/method.md", ROOT / "docs/pictures/quality.svg"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write; 2 = something asked for does not exist."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    python = asked.peers if asked.peers and asked.peers.exists() else None
    if asked.peers and python is None:
        print(f"Without peers: {asked.peers} is not there.", file=sys.stderr)
    results = Results(asked.results, asked.tracked)
    try:
        wanted = _cells(asked)
        with reporting() as progress:
            run(Plan(frozenset(wanted), python), results, progress)
            for what, worlds in (("claim", certainty.ZERO_WORLDS), ("coverage", certainty.COVERED_WORLDS)):
                certainty.measure(what, worlds, range(1, asked.runs + 1), results, progress)
    except (DataError, TrainingError) as error:
        print(error, file=sys.stderr)
        return 2
    found = Found.of(results)
    text = document(found, datetime.now(UTC), "make bench-quality")
    if asked.write:
        results.keep()
        put_into(PAGE, text + _picture(found))
        print(f"Written: {PAGE.relative_to(ROOT)} and {asked.tracked}")
    else:
        print(text)
    return 0


def _picture(found: Found) -> str:
    drawn = curves(found)
    if not drawn:
        return ""
    PICTURE.write_text(drawn, encoding="utf-8")
    return f"\n\n![Share of the oracle's gain over the number of cases](pictures/{PICTURE.name})"


def _cells(asked: argparse.Namespace) -> set[Cell]:
    everybody = (*ours.names(), *(PEERS if asked.peers else ()))
    who = tuple(asked.who.split(",")) if asked.who else everybody
    unknown = set(who) - {*ours.names(), *PEERS}
    if unknown:
        raise DataError(f"The bench does not know {sorted(unknown)}; known are {[*ours.names(), *PEERS]}.")
    if asked.worlds:
        worlds = [preset(name).name for name in asked.worlds.split(",")]
        sizes = [int(size) for size in asked.cases.split(",")]
        return cells(worlds, sizes, range(1, asked.seeds + 1), who)
    if asked.full:
        return full(who)
    return affordable(who) if asked.budget else small(who)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--full", action="store_true", help="all worlds, sizes and seeds: days")
    parser.add_argument("--budget", action="store_true", help="about 2.5 hours of one core; goes on")
    parser.add_argument("--worlds", default="", help="only these, with commas; then --cases and --seeds hold")
    parser.add_argument("--cases", default="20000", help="numbers of cases, with commas")
    parser.add_argument("--seeds", type=int, default=1, help="so many, from 1 on")
    parser.add_argument("--who", default="", help="with commas; default: ours, and peers with --peers")
    parser.add_argument("--runs", type=int, default=0, help="seeds for false claims and coverage")
    parser.add_argument("--results", type=Path, default=ROOT / "var/quality/results.jsonl")
    parser.add_argument("--tracked", type=Path, default=TRACKED, help="what tables were made from")
    parser.add_argument("--peers", type=Path, default=None, help="an interpreter that has the peers")
    parser.add_argument(
        "--write", action="store_true", help="tables into docs/method.md, cells into --tracked"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
