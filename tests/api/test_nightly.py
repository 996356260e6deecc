"""The night: once, for everybody, killed or not, and never against what came in meanwhile."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from api.nightly import MomentError, NotFreshError, run_night
from data.home import DataError
from data.ledger.ledger import Ledger
from data.ledger.types import AlreadyRunningError, TailRow
from data.nights import NightFolder
from engine.records import DAY_MICROS
from tests.api.company import NOW, Clock, Company, load, served, settings_of, tables_of
from tests.data.files import days_before, touchpoint

ACCOUNTS = [f"n{n:02d}" for n in range(40)]

KILLED = """
import os, sys
from pathlib import Path
from api.nightly import run_night
from tests.api.company import Clock, settings_of
left = int(sys.argv[2])
def report(stage, done, of):
    global left
    left -= 1
    if left < 0:
        os._exit(9)
run_night(settings_of(Path(sys.argv[1])), as_of=Clock().now, report=report, clock=Clock())
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a history and no night."""
    home = tmp_path_factory.mktemp("loaded")
    load(home, tables_of(ACCOUNTS))
    return home


@pytest.fixture
def home(loaded: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return shutil.copytree(loaded, tmp_path / "home")


@pytest.fixture
def ledger(home: Path) -> Iterator[Ledger]:
    ledger = Ledger.open(settings_of(home).as_home().ledger_url)
    yield ledger
    ledger.close()


def night(home: Path, **options: Any) -> Any:
    return run_night(settings_of(home), **{"as_of": NOW, "clock": Clock(NOW), **options})


def records(home: Path, run_id: str) -> pl.DataFrame:
    folder = NightFolder(home / "nights" / run_id)
    frames = [folder.read(bucket, "record") for bucket in folder.finished()]
    return pl.concat(frames).sort("account_id", "treatment")


def shown(ledger: Ledger) -> list[tuple[str, str, str, int, float]]:
    return [
        (s.account_id, s.suggestion_id, s.treatment, s.rank, s.priority)
        for account in ACCOUNTS
        for s in ledger.suggestions(account, now=NOW + 1)
    ]


def wish(account_id: str, status: str = "opt_out", since: int = NOW) -> TailRow:
    content = {
        "account_id": account_id, "channel": "*", "purpose": "marketing", "kind": "permission",
        "status": status, "since": since,
    }  # fmt: skip
    return TailRow(f"wish-{account_id}", "preferences", account_id, content)


def test_a_night_of_the_same_moment_on_more_facts_is_another_one(home: Path) -> None:
    """What was stored before that moment and loaded after the first run counts."""
    first = night(home)
    load(home, {"touchpoints": [touchpoint("late", "n01", occurred_at=days_before(2))]})

    second = night(home)

    assert not second.already
    assert second.run_id != first.run_id


@pytest.mark.parametrize("hours", [0, 3])
def test_a_night_run_twice_gives_the_same_rows_and_no_duplicates(
    home: Path, ledger: Ledger, hours: int
) -> None:
    """A scheduler that is not sure runs it again. The first run's own decisions are no newer facts."""
    clock = Clock(NOW)
    clock.pass_time(hours=hours)
    first = night(home, clock=clock)
    before, rows = shown(ledger), records(home, first.run_id)

    second = night(home, clock=clock)

    assert (first.already, second.already) == (False, True)
    assert second.run_id == first.run_id
    assert shown(ledger) == before
    assert len(before) == len(set(before)) > 0
    assert records(home, first.run_id).equals(rows)


def test_every_account_is_decided_those_without_touchpoints_too(home: Path) -> None:
    """Nobody is forgotten because nothing has happened yet."""
    load(home, {"accounts": [{"account_id": "silent", "name": "Dr Silent", "segment": "B"}]})

    found = night(home)

    assert found.summary["accounts"] == len(ACCOUNTS) + 1
    assert "silent" in records(home, found.run_id)["account_id"].to_list()


