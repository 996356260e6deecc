"""The commands of docs/howto/retrain.md do what the page says, in its order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data.artifacts import survey
from data.home import Home
from data.ledger.ledger import Ledger
from engine.readers import LEARNERS as READERS
from tests.training.builders import QUICK, LogSettings, cases_of, stored, tables
from tests.training.test_cli import a_release, nextbest
from tests.training.test_registry import install, place
from training.learners import LEARNERS
from training.own_learners import watch_installed

__all__ = ["place"]  # a fixture

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "retrain.md"
PLAYBOOK = """
id = "small"
currency = "EUR"
languages = ["en"]
horizon_days = 30
outcomes = { prescription = 1.0 }
[channels.email]
name.en = "E-mail"
cost = 1
automated = true
[channels.visit]
name.en = "Visit"
cost = 10
[roles.system]
name.en = "System"
side = "both"
sees = []
system = true
[roles.rep]
name.en = "Representative"
side = "commercial"
sees = ["system"]
[issues.growth]
groups = ["inform"]
[treatments.email_news]
channel = "email"
role = "system"
issue = "growth"
group = "inform"
action = "inform"
value = 100
starting_uplift = 0.02
text.en = "Write to {name}."
[treatments.visit_news]
channel = "visit"
role = "rep"
issue = "growth"
group = "inform"
action = "inform"
value = 100
starting_uplift = 0.02
text.en = "Visit {name}."
"""
EXAMPLE = "20260105T020000-1f3a9c0e"
"""The release that the page names."""


def commands() -> list[list[str]]:
    """Every line of the page's blocks of commands, in words."""
    return [shlex.split(line) for block in blocks("") for line in block.splitlines()]


def blocks(language: str) -> list[str]:
    """The page's code blocks in a language; "" = commands."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [block for name, block in fenced if name == language]


def test_the_page_is_followed_from_training_to_a_model_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A how-to whose commands fail costs more trust than none."""
    (tmp_path / "small.toml").write_text(PLAYBOOK, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEXTBEST_PLAYBOOK", "small.toml")
    home = Home.at(tmp_path / "var", models=tmp_path / "models")
    stored(home.root, tables(LogSettings(accounts=300)))
    Ledger.create(home.ledger_url).close()
    said: dict[str, str] = {}

    for words in commands():
        if words[0] == "mlflow":
            store = words[words.index("--backend-store-uri") + 1]
            assert Path(store.removeprefix("sqlite:///")).stat().st_size > 0
            continue
        assert words[0] == "nextbest"
        given = [a_release(home, EXAMPLE) if word == EXAMPLE else word for word in words[1:]]
        result = nextbest(*given)
        assert result.exit_code == 0, (words, result.exception)
        said[" ".join(words[1:3])] = result.output

    trained = next(each.id for each in survey(home.models)[0] if each.id != EXAMPLE)
    assert f"Release {trained}" in said["train"]
    assert trained in said["release list"]
    assert f"In use: {EXAMPLE}" in said["release promote"]
    assert (home.models / trained / "board.html").is_file()
    columns = pl.read_parquet("cases.parquet").columns
    assert {"treatment", "reward", "matured", "followed"} <= set(columns)
    assert pl.read_csv("cases.csv").columns == columns
    columns_told = re.findall(
        r"^\| (`.*?) \|", PAGE.read_text(encoding="utf-8").partition("| column |")[2], re.M
    )
    told = {name for cell in columns_told for name in re.findall("`([^`]*)`", cell)}
    assert {name for name in columns if not name.startswith("feature:")} <= told
    capsys.readouterr()
    exec(compile(blocks("python")[0], "retrain.md", "exec"), {})
    said = [line.split(" ")[0] for line in capsys.readouterr().out.splitlines()]
    assert said == ["two", "nobody"]


def test_the_learner_of_the_page_competes_when_it_is_installed(tmp_path: Path, place: Path) -> None:
    """It is looked at as everybody's, and what it would serve is what it predicts."""
    install(place, blocks("python")[1])
    cases = cases_of(tmp_path / "log", LogSettings(accounts=200))
    watch_installed()

    fitted = LEARNERS["mine"].learn(cases, cases.probability, QUICK)

    assert np.isfinite(fitted.predict(cases.features)[:, fitted.constants.learned]).all()
    orders = {name: entry.complexity for name, entry in LEARNERS.items() if name != "mine"}
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"`{name}` {order:g}" in page.replace("\n", " ") for name, order in orders.items())
    assert set(re.findall(r"`(\w+)` \(", page.partition("`reader` says")[2].partition("Forests")[0])) == set(
        READERS
    )
