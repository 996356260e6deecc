"""Loading folders: all or nothing, every row accounted for, history and ledger in step."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from data.history import HistoryStore, LoadRunningError, TableCounts
from data.home import Home
from data.ingest import ContractError, LoadReport, TooManyRejectsError, ingest
from data.ledger.ledger import Ledger
from data.live import history_of
from engine.contract import HISTORY_TABLES
from tests.data.files import (
    DAY,
    UNTIL,
    Row,
    account,
    days_before,
    home_at,
    iso,
    micros,
    outcome,
    preference,
    response,
    small_world,
    team_member,
    touchpoint,
    user,
    write_csv,
)  # fmt: skip
from tests.data.homes import load, state, stored

LOADED_AT = micros(UNTIL + DAY)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return home_at(tmp_path)


def rejects(report: LoadReport, table: str) -> list[dict[str, Any]]:
    assert report.rejects is not None
    return pl.read_csv(report.rejects / f"{table}.csv").to_dicts()


# -- what a load says and keeps --------------------------------------------------------------------
def test_a_first_load_fills_history_and_ledger(home: Home) -> None:
    """The two must tell the same story: one is for the night, the other for the moment."""
    report = load(home, small_world(3))

    ledger = Ledger.open(home.ledger_url)
    account_state = ledger.account_state("a1")
    snapshot = report.snapshot
    assert report.counts["touchpoints"] == TableCounts(new=3, defaulted_stored_at=3)
    assert (snapshot.accounts, report.rejects) == (3, None)
    assert (account_state.name, ledger.team("a1")) == ("Dr a1", {"account_manager": "u1"})
    assert [found.user_id for found in ledger.users()] == ["u1"]
    live = history_of(account_state)
    for table in HISTORY_TABLES:
        if stored(home, table).height:
            assert_frame_equal(
                live[table], stored(home, table).filter(account_id="a1"), check_column_order=False
            )
    ledger.close()


def test_a_load_says_what_is_new_changed_unchanged_and_rejected(home: Home) -> None:
    """ "1 new, 1 changed, 2 unchanged, 1 rejected": who loads must see what it did."""
    world = small_world(3)
    load(home, world)
    world["touchpoints"][0] = touchpoint("t-a1", "a1", status="cancelled")
    world["touchpoints"] += [touchpoint("t-new", "a2"), touchpoint("t-bad", "a2", direction="sideways")]

    report = load(home, world, days=2, max_rejected=0.5)

    assert report.counts["touchpoints"] == TableCounts(1, 1, 2, 1, 4)
    assert report.counts["accounts"] == TableCounts(unchanged=3, defaulted_stored_at=3)
    assert rejects(report, "touchpoints") == [
        {"file": "touchpoints.csv", "line": 6, "column": "direction", "value": "sideways",
         "reason": "is not one of inbound, outbound"},
    ]  # fmt: skip


def test_a_first_load_tells_rows_that_share_an_id(home: Home) -> None:
    """Two orders with one number are one order afterwards; of versions each says since when it was known."""
    world = small_world(2)
    world["outcomes"] = [outcome("o1"), outcome("o1", value=70.0), outcome("o2")]
    world["touchpoints"] = [touchpoint("t-a1", "a1", stored_at=days_before(day)) for day in (3, 2)]
    world["responses"] = []

    first = load(home, world)
    later = load(home, {"outcomes": world["outcomes"]}, days=2)

    assert first.repeated == {"outcomes": 1}
    assert later.repeated == {}


def test_stored_at_defaults_in_a_first_load(home: Home) -> None:
    """History is known since it happened, plans since the load, standing facts since ever."""
    world = small_world(1)
    world["touchpoints"].append(touchpoint("plan", "a1", status="planned", occurred_at=iso(UNTIL + 30 * DAY)))
    world["outcomes"] = [outcome(stored_at=days_before(1))]

    report = load(home, world)

    touchpoints = dict(stored(home, "touchpoints").select("touchpoint_id", "stored_at").iter_rows())
    assert touchpoints == {"t-a1": UNTIL - 10 * DAY, "plan": UNTIL + DAY}
    assert stored(home, "accounts")["stored_at"].to_list() == [EPOCH]
    assert stored(home, "account_team")["stored_at"].to_list() == [EPOCH]
    assert stored(home, "outcomes")["stored_at"].to_list() == [UNTIL - DAY]
    assert (
        report.counts["touchpoints"].defaulted_stored_at,
        report.counts["outcomes"].defaulted_stored_at,
    ) == (2, 0)


def test_stored_at_defaults_in_a_later_load_to_the_load(home: Home) -> None:
    """What arrives late was not known before it arrived, whenever it happened."""
    load(home, small_world(1))

    load(home, {"touchpoints": [touchpoint("late", "a1", occurred_at=days_before(50))]}, days=2)

    late = stored(home, "touchpoints").filter(touchpoint_id="late")
    assert late["stored_at"].to_list() == [UNTIL + 2 * DAY]


def test_a_second_load_of_an_edited_export_keeps_the_version_before(home: Home) -> None:
    """A correction must not rewrite what was known when decisions were taken."""
    load(home, small_world(2))

    load(home, {"touchpoints": [touchpoint("t-a1", "a1", topic="safety")]}, days=2)

    versions = stored(home, "touchpoints").filter(touchpoint_id="t-a1").sort("stored_at")
    assert versions["topic"].to_list() == [None, "safety"]
    assert versions["superseded_at"].to_list() == [UNTIL + 2 * DAY, None]
    ledger = Ledger.open(home.ledger_url)
    assert history_of(ledger.account_state("a1"))["touchpoints"].height == 2
    ledger.close()


def test_only_accounts_whose_facts_changed_get_a_new_version_in_the_ledger(home: Home) -> None:
    """A version that moves makes others decide again; nobody should for nothing."""
    load(home, small_world(3))
    ledger = Ledger.open(home.ledger_url)
    before = dict(ledger.versions())

    load(home, {"touchpoints": [touchpoint("new", "a2")]}, days=2)

    after = ledger.versions()
    assert {a for a in after if after[a] != before[a]} == {"a2"}
    ledger.close()


def test_responses_find_their_account_in_the_folder_and_in_the_store(home: Home) -> None:
    """Sources send responses without accounts, often days after the touchpoint."""
    load(home, small_world(2))

    report = load(
        home,
        {"touchpoints": [touchpoint("new", "a2")],
         "responses": [response("new"), response("t-a1", response="replied"), response("nowhere")]},
        days=2, max_rejected=0.5,
    )  # fmt: skip

    found = stored(home, "responses").filter(pl.col("stored_at") == UNTIL + 2 * DAY)
    assert set(found.select("touchpoint_id", "account_id").rows()) == {("new", "a2"), ("t-a1", "a1")}
    assert [(r["value"], r["reason"]) for r in rejects(report, "responses")] == [
        ("nowhere", "unknown touchpoint")
    ]


def test_a_fact_of_an_unknown_account_is_a_reject(home: Home) -> None:
    """It would count for nobody, silently."""
    world = small_world(2)
    world["touchpoints"].append(touchpoint("t9", "a99"))
    world["outcomes"].append(outcome("o9", "a99"))
    world["preferences"].append(preference("a99"))
    world["account_team"].append(team_member("a99"))
    world["responses"].append(response("t9"))

    report = load(home, world, max_rejected=0.5)

    for table in ("touchpoints", "outcomes", "preferences", "account_team"):
        assert [(r["column"], r["value"], r["reason"]) for r in rejects(report, table)] == [
            ("account_id", "a99", "unknown account")
        ]
        assert report.counts[table].rejected == 1
    assert rejects(report, "responses")[0]["reason"] == "unknown touchpoint"


def test_the_table_is_named_whose_rows_others_refer_to(home: Home) -> None:
    """Responses to touchpoints that were rejected are not at fault."""
    world = small_world(3)
    world["touchpoints"] = [{**row, "channel": ""} for row in world["touchpoints"]]
    world["responses"] = [response(row["touchpoint_id"]) for row in world["touchpoints"]]

    others = [touchpoint(f"o{n}", "a1") for n in range(500)]

    with pytest.raises(TooManyRejectsError, match="rows of touchpoints were rejected"):
        load(home, world)
    with pytest.raises(TooManyRejectsError, match=r"unknown touchpoint\. 3 touchpoints of this load were"):
        load(home, world | {"touchpoints": [*world["touchpoints"], *others]})


@pytest.mark.parametrize(
    ("merges", "reason"),
    [
        ({"a1": "a99"}, "leads to the unknown account 'a99'"),
        ({"a1": "a1"}, "is merged into itself"),
        ({"a1": "a2", "a2": "a1"}, "is merged into itself"),
        ({"a1": "a2", "a2": "a99"}, "leads to the unknown account 'a99'"),
    ],
)
def test_a_merge_that_leads_nowhere_is_a_reject(home: Home, merges: dict[str, str], reason: str) -> None:
    """Facts must not end up with an account that does not exist."""
    world = small_world(6)
    world["accounts"] = [account(f"a{n}", merged_into=merges.get(f"a{n}", "")) for n in range(1, 7)]

    report = load(home, world, max_rejected=0.5)

    assert {(r["column"], r["reason"]) for r in rejects(report, "accounts")} == {("merged_into", reason)}
    assert len(rejects(report, "accounts")) == len(merges)
    assert report.snapshot.accounts == 6 - len(merges)


def test_a_merged_account_is_no_longer_decided_on_and_its_facts_go_on(home: Home) -> None:
    """Its opt-out, for instance, must count for the account that it turned out to be."""
    world = small_world(2)
    world["preferences"] = [preference("a2", status="opt_out")]
    load(home, world)

    load(home, {"accounts": [account("a2", merged_into="a1")]}, days=2)

    ledger = Ledger.open(home.ledger_url)
    own = history_of(ledger.account_state("a1"))["preferences"]
    assert own.select("status", "merged_from").rows() == [("opt_out", "a2")]
    assert {a for b in range(4) for a in HistoryStore(home.history).current().account_ids(b)} == {"a1"}  # type: ignore[union-attr]
    ledger.close()


def test_personal_columns_are_in_the_ledger_and_nowhere_in_the_history(home: Home) -> None:
    """Law 3: deleting one row must erase a person."""
    world = small_world(1)
    world["contacts"] = [{"contact_id": "c1", "account_id": "a1", "name": "Nadia Secret", "gender": "f"}]
    world["touchpoints"] = [touchpoint("t-a1", "a1", details='{"objection": "too dear"}')]

    load(home, world)

    written = b"".join(p.read_bytes() for p in home.history.rglob("*") if p.is_file())
    ledger_bytes = (home.root / "ledger.sqlite").read_bytes()
    wal = home.root / "ledger.sqlite-wal"
    ledger_bytes += wal.read_bytes() if wal.exists() else b""
    for text in (b"Nadia", b"too dear", b"Dr a1"):
        assert text not in written
        assert text in ledger_bytes


def test_users_that_leave_and_teams_that_change_reach_the_ledger(home: Home) -> None:
    """Who may see an account follows the last export."""
    world = small_world(2)
    world["users"].append(user("u2", name="Omid Karimi"))
    load(home, world)

    load(
        home,
        {"users": [user("u1", deleted="true")],
         "account_team": [team_member("a1", user_id="u2"), team_member("a2", deleted="true")]},
        days=2,
    )  # fmt: skip

    ledger = Ledger.open(home.ledger_url)
    assert [found.user_id for found in ledger.users()] == ["u2"]
    assert (ledger.team("a1"), ledger.team("a2")) == ({"account_manager": "u2"}, {})
    ledger.close()


def test_an_account_without_touchpoints_is_loaded(home: Home) -> None:
    """It is decided on as well: first contacts matter most."""
    world = small_world(1)
    world["accounts"].append(account("quiet"))

    load(home, world)

    ledger = Ledger.open(home.ledger_url)
    assert history_of(ledger.account_state("quiet"))["accounts"].height == 1
    ledger.close()


def test_later_loads_may_bring_any_table_alone(home: Home) -> None:
    """Sources send what they have."""
    load(home, small_world(1))

    report = load(home, {"outcomes": [outcome("o9", "a1")]}, days=2)

    assert report.counts == {"outcomes": TableCounts(new=1, defaulted_stored_at=1)}


def test_progress_is_told_by_stage(home: Home) -> None:
    """A long load that says nothing is killed by whoever watches it."""
    seen: list[str] = []

    load(home, small_world(1), progress=lambda stage, done, of: seen.append(stage))

    assert list(dict.fromkeys(seen)) == ["read", "history", "swap", "blocks", "ledger"]


# -- loads that are refused ------------------------------------------------------------------------
def test_too_many_rejects_stop_the_load_and_leave_everything_as_it_was(home: Home) -> None:
    """A source that breaks must not replace good facts by few."""
    load(home, small_world(2))
    before = state(home)

    with pytest.raises(TooManyRejectsError) as raised:
        load(home, {"accounts": [account("a3")], "touchpoints": [touchpoint("x", "a1", status="")]}, days=2)

    message = str(raised.value)
    assert message.startswith("1 of 1 rows of touchpoints were rejected, more than 1.0%; nothing was loaded.")
    assert "\n" not in message
    assert "Most often (1): status: is required and empty. " in message
    file = Path(message.split("empty. ")[1].removesuffix(" says which and why."))
    assert pl.read_csv(file)["reason"].to_list() == ["is required and empty"]
    assert raised.value.exit_code == 3
    assert state(home) == before


def test_a_contract_error_leaves_everything_as_it_was(home: Home) -> None:
    """All or nothing, also when the fault is in the last table."""
    load(home, small_world(2))
    before = state(home)
    folder = write_csv(home.root.parent / "misspelt", {"accounts": [account("a3")]})
    (folder / "touchpoints.csv").write_text("touchpoint_id,account_id,chanel\n", encoding="utf-8")

    with pytest.raises(ContractError, match=r"'chanel' in touchpoints.csv. Did you mean 'channel'"):
        ingest(folder, home, loaded_at=LOADED_AT)

    assert state(home) == before


@pytest.mark.parametrize(
    "table", ["accounts", "users", "account_team", "touchpoints", "responses", "outcomes"]
)
def test_a_first_load_needs_every_table_that_is_not_optional(home: Home, table: str) -> None:
    """A forgotten file would look like a world without it."""
    world = small_world(1)
    del world[table]

    with pytest.raises(ContractError, match=rf"A first load needs {table}\.csv") as raised:
        load(home, world)

    assert raised.value.exit_code == 2
    assert HistoryStore(home.history).current() is None


def test_an_empty_history_is_one_clear_line(home: Home) -> None:
    """There is nothing to decide on."""
    world: dict[str, list[Row]] = {table: [] for table in small_world()}

    with pytest.raises(ContractError, match="There is no account in"):
        load(home, world)

    assert HistoryStore(home.history).current() is None
    assert not (home.root / "ledger.sqlite").exists()


def test_a_folder_that_is_not_there_or_holds_nothing_is_one_clear_line(home: Home, tmp_path: Path) -> None:
    """The usual slip of the hand."""
    load(home, small_world(1))
    (tmp_path / "empty").mkdir()

    with pytest.raises(ContractError, match="There is no folder"):
        ingest(tmp_path / "nowhere", home, loaded_at=LOADED_AT)
    with pytest.raises(ContractError, match="holds no table of the contract"):
        ingest(tmp_path / "empty", home, loaded_at=LOADED_AT)


def test_two_loads_at_once_are_refused(home: Home) -> None:
    """The second says so at once instead of waiting or mixing."""
    load(home, small_world(1))

    with HistoryStore(home.history).exclusive(), pytest.raises(LoadRunningError):
        load(home, small_world(1), days=2)