@pytest.mark.parametrize("reports", [0, 3])
def test_killed_anywhere_and_started_again_it_ends_the_same(home: Path, tmp_path: Path, reports: int) -> None:
    """A machine that is switched off at night must not cost the morning."""
    other = shutil.copytree(home, tmp_path / "other")
    whole = night(other)
    command = [sys.executable, "-c", KILLED, str(home), str(reports)]
    killed = subprocess.run(
        command, check=False, cwd=Path(__file__).parents[2], capture_output=True, text=True
    )

    resumed = night(home)

    assert killed.returncode == 9, killed.stderr
    assert resumed.run_id == whole.run_id
    assert records(home, resumed.run_id).equals(records(other, whole.run_id))
    numbers = [{k: v for k, v in f.summary.items() if k != "seconds"} for f in (resumed, whole)]
    assert numbers[0] == numbers[1]
    ledgers = [Ledger.open(settings_of(folder).as_home().ledger_url) for folder in (home, other)]
    assert shown(ledgers[0]) == shown(ledgers[1])


def test_yesterdays_list_stays_until_todays_is_complete(home: Path, ledger: Ledger) -> None:
    """Half a new list beside half an old one would be neither."""
    night(home)
    before = shown(ledger)

    def stop(stage: str, done: int, of: int) -> None:
        if stage == "deciding and publishing":
            raise KeyboardInterrupt

    later = NOW + DAY_MICROS
    with pytest.raises(KeyboardInterrupt):
        night(home, as_of=later, clock=Clock(later), report=stop, ignore_freshness=True)

    assert shown(ledger) == before


def test_what_comes_in_while_the_night_runs_is_decided_again(home: Path, ledger: Ledger) -> None:
    """She said stop while the night was computing: what was computed before must not be shown."""
    told: list[str] = []

    def tell(stage: str, done: int, of: int) -> None:
        if stage == "deciding and publishing" and not told:
            left = set(ACCOUNTS) - set(ledger.staged(ledger_run(home), ACCOUNTS))
            told.append(min(left))
            ledger.append([wish(told[0])], now=NOW + 1)

    found = night(home, report=tell)

    assert found.summary["decided_again"] == 1
    for suggestion in ledger.suggestions(told[0], now=NOW + 2):
        assert ledger.decision(suggestion.decision_id).decided_at > NOW + 1
        assert suggestion.channel in {"reimbursement_consultation", "medical_call"}, "only service is left"


def ledger_run(home: Path) -> str:
    return next((home / "nights").iterdir()).name


