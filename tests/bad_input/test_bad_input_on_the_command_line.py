"""Bad input: one clear line, an exit code that says what kind, and nothing lost."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import polars as pl
import pytest

from data.artifacts import write_release
from data.ledger.ledger import Ledger
from data.settings import Settings
from tests.api.company import NOW, load, settings_of, tables_of
from tests.bad_input.commands import Run, runner
from tests.data.files import outcome, touchpoint, write_csv
from tests.scenarios.playbooks import shipped, without

AS_OF = "2026-01-01T06:00Z"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    load(tmp_path / "home", tables_of(["a1", "a2"]))
    return tmp_path / "home"


@pytest.fixture
def nextbest(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(home, capsys)


@pytest.fixture
def empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """A home where nothing was ever loaded."""
    return runner(tmp_path / "empty", capsys)


def state_of(home: Path) -> tuple[str, dict[str, int]]:
    """What must not change when a command fails: the snapshot in use and the accounts' versions."""
    ledger = Ledger.open(settings_of(home).as_home().ledger_url)
    versions = dict(ledger.versions())
    ledger.close()
    return (home / "history" / "CURRENT").read_text(), versions


# -- files ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"chanel": "visit", "channel": None}, 2, "Did you mean 'channel'"),
        ({"occurred_at": "2026-01-01T00:00:00"}, 3, "rejected"),
        ({"status": "finished"}, 3, "rejected"),
        ({"account_id": "nobody"}, 3, "rejected"),
    ],
)
def test_a_file_that_is_not_of_the_contract_changes_nothing(
    home: Path, nextbest: Run, tmp_path: Path, changes: dict[str, str], code: int, said: str
) -> None:
    """Unknown column, time without zone, wrong value, unknown account."""
    before = state_of(home)
    row = {name: value for name, value in (touchpoint("new", "a1") | changes).items() if value is not None}
    folder = tmp_path / "bad"
    folder.mkdir()
    pl.DataFrame([row]).write_csv(folder / "touchpoints.csv")

    ended = nextbest("ingest", str(folder))

    assert (ended.code, said in ended.line) == (code, True), ended
    assert state_of(home) == before


def test_a_wrong_type_is_rejected_with_its_line(nextbest: Run, tmp_path: Path) -> None:
    """The reject file says where; the line says which file that is."""
    folder = write_csv(tmp_path / "bad", {"outcomes": [outcome(value="x")]})

    ended = nextbest("ingest", str(folder))

    assert ended.code == 3
    assert "outcomes" in ended.line


def test_a_folder_that_is_not_there_is_one_line(nextbest: Run) -> None:
    """A mistyped path is the most frequent mistake of all."""
    ended = nextbest("ingest", "/nowhere/at/all")

    assert ended.code == 2
    assert "/nowhere/at/all" in ended.line


def test_a_first_load_without_accounts_is_refused(empty: Run, tmp_path: Path) -> None:
    """An empty history."""
    folder = write_csv(tmp_path / "none", {name: [] for name in tables_of([])} | {"accounts": []})

    assert empty("ingest", str(folder)).code == 2


# -- playbook ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("sgment = 'A'", "did you mean 'segment'"),
        ("outbound_vist_30d < 2", "did you mean 'outbound_visit_30d'"),
        ("outbound_visit_30d", "true or false"),
        ("sum(outbound_visit_30d) > 2", "sum"),
        ("current_date > '2026-01-01'", "current_date"),
        ("segment = 3", "number"),
        ("segment in (select 1)", "(select 1)"),
    ],
)
def test_a_condition_that_is_none_is_one_line(home: Path, nextbest: Run, when: str, said: str) -> None:
    """Unknown fact, not a truth, aggregate, clock, text against number, subquery."""
    playbook = home / "mine.toml"
    old = "coalesce(days_since_visit, 999) >= 7"
    playbook.write_text(shipped().replace(f'"{old}"', json.dumps(when)), encoding="utf-8")

    ended = nextbest("nightly", "--as-of", AS_OF, "--playbook", str(playbook))

    assert ended.code == 2
    assert "no_visit_after_visit" in ended.line
    assert said.lower() in ended.line.lower(), ended.line


@pytest.mark.parametrize("table", ["channels.website", "topics.dosing", "roles.medical_liaison"])
def test_a_playbook_with_an_unknown_name_is_one_line(home: Path, nextbest: Run, table: str) -> None:
    """What a treatment names must exist."""
    playbook = home / "mine.toml"
    text = without(shipped(), table).replace('channel = "visit"', 'channel = "vist"', 1)
    playbook.write_text(text, encoding="utf-8")

    ended = nextbest("nightly", "--as-of", AS_OF, "--playbook", str(playbook))

    assert ended.code == 2


def test_a_playbook_that_nobody_ships_names_those_that_are(nextbest: Run) -> None:
    """A mistyped name."""
    ended = nextbest("nightly", "--as-of", AS_OF, "--playbook", "farma")

    assert ended.code == 2
    assert "pharma" in ended.line


# -- release -------------------------------------------------------------------------------------------
def release_in_use(home: Path) -> Path:
    models = home / "models"
    release = write_release(models, "r1", {"card.md": b"A card."}, {"format": 1, "learner": "best_fixed"})
    ledger = Ledger.open(settings_of(home).as_home().ledger_url)
    ledger.put_release_in_use("r1", release.manifest_hash, now=NOW, by="test")
    ledger.close()
    return models / "r1"


