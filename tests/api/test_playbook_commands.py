"""What a pipeline runs before a playbook is published, and what it ends with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli import assemble
from api.nightly import run_night
from api.playbook_check import NotMeasuredError, measured
from data.playbooks import playbook_text, read_playbook
from tests.api.company import Clock, load, settings_of, tables_of
from tests.engine.example_playbook import TEXT


def run(*arguments: str) -> Any:
    return CliRunner().invoke(assemble(), ["playbook", *arguments])


def written(folder: Path, text: str, name: str = "one.toml") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


@pytest.mark.parametrize(("old", "new", "options", "code"), [
    ("", "", ["--strict"], 0),
    ("coalesce(days_since_visit, 999)", "days_since_visit", [], 0),
    ("coalesce(days_since_visit, 999)", "days_since_visit", ["--strict"], 1),
    ("[channels.visit]", "[channels.visit]\noutbound = false", [], 2),
])  # fmt: skip
def test_a_check_ends_with_what_a_pipeline_goes_by(tmp_path, old, new, options, code):
    """Errors stop a pipeline, warnings only where it asks for that."""
    ended = run("check", written(tmp_path, TEXT.replace(old, new, 1)), "--as-of", "2026-01-01", *options)

    assert ended.exit_code == code
    assert "example" in ended.output.splitlines()[-1]


def test_a_check_as_json_has_all_that_the_lines_have(tmp_path):
    """Another program shows the findings in its own way."""
    path = written(tmp_path, TEXT.replace("[channels.visit]", "[channels.visit]\noutbound = false", 1))

    told = json.loads(run("check", path, "--as-of", "2026-01-01", "--json").output)

    assert told["exit_code"] == 2
    assert told["findings"][0]["code"] == "channel_inbound"
    assert set(told["findings"][0]) == {"code", "severity", "where", "says", "do"}


def test_rules_are_compared_with_the_accounts_that_are_there(tmp_path):
    """Before a playbook is published; without accounts there is nothing to compare with."""
    home = settings_of(tmp_path).home
    text = TEXT.replace("coalesce(days_since_visit, 999) > 7", "city = 'bern'", 1)
    asked = ("check", written(tmp_path, text), "--as-of", "2026-01-01", "--home", str(home))
    before = run(*asked)
    tables = tables_of(["a1", "a2"])
    for row in tables["accounts"]:
        row["city"] = "Bern"
    load(tmp_path, tables)

    after = run(*asked)

    assert "level_of_nobody" not in before.output
    assert "warning policies.rested: No account has the city 'bern', did you mean 'Bern'?" in after.output
    assert after.exit_code == before.exit_code == 0


def test_a_night_shows_what_a_text_cannot(tmp_path):
    """Which rules did nothing, and for how many nothing was left, is seen on accounts alone."""
    tables = tables_of(["a1", "a2"])
    for row in tables["accounts"]:
        row |= {"age_group": "50 to 59", "shoe_size": "44"}
    load(tmp_path, tables)
    settings = settings_of(tmp_path)
    night = run_night(settings, clock=Clock())

    found = measured(settings.as_home(), read_playbook("pharma"))

    idle = {row["rule"] for row in night.summary["funnel"] if row["removed"] == 0}
    told = {each.where for each in found if each.code == "removed_nothing"}
    assert told
    assert told == {rule for rule in idle if rule.startswith(("policy:", "limit:", "suppression:"))}
    assert {each.where for each in found if each.code == "column_unnamed"} == {"columns.shoe_size"}
    with pytest.raises(NotMeasuredError, match="the last one had pharma"):
        measured(settings.as_home(), read_playbook("clinic"))


def test_a_difference_is_told_and_ends_a_strict_pipeline(tmp_path):
    """Nothing may be published that differs from what was signed."""
    old, new = written(tmp_path, TEXT, "old.toml"), written(tmp_path, TEXT.replace("> 7", "> 9"), "new.toml")

    assert run("diff", old, old, "--strict").exit_code == 0
    assert run("diff", old, old).output == "They say the same.\n"
    assert run("diff", old, new).exit_code == 0
    told = run("diff", old, new, "--strict", "--json")
    assert told.exit_code == 1
    assert [change["where"] for change in json.loads(told.output)["changes"]] == ["policies.rested.when"]


def test_a_night_keeps_its_playbook_and_every_command_finds_it_by_its_version(tmp_path):
    """In a year somebody asks what was in force: the file has changed since, the version has not."""
    own, text = str(tmp_path / "own.toml"), playbook_text("pharma")
    (tmp_path / "own.toml").write_text(text, encoding="utf-8")
    load(tmp_path, tables_of(["a1"]))
    run_night(settings_of(tmp_path, playbook=own), clock=Clock())
    version = read_playbook(own).version
    (tmp_path / "own.toml").write_text(text.replace("places = 3", "places = 4", 1), encoding="utf-8")
    here = ["--home", str(tmp_path)]

    listed = json.loads(run("list", "--json", *here).output)["playbooks"]
    shown = run("show", version, *here).output
    changed = run("diff", version, own, "--strict", *here)
    unknown = run("show", "0" * 16, *here)

    assert [(row["version"], row["playbook"]) for row in listed] == [(version, "pharma")]
    assert shown == text
    assert changed.exit_code == 1
    assert "places: from 3 to 4" in changed.output
    assert "nextbest playbook list" in str(unknown.exception)
