"""What a dismissal does, by its reason: the registry of reasons with what is assumed of each.

One place to add a reason: an entry of `DISMISSALS` (and its name in `engine.contract.DISMISS_REASONS`). A
playbook changes the numbers in the section [feedback]; what a reason records stays what its name says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from engine.conditions import near
from engine.playbook_text import PlaybookError, Tables

PauseScope = Literal["treatment", "topic", "channel"]


@dataclass(frozen=True)
class Dismissal:
    """What a dismissal for one reason does.

    Attributes:
        cool_down_days: How long what was dismissed is kept away.
        scope: What is kept away: the treatment alone, or all treatments of the same role on its topic or
            through its channel. A treatment without a topic is kept away alone.
        records: The fact that the reason itself reports: the contact was made, or no more is wanted.
        correction: Whether the account's data goes to the list of those who put data right.
        suspend_after: The treatment is stopped for everybody, to be reviewed, once it was dismissed so for so
            many accounts; None = never.
    """

    cool_down_days: float = 30.0
    scope: PauseScope = "treatment"
    records: Literal["", "contact", "opt_out"] = ""
    correction: bool = False
    suspend_after: int | None = None


DISMISSALS: Mapping[str, Dismissal] = {
    "already_done": Dismissal(records="contact"),
    "wrong_time": Dismissal(cool_down_days=7.0),
    "wrong_contact": Dismissal(correction=True),
    "no_access": Dismissal(scope="channel"),
    "not_compliant": Dismissal(cool_down_days=90.0, suspend_after=3),
    "wrong_message": Dismissal(),
    "customer_asked_to_stop": Dismissal(records="opt_out"),
    "other": Dismissal(),
}


def read_dismissals(tables: Tables) -> Mapping[str, Dismissal]:
    """Every reason with what it does, by the section [feedback]. Raises PlaybookError: no such reason."""
    given = tables.sections["feedback"]
    for reason in given:
        if reason not in DISMISSALS:
            hint = near(reason, DISMISSALS) or f"; there are {', '.join(DISMISSALS)}."
            raise PlaybookError(f"feedback.{reason}: this is no reason of a dismissal{hint}")
    return {
        reason: replace(own, **{k: v for k, v in given.get(reason, {}).items() if v is not None})
        for reason, own in DISMISSALS.items()
    }
