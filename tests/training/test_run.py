"""One training run from history to a release in use, its report and its record in MLflow."""

from __future__ import annotations

import re
import sqlite3
from base64 import b64encode
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from data.artifacts import list_releases, read_release
from data.home import Home
from data.ledger.ledger import Ledger
from engine.estimation import Interval
from engine.learning_settings import GateSettings
from engine.playbook import Playbook
from engine.scoring import learned_scorer
from tests.training.builders import QUICK, SMALL, LogSettings, cases_of, stored, tables
from training import report
from training.behaviour import assignment_of
from training.cli import register
from training.evaluate import claims_gain, evaluate
from training.gate import judge
from training.learners import LEARNERS
from training.release import released_values
from training.report import beyond_chance, factor_text
from training.run import Outcome, Settings, train
from training.splits import held_out

MADE_AT = 1_767_300_000_000_000


def home_with(folder: Path, log: LogSettings) -> Home:
    """A home with a history and an empty ledger."""
    home = Home.at(folder / "home", models=folder / "models")
    stored(home.root, tables(log))
    Ledger.create(home.ledger_url).close()
    return home


def run(home: Home, **changed) -> Outcome:
    settings = Settings(**({"made_at": MADE_AT, "boosting": QUICK} | changed))
    return train(home, SMALL, settings, progress=lambda stage, done, of: None)


FOUND: list[report.Findings] = []
"""What the report of `trained` was made from."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Outcome]:
    """A home after its first training run."""
    home = home_with(tmp_path_factory.mktemp("trained"), LogSettings(accounts=500))
    made = report.files_of
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "files_of", lambda findings: FOUND.append(findings) or made(findings))
        return home, run(home)


@pytest.fixture(scope="module")
def findings(trained: tuple[Home, Outcome]) -> report.Findings:
    """Of the same run."""
    return FOUND[-1]


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


def test_the_report_shows_pictures_values_and_verdicts(trained: tuple[Home, Outcome]) -> None:
    """One file that can be mailed: pictures inline, nothing loaded from elsewhere."""
    _, outcome = trained

    text = outcome.report.read_text(encoding="utf-8")

    assert text.count("data:image/png;base64,") >= 5
    assert outcome.selection.sentence in text
    for word in (
        "as logged",
        "no contact",
        *LEARNERS,
        "reliable",
        "How outcomes arrive",
        "Suggested and done",
        "(observational)",
    ):
        assert word in text
    assert "http" not in text


def test_the_report_shows_at_once_where_the_log_cannot_judge(trained: tuple[Home, Outcome]) -> None:
    """The safety mail was never sent: whoever reads the picture, or hears it read, must not miss that."""
    home, outcome = trained
    page = outcome.report.read_text(encoding="utf-8")
    drawn = next((home.root / "mlflow-artifacts").rglob("overlap.png")).read_bytes()

    said = "1 of 3 treatments cannot be judged; of the other 2, 0 have an effective sample size below 50 and "

    assert f'<img alt="Where the log can judge: {said}' in page
    assert f'src="data:image/png;base64,{b64encode(drawn).decode()}"' in page


def test_the_report_shows_what_makes_effects_differ_and_what_only_foretells_outcomes(
    findings: report.Findings,
) -> None:
    """Whoever takes the second for the first calls on those who would buy anyway."""
    documents, drawn = report.files_of(findings)

    assert findings.manifest["learner"] == "linear"
    page = documents["report.html"].decode()
    for picture, heading in (
        ("importance", "What makes effects differ"),
        ("splits", "What foretells outcomes"),
    ):
        inline = b64encode(drawn[f"{picture}.png"]).decode()
        assert f'<img alt="{heading}" src="data:image/png;base64,{inline}">' in page


def test_effects_that_are_the_same_for_all_are_said_to_differ_by_nothing(findings: report.Findings) -> None:
    """An empty place would leave open whether something was forgotten."""
    cases, manifest = (
        findings.cases,
        dict(findings.manifest) | {"learner": "best_fixed", "reader": "best_fixed"},
    )
    fixed = LEARNERS["best_fixed"].learn(cases, findings.assignment.probability, QUICK)

    documents, drawn = report.files_of(replace(findings, fitted=fixed, manifest=manifest))

    assert not {"importance.png", "splits.png"} & set(drawn)
    page = documents["report.html"].decode()
    assert "Nothing: what best_fixed learned of each treatment's effect is the same for all" in page
    assert "What foretells outcomes" not in page


def test_the_report_says_of_every_effect_whether_it_may_be_nothing(trained: tuple[Home, Outcome]) -> None:
    """A large mean with an interval on both sides of 0 must not be read as what a visit earns."""
    _, outcome = trained
    page = outcome.report.read_text(encoding="utf-8")

    told = {row["treatment"]: row["effect"] for row in outcome.release.manifest["overlap"] if row["effect"]}

    assert told
    for treatment, effect in told.items():
        word = "more" if effect["low"] > 0 else "less" if effect["high"] < 0 else "may be nothing"
        rows = [row for row in page.split("<tr>") if row.startswith(f"<td>{treatment}</td>")]
        assert any(f"<td>{word}</td>" in row for row in rows)
    assert "These effects are observational" not in page
    assert beyond_chance(Interval(386.0, -158.0, 1136.0, 330.0)) == "may be nothing"
    assert [beyond_chance(Interval(x, x - 1, x + 1, 0.5)) for x in (5.0, -5.0)] == ["more", "less"]


def test_the_report_says_what_stops_rest_on(trained: tuple[Home, Outcome]) -> None:
    """Opt-outs and contacts by channel, and how likely one more contact is too many."""
    _, outcome = trained
    page, told = outcome.report.read_text(encoding="utf-8"), outcome.release.manifest["stopping"]

    assert "What makes accounts opt out" in page
    for channel, counted in told["counted"].items():
        assert f'<td>{channel}</td><td class="number">{counted["optouts"]:,}</td>' in page
    for rate, error in told["classes"]:
        assert f"{rate:.2%} <small>&plusmn; {error:.2%}</small>" in page


@pytest.fixture(scope="module")
def unlogged(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Of a log in which nobody wrote down with which probability something was chosen."""
    folder = tmp_path_factory.mktemp("unlogged")
    rows = tables(LogSettings(accounts=300))
    rows["decisions"] = rows["decisions"].with_columns(probability=pl.lit(None, dtype=pl.Float64))
    home = Home.at(folder / "home", models=folder / "models")
    stored(home.root, rows)
    Ledger.create(home.ledger_url).close()
    return run(home)


