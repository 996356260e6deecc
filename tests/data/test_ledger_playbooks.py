"""Each playbook that was used is kept once, as it was written."""

from __future__ import annotations

import pytest

from data.ledger.ledger import Ledger
from data.ledger.types import KeptPlaybook
from data.playbook_versions import keep_playbook, kept_playbook
from data.playbooks import playbook_of, read_playbook
from engine.playbook import PlaybookError
from tests.data.ledgers import DAY, NOON
from tests.engine.example_playbook import TEXT


def test_a_playbook_is_kept_once_with_its_first_use(ledger: Ledger) -> None:
    """A year of nights under one playbook is one text."""
    ledger.keep_playbook(KeptPlaybook("v1", "one", "text", NOON + DAY))
    ledger.keep_playbook(KeptPlaybook("v1", "one", "other", NOON + 2 * DAY))
    ledger.keep_playbook(KeptPlaybook("v0", "none", "before", NOON))

    assert ledger.playbooks() == [
        KeptPlaybook("v0", "none", "before", NOON),
        KeptPlaybook("v1", "one", "text", NOON + DAY),
    ]
    assert ledger.playbook("v2") is None


def test_a_kept_playbook_is_the_one_that_was_used(ledger: Ledger) -> None:
    """What is read again later must decide the same: it has the same version."""
    used = read_playbook("pharma")

    keep_playbook(ledger, "pharma", used, now=NOON)

    assert kept_playbook(ledger, used.version) == used
    assert kept_playbook(ledger, "0" * 16) is None


def test_a_file_that_changes_while_it_is_read_is_not_kept_under_a_wrong_version(
    ledger: Ledger, tmp_path
) -> None:
    """A text under another's version would make every replay lie."""
    read = playbook_of(TEXT)
    (tmp_path / "one.toml").write_text(TEXT + "\n# changed", encoding="utf-8")

    with pytest.raises(PlaybookError, match="was changed while it was read"):
        keep_playbook(ledger, str(tmp_path / "one.toml"), read, now=NOON)

    assert ledger.playbooks() == []
