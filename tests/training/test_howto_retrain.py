"""The commands of docs/howto/retrain.md do what the page says, in its order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import polars as pl
import pytest

from data.artifacts import survey
from data.home import Home
from data.ledger.ledger import Ledger
from tests.training.builders import LogSettings, stored, tables
from tests.training.test_cli import a_release, nextbest

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
    """Every line of the page's code blocks, in words."""
    blocks = re.findall(r"```\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


def test_the_page_is_followed_from_training_to_a_table_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
