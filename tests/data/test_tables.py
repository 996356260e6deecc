"""Reading files of the contract: what is accepted, what is rejected, and what the message says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.contract_doc import PAGE, contract_page
from data.reading import check_folder
from data.tables import Checked, ContractError, read_table
from engine.contract import TABLES, TIME, Kind
from tests.data.files import (
    account,
    decision,
    outcome,
    preference,
    small_world,
    touchpoint,
    user,
    write_csv,
    write_parquet,
)


def read(folder: Path, table: str, *rows: dict[str, Any]) -> Checked:
    write_csv(folder, {table: rows})
    checked = read_table(folder, table)
    assert checked is not None
    return checked


def only_reject(checked: Checked) -> dict[str, Any]:
    assert checked.rows.is_empty()
    assert checked.rejects.height == 1
    return checked.rejects.row(0, named=True)


def test_a_row_is_typed_by_the_contract_and_times_are_kept_in_utc(tmp_path: Path) -> None:
    """Everything later relies on the types and never looks at them again."""
    checked = read(
        tmp_path, "touchpoints", touchpoint(occurred_at="2026-01-05T10:00:00+02:00", details='{"q": 1}')
    )

    row = checked.rows.row(0, named=True)
    assert row["occurred_at"] == datetime(2026, 1, 5, 8, tzinfo=UTC)
    assert row["details"] == '{"q": 1}'
    assert row["contact_id"] is None
    expected = {k: v for k, v in TABLES["touchpoints"].schema.items() if k != "superseded_at"}
    assert dict(checked.rows.schema) == expected
    assert checked.rejects.is_empty()


@pytest.mark.parametrize("table", TABLES)
def test_every_table_of_the_contract_reads_an_empty_file_with_the_required_columns(
    tmp_path: Path, table: str
) -> None:
    """A source without news is not an error."""
    checked = read(tmp_path, table)

    assert checked.rows.is_empty()
    assert checked.rows.columns == [c for c in TABLES[table].schema if c != "superseded_at"]


def test_csv_and_parquet_give_the_same_rows(tmp_path: Path) -> None:
    """Nobody should have to know which of the two was sent."""
    world = small_world()
    write_csv(tmp_path / "csv", world)
    write_parquet(tmp_path / "parquet", world)

    for table in world:
        left, right = read_table(tmp_path / "csv", table), read_table(tmp_path / "parquet", table)
        assert left is not None
        assert right is not None
        assert left.rows.equals(right.rows)


def test_a_folder_of_files_is_one_table_in_the_order_of_their_names(tmp_path: Path) -> None:
    """Exports come in daily files; the later file holds."""
    write_csv(tmp_path / "touchpoints", {})
    for day, status in (("02", "done"), ("01", "planned")):
        write_csv(tmp_path / "part", {"touchpoints": [touchpoint(status=status)]})
        (tmp_path / "part" / "touchpoints.csv").rename(tmp_path / "touchpoints" / f"2026-01-{day}.csv")

    checked = read_table(tmp_path, "touchpoints")

    assert checked is not None
    assert checked.rows["status"].to_list() == ["planned", "done"]
    assert checked.places["__file"].to_list() == ["touchpoints/2026-01-01.csv", "touchpoints/2026-01-02.csv"]


def test_a_table_that_is_not_there_is_none(tmp_path: Path) -> None:
    """Optional tables are simply absent."""
    assert read_table(tmp_path, "offers") is None


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-01-31T09:30:00Z", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        ("2026-01-31 09:30:00+00:00", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        ("2026-01-31T09:30+0330", datetime(2026, 1, 31, 6, tzinfo=UTC)),
        ("2026-01-31T09:30:15.250-05:00", datetime(2026, 1, 31, 14, 30, 15, 250_000, tzinfo=UTC)),
        ("2026-01-31T23:59:59.999999z", datetime(2026, 1, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    ],
)
def test_usual_ways_of_writing_a_time_with_zone_are_read(
    tmp_path: Path, written: str, moment: datetime
) -> None:
    """Databases, spreadsheets and programs write ISO 8601 differently."""
    checked = read(tmp_path, "touchpoints", touchpoint(occurred_at=written))

    assert checked.rows["occurred_at"].to_list() == [moment]


@pytest.mark.parametrize("written", ["2026-01-31T09:30:00", "2026-01-31 09:30", "2026-01-31"])
def test_a_time_without_zone_is_rejected_and_the_reason_says_what_to_do(tmp_path: Path, written: str) -> None:
    """Guessing a zone would put facts before or after a decision at will."""
    reject = only_reject(read(tmp_path, "touchpoints", touchpoint(occurred_at=written)))

    assert (reject["column"], reject["value"], reject["line"]) == ("occurred_at", written, 2)
    assert "without zone" in reject["reason"]
    assert "+02:00" in reject["reason"]


@pytest.mark.parametrize(
    ("table", "row", "column", "reason"),
    [
        ("touchpoints", touchpoint(occurred_at="2026-02-30T10Z"), "occurred_at", "is not an ISO 8601 time"),
        ("touchpoints", touchpoint(occurred_at="yesterday"), "occurred_at", "is not an ISO 8601 time"),
        ("touchpoints", touchpoint(direction="outbund"), "direction", "is not one of inbound, outbound"),
        ("touchpoints", touchpoint(channel=" "), "channel", "is required and empty"),
        ("outcomes", outcome(value="12,5"), "value", "is not a number"),
        ("outcomes", outcome(value="inf"), "value", "is not a finite number"),
        ("outcomes", outcome(value="nan"), "value", "is not a finite number"),
        ("outcomes", outcome(value="-1e300"), "value", "is beyond 1e+15 either way"),
        ("decisions", decision(probability="0"), "probability", "is not above 0 and at most 1"),
        ("decisions", decision(probability="1.01"), "probability", "is not above 0 and at most 1"),
        ("decisions", decision(place="1.5"), "place", "is not a whole number"),
        ("decisions", decision(place="1e300"), "place", "is not a whole number"),
        ("decisions", decision(eligible="none||visit"), "eligible", "has an empty entry"),
        ("decisions", decision(followed="perhaps"), "followed", "is not true or false"),
        ("preferences", preference(times="mon 09:00-12:00|"), "times", "has an empty entry"),
        ("users", user(absences="2026-13-01"), "absences", "is not days such as 2026-01-05"),
        ("users", user(absences="5.1.2026"), "absences", "is not days such as 2026-01-05"),
        ("users", user(absences="2026-01-05|"), "absences", "is not days such as 2026-01-05"),
        ("users", user(absences="2026-01-05/2026-01-09/x"), "absences", "is not days such as 2026-01-05"),
        ("users", user(absences="2026-01-09/2026-01-05"), "absences", "end before they begin"),
        ("users", user(monday_minutes="-30"), "monday_minutes", "is not between 0 and 1440"),
        ("accounts", account(latitude="91"), "latitude", "is not between -90 and 90"),
        ("accounts", account(deleted="x"), "deleted", "is not true or false"),
        ("accounts", account(stored_at="2026-01-01T00:00"), "stored_at", "without zone"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_a_reject(
    tmp_path: Path, table: str, row: dict[str, Any], column: str, reason: str
) -> None:
    """Whoever repairs the export needs the line, the column, the value and the reason."""
    reject = only_reject(read(tmp_path, table, row))

    assert (reject["file"], reject["line"], reject["column"]) == (f"{table}.csv", 2, column)
    assert reason in reject["reason"]
    assert reject["value"] == str(row[column]).strip()


@pytest.mark.parametrize("details", ["{bad", "[1]", '"text"', '{"a": NaN}', '{"a": 1} x'])
def test_broken_json_is_rejected_without_showing_free_text(tmp_path: Path, details: str) -> None:
    """Free text may name a person; a reject file is no place for it."""
    reject = only_reject(read(tmp_path, "touchpoints", touchpoint(details=details)))

    assert reject["reason"] == "is not a JSON object"
    assert details not in reject["value"]


def test_only_the_first_fault_of_a_row_is_told(tmp_path: Path) -> None:
    """One line per rejected row, so that the counts add up."""
    reject = only_reject(
        read(tmp_path, "touchpoints", touchpoint(direction="x", status="y", occurred_at="z"))
    )

    assert reject["column"] == "occurred_at"


def test_lines_are_counted_over_quoted_line_breaks_and_blank_lines(tmp_path: Path) -> None:
    """A line number that is off by some is worse than none."""
    body = 'account_id,name\na1,"Dr\nA\n1"\n\na2,\n'
    (tmp_path / "accounts.csv").write_text(body, encoding="utf-8")

    checked = read_table(tmp_path, "accounts")

    assert checked is not None
    assert checked.rows["name"].to_list() == ["Dr\nA\n1"]
    assert checked.rejects["line"].to_list() == [6]


def test_a_line_with_too_many_fields_is_a_reject_and_the_others_are_read(tmp_path: Path) -> None:
    """One broken line must neither stop a load nor disappear."""
    (tmp_path / "accounts.csv").write_text('account_id,name\na1,"A\nB"\na2,B,x\na3,C\n', encoding="utf-8")

    checked = read_table(tmp_path, "accounts")

    assert checked is not None
    assert checked.rows["account_id"].to_list() == ["a1", "a3"]
    assert checked.rejects.select("line", "reason").rows() == [(4, "the line has 3 fields, the header has 2")]


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    """That is how spreadsheets write UTF-8."""
    (tmp_path / "accounts.csv").write_bytes("account_id,name\r\na1,Zoë\r\n".encode("utf-8-sig"))

    checked = read_table(tmp_path, "accounts")

    assert checked is not None
    assert checked.rows.select("account_id", "name").rows() == [("a1", "Zoë")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: not even a line of column names"),
        (b"account_id,name\na1,\xff\xfe\n", "is not UTF-8"),
        (b"account_id;name\na1;A\n", "separate them by commas"),
        (b"account_id,name,name\na1,A,B\n", "has the column 'name' twice"),
        (b"account_id,nam\na1,A\n", "lacks the required column 'name'. Is it 'nam'?"),
        (b'account_id,name\na1,"A\na2,B\n', "is a quote not closed?"),
        (b"account_id,name,superseded_at\na1,A,\n", "Unknown column 'superseded_at'"),
    ],
)
def test_a_file_that_is_not_of_the_contract_is_one_clear_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    """The person who runs the load is told what to put right, without a traceback."""
    (tmp_path / "accounts.csv").write_bytes(content)

    with pytest.raises(ContractError) as raised:
        read_table(tmp_path, "accounts")

    assert message in str(raised.value)
    assert "accounts.csv" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_unknown_column_names_what_is_near(tmp_path: Path) -> None:
    """A misspelt column would otherwise be silently missing for ever."""
    (tmp_path / "touchpoints.csv").write_text("chanel,touchpoint_id\n", encoding="utf-8")

    with pytest.raises(
        ContractError, match=r"Unknown column 'chanel' in touchpoints.csv. Did you mean 'channel'\?"
    ):
        read_table(tmp_path, "touchpoints")


def test_an_unknown_column_may_be_the_one_that_must_be_there(tmp_path: Path) -> None:
    """Systems call the time of a contact its date; nothing in the letters says so."""
    (tmp_path / "touchpoints.csv").write_text(
        "touchpoint_id,account_id,direction,channel,status,date\n", encoding="utf-8"
    )

    with pytest.raises(ContractError, match="lacks the required occurred_at: is it that"):
        read_table(tmp_path, "touchpoints")


def test_a_choice_that_was_not_eligible_is_a_reject(tmp_path: Path) -> None:
    """One of the two is wrong, and probabilities mean nothing then. Leaving alone is always possible."""
    rows = [("d1", "visit", "visit | none"), ("d2", "call", "visit|none"), ("d3", "none", "visit"),
            ("d4", "call", "")]  # fmt: skip
    text = "".join(f"{name},a,2026-01-05T09:00:00Z,{chosen},p,{among}\n" for name, chosen, among in rows)
    header = "decision_id,account_id,decided_at,treatment,policy,eligible\n"
    (tmp_path / "decisions.csv").write_text(header + text, encoding="utf-8")

    found = read_table(tmp_path, "decisions")

    assert found is not None
    assert found.rows["decision_id"].to_list() == ["d1", "d3", "d4"]
    assert found.rejects.select("column", "value", "reason").rows() == [
        ("treatment", "call", "is not among those that the row calls eligible")
    ]


def test_an_unreadable_parquet_file_is_one_clear_line(tmp_path: Path) -> None:
    """Truncated transfers happen."""
    (tmp_path / "accounts.parquet").write_bytes(b"PAR1 not really")

    with pytest.raises(ContractError, match=r"accounts.parquet is not a readable Parquet file"):
        read_table(tmp_path, "accounts")


def test_two_sources_of_one_table_are_refused(tmp_path: Path) -> None:
    """Nobody can know which one is meant."""
    write_csv(tmp_path, {"accounts": [account()]})
    write_parquet(tmp_path, {"accounts": [account()]})

    with pytest.raises(ContractError, match=r"accounts.csv and accounts.parquet; keep one"):
        read_table(tmp_path, "accounts")


def test_a_misspelt_table_is_refused_and_other_files_are_left_alone(tmp_path: Path) -> None:
    """A file that is quietly ignored looks like a load that worked."""
    (tmp_path / "notes.txt").write_text("hello", encoding="utf-8")
    (tmp_path / "truth").mkdir()
    (tmp_path / "orders.csv").write_text("id\n", encoding="utf-8")
    check_folder(tmp_path)
    (tmp_path / "touchpoint.csv").write_text("touchpoint_id\n", encoding="utf-8")

    with pytest.raises(
        ContractError, match=r"'touchpoint.csv' is not a table of the contract. Did you mean 'touchpo"
    ):
        check_folder(tmp_path)


@pytest.mark.parametrize("name", ["touchpoints.csv.gz", "touchpoints.xlsx", "touchpoints/2026.tsv"])
def test_a_table_in_a_form_that_is_not_read_is_refused(tmp_path: Path, name: str) -> None:
    """A later load would look as if it had brought no touchpoints."""
    write_csv(tmp_path, {"accounts": [account()]})
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"x")

    def load() -> None:
        check_folder(tmp_path)
        read_table(tmp_path, "touchpoints")

    with pytest.raises(ContractError, match=r"is not read: save it as touchpoints.csv or touchpoints.parq"):
        load()


def test_a_folder_that_is_named_like_a_file_is_refused(tmp_path: Path) -> None:
    """Clusters write a folder touchpoints.parquet/ of parts."""
    (tmp_path / "touchpoints.parquet").mkdir()

    with pytest.raises(ContractError, match=r"is a folder; rename it to 'touchpoints'"):
        check_folder(tmp_path)


def test_a_column_without_a_name_is_refused(tmp_path: Path) -> None:
    """A comma too many in the header is not a feature."""
    (tmp_path / "accounts.csv").write_text("account_id,name,\na1,Dr,1\n", encoding="utf-8")

    with pytest.raises(ContractError, match=r"accounts.csv has a column without a name"):
        read_table(tmp_path, "accounts")


def test_an_unknown_column_that_is_like_nothing_says_what_there_is(tmp_path: Path) -> None:
    """Whoever wrote "date" has to be told of occurred_at."""
    (tmp_path / "touchpoints.csv").write_text("touchpoint_id,date\n", encoding="utf-8")

    with pytest.raises(
        ContractError, match=r"'date' in touchpoints.csv. It lacks .*occurred_at, .* The columns of"
    ):
        read_table(tmp_path, "touchpoints")


def test_a_date_that_stands_for_unknown_is_rejected(tmp_path: Path) -> None:
    """Believed, a single 1900-01-01 would stretch the history, and the landmarks, over a century."""
    checked = read(tmp_path, "touchpoints", touchpoint(occurred_at="1900-01-01T00:00:00Z"), touchpoint("t2"))

    assert checked.rows["touchpoint_id"].to_list() == ["t2"]
    assert checked.rejects["reason"].to_list() == ["lies before 1970; leave it empty if it is not known"]


def test_further_columns_of_accounts_are_typed_by_what_they_hold(tmp_path: Path) -> None:
    """They become features by their type."""
    rows = [
        account("a1", beds="10", teaching="true", region="north"),
        account("a2", beds="2.5", teaching="", region=""),
    ]

    checked = read(tmp_path, "accounts", *rows)

    extra = checked.rows.select("beds", "region", "teaching")
    assert extra.schema == {"beds": pl.Float64, "region": pl.String, "teaching": pl.Boolean}
    assert extra.rows() == [(10.0, "north", True), (2.5, None, None)]


def test_a_further_column_keeps_the_type_that_the_store_knows(tmp_path: Path) -> None:
    """A text must not become a number because today's rows happen to look like numbers, nor the other way."""
    write_csv(
        tmp_path, {"accounts": [account("a1", code="7", beds="10"), account("a2", code="8", beds="many")]}
    )

    checked = read_table(tmp_path, "accounts", extra={"code": Kind.TEXT, "beds": Kind.NUMBER})

    assert checked is not None
    assert checked.rows["code"].to_list() == ["7"]
    assert checked.rejects.select("column", "value", "reason").rows() == [("beds", "many", "is not a number")]


