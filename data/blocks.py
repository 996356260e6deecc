"""The facts of one account as bytes: the block that the ledger keeps beside the live rows."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable, Iterator

import polars as pl

from engine.contract import HISTORY_TABLES
from engine.records import History

_MAGIC = b"nb1\n"
_HEAD = struct.Struct("<BI")  # place of the table in HISTORY_TABLES, bytes that follow


def pack(history: History) -> bytes:
    """The facts of one account as Arrow IPC bytes (the ledger's block); same facts, same bytes."""
    parts: list[bytes] = []
    for place, table in enumerate(HISTORY_TABLES):
        frame = history.frames.get(table)
        if frame is not None and frame.height:
            stream = io.BytesIO()
            frame.rechunk().write_ipc_stream(stream)
            parts += [_HEAD.pack(place, stream.tell()), stream.getvalue()]
    # One compression over all streams: their headers are alike and longer than the rows of most accounts.
    return _MAGIC + zlib.compress(b"".join(parts), level=1)


def unpack(block: bytes) -> History:
    """The reverse of `pack`, equal to the bit; no bytes at all = no facts.

    Raises:
        ValueError: The bytes are not a block.
    """
    if not block:
        return History()
    if not block.startswith(_MAGIC):
        raise ValueError("The block of an account is damaged; restore the ledger from a backup.")
    content = zlib.decompress(block[len(_MAGIC) :])
    frames: dict[str, pl.DataFrame] = {}
    at = 0
    while at < len(content):
        place, size = _HEAD.unpack_from(content, at)
        at += _HEAD.size
        frames[HISTORY_TABLES[place]] = pl.read_ipc_stream(io.BytesIO(content[at : at + size]))
        at += size
    return History(frames)


def split(history: History, accounts: Iterable[str]) -> Iterator[tuple[str, History]]:
    """The facts of each of these accounts alone, in the order given."""
    wanted = list(accounts)
    frames = [(table, history[table]) for table in HISTORY_TABLES if history[table].height]
    keep = pl.col("account_id").is_in(wanted)
    parts = {
        table: frame.filter(keep).partition_by("account_id", as_dict=True, maintain_order=True)
        for table, frame in frames
    }
    for account in wanted:
        own = {t: part[account,] for t, part in parts.items() if (account,) in part}
        yield account, History(own)
