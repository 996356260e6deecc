"""Counts of similar accounts a second time, in plain SQL over the tables."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.peers import PEER_DAYS, Peers
from engine.records import DAY_MICROS, History
from tests.engine.builders import NOW, account, history, response, touchpoint
from tests.engine.random_histories import random_history
from tests.training.builders import LogSettings, stored, tables
from training.peers import count_peers, counted

SQL = """
with t as (
    select distinct account_id, touchpoint_id, {what} as what from touchpoints
    where stored_at < $at and (superseded_at is null or superseded_at >= $at) and deleted is not true
      and direction = 'outbound' and status = 'done' and {what} <> ''
      and occurred_at < $at and occurred_at >= $at - $days
), r as (
    select distinct account_id, touchpoint_id from responses
    where stored_at < $at and (superseded_at is null or superseded_at >= $at) and deleted is not true
      and responded_at < $at and response in ('clicked', 'replied', 'attended', 'accepted')
), a as (
    select account_id, coalesce(segment, '') as segment from accounts
    where stored_at < $at and (superseded_at is null or superseded_at >= $at) and deleted is not true
)
select what, segment, count(distinct t.account_id), count(distinct r.account_id)
from t join a using (account_id) left join r using (account_id, touchpoint_id)
group by what, segment order by what, segment
"""


def by_sql(past: History, what: str, at: int) -> list[tuple]:
    with duckdb.connect() as base:
        base.execute("set threads = 1")
        for table in ("accounts", "touchpoints", "responses"):
            times = [name for name, dtype in past[table].schema.items() if dtype == pl.Datetime("us", "UTC")]
            base.register(table, past[table].with_columns(pl.col(times).cast(pl.Int64)).to_arrow())
        values = {"at": at, "days": PEER_DAYS * DAY_MICROS}
        return base.execute(SQL.format(what=what), values).fetchall()


@given(st.integers(0, 2**31 - 1), st.sampled_from(["treatment", "channel"]))
@settings(max_examples=25, deadline=None)
def test_counts_are_those_of_the_tables(seed: int, what: str) -> None:
    """Late rows, corrections and deletions: what was known at the moment, and nothing else."""
    past = random_history(seed)

    assert counted(past, what, NOW).rows() == by_sql(past, what, NOW)


def test_an_account_counts_once_and_only_with_what_was_known() -> None:
    """Three visits and one answer are one account that responded; an answer of tomorrow is none."""
    visits = [touchpoint(-days, id=f"v{days}", treatment="visit_news") for days in (3.0, 5.0, 7.0)]
    late = touchpoint(-4.0, id="w", account_id="b", treatment="visit_news")
    old = touchpoint(-400.0, id="o", account_id="c", treatment="visit_news")
    past = history(
        *visits, late, old, response("v5.0", -4.0), response("w", -1.0, account_id="b", stored=2.0),
        account("a", stored=-500.0), account("b", stored=-500.0), account("c", stored=-500.0),
    )  # fmt: skip

    assert counted(past, "treatment", NOW).rows() == [("visit_news", "A", 2, 1)]


def test_a_release_carries_the_counts_of_all_buckets(tmp_path: Path) -> None:
    """What the manifest says can be worked out again from the loaded tables."""
    settings_ = LogSettings(accounts=60)
    snapshot = stored(tmp_path, tables(settings_))
    at = max(snapshot.newest.values()) + 1

    found = Peers.of(json.loads(json.dumps({"peers": count_peers(snapshot, at).as_json()})))

    given_ = tables(settings_)
    segment = dict(given_["accounts"].select("account_id", "segment").iter_rows())
    answered = set(given_["responses"]["touchpoint_id"])
    expected: dict = defaultdict(lambda: (set(), set()))
    for id, account_id, treatment in (
        given_["touchpoints"].select("touchpoint_id", "account_id", "treatment").iter_rows()
    ):
        both = expected[treatment, segment[account_id]]
        both[0].add(account_id)
        both[1].update({account_id} & ({account_id} if id in answered else set()))
    assert found is not None
    for (treatment, own), (contacted, responded) in expected.items():
        assert found.treatments[treatment][own] == (len(contacted), len(responded))
        assert found.responded(treatment, "", own) == pytest.approx(
            ("treatment", len(contacted), len(responded))
        )
