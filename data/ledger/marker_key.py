"""The key under which those who were erased are marked: a file beside the ledger and not in it, so that who
has the ledger alone cannot try out ids.

A key that is gone would bring everybody back whom a load or an event names: then nothing is read or written.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from data.ledger.types import LedgerError

_BYTES = 32


class MarkerKeyError(LedgerError):
    """The key of the markers is missing, damaged or another one."""


@dataclass(frozen=True)
class MarkerKey:
    """A key.

    Attributes:
        content: What ids are hashed with.
    """

    content: bytes

    @property
    def id(self) -> str:
        """Names the key without giving it away."""
        return hashlib.sha256(b"marker key\0" + self.content).hexdigest()[:16]


def read_key(path: Path) -> MarkerKey | None:
    """The key; None = there is none yet. Raises MarkerKeyError: the file is damaged."""
    try:
        content = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        return None
    except ValueError:
        content = b""
    if len(content) != _BYTES:
        raise MarkerKeyError(f"{path} is not the key that nextbest wrote; put it back from a backup.")
    return MarkerKey(content)


def made_key(path: Path) -> MarkerKey:
    """The key, made where there is none; of several who make it at once all get the same."""
    if (found := read_key(path)) is not None:
        return found
    path.parent.mkdir(parents=True, exist_ok=True)
    building = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(building, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{secrets.token_hex(_BYTES)}\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # somebody else was quicker
            os.link(building, path)
    finally:
        building.unlink()
    return made_key(path)
