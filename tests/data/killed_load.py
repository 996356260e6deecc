"""Run as a program: a load or a take-over that dies at a stage, as if the power had gone.

python killed_load.py (ingest FOLDER | take_over) HOME MOMENT STAGE COUNT
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from data.home import Home
from data.ingest import ingest, take_over
from data.ledger.ledger import Ledger

KILLED = 42


def main(arguments: list[str]) -> None:
    *what, root, moment, stage, count = arguments
    left = int(count)

    def die(name: str, done: int, of: int) -> None:
        nonlocal left
        if name == stage:
            if left == 0:
                os._exit(KILLED)
            left -= 1

    home = Home.at(Path(root), models=Path(root) / "models")
    if what[0] == "ingest":
        ingest(Path(what[1]), home, loaded_at=int(moment), progress=die)
    else:
        take_over(home, Ledger.open(home.ledger_url), int(moment), die)


if __name__ == "__main__":
    main(sys.argv[1:])
