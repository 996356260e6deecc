"""The commands of learning, as somebody types them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
import typer
from typer.testing import CliRunner, Result

from data.artifacts import survey, write_release
from data.home import DataError, Home
from data.ledger.ledger import Ledger
from data.playbooks import playbook_text
from data.unknown_names import NoOutcomeValuedError
from engine.estimation import Interval
from tests.training.builders import LogSettings, stored, tables
from training.cli import _print_evaluation, register
from training.errors import BadTimeError, NoHistoryError, OutputError, TooFewCasesError, TrainingError
from training.run import Outcome


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """An empty home that the commands find by themselves."""
    monkeypatch.setenv("NEXTBEST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NEXTBEST_MODELS", str(tmp_path / "models"))
    return Home.at(tmp_path / "home", models=tmp_path / "models")


def nextbest(*arguments: str) -> Result:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, arguments)


def filled(home: Home, **log) -> None:
    stored(home.root, tables(LogSettings(**log)))
    Ledger.create(home.ledger_url).close()


def a_release(home: Home, name: str) -> str:
    """A release of no content that can be promoted."""
    manifest = {"release": name, "learner": "best_fixed"}
    return write_release(home.models, name, {"value.forest.txt": name.encode()}, manifest).id


def promoted(home: Home, *names: str) -> None:
    Ledger.create(home.ledger_url).close()
    for name in names:
        result = nextbest("release", "promote", a_release(home, name))
        assert result.exit_code == 0


def failure(result: Result, kind: type[DataError]) -> str:
    """The one line that the command ends with."""
    assert isinstance(result.exception, kind), result.exception
    assert "\n" not in str(result.exception)
    return str(result.exception)


def test_training_without_a_history_says_how_to_load_one(home: Home) -> None:
    """Exit code 2, nothing made."""
    error = failure(nextbest("train"), NoHistoryError)

    assert "nextbest ingest" in error
    assert NoHistoryError.exit_code == 2
    assert not home.models.exists()


def test_training_on_too_few_cases_says_how_many_there_are(home: Home) -> None:
    """Exit code 8, and no release is left behind. The log's treatments are not those of pharma."""
    filled(home, accounts=30, decisions=2)

    error = failure(nextbest("train"), TooFewCasesError)

    assert "matured cases" in error
    assert survey(home.models)[0] == []


def test_a_history_without_any_outcome_says_what_to_load(home: Home) -> None:
    """Waiting, or a shorter horizon, would never help."""
    rows = tables(LogSettings(accounts=300))
    stored(home.root, rows | {"outcomes": rows["outcomes"].head(0)})
    Ledger.create(home.ledger_url).close()

    error = failure(nextbest("train"), TooFewCasesError)

    assert error.startswith("No outcome is known at all")
    assert "load the table outcomes" in error
    assert "horizon" not in error


def test_outcomes_of_kinds_without_a_worth_stop_training(home: Home) -> None:
    """Worth nothing, they would say that no contact pays, and a release of that would be put in use."""
    rows = tables(LogSettings(accounts=30))
    strange = rows["outcomes"].with_columns(pl.lit("prescripton").alias("kind"))
    stored(home.root, rows | {"outcomes": strange})
    Ledger.create(home.ledger_url).close()

    for command in (("train",), ("cases", "--out", str(home.root / "c.csv")), ("evaluate", "effects")):
        error = failure(nextbest(*command), NoOutcomeValuedError)
        assert error.startswith(
            f"All {strange.height:,} outcomes are of kinds to which the playbook gives no worth"
        )
        assert "('prescripton')" in error
        assert "it has 'prescription'" in error
    assert not (home.root / "c.csv").exists()


def test_names_that_the_playbook_does_not_have_are_told_with_what_is_near(home: Home, tmp_path: Path) -> None:
    """A slip of the pen in one export; a load knows no playbook and could not say so."""
    rows = tables(LogSettings(accounts=30))
    some = pl.arange(pl.len()) < 5
    kind = pl.when(some).then(pl.lit("prescripton")).otherwise("kind").alias("kind")
    channel = pl.when(some).then(pl.lit("vist")).otherwise("channel").alias("channel")
    changed = {"outcomes": rows["outcomes"].with_columns(kind),
               "touchpoints": rows["touchpoints"].with_columns(channel)}  # fmt: skip
    stored(home.root, rows | changed)

    result = nextbest("cases", "--out", str(tmp_path / "cases.csv"))

    assert result.exit_code == 0, result.exception
    assert (
        "Warning: The playbook has no kind 'prescripton', which 5 outcomes have: they are worth nothing. "
        "Did you mean 'prescription'?"
    ) in result.output
    assert "no channel 'vist', which 5 touchpoints have" in result.output
    assert "Did you mean 'visit'?" in result.output


