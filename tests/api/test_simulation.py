"""A playbook is tried on all accounts before it is published, and nothing is posted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from api.cli import assemble
from api.simulation import simulate
from api.simulation_figures import SIMULATED, concentration, figures, findings, robust_terms
from data.nights import NightFolder
from data.playbooks import playbook_of, playbook_text
from data.times import to_datetime, to_iso
from engine.estimation import Logged, doubly_robust_terms
from engine.records import DAY_MICROS
from tests.api.company import NOW, Company, load, served, tables_of
from tests.data.files import iso, outcome

ACCOUNTS = [f"a{n}" for n in range(24)]
PHARMA = playbook_text("pharma")
ONE_PLACE = PHARMA.replace("places = 3", "places = 1", 1)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """A night that was posted, and outcomes of some accounts in the days after it."""
    home = tmp_path_factory.mktemp("simulated")
    with served(home, tables_of(ACCOUNTS)) as found:
        found.night()
        bought = [
            outcome(f"o{n}", account, occurred_at=iso(to_datetime(NOW + (5 + n) * DAY_MICROS)), value=100.0)
            for n, account in enumerate(ACCOUNTS[:6])
        ]
        found.clock.pass_time(days=90)
        load(home, {"outcomes": bought}, loaded_at=found.clock())
        yield found


def run(company: Company, *arguments: str) -> Any:
    home = ("--home", str(company.settings.home), "--models", str(company.settings.models))
    return CliRunner().invoke(assemble(), ["playbook", "simulate", *arguments, *home])


def told_of(company: Company, *texts: str, as_of: int | None = None) -> dict[str, Any]:
    moment = company.clock() if as_of is None else as_of
    return json.loads(json.dumps(figures(simulate(company.settings, texts, moment))))


def test_a_simulation_decides_what_the_night_decides(company: Company) -> None:
    """Tried on other rules than it will meet, a playbook would be published on a guess."""
    night = company.settings.as_home().nights
    folder = NightFolder(next(iter(night.iterdir())))
    records = pl.concat([folder.read(bucket, "record") for bucket in folder.finished()])
    placed = records.filter(pl.col("place").is_not_null(), pl.col("treatment") != "none")
    expected = sorted(placed.select("account_id", "place", "treatment").rows())

    found = simulate(company.settings, [PHARMA], NOW)

    listed = found.tried[0].listed.select("account_id", "place", "treatment")
    assert sorted(listed.rows()) == expected
    told = figures(found)["new"]
    assert told["suggestions"] == len(expected)
    assert told["volume"]["treatment"] == Counter(treatment for _, _, treatment in expected)
    assert sum(told["volume"]["stage"].values()) == len(expected)
    assert told["funnel"][-1]["remaining"] == placed.height + records.filter(
        pl.col("place") == 1, pl.col("treatment") == "none"
    ).height  # fmt: skip


def test_nothing_is_written(company: Company) -> None:
    """Trying must cost nobody a suggestion."""
    engine = sa.create_engine(company.settings.as_home().ledger_url)

    def rows() -> list[int]:
        tables = ("decisions", "suggestions", "listings", "runs", "events", "playbooks")
        with engine.connect() as connection:
            return [connection.scalar(sa.text(f"SELECT count(*) FROM {table}")) for table in tables]

    before = rows()
    told_of(company, ONE_PLACE, PHARMA)

    assert rows() == before
    engine.dispose()


def test_two_playbooks_are_told_side_by_side_on_the_same_accounts(company: Company) -> None:
    """What changes is what the playbook changes, in volume and in people's minutes."""
    told = told_of(company, ONE_PLACE, PHARMA, as_of=NOW)

    new, old = told["new"], told["old"]
    assert new["suggestions"] == len(ACCOUNTS) * (1 - new["no_action_ratio"])
    assert old["suggestions"] > new["suggestions"]
    assert new["optionality"] == old["optionality"]
    minutes = {side: sum(row["minutes_median"] for row in told[side]["load"]) for side in ("new", "old")}
    assert minutes["new"] < minutes["old"]
    assert all(row["people"] == 1 for row in old["load"])


