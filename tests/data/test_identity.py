"""Whose a fact is, when accounts turn out to be one or a fact was recorded for the wrong account."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from data.history import HistoryStore, bucket_of
from tests.data.files import DAY, UNTIL
from tests.data.frames import accounts, everything, frame


@pytest.fixture
def store(tmp_path: Path) -> HistoryStore:
    return HistoryStore(tmp_path / "history")


def test_a_merged_account_goes_on_under_its_target_from_the_moment_that_was_known(
    store: HistoryStore,
) -> None:
    """The target's past decisions are recomputed without facts that nobody then knew to be its own."""
    tied = {"touchpoints": frame("touchpoints", {"touchpoint_id": "1", "account_id": "b"}),
            "preferences": frame("preferences", {"account_id": "b", "status": "opt_out"}),
            "responses": frame("responses", {"touchpoint_id": "1", "account_id": "b"}),
            "account_team": frame("account_team", {"account_id": "b"})}  # fmt: skip
    store.add({"accounts": accounts("a", "b"), **tied})

    snapshot, _, changed = store.add({"accounts": accounts("b", merged_into="a", stored_at=UNTIL)})

    for table in ("touchpoints", "preferences", "responses"):
        ended = everything(snapshot, table).filter(account_id="b").sort("deleted")
        assert ended["superseded_at"].to_list() == [UNTIL, None]
        assert ended["deleted"].to_list() == [False, True]
        moved = everything(snapshot, table).filter(account_id="a")
        assert moved.select("stored_at", "deleted", "merged_from").rows() == [(UNTIL, False, "b")]
    assert changed == {"a", "b"}
    assert snapshot.accounts == 1
    assert everything(snapshot, "account_team")["account_id"].to_list() == ["b"]


def test_rows_of_a_merged_account_go_to_the_end_of_the_chain(store: HistoryStore) -> None:
    """Sources that have not heard of the merge go on sending the old id."""
    merged = frame("accounts", {"account_id": "a"}, {"account_id": "b", "merged_into": "a"},
                   {"account_id": "c", "merged_into": "b"})  # fmt: skip
    rows = frame("touchpoints", {"touchpoint_id": "1", "account_id": "c"})

    first, _, _ = store.add({"accounts": merged, "touchpoints": rows})
    second, counts, _ = store.add(
        {"touchpoints": frame("touchpoints", {"touchpoint_id": "2", "account_id": "b"})}
    )
    repeated, unchanged, _ = store.add({"accounts": merged, "touchpoints": rows})

    assert everything(first, "touchpoints").select("account_id", "merged_from").rows() == [("a", "c")]
    assert counts["touchpoints"].new == 1
    assert everything(second, "touchpoints")["account_id"].to_list() == ["a", "a"]
    assert repeated.id == second.id
    assert unchanged["touchpoints"].unchanged == 1


def test_a_team_of_its_own_holds_against_that_of_a_merged_account(store: HistoryStore) -> None:
    """The merge must not hand an account to another colleague."""
    merged = frame("accounts", {"account_id": "a"}, {"account_id": "b", "merged_into": "a"})
    team = frame(
        "account_team", {"account_id": "a", "user_id": "hers"}, {"account_id": "b", "user_id": "other"}
    )

    snapshot, _, _ = store.add({"accounts": merged, "account_team": team})

    assert everything(snapshot, "account_team").select("account_id", "user_id").rows() == [("a", "hers")]


def test_a_fact_corrected_to_another_account_leaves_the_first_with_its_responses(store: HistoryStore) -> None:
    """Otherwise the contact would count for both accounts for ever."""
    ids = [f"a{n}" for n in range(8)]
    other = next(a for a in ids[1:] if bucket_of(a, 4) != bucket_of("a0", 4))
    near = next(a for a in ids[1:] if bucket_of(a, 4) == bucket_of("a0", 4))
    rows = frame("touchpoints", *({"touchpoint_id": t, "account_id": "a0"} for t in ("1", "2")))
    answers = frame("responses", *({"touchpoint_id": t, "account_id": "a0"} for t in ("1", "2")))
    store.add({"accounts": accounts(*ids), "touchpoints": rows, "responses": answers})

    moved = frame("touchpoints", {"touchpoint_id": "1", "account_id": other, "stored_at": UNTIL},
                  {"touchpoint_id": "2", "account_id": near, "stored_at": UNTIL})  # fmt: skip
    snapshot, _, changed = store.add({"touchpoints": moved})

    for table in ("touchpoints", "responses"):
        holds = everything(snapshot, table).filter(pl.col("superseded_at").is_null() & ~pl.col("deleted"))
        assert dict(holds.select("touchpoint_id", "account_id").iter_rows()) == {"1": other, "2": near}
        before = everything(snapshot, table).filter(account_id="a0", deleted=False)
        assert before["superseded_at"].to_list() == [UNTIL, UNTIL]
    assert changed == {"a0", other, near}


def apart(buckets: int = 4) -> tuple[str, str, str]:
    """Two accounts in one bucket and one in another."""
    ids = [f"a{n}" for n in range(8)]
    near = next(a for a in ids[1:] if bucket_of(a, buckets) == bucket_of("a0", buckets))
    return "a0", near, next(a for a in ids if bucket_of(a, buckets) != bucket_of("a0", buckets))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (0, 2, 1), (2, 1, 0)])
@pytest.mark.parametrize("later", [False, True])
def test_of_one_id_under_several_accounts_in_one_load_the_last_row_holds(
    store: HistoryStore, order: tuple[int, ...], later: bool
) -> None:
    """Whatever buckets they fall into: else it would depend on how many accounts there are."""
    ids = apart()
    rows = frame("touchpoints", *({"touchpoint_id": "1", "account_id": ids[place]} for place in order))
    known = {"accounts": accounts(*ids)}
    if later:
        store.add(
            {**known, "touchpoints": frame("touchpoints", {"touchpoint_id": "0", "account_id": ids[0]})}
        )

    snapshot, counts, _ = store.add({"touchpoints": rows} if later else {**known, "touchpoints": rows})
    _, again, changed = store.add({"touchpoints": rows})

    holds = everything(snapshot, "touchpoints").filter(
        pl.col("touchpoint_id") == "1", pl.col("superseded_at").is_null(), ~pl.col("deleted")
    )
    assert holds["account_id"].to_list() == [ids[order[-1]]]
    assert (counts["touchpoints"].new, counts["touchpoints"].unchanged) == (1, 2)
    assert (again["touchpoints"].unchanged, changed) == (3, frozenset())


def test_of_one_id_under_several_accounts_each_row_holds_until_the_next_was_known(
    store: HistoryStore,
) -> None:
    """A correction that the export itself dates: past decisions are recomputed with what was known then."""
    one, _, other = apart()
    moments = [UNTIL + n * DAY for n in range(3)]
    rows = [
        {"touchpoint_id": "1", "account_id": account, "stored_at": moment}
        for account, moment in zip((one, other, one), moments, strict=True)
    ]

    snapshot, _, _ = store.add({"accounts": accounts(one, other), "touchpoints": frame("touchpoints", *rows)})

    told = everything(snapshot, "touchpoints").sort("account_id", "stored_at")
    told = told.filter(~pl.col("deleted")).select("account_id", "stored_at", "superseded_at")
    assert sorted(told.rows(), key=lambda row: row[1]) == [
        (one, moments[0], moments[1]), (other, moments[1], moments[2]), (one, moments[2], None),
    ]  # fmt: skip