def test_a_rule_that_asks_for_what_no_account_has_is_told(home: Home, tmp_path: Path) -> None:
    """It never holds, and a playbook cannot know the accounts it will meet."""
    filled(home, accounts=30)
    path = tmp_path / "mine.toml"
    declared = playbook_text("pharma").replace('segment = ["A", "B", "C"]', 'segment = "text"')
    path.write_text(f"""{declared}
[context_weights.best]
when = "segment = 'a'"
weight = 2
""", encoding="utf-8")  # fmt: skip

    result = nextbest("cases", "--playbook", str(path), "--out", str(tmp_path / "cases.csv"))

    assert result.exit_code == 0, result.exception
    assert [line for line in result.output.splitlines() if "segment" in line] == [
        "Warning: context_weights.best: No account has the segment 'a', did you mean 'A'? Write it as the "
        "accounts have it; if it is still to come, leave it."
    ]


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (1, "One outcome of kind 'prescription' holds 1,000,000,000,000 EUR, 100.0% of"),
        (3, "One account holds 3,000,000,000,100 EUR, 100.0% of"),
        (0, ""),
    ],
)
def test_one_outcome_that_holds_most_of_all_worth_is_told_without_saying_whose(
    home: Home, tmp_path: Path, raised: int, said: str
) -> None:
    """A value in the wrong unit would make a release of its account alone."""
    rows = tables(LogSettings(accounts=30))
    place = pl.int_range(pl.len()).over("account_id")
    slip = (pl.col("account_id") == "a00007") & (place < raised)
    value = pl.when(slip).then(1e12).when(pl.col("account_id") == "a00007").then(100.0).otherwise("value")
    extra = rows["outcomes"].filter(account_id="a00007").head(1).with_columns(outcome_id=pl.lit("o9999"))
    outcomes = pl.concat([rows["outcomes"], extra]).with_columns(value=value)
    stored(home.root, rows | {"outcomes": outcomes})

    result = nextbest("cases", "--out", str(tmp_path / "cases.csv"))

    told = [line for line in result.output.splitlines() if "of the worth of all 93 outcomes" in line]
    assert result.exit_code == 0, result.exception
    assert [line.startswith(f"Warning: {said}") for line in told] == [True] * bool(raised)
    assert "a00007" not in result.output


