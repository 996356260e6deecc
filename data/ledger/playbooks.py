"""The texts of the playbooks that were used, each once by its version, so that decisions can be replayed."""

from __future__ import annotations

import sqlalchemy as sa

from data.ledger import schema as t
from data.ledger.statements import columns, named, upsert
from data.ledger.types import KeptPlaybook


def keep(connection: sa.Connection, kept: KeptPlaybook) -> None:
    """Keep a text; a version that is kept already stays as it is."""
    upsert(connection, t.playbooks, [vars(kept)], update=())


def find(connection: sa.Connection, version: str) -> KeptPlaybook | None:
    """The text of a version."""
    row = connection.execute(_all().where(t.playbooks.c.version == version)).one_or_none()
    return None if row is None else KeptPlaybook(**named(row))


def kept(connection: sa.Connection) -> list[KeptPlaybook]:
    """All of them, the one used first on top."""
    ordered = _all().order_by(t.playbooks.c.first_used_at, t.playbooks.c.version)
    return [KeptPlaybook(**named(row)) for row in connection.execute(ordered)]


def _all() -> sa.Select[tuple[object, ...]]:
    return sa.select(*columns(t.playbooks, "version", "playbook", "text", "first_used_at"))
