"""Between history and ledger: blocks that are up to date, and live rows that become history.

A block holds what the history in use knows of an account. Which snapshot the blocks are at stands in a marker
beside the snapshots, written after the last block: whoever is killed in between is caught up by the next run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from joblib import Parallel, cpu_count, delayed

from data.blocks import pack, split
from data.erasing import NOBODY, Erased
from data.history import HistoryStore, Snapshot, bucket_of
from data.home import DataError, Home
from data.ledger.erased import Markers
from data.ledger.ledger import Ledger
from data.live import tail_history
from data.nights import remove_accounts
from data.own_decisions import own_decisions, read_until, write_until
from data.personal_waiting import PersonalWaiting
from data.progress import Progress, quiet
from data.versions import newest

_MARKER = "LEDGER_AT"
ONE_PROCESS_ACCOUNTS = 5_000
"""Up to so many accounts are packed sooner than other processes have started."""
_AHEAD = 4
"""Buckets per process that are packed while the ledger writes."""
_DECISIONS = "DECISIONS_AT"


def take_over(home: Home, ledger: Ledger, now: int, progress: Progress = quiet) -> Snapshot:
    """Make history of what happened live: the ledger's tail as versions, the engine's own decisions; and
    fresh blocks without that tail. Who was erased in the ledger goes from history and the nights' files too.

    The rows keep the moment at which they were stored. Killed anywhere and called again it ends the same;
    called twice, the second call changes nothing.

    Args:
        now: Microseconds UTC, noted as the moment of the last take-over.

    Raises:
        DataError: There is no history yet, or it is damaged.
    """
    store = HistoryStore(home.history)
    with store.exclusive():
        snapshot = store.current()
        if snapshot is None:
            raise DataError(
                f"There is no history in {home.history} yet; load one with `nextbest ingest FOLDER`."
            )
        if PersonalWaiting(home).are_of(snapshot):
            bring_up(home, ledger, snapshot, now=now, progress=progress)
        waiting = ledger.erasures.markers(waiting=True)
        erased = _erased_in(snapshot, waiting)
        rows, name = ledger.tail(), _fingerprint(home)
        decided, until = own_decisions(ledger, read_until(home.history / _DECISIONS, name), now=now)
        if rows or erased or decided.height:
            watermark = max([snapshot.tail_watermark, *(row.seq for row in rows[-1:])])
            facts = {**tail_history(rows).frames, **_known_of(snapshot, decided)}
            snapshot, _, _ = store.add(facts, tail_watermark=watermark, erased=erased, progress=progress)
        write_until(home.history / _DECISIONS, name, until)
        live = frozenset(row.account_id for row in rows)
        bring_up(home, ledger, snapshot, now=now, also=live | erased.accounts, progress=progress)
        if waiting.hashes:
            store.forget_parent()
            remove_accounts(home.nights, erased.accounts, progress=progress)
            ledger.erasures.taken_over(waiting, now=now)
    return snapshot


def _erased_in(snapshot: Snapshot, markers: Markers) -> Erased:
    """Whom of these the history knows."""
    if not markers.hashes:
        return NOBODY
    return Erased(
        markers.of("account", snapshot.known_accounts().get_column("account_id")),
        markers.of("user", snapshot.common("users").get_column("user_id")),
    )


def _known_of(snapshot: Snapshot, decided: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Decisions of accounts that the history has."""
    known = decided.join(snapshot.known_accounts().select("account_id"), on="account_id", how="semi")
    return {"decisions": known} if known.height else {}


def finish_killed(home: Home, snapshot: Snapshot | None, *, now: int, progress: Progress = quiet) -> None:
    """Bring to the ledger what a load left that was killed once its history was in use."""
    if snapshot is not None and PersonalWaiting(home).are_of(snapshot):
        ledger = Ledger.create(home)
        try:
            bring_up(home, ledger, snapshot, now=now, progress=progress)
        finally:
            ledger.close()


def bring_up(
    home: Home,
    ledger: Ledger,
    snapshot: Snapshot,
    *,
    now: int,
    also: Collection[str] = (),
    progress: Progress = quiet,
) -> None:
    """Bring people and blocks of the ledger to the snapshot: what changed since the marker, what it lacks;
    and what a load says of who somebody is.

    Args:
        also: Accounts whose blocks are written anew in any case.
    """
    stale = _stale(home, ledger, snapshot) | set(also)
    users = newest(snapshot.common("users"))
    if users.height:
        ledger.put_users(users)
    waiting = PersonalWaiting(home)
    personal = waiting.are_of(snapshot)
    names = waiting.names() if personal else None
    refresh_blocks(ledger, snapshot, stale, now=now, names=names, progress=progress)
    if personal:
        waiting.bring(ledger, stale, progress)
    _write_marker(home, snapshot, now)
    waiting.remove()