def test_what_was_stored_after_the_nights_moment_counts_too(home: Path, ledger: Ledger) -> None:
    """A night as of midnight that is run in the morning knows who has said stop since."""
    ledger.append([wish("n00", since=NOW + 10)], now=NOW + 10)

    found = night(home, clock=Clock(NOW + DAY_MICROS // 4))

    assert found.summary["decided_again"] == 1
    channels = {s.channel for s in ledger.suggestions("n00", now=NOW + 11)}
    assert channels <= {"reimbursement_consultation", "medical_call"}


def test_a_plan_against_a_withdrawn_consent_is_cancelled_by_the_night(tmp_path: Path) -> None:
    """Also where plan and withdrawal came by file and nothing live ever looked at the account."""
    tables = tables_of(["a1"])
    plan = touchpoint("plan", "a1", channel="email", status="planned", occurred_at=days_before(-3),
                      stored_at=days_before(9))  # fmt: skip
    tables["touchpoints"].append(plan)
    tables["preferences"].append(
        {"account_id": "a1", "channel": "email", "purpose": "marketing", "kind": "permission",
         "status": "opt_out", "since": days_before(2)}
    )  # fmt: skip
    load(tmp_path, tables)

    night(tmp_path)

    ledger = Ledger.open(settings_of(tmp_path).as_home().ledger_url)
    statuses = [r.content["status"] for r in ledger.tail() if r.content.get("touchpoint_id") == "plan"]
    ledger.close()
    assert statuses == ["cancelled"]


def test_two_nights_at_once_are_one_too_many(home: Path, ledger: Ledger) -> None:
    """The second says so and leaves the first alone."""
    with ledger.exclusive("nightly"), pytest.raises(AlreadyRunningError):
        night(home)


def test_a_source_that_has_not_delivered_stops_the_night(home: Path) -> None:
    """A list on stale facts suggests what was done yesterday."""
    late = NOW + 5 * DAY_MICROS
    with pytest.raises(NotFreshError, match="touchpoints") as raised:
        night(home, as_of=late, clock=Clock(late))

    found = night(home, as_of=late, clock=Clock(late), ignore_freshness=True)

    assert raised.value.exit_code == 4
    assert "\n" not in str(raised.value)
    assert found.summary["accounts"] == len(ACCOUNTS)


def test_a_night_for_tomorrow_is_refused(home: Path) -> None:
    """It would not know what happens until then."""
    with pytest.raises(MomentError, match="ahead"):
        night(home, as_of=NOW + 1)


def test_processes_do_not_change_the_answer(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unit of work is the bucket; how many are worked on at once is nobody's business."""
    monkeypatch.setattr("api.nightly.ONE_PROCESS_ACCOUNTS", 0)
    other = shutil.copytree(home, tmp_path / "other")
    alone = night(home)

    together = run_night(settings_of(other).model_copy(update={"processes": 2}), as_of=NOW, clock=Clock(NOW))

    assert records(home, alone.run_id).equals(records(other, together.run_id))


def test_the_summary_says_what_is_new_what_stayed_and_what_is_gone(company_night: Company) -> None:
    """Volume that jumps over night is the first sign of a mistake."""
    first = company_night.night().summary
    company_night.clock.pass_time(days=1)
    company_night.reads_page("side_effects", "a1")
    company_night.clock.pass_time(minutes=1)
    second = company_night.night().summary

    assert (first["new"], first["gone"]) == (first["suggestions"], 0)
    assert second["new"] + second["unchanged"] == second["suggestions"]
    assert second["new"] > 0
    assert second["gone"] == first["suggestions"] - second["unchanged"]
    assert first["release"] == "starting-values"


@pytest.fixture
def company_night(tmp_path: Path) -> Iterator[Company]:
    with served(tmp_path) as found:
        yield found


def test_the_funnel_of_the_summary_adds_up(home: Path) -> None:
    """Every pair of account and treatment is either removed once or left."""
    funnel = night(home).summary["funnel"]

    for before, after in pairwise(funnel):
        assert before["remaining"] - after["removed"] == after["remaining"]


def test_a_damaged_run_is_one_line(home: Path) -> None:
    """What to remove, instead of a traceback."""
    folder = home / "nights" / "2026-01-01-broken"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{", encoding="utf-8")

    with pytest.raises(DataError, match="remove the folder"):
        night(home)


def test_every_decision_of_the_night_keeps_the_facts_that_it_was_made_from(home: Path) -> None:
    """A year later somebody asks why; by then the history says something else."""
    found = night(home)

    folder = NightFolder(home / "nights" / found.run_id)
    facts = pl.concat([folder.read(bucket, "facts") for bucket in folder.finished()]).sort("account_id")
    assert facts["account_id"].to_list() == ACCOUNTS
    assert set(facts["days_since_podcast"]) == {1.25}
    assert set(facts["segment"]) == {"A"}
    assert facts["days_since_visit"].is_nan().all()


def test_old_nights_are_removed_and_interrupted_ones_are_kept(home: Path) -> None:
    """Full records of a million accounts fill a disk within weeks; 30 days are kept unless said otherwise."""
    nights, keep = home / "nights", 10 * DAY_MICROS
    runs = {
        "old": ("complete", NOW - keep - 1),
        "young": ("complete", NOW - keep + 1),
        "halted": ("running", 0),
    }
    for name, (state, as_of) in runs.items():
        NightFolder(nights / name).write_state({"state": state, "as_of": as_of, "depends": []})
    (nights / ".removed-earlier").mkdir()

    settings = settings_of(home, nights_kept_days=10)
    own = run_night(settings, as_of=NOW - keep - 5, clock=Clock(NOW), ignore_freshness=True).run_id

    assert {path.name for path in nights.iterdir()} == {"young", "halted", own}
    assert settings_of(home).nights_kept_days == 30
