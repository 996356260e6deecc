"""What the history names and the playbook does not have, and the other way round.

A load knows no playbook, so a slip of the pen in a kind of outcome or a channel shows first where both meet:
such outcomes are worth nothing, and contacts through such a channel are in no channel's counts. Nor does a
playbook know the accounts: a rule that asks for a segment that none of them has never holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches

from data.home import DataError
from data.snapshot import Snapshot
from data.versions import live
from engine.playbook import Playbook
from engine.rule_checks import levels_of_nobody


class NoOutcomeValuedError(DataError):
    """All outcomes are of kinds to which the playbook gives no worth: there is nothing to learn from."""

    exit_code = 8


@dataclass(frozen=True)
class UnknownName:
    """A name in a column of a table that the playbook does not have.

    Attributes:
        rows: Facts that carry it and hold now.
        near: The playbook's name that is nearest; empty = none is.
        follows: What that means for them.
    """

    table: str
    column: str
    name: str
    rows: int
    near: str
    follows: str

    @property
    def sentence(self) -> str:
        """For the line of a command."""
        hint = f" Did you mean {self.near!r}?" if self.near else ""
        return (
            f"The playbook has no {self.column} {self.name!r}, which {self.rows:,} {self.table} have: "
            f"{self.follows}.{hint}"
        )


def strange_names(snapshot: Snapshot, playbook: Playbook) -> tuple[str, ...]:
    """A sentence for each name that only the history has, or only the playbook's rules.

    Raises:
        NoOutcomeValuedError: There are outcomes, and all are of kinds without a worth.
    """
    rules = levels_of_nobody(playbook, snapshot.attributes, snapshot.left_out)
    return (
        *(each.sentence for each in unknown_names(snapshot, playbook)),
        *(f"{each.where}: {each.says} {each.do}" for each in rules),
    )


def unknown_names(snapshot: Snapshot, playbook: Playbook) -> tuple[UnknownName, ...]:
    """Kinds of outcomes and channels of touchpoints that are not in the playbook, the most frequent first.

    Raises:
        NoOutcomeValuedError: There are outcomes, and all are of such kinds.
    """
    kinds = _counted(snapshot, "outcomes", "kind")
    found = _unknown("outcomes", "kind", kinds, playbook.outcome_worth, "they are worth nothing")
    if found and len(found) == len(kinds):
        raise NoOutcomeValuedError(
            f"All {sum(kinds.values()):,} outcomes are of kinds to which the playbook gives no worth "
            f"({_some(kinds)}), so nothing can be learned from them: it has {_some(playbook.outcome_worth)}. "
            "Put them under outcomes in the playbook, or load the table outcomes again."
        )
    channels = _counted(snapshot, "touchpoints", "channel")
    known = [channel.id for channel in playbook.channels]
    return found + _unknown("touchpoints", "channel", channels, known, "counts by channel do not hold them")


def _counted(snapshot: Snapshot, table: str, column: str) -> Counter[str]:
    """Name -> facts that hold now, over all buckets."""
    counts: Counter[str] = Counter()
    for bucket in range(snapshot.buckets):
        counted = live(snapshot.table(bucket, table, [column]))[column].drop_nulls().value_counts()
        counts.update(dict(counted.iter_rows()))
    return counts


def _unknown(
    table: str, column: str, counts: Counter[str], known: Collection[str], follows: str
) -> tuple[UnknownName, ...]:
    strange = sorted((name for name in counts if name not in known), key=lambda name: (-counts[name], name))
    near = {name: get_close_matches(name, list(known), n=1) for name in strange}
    return tuple(
        UnknownName(table, column, name, counts[name], (near[name] or [""])[0], follows) for name in strange
    )


def _some(names: Collection[str]) -> str:
    """The first of them, in quotes."""
    said = ", ".join(repr(name) for name in sorted(names)[:5])
    return f"{said} ..." if len(names) > 5 else said
