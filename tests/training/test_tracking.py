"""What MLflow keeps of a training run: figures, pictures, tables, the manifest."""

from __future__ import annotations

import json
import re
import sqlite3
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from data.home import Home
from training import report
from training.errors import TrainingError
from training.evaluate import claims_gain
from training.run import Outcome
from training.tracking import Run, record


def kept_of(home: Home, outcome: Outcome) -> dict[str, dict[str, Any]]:
    """What MLflow has of a run: metrics, tags and params, by name."""
    with sqlite3.connect(home.root / "mlflow.sqlite") as store:
        return {
            table: dict(
                store.execute(f"select key, value from {table} where run_uuid = ?", [outcome.mlflow_run])
            )
            for table in ("metrics", "tags", "params")
        }


def artifacts(home: Home, outcome: Outcome) -> dict[str, bytes]:
    """File name -> content."""
    folder = home.root / "mlflow-artifacts" / outcome.mlflow_run / "artifacts"
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_run_is_kept_in_mlflow_inside_the_home(trained: tuple[Home, Outcome]) -> None:
    """In a SQLite store and a folder; nothing over the network."""
    home, outcome = trained
    kept = kept_of(home, outcome)
    metrics, tags, params = kept["metrics"], kept["tags"], kept["params"]

    with sqlite3.connect(home.root / "mlflow.sqlite") as store:
        name = store.execute("select name from runs where run_uuid = ?", [outcome.mlflow_run]).fetchone()[0]

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


def test_every_figure_is_a_metric_in_mlflow(
    trained: tuple[Home, Outcome], findings: report.Findings, unlogged: tuple[Home, Outcome]
) -> None:
    """Runs are compared by what one looks for: later occasions, Qini, calibration, money, what is unseen."""
    home, outcome = trained
    metrics = kept_of(home, outcome)["metrics"]
    assert outcome.by_time is not None

    for before, split in (("", outcome.evaluation), ("time.", outcome.by_time)):
        for value in split.policies:
            name = before + value.policy.replace(" ", "_")
            assert metrics[f"{name}.doubly_robust_low"] == value.doubly_robust.low
            assert metrics[f"{name}.ips"] == value.ips.estimate
            assert metrics[f"{name}.direct"] == value.direct
            assert metrics[f"{name}.versus_nobody"] == value.versus_nobody.estimate
            assert metrics[f"{name}.effective_sample_size"] == value.effective
    for name, each in findings.judged.gains.items():
        assert metrics[f"qini.{name}"] == each.area.estimate
        assert metrics.get(f"slope.{name}") == (each.slope and each.slope.estimate)
        assert metrics[f"selection.{name}"] == outcome.selection.values[name].estimate
    board = {name: size for name, size in metrics.items() if name.startswith("board.")}
    page = (outcome.report.parent / "board.html").read_text(encoding="utf-8")
    assert f"{board['board.beyond_contacting_nobody']:+,.0f}" in page
    assert f"{board['board.cost.what_it_would_do']:,.0f}" in page
    assert {"board.decisions_a_month", "board.beyond_what_was_done_low", "board.hours.what_was_done",
            "board.detectable.0.05"} <= set(board)  # fmt: skip
    assert not [name for name in metrics if name.endswith(".strength")]
    told = kept_of(*unlogged)["metrics"]
    assert told["linear.strength"] == unlogged[1].evaluation.of("linear").strength
    assert np.isfinite([*metrics.values(), *told.values()]).all()


def test_a_figure_that_is_no_number_is_no_metric(findings: report.Findings) -> None:
    """MLflow would draw it, and JSON cannot say it."""
    evaluation = findings.judged.evaluation
    broken = [replace(value, effective=float("nan")) for value in evaluation.policies]
    judged = replace(findings.judged, evaluation=replace(evaluation, policies=tuple(broken)))

    metrics = json.loads(report.files_of(replace(findings, judged=judged))[1]["metrics.json"])

    assert "linear.effective_sample_size" not in metrics
    assert "linear.doubly_robust" in metrics


def test_every_picture_and_table_is_an_artifact_in_mlflow(trained: tuple[Home, Outcome]) -> None:
    """With the manifest: who compares runs needs no folder of releases, which may be cleaned up."""
    home, outcome = trained
    kept, folder = artifacts(home, outcome), outcome.report.parent
    pages = [(folder / name).read_text(encoding="utf-8") for name in ("report.html", "board.html")]

    pictures = {b64decode(each) for page in pages for each in re.findall(r"base64,([^\"]+)", page)}
    tables = sum(page.count("<table>") for page in pages)

    assert pictures == {content for name, content in kept.items() if name.endswith(".png")}
    assert sorted(name for name in kept if not name.endswith(".png")) == [
        "advice.csv", "board.html", "board_costs.csv", "board_followers.csv", "board_money.csv",
        "board_power.csv", "card.md", "gate.csv", "manifest.json", "metrics.json", "mix.csv",
        "optout_classes.csv", "optouts.csv", "overlap.csv", "report.html", "segments.csv",
        "selection.csv", "values_accounts.csv", "values_time.csv",
    ]  # fmt: skip
    # On the page alone: five ways to value the chosen. In a file alone: classes, as nobody opted out here.
    assert tables == len([name for name in kept if name.endswith(".csv")])
    for name in ("manifest.json", "report.html", "board.html", "card.md"):
        assert kept[name] == (folder / name).read_bytes()
    values = pl.read_csv(kept["values_time.csv"])
    assert outcome.by_time is not None
    assert values["policy"].to_list() == [value.policy for value in outcome.by_time.policies]
    assert values["ips_low"].to_list() == [value.ips.low for value in outcome.by_time.policies]


def test_a_store_that_cannot_be_written_is_named_in_one_line(tmp_path: Path) -> None:
    """The release is written by then: it is said that it stays, out of use, and what to do."""
    home = Home.at(tmp_path / "var", models=tmp_path / "models")
    home.root.mkdir()
    (home.root / "mlflow.sqlite").write_text("no database, but something else that is long enough to be read")
    run = Run("20260105T020000-1f3a9c0e", {}, {}, {}, {}, 1_767_300_000_000_000)

    with pytest.raises(TrainingError) as found:
        record(home, run, tmp_path / "scratch")

    said = str(found.value)
    assert "\n" not in said
    assert said.startswith(f"MLflow cannot keep the run in {home.root / 'mlflow.sqlite'} (")
    assert "not a database" in said
    assert "Release 20260105T020000-1f3a9c0e is written, but not put in use" in said
