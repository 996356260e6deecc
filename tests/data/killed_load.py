"""Run as a program: a load or a take-over that dies at a stage, as if the power had gone.

LEDGER_URL=... python killed_load.py (ingest FOLDER | take_over) HOME MOMENT STAGE COUNT

A stage is one of those that are reported, or `MODULE:NAME`, a function or method behind whose call number
COUNT (from 0) it dies.
"""

from __future__ import annotations

import importlib
import os
import sys
from functools import reduce
from pathlib import Path
from typing import Any

from data.home import Home
from data.ingest import ingest, take_over
from data.ledger.ledger import Ledger
from data.progress import Progress

KILLED = 42


def dying_behind(stage: str, count: int) -> Progress:
    """Have this process die behind that stage; what is called with stages that are reported."""
    left = count

    def die(name: str, done: int = 0, of: int = 0) -> None:
        nonlocal left
        if name == stage:
            if left == 0:
                os._exit(KILLED)
            left -= 1

    if ":" in stage:
        module, _, path = stage.partition(":")
        *owners, name = path.split(".")
        owner = reduce(getattr, owners, importlib.import_module(module))
        call = getattr(owner, name)

        def then_die(*args: Any, **options: Any) -> Any:
            answer = call(*args, **options)
            die(stage)
            return answer

        setattr(owner, name, then_die)
    return die


def main(arguments: list[str]) -> None:
    *what, root, moment, stage, count = arguments
    die = dying_behind(stage, int(count))
    home = Home.at(Path(root), models=Path(root) / "models", ledger_url=os.environ["LEDGER_URL"])
    if what[0] == "ingest":
        ingest(Path(what[1]), home, loaded_at=int(moment), progress=die)
    else:
        take_over(home, Ledger.open(home.ledger_url), int(moment), die)


if __name__ == "__main__":
    main(sys.argv[1:])