def test_people_have_after_the_plan_what_the_night_plans(company: Company) -> None:
    """What a list holds is not what a day holds: the load is told as it is when hours are shared out."""
    night = NightFolder(next(iter(company.settings.as_home().nights.iterdir())))
    prices = night.prices()
    assert prices is not None
    role_of = {treatment.id: treatment.role for treatment in playbook_of(PHARMA).treatments}
    planned = Counter(role_of[treatment] for treatment in prices[1]["treatment"])

    told = told_of(company, ONE_PLACE, PHARMA, as_of=NOW)

    rows = {row["role"]: row for row in told["old"]["planned"]}
    assert {role: row["contacts"] for role, row in rows.items() if row["contacts"]} == {
        role: count for role, count in planned.items() if role != "system"
    }
    assert all(row["planned_minutes"] <= row["minutes"] for row in rows.values())
    assert told["new"]["planned"] is not None


def test_what_is_chosen_against_all_else_is_the_doubly_robust_estimate() -> None:
    """Playbooks have treatments of their own: two columns must say what the whole table says."""
    rng = np.random.default_rng(3)
    n, treatments = 50, 4
    target = rng.dirichlet(np.ones(treatments), n)
    target[0] = [1.0, 0.0, 0.0, 0.0]
    model, action = rng.normal(10.0, 5.0, (n, treatments)), rng.integers(0, treatments, n)
    logged = Logged(rng.normal(10.0, 5.0, n), action, rng.uniform(0.1, 0.9, n), np.arange(n))
    rows = np.arange(n)
    told = pl.DataFrame({"expected": (target * model).sum(axis=1), "predicted": model[rows, action]})

    alone = replace(logged, action=np.zeros(n, dtype=np.int64))
    found = robust_terms(alone, target[rows, action], told)

    assert found.value == pytest.approx(doubly_robust_terms(logged, target, model).value, rel=1e-12)


def test_what_happened_live_is_known_before_the_history_has_it(company: Company) -> None:
    """An account that asked this morning is tried with its question."""
    company.reads_page("side_effects", "a20")
    company.clock.pass_time(minutes=1)

    found = simulate(company.settings, [PHARMA], company.clock())

    first = found.tried[0].listed.filter(account_id="a20", place=1)["treatment"].to_list()
    assert first == ["visit_side_effects"]


def test_value_is_estimated_from_what_was_logged(company: Company) -> None:
    """The playbook that decided then would have earned what was earned; one that contacts nobody is outside
    what the log can judge."""
    told = told_of(company, PHARMA)
    silent = told_of(company, with_an_end(PHARMA), PHARMA)

    off = told["off_policy"]
    assert off["decisions"] == len(ACCOUNTS)
    worth = 6 * 100.0 * playbook_of(PHARMA).outcome_worth["prescription"]
    assert off["logged"] == pytest.approx(worth / len(ACCOUNTS))
    assert off["new"]["estimate"] == pytest.approx(off["logged"])
    assert off["new"]["effective_sample_size"] == pytest.approx(len(ACCOUNTS))
    assert off["new"]["low"] < off["new"]["estimate"] < off["new"]["high"]
    assert silent["new"]["suggestions"] == 0
    assert silent["off_policy"]["new"]["verdict"] == "outside scope"
    assert silent["off_policy"]["old"]["estimate"] == pytest.approx(off["logged"])


def with_an_end(text: str) -> str:
    return text.replace("places = 3", "places = 3\nvalid_until = 2020-01-01T00:00:00Z", 1)