def trained_again(found: tuple[Home, Outcome], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the command prints of a run that was made before."""
    home, outcome = found
    monkeypatch.setattr("training.run.train", lambda *_, **__: outcome)
    said = nextbest("train", "--home", str(home.root), "--models", str(home.models))
    assert said.exit_code == 0, said.output
    return said.output.splitlines()


def test_training_says_that_nobody_records_opt_outs(
    unlogged: tuple[Home, Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who reads no report would not know why contacts go on costing what the playbook guesses."""
    lines = trained_again(unlogged, monkeypatch)

    assert [line for line in lines if "opted out" in line] == [
        "Warning: No account ever opted out, as if nobody recorded it: nothing is learned of opt-outs, and "
        "the playbook's fatigue stays. Load permissions that were withdrawn in the table preferences, "
        "unsubscriptions and complaints in the table responses; if there truly is none, set fatigue to 0."
    ]
    assert "the playbook&#39;s fatigue stays" in unlogged[1].report.read_text(encoding="utf-8")


@pytest.mark.parametrize("command", [("effects",), ("ranking",), ("policy", ".")])
def test_asking_a_history_without_matured_cases_says_what_is_missing(
    home: Home, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No table of nothing with exit code 0, and no traceback."""
    rows = tables(LogSettings(accounts=30))
    stored(home.root, rows | {"outcomes": rows["outcomes"].head(0)})
    monkeypatch.chdir(home.root)

    error = failure(nextbest("evaluate", *command), TooFewCasesError)

    assert error.startswith("No outcome is known at all")


def test_a_time_without_zone_is_refused(home: Home) -> None:
    """Which of 24 moments is meant cannot be guessed."""
    filled(home, accounts=30)

    error = failure(nextbest("train", "--as-of", "2026-01-05T02:00:00"), BadTimeError)

    assert "without a zone" in error


def test_a_date_is_its_midnight_as_in_every_command(home: Home) -> None:
    """`nightly --as-of` takes it; two readings of one option would be a trap."""
    filled(home, accounts=30)

    assert "case" in failure(nextbest("train", "--as-of", "2001-01-05"), TooFewCasesError)


def test_a_folder_in_place_of_the_table_is_said_before_any_work(home: Home, tmp_path: Path) -> None:
    """And nothing half done is left beside it."""
    filled(home, accounts=30)
    folder = tmp_path / "some"
    folder.mkdir()

    error = failure(nextbest("cases", "--out", str(folder)), OutputError)

    assert "is a folder" in error
    assert list(tmp_path.glob("some*")) == [folder]


def test_the_table_of_cases_is_written(home: Home, tmp_path: Path) -> None:
    """Immature cases included, with the reasons why others are missing."""
    filled(home, accounts=30)

    result = nextbest("cases", "--out", str(tmp_path / "cases.parquet"))

    assert result.exit_code == 0, result.exception
    table = pl.read_parquet(tmp_path / "cases.parquet")
    assert f"{table.height:,} cases" in result.output
    assert "Left out:" in result.output
    assert "is not in the playbook" in result.output


def test_the_table_of_cases_as_csv_says_the_same_as_parquet(home: Home, tmp_path: Path) -> None:
    """A spreadsheet or R user gets every column, times with their zone, and what is not known as empty."""
    filled(home, accounts=30)

    for name in ("cases.parquet", "cases.csv"):
        assert nextbest("cases", "--out", str(tmp_path / name)).exit_code == 0

    whole = pl.read_parquet(tmp_path / "cases.parquet")
    read = pl.read_csv(tmp_path / "cases.csv", schema_overrides={"as_of": pl.String})
    assert read.columns == whole.columns
    assert read["as_of"][0].endswith("+00:00")
    assert read["as_of"].str.to_datetime(time_zone="UTC", time_unit="us").equals(whole["as_of"])
    assert read["reward"].equals(whole["reward"])
    assert read["followed"].null_count() == whole["followed"].null_count() > 0


def test_an_ending_that_says_no_format_is_refused_before_any_work(home: Home, tmp_path: Path) -> None:
    """Parquet in a file called .xlsx would be found out by whoever opens it."""
    filled(home, accounts=30)

    error = failure(nextbest("cases", "--out", str(tmp_path / "cases.xlsx")), OutputError)

    assert "ends in .parquet or .csv" in error
    assert list(tmp_path.glob("cases*")) == []


def test_in_a_log_file_each_policy_has_one_line(
    trained: tuple[Home, Outcome], capsys: pytest.CaptureFixture[str]
) -> None:
    """Large amounts broke their interval over two lines, which no search through a log puts together."""
    found, wide = trained[1].evaluation, Interval(100_597.42, -98_109.23, 101_304.08, 30_000.0)
    values = tuple(replace(value, doubly_robust=wide, snips=wide) for value in found.policies)

    _print_evaluation(replace(found, policies=values), trained[1].selection.chosen, "EUR")

    said = capsys.readouterr().out
    assert said.count("100,597.42 (-98,109.23 to 101,304.08)") == 2 * len(values)


def test_the_release_in_use_is_marked(home: Home) -> None:
    """One glance: which there are and which decides."""
    promoted(home, "one", "two")

    lines = nextbest("release", "list").output.splitlines()

    assert [line[:5] for line in lines] == ["  one", "* two"]


def test_rolling_back_puts_the_release_before_in_use_again(home: Home) -> None:
    """The quickest way out of a bad release."""
    promoted(home, "one", "two")

    result = nextbest("release", "rollback")

    assert "In use: one" in result.output
    assert "* one" in nextbest("release", "list").output


def test_rolling_back_again_goes_further_back(home: Home) -> None:
    """Not to the release that was just taken back; the log keeps every step."""
    promoted(home, "one", "two", "three")

    said = [nextbest("release", "rollback").output for _ in range(2)]

    assert ["In use: two" in said[0], "In use: one" in said[1]] == [True, True]
    end = nextbest("release", "rollback")
    assert "nothing to go back to" in failure(end, TrainingError)
    assert TrainingError.exit_code != 0
    assert "* one" in nextbest("release", "list").output
    ledger = Ledger.open(home.ledger_url)
    assert [entry.release_id for entry in ledger.release_log()] == ["one", "two", "three", "two", "one"]
    ledger.close()


def test_what_is_promoted_after_a_rollback_goes_back_to_what_it_followed(home: Home) -> None:
    """Three was taken back and is no way back any more."""
    promoted(home, "one", "two", "three")
    nextbest("release", "rollback")
    promoted(home, "four")

    assert "In use: two" in nextbest("release", "rollback").output


def test_there_is_nothing_to_roll_back_to_after_one_release(home: Home) -> None:
    """Said, not guessed."""
    promoted(home, "one")

    assert "nothing to go back to" in failure(nextbest("release", "rollback"), TrainingError)


def test_a_damaged_release_is_not_rolled_back_to(home: Home) -> None:
    """Hashes are checked first; what was in use stays in use; exit code 5."""
    promoted(home, "one", "two")
    with (home.models / "one" / "value.forest.txt").open("ab") as file:
        file.write(b"!")

    result = nextbest("release", "rollback")

    assert isinstance(result.exception, DataError)
    assert result.exception.exit_code == 5
    assert "value.forest.txt" in str(result.exception)
    assert "* two" in nextbest("release", "list").output


@pytest.mark.parametrize("command", [("rollback",), ("promote", "one")])
def test_a_release_whose_manifest_was_changed_since_it_was_used_is_not_used_again(
    home: Home, command: tuple[str, ...]
) -> None:
    """The manifest lists the other files' hashes; its own is known from when it was put in use."""
    promoted(home, "one", "two")
    manifest = home.models / "one" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"learner"', '"learner" '))

    result = nextbest("release", *command)

    assert isinstance(result.exception, DataError)
    assert "Release one is not the one that was promoted" in str(result.exception)
    said = nextbest("release", "list").output
    assert "* two" in said
    assert "! one  Release one is not the one that was promoted." in said


def test_the_list_says_that_the_release_in_use_is_damaged(home: Home) -> None:
    """It would otherwise only be missing from the list."""
    promoted(home, "one", "two")
    (home.models / "two" / "value.forest.txt").write_bytes(b"!")

    said = nextbest("release", "list").output

    assert "  one" in said
    assert "! two  is in use, but damaged. " in said
    assert "value.forest.txt was changed" in said


def test_the_list_names_a_damaged_release_that_is_not_in_use(home: Home) -> None:
    """Whoever wants to go back to it must not find out only then."""
    promoted(home, "one", "two")
    (home.models / "one" / "value.forest.txt").write_bytes(b"!")

    said = nextbest("release", "list").output

    assert "* two" in said
    assert "! one  Release one is damaged: value.forest.txt was changed." in said


def test_the_list_says_in_which_folder_the_release_in_use_was_looked_for(home: Home) -> None:
    """A demo keeps its releases in its own folder: nothing is missing there but an option."""
    promoted(home, "one")
    elsewhere = home.root / "elsewhere"

    said = nextbest("release", "list", "--models", str(elsewhere)).output

    assert f"! one  is in use, but is not in {elsewhere}: give the folder of releases as --models" in said


def test_without_any_release_the_list_says_how_to_make_one(home: Home) -> None:
    """An empty list is an answer."""
    assert "nextbest train" in nextbest("release", "list").output


def test_registering_the_commands_loads_nothing_heavy() -> None:
    """`nextbest --help` must be quick: forests and plots are for those who train."""
    heavy = "lightgbm sklearn mlflow matplotlib polars".split()
    code = f"import sys, training.cli; print([m for m in {heavy} if m in sys.modules])"

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"


def test_columns_that_look_like_leaks_are_named_with_the_table(home: Home, tmp_path: Path) -> None:
    """Those who fit a model of their own on the table must know it too."""
    rows = tables(LogSettings(accounts=30))
    rows["accounts"] = rows["accounts"].with_columns(churn_result=pl.lit("a"))
    stored(home.root, rows)

    result = nextbest("cases", "--out", str(tmp_path / "cases.parquet"))

    assert result.exit_code == 0, result.exception
    assert "Looks like a leak: churn_result" in result.output
