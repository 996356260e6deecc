"""`python -m benchmarks.serving`: HTTP with one worker, beside two peers that serve the same model."""

from __future__ import annotations

import argparse
import os
import signal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.serving import workers
from benchmarks.serving.company import company
from benchmarks.serving.lines import HEAD, http_lines
from benchmarks.speed_page import HTTP_BEGIN, HTTP_END, put, written
from data.settings import Settings

MEASURED = ("fastapi", "uvicorn", "mlflow", "lightgbm", "sqlalchemy")
SMALL = {"accounts": 200, "asked": 40, "seconds": 2.0, "turns": 5}
LARGE = {"accounts": 2_000, "asked": 200, "seconds": 10.0, "turns": 5}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--full", action="store_true", help="the large form")
    parser.add_argument("--write", action="store_true", help="write docs/speed.md")
    parser.add_argument("--workers", type=int, default=1, help="so many processes beside one, and no peers")
    parser.add_argument("--ledger", help="URL of an empty database, in place of SQLite; with --workers")
    given = parser.parse_args()
    if given.write and given.workers > 1:
        parser.error("--write writes the lines beside the peers: leave --workers out.")
    if given.ledger and given.workers == 1:
        parser.error("--ledger goes with --workers: the peers keep their rows in SQLite.")
    sizes = LARGE if given.full else SMALL
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends it ends its servers, too
    with TemporaryDirectory(prefix="nextbest-http-") as folder:
        home = Path(folder) / "home"
        home.mkdir()
        settings = Settings(home=home, models=home / "models", ledger_url=given.ledger)
        served = company(settings, accounts=int(sizes["accounts"]))
        print(f"{os.cpu_count()} cores; load before: {os.getloadavg()[0]:.1f}\n", flush=True)
        size: dict[str, Any] = {
            "accounts": int(sizes["asked"]), "seconds": sizes["seconds"], "turns": int(sizes["turns"]),
        }  # fmt: skip
        if given.workers > 1:
            print(workers.HEAD, flush=True)
            for line in workers.worker_lines(served, workers=given.workers, **size):
                print(*workers.rows_of(line), sep="\n", flush=True)
            return
        print(HEAD, flush=True)
        rows, load = [], os.getloadavg()[0]
        for line in http_lines(served, **size):
            rows += line.lines()
            print(*line.lines(), sep="\n", flush=True)
    if given.write:
        said = written("python -m benchmarks.serving --write" + " --full" * given.full, MEASURED)
        cores = f"{os.cpu_count()} cores, {load:.0f} other tasks wanting them when it began."
        put("\n".join([said, cores, "", HEAD, *rows]), HTTP_BEGIN, HTTP_END)


if __name__ == "__main__":
    main()