def refresh_blocks(
    ledger: Ledger, snapshot: Snapshot, accounts: Collection[str], *, now: int,
    names: pl.DataFrame | None = None, progress: Progress = quiet,
) -> None:  # fmt: skip
    """Write the blocks and teams of these accounts anew, bucket by bucket; live rows that they contain go.

    Accounts that were deleted or merged away lose all their suggestions, and their team, so that nobody sees
    them any more.

    Args:
        names: account_id and name of accounts that a load named: the ledger learns of no account before its
            name, whoever is killed.
    """
    by_bucket: dict[int, list[str]] = {}
    for account in sorted(accounts):
        by_bucket.setdefault(bucket_of(account, snapshot.buckets), []).append(account)
    done = 0
    progress("blocks", 0, len(accounts))
    for packed in _packed(snapshot, sorted(by_bucket.items())):
        held = packed.held
        own = held.select("account_id", "language", "timezone", "territory")
        ledger.put_accounts(own if names is None else _named(own, names, ledger))
        ledger.replace_blocks(packed.blocks, watermark=snapshot.tail_watermark)
        over = pl.col("deleted").fill_null(value=False) | pl.col("merged_into").is_not_null()
        closed = held.filter(over).get_column("account_id").to_list()
        without = pl.col("deleted").fill_null(value=False) | pl.col("account_id").is_in(closed)
        ledger.put_team(packed.team.with_columns(without.alias("deleted")))
        ledger.withdraw(closed, now=now)
        done += len(packed.blocks)
        progress("blocks", done, len(accounts))


def _named(accounts: pl.DataFrame, names: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """With their names; null = none is told, or they were erased meanwhile."""
    theirs = names.join(accounts, on="account_id", how="semi")
    erased = ledger.erasures.markers().of("account", theirs.get_column("account_id"))
    known = theirs.filter(~pl.col("account_id").is_in(list(erased)))
    return accounts.join(known, on="account_id", how="left", maintain_order="left")


@dataclass(frozen=True)
class _Packed:
    """What the ledger keeps of some accounts of a bucket."""

    held: pl.DataFrame
    team: pl.DataFrame
    blocks: list[tuple[str, bytes]]


def _packed(snapshot: Snapshot, by_bucket: Sequence[tuple[int, list[str]]]) -> Iterator[_Packed]:
    """Bucket after bucket; of a large book in processes, never many more of them ahead of the ledger."""
    if sum(len(ids) for _, ids in by_bucket) <= ONE_PROCESS_ACCOUNTS:
        for bucket, ids in by_bucket:
            yield _pack(snapshot, bucket, ids)
        return
    processes = cpu_count()
    with Parallel(n_jobs=processes, return_as="generator") as pool:
        for start in range(0, len(by_bucket), _AHEAD * processes):
            some = by_bucket[start : start + _AHEAD * processes]
            yield from pool(delayed(_pack)(snapshot, bucket, ids) for bucket, ids in some)


def _pack(snapshot: Snapshot, bucket: int, ids: list[str]) -> _Packed:
    history = snapshot.read(bucket)
    wanted = pl.col("account_id").is_in(ids)
    held = newest(history["accounts"]).filter(wanted)
    team = newest(history["account_team"]).filter(wanted)
    return _Packed(held, team, [(account, pack(facts)) for account, facts in split(history, ids)])


def _stale(home: Home, ledger: Ledger, snapshot: Snapshot) -> set[str]:
    """Accounts whose blocks are not at the snapshot."""
    everybody = set(snapshot.known_accounts().get_column("account_id"))
    at = _read_marker(home)
    if at == snapshot.id:
        return everybody - ledger.versions().keys()
    if at and at == snapshot.parent:
        return set(snapshot.changed()) | (everybody - ledger.versions().keys())
    return everybody


def _read_marker(home: Home) -> str:
    """The snapshot that this ledger's blocks are at; empty when nobody knows."""
    try:
        marker = json.loads(_marker(home).read_text(encoding="utf-8"))
        return str(marker["snapshot"]) if marker["ledger"] == _fingerprint(home) else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _write_marker(home: Home, snapshot: Snapshot, now: int) -> None:
    content = {"snapshot": snapshot.id, "ledger": _fingerprint(home), "at": now}
    beside = _marker(home).with_suffix(".new")
    beside.write_text(json.dumps(content), encoding="utf-8")
    beside.rename(_marker(home))


def _marker(home: Home) -> Path:
    return home.history / _MARKER


def _fingerprint(home: Home) -> str:
    """Tells one ledger from another without keeping its address."""
    return hashlib.sha256(home.ledger_url.encode()).hexdigest()[:16]
