"""What is counted of touchpoints: all accounts at one moment, and each of many decisions at its own.

The peers count the same columns: contacts by us and touchpoints that the account began, in windows of 7, 30,
90 and 365 days, and days since the latest of each, for all channels together and by channel, topic and
treatment. Ours also reads everything else that a decision needs. A bucket is gone when the next one comes, as
in a night; the sums that are compared are taken in a run that is not timed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl

from benchmarks.harness import Comparison, compare
from benchmarks.material import AS_OF
from data.playbooks import read_playbook
from engine.contract import TIME
from engine.features import Features, FeatureSet, features_as_of
from engine.playbook import Playbook
from engine.records import DAY_MICROS, Floats, History, Moments

WINDOWS = (7, 30, 90, 365)
SCOPES = ("any", "channel", "topic", "treatment")
BUCKET = 20_000
"""Accounts that are counted at a time, as a night does."""


@dataclass(frozen=True)
class Log:
    """Touchpoints of many accounts, in buckets, and the same rows in one frame for the peers."""

    playbook: Playbook
    features: FeatureSet
    buckets: tuple[History, ...]
    accounts: tuple[tuple[str, ...], ...]
    touchpoints: pl.DataFrame
    decisions: pl.DataFrame


@cache
def log(touchpoints: int, decisions: int = 0, per_account: int = 50) -> Log:
    """Random touchpoints over 500 days, sorted by account and time as a store keeps them; and decisions."""
    playbook, draw = read_playbook("pharma"), np.random.default_rng(7)
    contacts = [treatment for treatment in playbook.treatments if treatment.kind == "contact"]
    owner = np.sort(draw.integers(0, touchpoints // per_account, touchpoints))
    at = AS_OF - draw.integers(1, 500 * DAY_MICROS, touchpoints)
    at = at[np.lexsort((at, owner))]
    chosen, inbound = draw.integers(0, len(contacts), touchpoints), draw.random(touchpoints) < 0.3

    def named(names: list[str | None], index: Any) -> pl.Series:
        return pl.Series(names, dtype=pl.String).gather(index)

    own: list[str | None] = [t.id for t in contacts]
    rows = pl.DataFrame({
        "touchpoint_id": pl.Series(np.arange(touchpoints)).cast(pl.String).str.zfill(9),
        "account_id": _ids(owner),
        "occurred_at": pl.Series(at).cast(TIME),
        "direction": named(["outbound", "inbound"], inbound.astype(np.int64)),
        "channel": named([t.channel for t in contacts], chosen),
        "topic": named([t.topic or None for t in contacts], chosen),
        "treatment": named([*own, None], np.where(inbound, len(own), chosen)),
        "status": "done",
        "stored_at": pl.Series(at).cast(TIME),
    })  # fmt: skip
    ids = _ids(np.arange(touchpoints // per_account))
    groups = [ids.slice(start, BUCKET) for start in range(0, len(ids), BUCKET)]
    border = np.searchsorted(owner, np.arange(0, len(ids) + BUCKET, BUCKET))
    parts = [
        History({"touchpoints": rows.slice(a, b - a), "accounts": pl.DataFrame({"account_id": group})})
        for a, b, group in zip(border[:-1], border[1:], groups, strict=False)
    ]
    asked = np.sort(draw.integers(0, len(ids), decisions))
    moments = AS_OF - draw.integers(1, 400 * DAY_MICROS, decisions)
    table = pl.DataFrame({"account_id": _ids(asked), "as_of": moments}).with_row_index("decision")
    return Log(
        playbook, FeatureSet.of(playbook, ()), tuple(parts), tuple(tuple(g) for g in groups), rows, table
    )


def _ids(numbers: Any) -> pl.Series:
    return pl.Series(np.asarray(numbers)).cast(pl.String).str.zfill(8)


def _columns(group: tuple[str, ...], scope: str) -> list[int]:
    wanted = [*(f"outbound_{scope}_{w}d" for w in WINDOWS), *(f"inbound_{scope}_{w}d" for w in WINDOWS),
              f"days_since_{scope}", f"days_since_inbound_{scope}"]  # fmt: skip
    return [group.index(name) for name in wanted if name in group]


def counted(known: Features) -> list[Floats]:
    """The columns that the peers count, by scope; rows of nothing seen included."""
    own = known.set
    groups = (known.account[:, None, :], known.channel, known.topic, known.message)
    names = (own.account, own.channel, own.topic, own.message)
    scopes = ("any", "same_channel", "same_topic", "same_treatment")
    return [
        np.nan_to_num(group[:, :, _columns(name, scope)])
        for group, name, scope in zip(groups, names, scopes, strict=True)
    ]


def ours(given: Log) -> Iterator[Features]:
    """Bucket after bucket."""
    for part, ids in zip(given.buckets, given.accounts, strict=True):
        yield _known(given, part, Moments.at(ids, AS_OF))


def ours_as_of(given: Log) -> Iterator[Features]:
    """Bucket after bucket, each decision at its own moment."""
    for part, ids in zip(given.buckets, given.accounts, strict=True):
        rows = given.decisions.filter(pl.col("account_id").is_between(pl.lit(ids[0]), pl.lit(ids[-1])))
        asked = Moments(tuple(rows["account_id"]), np.array(rows["as_of"], dtype=np.int64))
        yield _known(given, part, asked)


def _known(given: Log, part: History, asked: Moments) -> Features:
    return features_as_of(part, asked, playbook=given.playbook, features=given.features)


def gone(parts: Iterable[Features]) -> None:
    """Each bucket is worked out, and dropped."""
    for _ in parts:
        pass


def checksums(parts: Iterable[Features]) -> dict[str, list[float]]:
    """By scope the sum of each column over all owners and members: what both sides must agree on."""
    sums: dict[str, Any] = dict.fromkeys(SCOPES, 0.0)
    for known in parts:
        for scope, values in zip(SCOPES, counted(known), strict=True):
            sums[scope] = sums[scope] + values.sum(axis=(0, 1))
    return {scope: [float(value) for value in values] for scope, values in sums.items()}


def agree(mine: dict[str, list[float]], theirs: dict[str, list[float]]) -> bool:
    """Counts to the unit, sums of days to nine digits: each side adds them up in another order."""
    return all(np.allclose(mine[scope], theirs[scope], rtol=1e-9, atol=0.0) for scope in SCOPES)


def _sql_columns(at: str) -> str:
    parts = []
    for direction in ("outbound", "inbound"):
        parts += [
            f"count(*) filter (direction = '{direction}' and t >= {at} - {days * DAY_MICROS})"
            for days in WINDOWS
        ]
    parts += [f"({at} - max(t) filter (direction = '{d}')) / {DAY_MICROS}.0" for d in ("outbound", "inbound")]
    return ", ".join(f"{part} as c{place}" for place, part in enumerate(parts))


def _sums(frame: pl.DataFrame) -> dict[str, list[float]]:
    """The same sums of a long result: a row per owner and member."""
    sums = {}
    for scope in SCOPES:
        member = (
            pl.all_horizontal(pl.col("g") == 3) if scope == "any"
            else (pl.col("g") == SCOPES.index(scope) - 1) & pl.col("member").is_not_null()
        )  # fmt: skip
        own = frame.filter(member).select(pl.col("^c[0-9]$").fill_null(0).cast(pl.Float64).sum())
        values = [float(v) for v in own.row(0)]
        # A message has no inbound columns: what the account began is of no treatment of ours.
        sums[scope] = [*values[:4], values[8]] if scope == "treatment" else values
    return sums


def _long(base: duckdb.DuckDBPyConnection, source: str, owner: str, at: str) -> pl.DataFrame:
    columns = _sql_columns(at)
    query = f"""with t as ({source}) select {owner},
        case when grouping(channel) = 0 then 0 when grouping(topic) = 0 then 1
             when grouping(treatment) = 0 then 2 else 3 end as g,
        coalesce(channel, topic, treatment) as member, {columns}
        from t group by grouping sets
        (({owner}, channel), ({owner}, topic), ({owner}, treatment), ({owner}))"""
    return base.sql(query).pl()


def snapshot_against_duckdb(given: Log) -> Comparison:
    """All accounts at one moment."""
    base = duckdb.connect()
    base.register("rows", given.touchpoints.to_arrow())
    source = f"""select account_id, channel, topic, treatment, direction, epoch_us(occurred_at) as t from rows
        where status = 'done' and occurred_at < make_timestamptz({AS_OF})
        and stored_at < make_timestamptz({AS_OF})"""
    return compare(
        _said(given, "features of all accounts"), "DuckDB, grouping sets",
        lambda: gone(ours(given)), lambda: _long(base, source, "account_id", str(AS_OF)),
        same=lambda _, b: agree(checksums(ours(given)), _sums(b)),
    )  # fmt: skip


def snapshot_against_polars(given: Log) -> Comparison:
    """All accounts at one moment; one lazy plan with four groupings."""
    at = pl.col("occurred_at").dt.timestamp("us")
    rows = given.touchpoints.lazy().filter((pl.col("status") == "done") & (at < AS_OF))
    columns = []
    for direction in ("outbound", "inbound"):
        there = pl.col("direction") == direction
        columns += [(there & (at >= AS_OF - days * DAY_MICROS)).sum() for days in WINDOWS]
    columns += [
        (AS_OF - at.filter(pl.col("direction") == d).max()) / DAY_MICROS for d in ("outbound", "inbound")
    ]
    named = [column.alias(f"c{place}") for place, column in enumerate(columns)]

    def theirs() -> pl.DataFrame:
        plans = [rows.group_by("account_id").agg(named).with_columns(g=pl.lit(3), member=pl.lit("x"))]
        plans += [
            rows.group_by("account_id", pl.col(scope).alias("member")).agg(named).with_columns(g=pl.lit(code))
            for code, scope in enumerate(SCOPES[1:])
        ]
        return pl.concat(
            [frame.select("account_id", "g", "member", "^c[0-9]$") for frame in pl.collect_all(plans)]
        )

    return compare(
        _said(given, "features of all accounts"), "Polars, lazy",
        lambda: gone(ours(given)), theirs,
        same=lambda _, b: agree(checksums(ours(given)), _sums(b)),
    )  # fmt: skip


def as_of_against_duckdb(given: Log) -> Comparison:
    """Each decision at its own moment: a join over the range before it, grouped by decision and member."""
    base = duckdb.connect()
    base.register("rows", given.touchpoints.to_arrow())
    base.register("decisions", given.decisions.to_arrow())
    source = """select decision, as_of, channel, topic, treatment, direction, epoch_us(occurred_at) as t
        from decisions join rows on rows.account_id = decisions.account_id
        and epoch_us(rows.occurred_at) < as_of and epoch_us(rows.stored_at) < as_of where status = 'done'"""
    return compare(
        _said(given, f"features as of {len(given.decisions):,} decisions"), "DuckDB, range join",
        lambda: gone(ours_as_of(given)), lambda: _long(base, source, "decision, as_of", "as_of"),
        same=lambda _, b: agree(checksums(ours_as_of(given)), _sums(b)),
    )  # fmt: skip


def as_of_against_pandas(given: Log) -> Comparison:
    """Each decision at its own moment: cumulative counts, looked up at the moment and at each window's begin.

    Texts are coded and rows sorted before the clock starts.
    """
    done = given.touchpoints.filter(pl.col("status") == "done")
    codes = {name: done[name].cast(pl.Categorical).to_physical().cast(pl.Int64) for name in SCOPES[1:]}
    rows = pd.DataFrame(
        {name: code.fill_null(-1).to_numpy() for name, code in codes.items()}
        | {
            "account": done["account_id"].cast(pl.Int64).to_numpy(),
            "inbound": (done["direction"] == "inbound").to_numpy(),
            "t": done["occurred_at"].to_physical().to_numpy(),
        }
    ).sort_values("t")
    asked = pd.DataFrame(
        {
            "account": given.decisions["account_id"].cast(pl.Int64).to_numpy(),
            "at": given.decisions["as_of"].to_numpy(),
        }
    )

    def theirs() -> dict[str, list[float]]:
        return {scope: _cumulated(rows, asked, scope) for scope in SCOPES}

    return compare(
        _said(given, f"features as of {len(given.decisions):,} decisions"), "pandas, merge_asof",
        lambda: gone(ours_as_of(given)), theirs,
        same=lambda _, b: agree(checksums(ours_as_of(given)), b),
    )  # fmt: skip


def _cumulated(rows: pd.DataFrame, asked: pd.DataFrame, scope: str) -> list[float]:
    """Sums of a scope's columns over all decisions and members."""
    by = ["account"] if scope == "any" else ["account", scope]
    pairs = asked
    if scope != "any":
        rows = rows[rows[scope] >= 0]
        pairs = asked.merge(rows[by].drop_duplicates(), on="account")
    pairs = pairs.sort_values("at")
    counts, days = [], []
    for inbound in (False, True) if scope != "treatment" else (False,):
        own = rows[rows["inbound"] == inbound]
        own = own[[*by, "t"]].assign(n=own.groupby(by).cumcount() + 1)
        found = [_looked_up(pairs, own, by, window * DAY_MICROS) for window in (0, *WINDOWS)]
        total = found[0]["n"].fillna(0)
        counts += [float((total - before["n"].fillna(0)).sum()) for before in found[1:]]
        days.append(float(((found[0]["at"] - found[0]["t"]) / DAY_MICROS).sum()))
    return [*counts, *days]


def _looked_up(pairs: pd.DataFrame, own: pd.DataFrame, by: list[str], before: int) -> pd.DataFrame:
    """The latest row strictly before a time that lies so long before each moment."""
    return pd.merge_asof(
        pairs.assign(at=pairs["at"] - before), own, left_on="at", right_on="t", by=by,
        allow_exact_matches=False,
    )  # fmt: skip


def _said(given: Log, what: str) -> str:
    return f"{what}, {len(given.touchpoints):,} touchpoints"


def comparisons(touchpoints: int, decisions: int) -> Iterator[Comparison]:
    """All of them."""
    yield snapshot_against_duckdb(log(touchpoints, decisions))
    yield snapshot_against_polars(log(touchpoints, decisions))
    yield as_of_against_duckdb(log(touchpoints, decisions))
    yield as_of_against_pandas(log(touchpoints, decisions))
