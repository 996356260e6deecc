"""What `nextbest playbook check` tells: findings in the text, and with a night those measured on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from data.history import HistoryStore
from data.home import DataError, Home
from data.ledger.ledger import Ledger
from engine.findings import Finding, Severity
from engine.playbook import Playbook
from engine.rule_checks import LEVEL_OF_NOBODY, levels_of_nobody
from engine.treatment_checks import unnamed_columns

MOST_WITHOUT_ACTION = 0.30
LEAST_OPTIONALITY = 7.0
FAILED, WARNED = 2, 1

OF_ACCOUNTS: Mapping[str, tuple[Severity, str]] = {
    LEVEL_OF_NOBODY: (
        "warning",
        "A rule that asks for a level that no account here has, or for a column that none has.",
    ),
}
"""What accounts show, where there are any: as `MEASURED`."""

MEASURED: Mapping[str, tuple[Severity, str]] = {
    "many_without_action": ("warning", "More than 30 % of the accounts got no suggestion in the last night."),
    "little_choice": (
        "warning",
        "Fewer than 7 treatments per account were left by the rules in the last night.",
    ),
    "removed_nothing": (
        "note",
        "A policy, limit or pause was the first to remove nothing in the last night.",
    ),
}
"""Code -> severity and meaning of what is measured, as `engine.findings.CheckKind.codes` has the others."""


class NotMeasuredError(DataError):
    """There is no night under this playbook to measure on."""

    exit_code = 2


def of_accounts(home: Home, playbook: Playbook) -> list[Finding]:
    """What rules ask of the accounts of a home that none has; nothing where none was loaded."""
    current = HistoryStore(home.history).current()
    return [*levels_of_nobody(playbook, current.attributes, current.left_out)] if current else []


def measured(home: Home, playbook: Playbook) -> list[Finding]:
    """What the last complete night shows of the playbook. Raises NotMeasuredError, LedgerError."""
    ledger = Ledger.open(home)
    try:
        run = ledger.current_run()
    finally:
        ledger.close()
    wanted = f"{playbook.id} {playbook.version}"
    if run is None or run.summary["playbook"] != wanted:
        last = "there was none" if run is None else f"the last one had {run.summary['playbook']}"
        raise NotMeasuredError(
            f"No night to measure the playbook {wanted} on: {last}. Run: nextbest nightly --playbook ..."
        )
    return [*_of_summary(run.summary), *_undeclared(home, playbook)]


def _undeclared(home: Home, playbook: Playbook) -> Iterator[Finding]:
    """Columns that accounts have, and people are shown, though no rule names them."""
    current = HistoryStore(home.history).current()
    declared = {attribute.name for attribute in playbook.attributes}
    return unnamed_columns(playbook, sorted(set(current.extra) - declared) if current else ())


def _of_summary(summary: Mapping[str, Any]) -> Iterator[Finding]:
    where = f"night {summary['run']}"
    if summary["no_action_ratio"] > MOST_WITHOUT_ACTION:
        yield Finding("many_without_action", "warning", where,
                      f"{summary['no_action_ratio']:.1%} of the accounts have no suggestion.",
                      "Look at the night's funnel for what removes most.")  # fmt: skip
    if summary["optionality"] < LEAST_OPTIONALITY:
        yield Finding("little_choice", "warning", where,
                      f"The rules leave {summary['optionality']:.1f} treatments per account.",
                      "Add treatments, or loosen what removes most in the funnel.")  # fmt: skip
    for row in summary["funnel"]:
        if not row["removed"] and row["rule"].partition(":")[0] in ("policy", "limit", "suppression"):
            yield Finding("removed_nothing", "note", row["rule"],
                          "It was the first to remove nothing in the last night.",
                          "Other rules may do its work; see whether it is still needed.")  # fmt: skip


def lines(playbook: Playbook, found: Sequence[Finding]) -> list[str]:
    """For a person: each finding with what to do, and a last line that counts."""
    told = [line for each in found for line in (f"{each.severity:<8}{each.where}: {each.says}",
                                                f"        {each.do} [{each.code}]")]  # fmt: skip
    errors, warnings = _count(found, "error"), _count(found, "warning")
    notes = len(found) - errors - warnings
    return [*told, f"{playbook.id} {playbook.version}: {errors} errors, {warnings} warnings, {notes} notes"]


def as_json(playbook: Playbook, found: Sequence[Finding], *, strict: bool) -> dict[str, Any]:
    """For a program."""
    return {
        "playbook": playbook.id,
        "version": playbook.version,
        "exit_code": exit_code(found, strict=strict),
        "findings": [vars(each) for each in found],
    }


def exit_code(found: Sequence[Finding], *, strict: bool) -> int:
    """2 with errors, 1 with warnings where they count (`strict`), else 0."""
    if _count(found, "error"):
        return FAILED
    return WARNED if strict and _count(found, "warning") else 0


def _count(found: Sequence[Finding], severity: Severity) -> int:
    return sum(each.severity == severity for each in found)
