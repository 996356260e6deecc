"""Playbooks as they were when they were used: kept in the ledger by version, found again by it."""

from __future__ import annotations

import re

from data.home import Home
from data.ledger.ledger import Ledger
from data.ledger.types import KeptPlaybook, LedgerMissingError
from data.playbooks import playbook_of, playbook_text, shipped
from engine.experiments import rebalanced
from engine.playbook import Playbook, PlaybookError
from engine.playbook_text import version_of

_VERSION = re.compile("[0-9a-f]{16}")


def keep_playbook(ledger: Ledger, name_or_path: str, playbook: Playbook, *, now: int) -> None:
    """Keep the text of a playbook that is about to decide, or to be learned under.

    Args:
        name_or_path: Where `playbook` was read from.
        now: Microseconds UTC.

    Raises PlaybookError: the file was changed after it was read, or it would move units of a standing test
    that has begun.
    """
    text = playbook_text(name_or_path)
    if version_of(text) != playbook.version:
        raise PlaybookError(f"The playbook {name_or_path} was changed while it was read; try again.")
    keep_text(ledger, text, playbook, now=now)


def keep_text(ledger: Ledger, text: str, playbook: Playbook, *, now: int) -> None:
    """Keep a playbook with the text that it was read from; `now` in microseconds UTC.

    Raises PlaybookError: it would move units of a standing test that has begun.
    """
    _keep_arms(ledger, playbook, now)
    ledger.keep_playbook(KeptPlaybook(playbook.version, playbook.id, text, now))


def _keep_arms(ledger: Ledger, playbook: Playbook, now: int) -> None:
    """Raises PlaybookError where an earlier playbook began the same test with other arms."""
    if playbook.experiment is None or ledger.playbook(playbook.version) is not None:
        return
    for kept in ledger.playbooks():
        try:
            before = playbook_of(kept.text).experiment
        except PlaybookError:  # Written for an earlier version of nextbest, so that it can decide nothing.
            continue
        if before is not None and before.starts <= now:
            said = rebalanced(before, playbook.experiment)
            if said:
                raise PlaybookError(said)


def kept_playbook(ledger: Ledger, version: str) -> Playbook | None:
    """The playbook as it was used; None = it is not kept. Raises PlaybookError: it cannot be read now."""
    kept = ledger.playbook(version)
    return None if kept is None else playbook_of(kept.text)


def text_or_version(home: Home, wanted: str) -> str:
    """The text of a shipped playbook, of a file, or of a version that was used here.

    Raises PlaybookError: there is none.
    """
    if _VERSION.fullmatch(wanted) is None or wanted in shipped():
        return playbook_text(wanted)
    try:
        ledger = Ledger.open(home)
    except LedgerMissingError as error:
        raise PlaybookError(f"The playbook version {wanted} cannot be looked up. {error}") from None
    try:
        kept = ledger.playbook(wanted)
    finally:
        ledger.close()
    if kept is None:
        raise PlaybookError(
            f"No playbook of version {wanted} was used here; those that were: nextbest playbook list"
        )
    return kept.text
