"""One training run from history to a release in use, its report and its record in MLflow."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from data.artifacts import read_release, survey
from data.home import Home
from data.ledger.ledger import Ledger
from engine.learning_settings import GateSettings
from engine.playbook import Playbook
from engine.scoring import learned_scorer
from tests.training.builders import QUICK, SMALL, LogSettings, cases_of
from tests.training.runs import MADE_AT, home_with, run
from training.behaviour import assignment_of
from training.cli import register
from training.evaluate import evaluate
from training.gate import judge
from training.learners import LEARNERS
from training.release import released_values
from training.run import Outcome, Settings, train
from training.splits import held_out


def in_use(home: Home) -> str | None:
    ledger = Ledger.open(home.ledger_url)
    try:
        used = ledger.release_in_use()
        return None if used is None else used.release_id
    finally:
        ledger.close()


def test_the_first_release_is_put_in_use_and_scores(trained: tuple[Home, Outcome]) -> None:
    """From history to a scorer that serving can read, with nothing unpickled."""
    home, outcome = trained

    release = read_release(home.models, outcome.release.id)

    assert outcome.promoted
    assert in_use(home) == release.id
    scorer = learned_scorer(release.manifest, release.texts, release.arrays, SMALL)
    assert scorer.release == release.id
    assert release.manifest["playbook"] == SMALL.version
    assert release.manifest["evaluation"]["accounts"]["policies"][0]["policy"] == "as logged"


def test_training_again_on_the_same_data_gives_the_same_release(trained: tuple[Home, Outcome]) -> None:
    """Same data, no change: the content's hash, the last part of the id, is the same."""
    home, first = trained

    again = run(home, made_at=MADE_AT + 60_000_000, promote=False)

    assert again.release.id != first.release.id
    assert again.release.id.split("-")[1] == first.release.id.split("-")[1]
    assert again.gate.passed
    shares = again.gate.of("volume").figures
    now, before = ([shares[f"{which}_{name}"] for name in ("email", "visit")] for which in ("new", "old"))
    assert now == before
    assert sum(now) > 0.0
    assert again.gate.of("difference").figures == {"same": 1.0}
    assert not again.promoted
    assert in_use(home) == first.release.id
    assert [release.id for release in survey(home.models)[0]] == [first.release.id, again.release.id]


