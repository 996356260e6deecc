"""The facts of one account as bytes: the block that the ledger keeps beside the live rows.

A ledger is mostly blocks, and a block is short: Arrow's own words take more room than what the rows say. So
columns without values are only named, and blocks are compressed with what all of them say (`block_words`).
"""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path

import polars as pl

from engine.contract import HISTORY_TABLES, TIME
from engine.records import History

_MAGIC, _MAGIC_BEFORE = b"nb2\n", b"nb1\n"
"""How blocks begin, and began when all columns stood in their streams and no words were shared."""
_HEAD = struct.Struct("<BI")  # place of the table in HISTORY_TABLES, bytes that follow
_SIZE = struct.Struct("<I")
_KINDS: dict[str, pl.DataType] = {
    "s": pl.String(), "t": TIME, "f": pl.Float64(), "i": pl.Int64(), "b": pl.Boolean()
}  # fmt: skip
"""Types of columns that are only named where they have no values."""
_CODES = {kind: code for code, kind in _KINDS.items()}

Unknown = list[tuple[int, str, str]]
"""Columns of a table that have no values: place, name, type."""


def pack(history: History) -> bytes:
    """The facts of one account as Arrow IPC bytes (the ledger's block); same facts, same bytes."""
    unknown: list[Unknown] = []
    parts: list[bytes] = []
    for place, table in enumerate(HISTORY_TABLES):
        frame = history.frames.get(table)
        if frame is not None and frame.height:
            left_out, known = _without_unknown(frame)
            unknown.append(left_out)
            stream = io.BytesIO()
            known.rechunk().write_ipc_stream(stream)
            parts += [_HEAD.pack(place, stream.tell()), stream.getvalue()]
    named = json.dumps(unknown, separators=(",", ":"), ensure_ascii=False).encode()
    # One compression over all streams: their headers are alike and longer than the rows of most accounts.
    deflate = zlib.compressobj(level=6, zdict=_words())
    return b"".join(
        [_MAGIC, deflate.compress(b"".join([_SIZE.pack(len(named)), named, *parts])), deflate.flush()]
    )


def unpack(block: bytes) -> History:
    """The reverse of `pack`, equal to the bit; no bytes at all = no facts.

    Raises:
        ValueError: The bytes are not a block.
    """
    if not block:
        return History()
    if block.startswith(_MAGIC_BEFORE):
        return History(dict(_streams(zlib.decompress(block[len(_MAGIC_BEFORE) :]), 0)))
    if not block.startswith(_MAGIC):
        raise ValueError("The block of an account is damaged; restore the ledger from a backup.")
    content = zlib.decompressobj(zdict=_words()).decompress(block[len(_MAGIC) :])
    begin = _SIZE.size + _SIZE.unpack_from(content)[0]
    unknown: list[Unknown] = json.loads(content[_SIZE.size : begin])
    return History(
        {
            table: _with_unknown(frame, left_out)
            for (table, frame), left_out in zip(_streams(content, begin), unknown, strict=True)
        }
    )


def _streams(content: bytes, at: int) -> Iterator[tuple[str, pl.DataFrame]]:
    """Table and rows of each stream from a place on."""
    while at < len(content):
        place, size = _HEAD.unpack_from(content, at)
        at += _HEAD.size
        yield HISTORY_TABLES[place], pl.read_ipc_stream(io.BytesIO(content[at : at + size]))
        at += size


def _without_unknown(frame: pl.DataFrame) -> tuple[Unknown, pl.DataFrame]:
    """The columns that have no values, and the frame of the others."""
    unknown: Unknown = []
    known, rows = frame.clone(), frame.height
    for place, column in enumerate(frame.get_columns()):
        code = _CODES.get(column.dtype) if column.null_count() == rows else None
        if code is not None:
            unknown.append((place, column.name, code))
            known.drop_in_place(column.name)
    # A frame without columns would have no rows either.
    return (unknown, known) if known.width else ([], frame)


def _with_unknown(frame: pl.DataFrame, unknown: Unknown) -> pl.DataFrame:
    """The reverse of `_without_unknown`; the frame is the caller's own."""
    for place, name, code in unknown:
        frame.insert_column(place, _nothing(name, code, frame.height))
    return frame


@lru_cache(maxsize=4096)
def _nothing(name: str, code: str, rows: int) -> pl.Series:
    return pl.Series(name, [None] * rows, dtype=_KINDS[code])


@cache
def _words() -> bytes:
    """What most blocks say. Part of the format: a block cannot be read with other words."""
    return Path(__file__).with_name("block_words").read_bytes()


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
