"""Public data sets beside the checkout, where somebody has put them, and the pages that show their use."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from data.history import HistoryStore, Snapshot
from data.tables import read_table
from engine.contract import TABLES, TIME

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"


def needs(name: str) -> pytest.MarkDecorator:
    """Skips a test where the data are not there."""
    return pytest.mark.skipif(not (SHARED / name).is_dir(), reason=f"no data in {SHARED / name}")


def follow(page: str, data: str, folder: Path) -> dict[str, str]:
    """Run the commands of docs/howto/PAGE in a folder, SOURCE being the data; command -> what it printed."""
    text = (ROOT / "docs" / "howto" / page).read_text(encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NEXTBEST_")}
    environment["PYTHONPATH"] = str(ROOT)
    said = {}
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = [str(SHARED / data) if word == "SOURCE" else word for word in shlex.split(line)]
            if words[0] == "export":
                environment |= dict(word.split("=", 1) for word in words[1:])
                continue
            assert words[0] == "nextbest", line
            script = "import sys; from api.cli import main; sys.argv[0] = 'nextbest'; main()"
            done = subprocess.run(
                [sys.executable, "-c", script, *words[1:]],
                cwd=folder, env=environment, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, (line, done.stderr)
            said[" ".join(line.split())] = done.stdout
    return said


def stored(folder: Path, home: Path) -> Snapshot:
    """The history of a folder of the contract, without a ledger."""
    rows = {}
    for name, table in TABLES.items():
        checked = read_table(folder, name)
        if checked is not None:
            assert checked.rejects.is_empty(), checked.rejects.row(0)
            occurred = pl.col(table.time) if table.time else pl.lit(0).cast(TIME)
            rows[name] = checked.rows.with_columns(stored_at=pl.coalesce("stored_at", occurred))
    whose = rows["touchpoints"].select("touchpoint_id", "account_id")
    rows["responses"] = rows["responses"].drop("account_id", strict=False).join(whose, on="touchpoint_id")
    snapshot, _, _ = HistoryStore(home / "history").add(rows)
    return snapshot