def test_a_release_that_the_gate_stops_leaves_the_old_one_in_use_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bounds that nothing can meet: written, told on the command line and in its report, and not used."""
    home = home_with(tmp_path, LogSettings(accounts=200))
    first, strict = run(home), replace(SMALL, gate=GateSettings(calibration=50.0, coverage=1.01))
    found = []

    def trained_under(home: Home, playbook: Playbook, settings: Settings, **given: Any) -> Outcome:
        outcome = train(home, strict, replace(settings, boosting=QUICK), progress=given["progress"])
        found.append(outcome)
        return outcome

    monkeypatch.setattr("training.run.train", trained_under)
    app = typer.Typer()
    register(app)
    said = CliRunner().invoke(app, ["train", "--home", str(home.root), "--models", str(home.models)])

    outcome = found[0]
    assert first.promoted
    assert said.exit_code == 0, said.output
    assert [each.name for each in outcome.gate.failed] == ["calibration", "coverage"]
    assert not outcome.promoted
    assert outcome.release.id != first.release.id
    assert in_use(home) == first.release.id
    assert "It did not pass the gate and is not put in use." in said.output
    page = unescape(outcome.report.read_text(encoding="utf-8"))
    for check in outcome.gate.failed:
        assert f"Gate, {check.name}: {check.sentence}" in said.output
        assert f"<td>{check.name}</td>\n<td>no</td><td>{check.sentence}</td>" in page
    said_no = " ".join(f"{check.name}: {check.sentence}" for check in outcome.gate.failed)
    assert f"Not put in use: {said_no}" in page


def test_a_release_that_is_worse_on_new_cases_does_not_pass_the_gate(
    trained: tuple[Home, Outcome], tmp_path: Path
) -> None:
    """The old release is good; one that prefers the wrong arm must be stopped, and the reason named."""
    _, outcome = trained
    cases = cases_of(tmp_path, LogSettings(accounts=500, seed=9, effect=3.0))
    assignment, held = assignment_of(cases, QUICK, seed=0), held_out(cases.account_ids, 0.5, seed=0)
    upside_down = replace(cases, reward=-cases.reward)
    fitted = {
        name: LEARNERS[name].learn(upside_down.take(~held), assignment.take(~held).probability, QUICK)
        for name in ("best_fixed", "s_learner")
    }
    judged = evaluate(cases.take(held), assignment.take(held), fitted, seed=0)
    unseen = replace(outcome.release, manifest=dict(outcome.release.manifest) | {"known_until": 0})

    gate = judge(judged, "s_learner", unseen, seed=0)

    assert not gate.passed
    assert [check.name for check in gate.failed] == ["worth", "difference", "calibration"]
    assert "contacting nobody" in gate.failed[0].sentence
    assert outcome.release.id in gate.failed[1].sentence
    assert "cases matured since" in gate.failed[1].sentence


def test_a_release_in_use_that_saw_all_cases_is_represented_by_its_learner(
    trained: tuple[Home, Outcome], tmp_path: Path
) -> None:
    """On its own training cases it would look better than it is, and nothing new could ever pass."""
    _, outcome = trained
    cases = cases_of(tmp_path, LogSettings(accounts=500))
    assignment, held = assignment_of(cases, QUICK, seed=0), held_out(cases.account_ids, 0.3, seed=0)
    fitted = {
        name: entry.learn(cases.take(~held), assignment.take(~held).probability, QUICK)
        for name, entry in LEARNERS.items()
    }
    judged = evaluate(cases.take(held), assignment.take(held), fitted, seed=0)

    another = "best_fixed" if outcome.release.manifest["learner"] != "best_fixed" else "s_learner"
    gate = judge(judged, another, outcome.release, seed=0)

    assert "learned again" in gate.of("difference").sentence


def test_a_release_in_use_that_saw_all_cases_is_not_compared_with_itself(
    trained: tuple[Home, Outcome],
) -> None:
    """The same learner, learned again from the same cases, is no opponent: its "+0.00" says nothing."""
    home, first = trained

    again = run(home, made_at=MADE_AT + 120_000_000, promote=False).gate.of("difference")

    assert again.passed
    assert set(again.figures) == {"same"}
    assert first.release.id in again.sentence
    assert "+0.00" not in again.sentence


def test_a_release_speaks_only_of_what_it_learned(trained: tuple[Home, Outcome], tmp_path: Path) -> None:
    """Starting values of the other treatments must not enter a comparison as if they were evidence."""
    _, outcome = trained
    cases = cases_of(tmp_path, LogSettings(accounts=30))

    values = released_values(outcome.release, cases)

    assert np.isnan(values).all(axis=0).tolist() == [False, False, True, True, False]


def test_the_gate_is_told_in_report_manifest_and_mlflow(trained: tuple[Home, Outcome]) -> None:
    """Whoever asks in a year why a release was put in use finds every check with its figures."""
    home, outcome = trained
    page = outcome.report.read_text(encoding="utf-8")

    with sqlite3.connect(home.root / "mlflow.sqlite") as store:
        metrics = dict(
            store.execute("select key, value from metrics where run_uuid = ?", [outcome.mlflow_run])
        )

    for check in outcome.gate.checks:
        assert f"<td>{check.name}</td>" in page
        assert metrics[f"gate.{check.name}.passed"] == check.passed
    assert metrics["gate.calibration.estimate"] == outcome.gate.of("calibration").figures["estimate"]
    told = outcome.release.manifest["gate"]
    assert [each["name"] for each in told] == [check.name for check in outcome.gate.checks]
