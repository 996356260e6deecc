"""A load of any size ends as a small one does, in the memory of a portion."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from benchmarks.scale.history import write_history
from data import bins, placing, reading
from data.bins import Bins
from data.history import HistoryStore
from data.home import Home
from data.ingest import ContractError, LoadReport, ingest
from data.ledger.ledger import Ledger
from data.reading import read_portions
from data.tables import read_table
from engine.contract import HISTORY_TABLES
from tests.data.files import (
    UNTIL,
    account,
    home_at,
    micros,
    outcome,
    preference,
    response,
    team_member,
    touchpoint,
    user,
    write_csv,
    write_parquet,
)
from tests.data.homes import stored

LOADED = micros(UNTIL)


def many(rng: np.random.Generator, load: int) -> dict[str, list[dict[str, Any]]]:
    """Rows that meet all that a load has to settle: corrections, merges, moves, late and unknown ones."""
    ids = [f"a{n}" for n in range(12)]
    return {
        "accounts": [
            account(a, segment=str(rng.choice(["A", "B"])), deleted=bool(load and rng.random() < 0.1),
                    merged_into=str(rng.choice([*ids, "nobody"])) if rng.random() < 0.2 else None)
            for a in ids
        ],
        "users": [user()],
        "account_team": [team_member(a) for a in ids],
        "touchpoints": [
            touchpoint(f"t{rng.integers(40)}", str(rng.choice([*ids, "x"] if rng.random() < 0.1 else ids)),
                       channel=str(rng.choice(["visit", "call"])), deleted=bool(rng.random() < 0.1),
                       details=f'{{"note": "{rng.integers(9)}"}}' if rng.random() < 0.3 else None)
            for _ in range(60)
        ],
        "responses": [response(f"t{rng.integers(44)}") for _ in range(30)],
        "outcomes": [outcome(f"o{rng.integers(20)}", str(rng.choice(ids)), value=float(rng.integers(3)))
                     for _ in range(30)],
        "preferences": [preference(str(rng.choice(ids))) for _ in range(10)],
    }  # fmt: skip


def kept(home: Home, reports: list[LoadReport]) -> dict[str, Any]:
    """All that loads leave behind and say."""
    ledger = Ledger.open(home.ledger_url)
    told = {
        a: [(t.touchpoint_id, t.details) for t in ledger.told([a], after=0)]
        for a in sorted(ledger.versions())
    }
    ledger.close()
    return {
        "history": {table: stored(home, table).to_dicts() for table in HISTORY_TABLES},
        "told": told,
        "counts": [{t: asdict(c) for t, c in sorted(r.counts.items())} for r in reports],
        "rejects": [
            {path.name: path.read_text(encoding="utf-8") for path in sorted(r.rejects.iterdir())}
            for r in reports
            if r.rejects
        ],
    }  # fmt: skip


def loaded(folder: Path, seed: int, write: Any) -> dict[str, Any]:
    rng, home = np.random.default_rng(seed), home_at(folder)
    reports = []
    for load in range(3):
        export = write(folder / f"export-{load}", many(rng, load))
        reports.append(ingest(export, home, loaded_at=LOADED + load, max_rejected=1.0))
    return kept(home, reports)


@pytest.mark.parametrize(("seed", "write"), [(0, write_csv), (1, write_parquet)])
def test_cut_into_the_smallest_portions_a_load_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, write: Any
) -> None:
    """What is large is cut; nobody may see from the store, the counts or the rejects where."""
    whole = loaded(tmp_path / "whole", seed, write)

    monkeypatch.setattr(reading, "PORTION_BYTES", 900)
    monkeypatch.setattr(reading, "PORTION_ROWS", 15)
    monkeypatch.setattr(bins, "HELD_BYTES", 20_000)
    cut = loaded(tmp_path / "cut", seed, write)

    assert cut == whole


def test_rows_of_a_csv_are_cut_where_a_row_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Line breaks and commas inside quotes belong to a text; the line of a reject is that of the file."""
    rows = [touchpoint(f"t{n}", topic="one,\ntwo", status="done" if n % 9 else "lost") for n in range(30)]
    write_csv(tmp_path, {"touchpoints": rows})
    with (tmp_path / "touchpoints.csv").open("a") as file:
        file.write("too,many,fields,a,b,c,d,e,f,g\n")
    whole = read_table(tmp_path, "touchpoints")
    assert whole is not None

    monkeypatch.setattr(reading, "PORTION_BYTES", 150)
    portions = list(read_portions(tmp_path / "touchpoints.csv", "touchpoints.csv"))
    cut = read_table(tmp_path, "touchpoints")

    assert len(portions) > 10
    assert cut is not None
    assert cut.rows.equals(whole.rows)
    assert cut.places.equals(whole.places)
    assert cut.rejects.sort("line").equals(whole.rejects.sort("line"))
    assert cut.rejects["line"].sort().to_list() == [2, 20, 38, 56, 62]