def test_the_command_prints_lines_json_and_a_picture_and_ends_as_a_pipeline_asks(
    company: Company, tmp_path: Path
) -> None:
    """The same figures in every form."""
    own, picture, page = tmp_path / "own.toml", tmp_path / "p.svg", tmp_path / "p.html"
    own.write_text(ONE_PLACE, encoding="utf-8")
    at = ("--as-of", to_iso(NOW))

    lines = run(company, str(own), "--against", "pharma", *at, "--picture", str(picture))
    data = run(company, str(own), "--against", "pharma", *at, "--json", "--picture", str(page))
    silent = tmp_path / "silent.toml"
    silent.write_text(with_an_end(PHARMA), encoding="utf-8")
    strict = run(company, str(silent), *at, "--strict")
    wrong = run(company, str(own), *at, "--picture", str(tmp_path / "p.png"))

    told = json.loads(data.output[data.output.index("{") :])
    assert (lines.exit_code, data.exit_code, strict.exit_code) == (0, 0, 1)
    assert f"(before {told['old']['suggestions']:,})" in lines.output
    assert "many_without_action_simulated" in strict.output
    drawn = ElementTree.parse(picture).getroot()
    said = [title.text for title in drawn.iter("{http://www.w3.org/2000/svg}title")]
    for channel, count in told["new"]["volume"]["channel"].items():
        assert f"{channel}: {count:,}, before {told['old']['volume']['channel'][channel]:,}" in said
    assert "against" in page.read_text(encoding="utf-8")
    assert "ends with .svg or .html" in str(wrong.exception)
    assert not (tmp_path / "p.png").exists()


# -- figures --------------------------------------------------------------------------------------------


def test_contacts_that_go_to_the_highest_values_concentrate() -> None:
    """By hand: ranks 1/8, 3/8, 5/8, 7/8; the upper half contacted: 2 / 0.5 x (5/8 + 7/8) / 4 - 1 = 0.5."""
    values = np.array([10.0, 20.0, 30.0, 40.0])

    assert concentration(values, np.array([False, False, True, True])) == pytest.approx(0.5)
    assert concentration(values, np.array([True, True, False, False])) == pytest.approx(-0.5)
    assert concentration(values, np.array([True, True, True, True])) == pytest.approx(0.0)
    assert concentration(np.ones(4), np.array([True, False, False, True])) == pytest.approx(0.0)


def told(**changes: Any) -> dict[str, Any]:
    new = {"no_action_ratio": 0.1, "optionality": 9.0, "fairness": [], "load": []} | changes
    return {"new": new, "currency": "EUR", "off_policy": changes.get("off_policy")}


GROUP = {"issue": "any", "attribute": "segment", "level": "A", "accounts": 100, "rate": 0.5}


@pytest.mark.parametrize(("changes", "code"), [
    ({"no_action_ratio": 0.31}, "many_without_action_simulated"),
    ({"optionality": 6.9}, "little_choice_simulated"),
    ({"fairness": [GROUP | {"ratio": 0.79, "errors_apart": 3.0}]}, "rates_differ"),
    ({"fairness": [GROUP | {"ratio": 1.26, "errors_apart": 3.0}]}, "rates_differ"),
    ({"fairness": [{"issue": "any", "attribute": "size", "gini": -0.3}]}, "contacts_concentrate"),
    ({"load": [{"role": "rep", "people": 3, "over_a_week": 2}]}, "week_overfull"),
    ({"off_policy": {"difference": {"estimate": -3.0, "low": -5.0, "high": -1.0}}}, "value_lower"),
])  # fmt: skip
def test_what_is_probably_not_meant_is_found(changes: dict[str, Any], code: str) -> None:
    """Each with where, what and what to do."""
    (found,) = findings(told(**changes))

    assert (found.code, found.severity) == (code, SIMULATED[code][0])
    assert found.where
    assert found.do


@pytest.mark.parametrize("changes", [
    {},
    {"fairness": [GROUP | {"ratio": 0.7, "errors_apart": 1.5}]},
    {"fairness": [GROUP | {"ratio": 1.2, "errors_apart": 9.0}]},
    {"off_policy": {"difference": {"estimate": -3.0, "low": -7.0, "high": 1.0}}},
    {"off_policy": {"difference": None}},
])  # fmt: skip
def test_chance_and_what_is_usual_is_no_finding(changes: dict[str, Any]) -> None:
    """A check that cries wolf is switched off."""
    assert list(findings(told(**changes))) == []