def test_parquet_types_that_mean_the_same_are_accepted(tmp_path: Path) -> None:
    """Tools write ids as numbers, lists as lists and details as structures."""
    frame = pl.DataFrame(
        {
            "decision_id": [1.0, None], "account_id": [7, 8],
            "decided_at": [datetime(2026, 1, 1, tzinfo=UTC)] * 2,
            "treatment": ["none"] * 2, "place": [1.0, 2.0], "eligible": [["none", "visit"], ["none"]],
            "policy": ["p"] * 2, "followed": [1, 0],
        }
    )  # fmt: skip
    frame.write_parquet(tmp_path / "decisions.parquet")

    checked = read_table(tmp_path, "decisions")

    assert checked is not None
    row = checked.rows.select("decision_id", "account_id", "place", "eligible", "followed").row(0)
    assert row == ("1", "7", 1, "none|visit", True)
    assert checked.rejects["reason"].to_list() == ["is required and empty"]


def test_parquet_times_without_zone_are_rejected_row_by_row(tmp_path: Path) -> None:
    """The same rule as for text: a time without zone is no time."""
    write_parquet(tmp_path, {"touchpoints": [touchpoint()]})
    frame = pl.read_parquet(tmp_path / "touchpoints.parquet")
    frame.with_columns(pl.col("occurred_at").dt.replace_time_zone(None)).write_parquet(
        tmp_path / "touchpoints.parquet"
    )

    checked = read_table(tmp_path, "touchpoints")

    assert checked is not None
    assert "without zone" in only_reject(checked)["reason"]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=12), min_size=1, max_size=6))
