"""What `nextbest replay` tells, for a person and for a program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from api.replay import Level, Replayed

DIFFERS = 1
"""Exit code where a decision does not come out as it must."""


def as_json(found: Replayed) -> dict[str, Any]:
    """For a program."""
    levels = {name: vars(getattr(found, name)) for name in ("scores", "facts")}
    return {
        "agrees": found.agrees,
        "decisions": {"nights": found.nights, "live": found.live},
        **{name: level | {"columns": sorted(level["columns"])} for name, level in levels.items()},
        "erased": found.erased,
        "missing": dict(found.missing),
        "posted_otherwise": found.posted,
    }


def lines(found: Replayed, *, scores_only: bool) -> Iterator[str]:
    """For a person."""
    yield f"{found.nights + found.live:,} decisions: {found.nights:,} of nights, {found.live:,} live"
    yield from _level("from stored scores", found.scores)
    if not scores_only:
        yield from _level("from stored facts", found.facts)
    if found.erased:
        yield f"  erased               {found.erased:,} decisions are of accounts that were erased"
    if found.posted:
        yield f"  posted otherwise     {found.posted:,} decisions of nights"
    for what, count in sorted(found.missing.items()):
        yield f"  missing              {what}: {count:,} decisions"
    yield _verdict(found)


def _verdict(found: Replayed) -> str:
    if not found.agrees:
        return "Something differs."
    if absent := sum(found.missing.values()):
        return f"Whatever could be replayed agrees; {absent:,} decisions could not be, for what is missing."
    return "Everything agrees."


def _level(name: str, level: Level) -> Iterator[str]:
    yield f"  {name:<20} {level.agree:,} agree, {level.differ:,} differ"
    if level.elsewhere:
        yield (
            f"                       {level.elsewhere:,} of these were taken by another version or "
            "processor and rank the same"
        )
    if level.differ:
        yield f"                       in {', '.join(sorted(level.columns))}; largest {level.largest:.3g}"
    if level.ranks_changed:
        yield f"                       {level.ranks_changed:,} ranks changed:"
    for change in level.ranks:
        before, after = (change[when] or "-" for when in ("before", "after"))
        yield (
            f"                       {change['decision_id']} {change['account_id']} {change['treatment']}: "
            f"{before} -> {after}"
        )