def test_effects_on_estimated_probabilities_are_called_observational(unlogged: Outcome) -> None:
    """Whoever was contacted was chosen by somebody; no arithmetic makes a trial of that."""
    assert "These effects are observational" in unlogged.report.read_text(encoding="utf-8")


def unseen_factors(page: str) -> list[dict[str, str]]:
    """Policy -> what its row says of the unseen factor, in each table of policies."""
    found = []
    for table in page.split("<table>"):
        heads, *rows = table.split("</tr>")
        names = re.findall(r"<th[^>]*>([^<]*)</th>", heads)
        if names[:1] == ["policy"]:
            cells = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in rows]
            found.append({row[0]: unescape(row[names.index("unseen factor")]) for row in cells if row})
    return found


def test_each_policy_has_the_factor_that_something_unseen_would_need(
    trained: tuple[Home, Outcome], unlogged: Outcome
) -> None:
    """A gain that a hunch of 5 % explains away is another gain than one that needs a factor of 3."""
    told, page = unlogged.by_time, unlogged.report.read_text(encoding="utf-8")
    assert told is not None

    assert unseen_factors(page) == [
        {value.policy: factor_text(value.strength) for value in each.policies}
        for each in (unlogged.evaluation, told)
    ]
    shown = unseen_factors(page)[0]
    assert shown["as logged"] == shown["no contact"] == "-"
    assert {name for name, factor in shown.items() if factor != "-"} == set(LEARNERS)
    assert "have to change the odds of what was chosen, so that the policy is no longer better" in page
    assert factor_text(10.0) == "> 10"
    logged = trained[1].report.read_text(encoding="utf-8")
    assert set(unseen_factors(logged)[0].values()) == {"-"}
    assert "all probabilities were logged, so nothing unseen" in logged


def test_the_report_names_attributes_that_are_not_known_as_of(trained: tuple[Home, Outcome]) -> None:
    """What was loaded without stored_at may have come later than the decisions that it seems to explain."""
    page = trained[1].report.read_text(encoding="utf-8")

    assert "Not known as of: segment, potential_value." in page


def test_the_card_says_what_was_learned_from_what(trained: tuple[Home, Outcome]) -> None:
    """The release explains itself where it lies."""
    _, outcome = trained

    card = (outcome.report.parent / "card.md").read_text(encoding="utf-8")

    assert outcome.release.id in card
    assert "1,500 matured cases of 500 accounts, from logged decisions" in card
    assert "\n\n\n" not in card


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


def test_training_again_on_the_same_data_gives_the_same_release(trained: tuple[Home, Outcome]) -> None:
    """Same data, no change: the content's hash, the last part of the id, is the same."""
    home, first = trained

    again = run(home, made_at=MADE_AT + 60_000_000, promote=False)

    assert again.release.id != first.release.id
    assert again.release.id.split("-")[1] == first.release.id.split("-")[1]
    assert again.gate.passed
    assert not again.promoted
    assert in_use(home) == first.release.id
    assert [release.id for release in list_releases(home.models)] == [first.release.id, again.release.id]


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
    assert f"Not put in use: {' '.join(check.sentence for check in outcome.gate.failed)}" in page


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

    gate = judge(judged, str(outcome.release.manifest["learner"]), outcome.release, seed=0)

    assert gate.passed
    assert "learned again" in gate.checks[2].sentence


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


def test_the_board_has_one_page_of_its_own(trained: tuple[Home, Outcome]) -> None:
    """Self-contained, in money and months, with what was not proven."""
    _, outcome = trained

    page = (outcome.report.parent / "board.html").read_text(encoding="utf-8")

    for heading in (
        "Money a month",
        "What contacts cost",
        "What was not proven",
        "Who followed",
        "The next test",
    ):
        assert heading in page
    assert "http" not in page