def test_no_text_breaks_the_reader_and_no_row_disappears(tmp_path: Path, names: list[str]) -> None:
    """Whatever is in a field, the row is loaded or rejected, never lost."""
    printable = [n.replace("\x00", "").encode("utf-8", "ignore").decode() for n in names]
    rows = [account(f"a{i}", name=n, segment=n) for i, n in enumerate(printable)]

    checked = read(tmp_path, "accounts", *rows)

    assert checked.rows.height + checked.rejects.height == len(rows)
    assert checked.rows["segment"].to_list() == checked.rows["name"].to_list()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 7_000_000_000_000_000), st.integers(-840, 840)), min_size=1, max_size=20
    )
)
def test_every_moment_in_every_zone_is_read_to_the_microsecond(
    tmp_path: Path, moments: list[tuple[int, int]]
) -> None:
    """Order in time decides what was known; one microsecond counts."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    local = [
        (epoch + timedelta(microseconds=at)).astimezone(timezone(timedelta(minutes=offset)))
        for at, offset in moments
    ]

    checked = read(
        tmp_path,
        "touchpoints",
        *(touchpoint(f"t{n}", occurred_at=m.isoformat()) for n, m in enumerate(local)),
    )

    assert checked.rows["occurred_at"].to_list() == local
    assert checked.rows.schema["occurred_at"] == TIME


def test_the_page_of_the_contract_is_what_the_definition_says() -> None:
    """Run `python -m data.contract_doc` after a change of the contract."""
    assert PAGE.read_text(encoding="utf-8") == contract_page() + "\n"
