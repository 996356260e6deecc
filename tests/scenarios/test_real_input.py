"""The main job on a real event log: import, load, learn, decide; skipped where the data are not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from data.artifacts import list_releases

REAL = Path(__file__).parents[3] / "shared" / "data" / "starbucks"
BEST_FIXED_SPEND = (15.6, 15.9)
"""USD in 72 hours after the waves 2 to 6: what the best single offer is known to earn."""
LOGGED_SPEND = 11.98


@pytest.fixture
def nextbest(tmp_path: Path) -> Callable[..., str]:
    """The command line, in a home of its own; what it prints."""
    settings = {"NEXTBEST_HOME": tmp_path / "var", "NEXTBEST_MODELS": tmp_path / "models"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NEXTBEST_")}
    environment = kept | {name: str(value) for name, value in settings.items()}
    environment["NEXTBEST_PLAYBOOK"] = "starbucks"
    script = "import sys; from api.cli import main; sys.argv[0] = 'nextbest'; main()"

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason=f"the Starbucks data are not in {REAL}")
def test_the_main_job_runs_on_a_real_log_and_claims_no_more_than_is_known(
    tmp_path: Path, nextbest: Callable[..., str]
) -> None:
    """Beating the log is easy here, beating the best single offer is not: whoever claims it fools himself."""
    nextbest("import", "starbucks", str(REAL), "--out", str(tmp_path / "in"))
    loaded = nextbest("ingest", str(tmp_path / "in"))
    nextbest("train")
    night = json.loads(nextbest("nightly", "--as-of", "2018-08-31T00:00:00Z", "--ignore-freshness", "--json"))

    assert "102,000 new, 0 changed, 0 unchanged, 0 rejected" in loaded
    release = list_releases(tmp_path / "models")[0]
    values = {p["policy"]: p for p in release.manifest["evaluation"]["accounts"]["policies"]}
    logged, fixed = values["as logged"], values["best_fixed"]
    low, high = fixed["snips"]["low"], fixed["snips"]["high"]
    assert logged["snips"]["estimate"] == pytest.approx(LOGGED_SPEND, abs=0.3)
    assert low < BEST_FIXED_SPEND[1]
    assert high > BEST_FIXED_SPEND[0]
    assert fixed["versus_logged"]["low"] > 0.0
    for learner in ("s_learner", "t_learner"):
        assert values[learner]["versus_fixed"]["low"] < 0.0
    assert night["accounts"] == 17_000
    assert night["release"] == release.id
    assert night["suggestions"] > 0.9 * night["accounts"]
