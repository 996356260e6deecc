"""The migrations of the ledger are one line."""

from __future__ import annotations

from data.ledger.upgrade import MIGRATIONS, _script


def test_there_is_one_newest_migration() -> None:
    """Two that follow the same one make a ledger that cannot be brought up to date: chain the later one after
    the other."""
    assert len(_script().get_heads()) == 1
    assert len(list(_script().walk_revisions())) == len(list((MIGRATIONS / "versions").glob("[0-9]*.py")))
