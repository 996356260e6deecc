"""What MLflow keeps of a training run: figures, pictures, tables, the manifest."""

from __future__ import annotations

import sqlite3

from data.home import Home
from training.evaluate import claims_gain
from training.run import Outcome


def test_the_run_is_kept_in_mlflow_inside_the_home(trained: tuple[Home, Outcome]) -> None:
    """Metrics in a SQLite store, plots and report as artifacts; nothing over the network."""
    home, outcome = trained

    with sqlite3.connect(home.root / "mlflow.sqlite") as store:
        metrics = dict(
            store.execute("select key, value from metrics where run_uuid = ?", [outcome.mlflow_run])
        )
        name = store.execute("select name from runs where run_uuid = ?", [outcome.mlflow_run]).fetchone()[0]
        tags, params = (
            dict(store.execute(f"select key, value from {table} where run_uuid = ?", [outcome.mlflow_run]))
            for table in ("tags", "params")
        )
    kept = {path.name for path in (home.root / "mlflow-artifacts").rglob("*.*")}

    assert name == tags["nextbest.release"] == outcome.release.id
    assert tags["nextbest.learner"] == outcome.selection.chosen
    assert tags["nextbest.gate"] == "passed"
    assert (
        tags["nextbest.gain_claimed"]
        == str(claims_gain(outcome.evaluation, outcome.selection.chosen)).lower()
    )
    assert tags["nextbest.leaks"] == str(len(outcome.leaks))
    assert params["leaks"] == (", ".join(leak.column for leak in outcome.leaks) or "none")
    assert params["refused"] == "none"
    chosen = outcome.evaluation.of(outcome.selection.chosen)
    assert metrics[f"{outcome.selection.chosen}.doubly_robust"] == chosen.doubly_robust.estimate
    assert kept >= {
        "report.html",
        "board.html",
        "board.png",
        "card.md",
        "values_accounts.png",
        "calibration.png",
        "arrival.png",
    }
