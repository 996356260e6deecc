"""What a night did, as numbers and as lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from api.night_bucket import PROPOSALS, Night
from data.nights import NightFolder
from data.times import to_iso
from engine.playbook import Playbook

_IDENTITY = ["account_id", "treatment", "role"]
_LISTED = {"account_id": pl.String()} | dict.fromkeys(("treatment", "role", "channel"), pl.Categorical())


def summarise(
    night: Night, buckets: list[int], playbook: Playbook, before: NightFolder | None
) -> dict[str, Any]:
    """The run's summary, as decided at its moment.

    Args:
        before: The run shown until now; None = this is the first.
    """
    lists = pl.concat([night.folder.read(bucket, "lists", ["explored", "options"]) for bucket in buckets])
    listed = _identities(night.folder, buckets)
    known = _identities(before, before.finished()) if before else _identities(night.folder, [])
    with_list = listed["account_id"].n_unique()
    return {
        "run": night.run_id,
        "as_of": to_iso(night.as_of),
        "playbook": f"{playbook.id} {playbook.version}",
        "release": night.release.release_id if night.release else "starting-values",
        "accounts": len(lists),
        "suggestions": len(listed),
        "no_action_ratio": 1 - with_list / len(lists) if len(lists) else 0.0,
        "optionality": _mean(lists["options"]),
        "exploration_share": _mean(lists["explored"].cast(pl.Float64)),
        "by_channel": _counts(listed, "channel"),
        "by_role": _counts(listed, "role"),
        "new": len(listed.join(known, on=_IDENTITY, how="anti")),
        "unchanged": len(listed.join(known, on=_IDENTITY, how="semi")),
        "gone": len(known.join(listed, on=_IDENTITY, how="anti")),
        "funnel": _funnel(night, buckets),
    }


def lines(summary: Mapping[str, Any]) -> list[str]:
    """The summary for a person."""
    volume = " · ".join(f"{name} {count:,}" for name, count in summary["by_channel"].items()) or "none"
    roles = " · ".join(f"{name} {count:,}" for name, count in summary["by_role"].items()) or "none"
    release = summary["release"]
    if release == "starting-values":
        release = "none in use; the playbook's starting values decide"
    return [
        f"Run {summary['run']} as of {summary['as_of']}",
        f"  release     {release}",
        f"  playbook    {summary['playbook']}",
        f"  accounts    {summary['accounts']:,}, no action for {summary['no_action_ratio']:.1%}, "
        f"{summary['optionality']:.1f} options each, {summary['exploration_share']:.1%} explored, "
        f"{summary['decided_again']:,} decided again on newer facts",
        f"  suggestions {summary['suggestions']:,}: {summary['new']:,} new, "
        f"{summary['unchanged']:,} unchanged, {summary['gone']:,} gone",
        f"  by channel  {volume}",
        f"  by role     {roles}",
        "  funnel (account-treatment pairs)",
        *(
            f"    {stage['stage']:<16}{stage['rule']:<36}{stage['removed']:>12,} removed "
            f"{stage['remaining']:>12,} left"
            for stage in summary["funnel"]
        ),
        f"  {summary['seconds']:,.1f} s",
    ]


def _identities(folder: NightFolder, buckets: list[int]) -> pl.DataFrame:
    """Account, treatment, role and channel of everything that a run lists, as far as its files are there.

    Of each bucket only that is kept: with its reasons a night of a large book would not fit into memory.
    """
    frames = [pl.DataFrame(schema=_LISTED)]
    for bucket in buckets:
        lists = folder.read(bucket, "lists", ["account_id", "proposals"])
        # Lists of a version that wrote them otherwise are not compared with.
        if lists.schema["proposals"] == PROPOSALS:
            listed = lists.explode("proposals").drop_nulls("proposals").unnest("proposals")
            frames.append(listed.select(pl.col(name).cast(kind) for name, kind in _LISTED.items()))
    return pl.concat(frames)


def _counts(listed: pl.DataFrame, column: str) -> dict[str, int]:
    counts = listed.group_by(pl.col(column).cast(pl.String)).len()
    counts = counts.sort("len", column, descending=[True, False])
    return dict(zip(counts[column].to_list(), counts["len"].to_list(), strict=True))


def _funnel(night: Night, buckets: list[int]) -> list[dict[str, Any]]:
    parts = pl.concat([night.folder.read(bucket, "funnel") for bucket in buckets])
    keys = ["stage", "rule"]
    return parts.group_by(keys, maintain_order=True).agg(pl.col("removed", "remaining").sum()).to_dicts()


def _mean(values: pl.Series) -> float:
    mean = values.mean()
    return float(mean) if isinstance(mean, int | float) else 0.0
