"""The night's search for twins: all accounts compared on what is known now, and what is found kept.

Accounts are read bucket by bucket; numbers of each stay in memory, what opens the rows is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from joblib import Parallel, delayed

from data.history import Snapshot
from data.home import Home
from data.ledger.ledger import Ledger
from data.ledger.types import TwinFinding
from data.progress import Progress
from data.twins import CLAIM_SCHEMA, TwinsBeingWritten, twin_sets
from engine.approaches import SEPARATOR
from engine.facts import Attribute
from engine.playbook import Playbook
from engine.records import Floats
from engine.twin_book import BookPart, join_parts, read_part, traits_used
from engine.twin_settings import TwinSettings
from engine.twins import BLOCK, Approach, Claim, Comparison, claimed, comparison, judge, tell

ONE_PROCESS_ACCOUNTS = 5_000
"""Up to so many accounts are read sooner than other processes have started."""
CHUNK = 2_000
"""Claims told and stored at once."""
Refs = dict[tuple[str, str], dict[str, Any]]
"""(account, approach) -> the ids that open the rows of its try."""


def look_for_twins(home: Home, ledger: Ledger, playbook: Playbook, snapshot: Snapshot, *, processes: int,
                   clock: Callable[[], int], report: Progress) -> int:  # fmt: skip
    """Compare all accounts and put what is found on show.

    Args:
        playbook: One that looks for twins.
        snapshot: The history in use; facts stored at or after this moment are not read.
        clock: Microseconds UTC.

    Returns:
        From when on the finding is known, microseconds UTC.

    Raises:
        EngineError: No attribute is left to tell who is alike.
    """
    settings = playbook.twins
    if settings is None:
        raise ValueError("The playbook looks for no twins.")
    # Later than the last set even where the clock stands still or was set back.
    latest = max((found.stored_at for found in twin_sets(home)), default=0)
    writing = TwinsBeingWritten(home, max(clock(), latest + 1))
    search = _Search(playbook, settings, traits_used(snapshot.attributes, settings), writing)
    rows = []
    for findings in _findings(search, _read(search, snapshot, processes, report), report):
        ledger.stage_twins(writing.path.stem, findings)
        rows += [{name: getattr(f, name) for name in CLAIM_SCHEMA} for f in findings]
    stored_at = max(clock(), writing.as_of)
    found = writing.finish(pl.DataFrame(rows, schema=CLAIM_SCHEMA), stored_at=stored_at)
    ledger.show_twins(found.id, as_of=found.as_of, stored_at=stored_at)
    return stored_at


@dataclass(frozen=True)
class _Search:
    """What is looked for, by which traits, and where it is written."""

    playbook: Playbook
    settings: TwinSettings
    traits: tuple[Attribute, ...]
    writing: TwinsBeingWritten


def _read(search: _Search, snapshot: Snapshot, processes: int, report: Progress) -> list[BookPart]:
    """All accounts, bucket by bucket."""
    buckets = [bucket for bucket in range(snapshot.buckets) if snapshot.account_ids(bucket)]
    few = snapshot.accounts <= ONE_PROCESS_ACCOUNTS
    jobs = Parallel(n_jobs=1 if few else min(processes, len(buckets)), return_as="generator")(
        delayed(_read_bucket)(search, snapshot, bucket) for bucket in buckets
    )
    parts = []
    for part in jobs:
        parts.append(part)
        report("twins: reading", len(parts), len(buckets))
    return parts


def _read_bucket(search: _Search, snapshot: Snapshot, bucket: int) -> BookPart:
    history = snapshot.read(bucket, ("accounts", "touchpoints", "outcomes"))
    part = read_part(
        history, snapshot.account_ids(bucket), search.writing.as_of, playbook=search.playbook,
        settings=search.settings, traits=search.traits,
    )  # fmt: skip
    search.writing.write_episodes(bucket, part.episodes)
    return replace(part, episodes=part.episodes.select("account_id", "steps", "worked"))


def _findings(search: _Search, parts: Sequence[BookPart], report: Progress) -> Iterator[list[TwinFinding]]:
    """What is claimed, some accounts at a time."""
    if not any(part.account_ids for part in parts):
        return
    compared = comparison(join_parts(parts, search.playbook), search.settings, search.traits)
    judged = _judge_all(compared, report)
    rows = claimed(judged, search.settings)
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        claims = list(tell(compared, chunk, judged[chunk], search.playbook.twin_steps))
        yield _as_findings(claims, compared, search.writing)
        report("twins: telling", start + len(chunk), len(rows))


def _judge_all(compared: Comparison, report: Progress) -> Floats:
    count = len(compared.book)
    judged = []
    for start in range(0, count, BLOCK):
        judged.append(judge(compared, np.arange(start, min(start + BLOCK, count))))
        report("twins: comparing", min(start + BLOCK, count), count)
    return np.concatenate(judged)


def _as_findings(
    claims: Sequence[Claim], compared: Comparison, writing: TwinsBeingWritten
) -> list[TwinFinding]:
    named = compared.book.account_ids
    wanted = [
        (named[account], SEPARATOR.join(approach.steps))
        for claim in claims
        for approach in claim.approaches
        for account in (*approach.worked, *approach.failed)
    ]
    refs = _refs(wanted, writing)
    found = []
    for claim in claims:
        best = next((approach for approach in claim.approaches if approach.worked), None)
        found.append(
            TwinFinding(
                account_id=named[claim.account],
                twins_found=len(claim.twins),
                unrealised_value=claim.value,
                unrealised_low=claim.low,
                unrealised_high=claim.high,
                approach=SEPARATOR.join(best.steps) if best else None,
                worked=len(best.worked) if best else None,
                tried=len(best.worked) + len(best.failed) if best else None,
                content=_content(claim, named, refs),
            )
        )
    return found


def _refs(wanted: list[tuple[str, str]], writing: TwinsBeingWritten) -> Refs:
    asked = pl.DataFrame(
        wanted, schema={"account_id": pl.String(), "steps": pl.String()}, orient="row"
    ).unique()
    rows = writing.episodes().join(asked.lazy(), on=["account_id", "steps"], how="semi").collect()
    return {
        (row["account_id"], row["steps"]): {
            "account_id": row["account_id"],
            "touchpoint_ids": row["touchpoint_ids"].split(SEPARATOR),
            **({"outcome_id": row["outcome_id"]} if row["worked"] else {}),
        }
        for row in rows.iter_rows(named=True)
    }


def _content(claim: Claim, named: pl.Series, refs: Refs) -> dict[str, Any]:
    """Everything that can be told of a claim, as JSON."""
    return {
        "own": claim.own,
        "similar": [named[account] for account in claim.similar],
        "twins": [named[account] for account in claim.twins],
        "items": [
            {"item": item.item, "own": item.own, "twins": item.twins,
             "buyers": [named[account] for account in item.buyers]}
            for item in claim.items
        ],
        "approaches": [_approach(approach, named, refs) for approach in claim.approaches],
    }  # fmt: skip


def _approach(approach: Approach, named: pl.Series, refs: Refs) -> dict[str, Any]:
    steps = SEPARATOR.join(approach.steps)
    return {
        "steps": list(approach.steps),
        "low": approach.low,
        "high": approach.high,
        "worked": [refs[named[account], steps] for account in approach.worked],
        "failed": [refs[named[account], steps] for account in approach.failed],
    }