def test_a_quote_that_is_never_closed_stops_the_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of the file would be one text, however large it is."""
    write_csv(
        tmp_path, {"touchpoints": [touchpoint(f"t{n}", topic='"' if n == 2 else "x") for n in range(99)]}
    )
    file = tmp_path / "touchpoints.csv"
    file.write_text(file.read_text(encoding="utf-8").replace('""""', '"'), encoding="utf-8")
    monkeypatch.setattr(reading, "PORTION_BYTES", 100)
    monkeypatch.setattr(reading, "LONGEST_ROW", 500)

    with pytest.raises(ContractError, match="cannot be read from line 4 on: is a quote not closed"):
        list(read_portions(file, "touchpoints.csv"))


def test_bins_give_rows_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    """Of two rows of a load for one fact the later holds, so order must outlive the way over the disk."""
    with Bins(tmp_path / "bins", held_bytes=200) as held:
        for start in range(0, 100, 10):
            rows = pl.DataFrame({"n": range(start, start + 10)})
            held.put("rows", rows, rows["n"] % 3)
        assert held.numbers("rows") == [0, 1, 2]
        found = [held.take("rows", number) for number in range(4)]
        assert any((tmp_path / "bins").iterdir())

    assert [None if f is None else f["n"].to_list() for f in found] == [
        list(range(0, 100, 3)), list(range(1, 100, 3)), list(range(2, 100, 3)), None,
    ]  # fmt: skip
    assert not (tmp_path / "bins").exists()


def test_a_load_that_fails_leaves_no_files_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits on the disk is as large as the load."""
    monkeypatch.setattr(bins, "HELD_BYTES", 100)
    monkeypatch.setattr(placing.Placing, "finish", lambda self, progress: 1 / 0)
    home = home_at(tmp_path)
    export = write_csv(tmp_path / "export", many(np.random.default_rng(1), 0))

    with pytest.raises(ZeroDivisionError):
        ingest(export, home, loaded_at=LOADED, max_rejected=1.0)

    assert [path.name for path in home.root.iterdir()] == ["history"]
    assert HistoryStore(home.history).current() is None


MEASURED = """
import sys
from pathlib import Path
from benchmarks.scale.measure import peak_megabytes
from data.arriving import Arriving
from data.history import HistoryStore
from data.ledger.erased import Markers
from data.progress import quiet
from data import bins, reading
reading.PORTION_ROWS, bins.HELD_BYTES = 10_000, 4_000_000
folder, home = Path(sys.argv[1]), Path(sys.argv[2])
store = HistoryStore(home)
with store.exclusive(), store.bins() as held:
    came = Arriving(folder, store, held, Markers(), loaded_at=1_767_225_600_000_000, progress=quiet)
    store.merge(came.placing)
print(peak_megabytes())
"""


def test_twice_the_touchpoints_do_not_need_twice_the_memory(tmp_path: Path) -> None:
    """Fifty million touchpoints must load on a machine that could not hold them."""
    peaks = []
    for per_account in (60, 240):
        write_history(tmp_path / str(per_account), accounts=1_000, per_account=per_account)
        command = [
            sys.executable,
            "-c",
            MEASURED,
            str(tmp_path / str(per_account)),
            str(tmp_path / f"h{per_account}"),
        ]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True,
            env=os.environ | {"PYTHONPATH": str(Path.cwd()), "POLARS_MAX_THREADS": "1"},
        )  # fmt: skip
        peaks.append(float(done.stdout))

    rows = HistoryStore(tmp_path / "h240").current()
    assert rows is not None
    assert rows.rows["touchpoints"] == 240_000
    assert peaks[1] < 1.5 * peaks[0]