@pytest.mark.parametrize("damage", ["changed", "missing", "manifest", "gone"])
def test_a_corrupt_release_is_not_used(home: Path, nextbest: Run, damage: str) -> None:
    """Better no night than one by something that nobody promoted."""
    folder = release_in_use(home)
    if damage == "changed":
        (folder / "card.md").write_text("Another card.")
    elif damage == "missing":
        (folder / "card.md").unlink()
    elif damage == "manifest":
        (folder / "manifest.json").write_text("{}")
    else:
        shutil.rmtree(folder)

    ended = nextbest("nightly", "--as-of", AS_OF)
    served = nextbest("serve", "--port", "0")

    assert (ended.code, served.code) == (5, 5)
    assert "r1" in ended.line


def test_a_night_without_a_release_says_so_and_works(nextbest: Run) -> None:
    """The playbook's starting values decide until something is learned."""
    ended = nextbest("nightly", "--as-of", AS_OF)

    assert ended.code == 0
    assert "starting values" in ended.out


# -- ledger --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("command", [("nightly",), ("serve", "--port", "0"), ("token", "am")])
def test_without_a_ledger_the_line_says_how_to_make_one(empty: Run, command: tuple[str, ...]) -> None:
    """The first thing a newcomer does wrong."""
    ended = empty(*command)

    assert ended.code == 6
    assert "nextbest ingest" in ended.line


def test_a_ledger_without_history_says_what_to_load(empty: Run) -> None:
    """Made by `migrate`, filled by nobody."""
    assert empty("migrate").code == 0

    ended = empty("nightly")

    assert ended.code == 2
    assert "nextbest ingest" in ended.line


def test_a_ledger_of_a_newer_version_is_left_alone(home: Path, nextbest: Run) -> None:
    """An older program must not write into what it does not understand."""
    with sqlite3.connect(home / "ledger.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    for command in (("nightly", "--as-of", AS_OF), ("migrate",), ("serve", "--port", "0")):
        ended = nextbest(*command)
        assert ended.code == 6
        assert "newer" in ended.line


def test_a_ledger_that_is_held_by_somebody_is_said_to_be(
    home: Path, nextbest: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forgotten transaction of another program."""
    monkeypatch.setattr("data.ledger.ledger.TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(Ledger.open.__func__, "__kwdefaults__", {"timeout_seconds": 0.2})
    other = sqlite3.connect(home / "ledger.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    ended = nextbest("nightly", "--as-of", AS_OF)

    other.close()
    assert ended.code == 6


# -- options -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("moment", ["tomorrow", "2026-01-01T06:00", "2026-13-01"])
def test_a_moment_that_is_none_is_refused(nextbest: Run, moment: str) -> None:
    """A time without zone means another hour to everybody."""
    ended = nextbest("nightly", "--as-of", moment)

    assert ended.code == 2
    assert "Traceback" not in ended.err


def test_a_misspelt_setting_is_an_error(nextbest: Run) -> None:
    """A silent default is how the wrong database gets written."""
    ended = nextbest("nightly", NEXTBEST_LEDGER_ULR="sqlite:///x")

    assert ended.code == 2
    assert "did you mean NEXTBEST_LEDGER_URL?" in ended.line


def test_a_setting_of_the_wrong_type_is_one_line(nextbest: Run) -> None:
    """The name as it is written outside, and what was got."""
    ended = nextbest("nightly", NEXTBEST_MAX_REJECTED="many")

    assert ended.code == 2
    assert "NEXTBEST_MAX_REJECTED" in ended.line
    assert "many" in ended.line


def test_an_unknown_command_is_bad_input(nextbest: Run) -> None:
    """Exit code 2, as for every bad input."""
    assert nextbest("nightli").code == 2


def test_a_token_for_nobody_is_refused(nextbest: Run) -> None:
    """Only users of the ledger."""
    ended = nextbest("token", "nobody")

    assert ended.code != 0
    assert "nobody" in ended.line


def test_debug_shows_where_it_happened(nextbest: Run) -> None:
    """For whoever wants to repair it."""
    ended = nextbest("token", "nobody", NEXTBEST_DEBUG="1")

    assert "Traceback" in ended.err


def test_a_port_in_use_is_one_line(home: Path, nextbest: Run) -> None:
    """Another demo that still runs."""
    from api.server import hold_port

    held = hold_port("127.0.0.1", 0)
    held.listen()
    port = held.getsockname()[1]

    ended = nextbest("serve", "--port", str(port))

    held.close()
    assert ended.code == 1
    assert f"127.0.0.1:{port} is in use" in ended.line


# -- training ------------------------------------------------------------------------------------------
def test_training_on_too_few_cases_says_so_and_keeps_what_there_is(home: Path, nextbest: Run) -> None:
    """Two accounts teach nothing; a model of them would be noise with a name."""
    ended = nextbest("train")

    assert ended.code == 8
    assert list((home / "models").glob("*/manifest.json")) == []


def test_settings_are_read_once_for_all_commands(home: Path) -> None:
    """An option beats the environment, the environment the default."""
    assert Settings(home=home).as_home().ledger_url.endswith("ledger.sqlite")
