"""What follows from a dismissal besides the facts of its account: corrections, and treatments to review."""

from __future__ import annotations

from api.feedback import Answer
from api.stops import stop_contacts
from data.ledger.ledger import Ledger
from data.ledger.types import Dismissed, StopOrder, Suggestion, User
from engine.playbook import Playbook

SUSPENDED_BY = "playbook"
"""Who is named as having stopped a treatment that too many have called not compliant, or the like."""


def dismissed_by(
    answer: Answer, suggestion: Suggestion, user: User, playbook: Playbook, now: int
) -> Dismissed | None:
    """What is kept of a dismissal; None = it is another answer."""
    if answer.verb != "dismiss" or answer.reason is None:
        return None
    return Dismissed(
        suggestion.suggestion_id,
        suggestion.account_id,
        suggestion.treatment,
        suggestion.role,
        user.user_id,
        answer.reason,
        now,
        playbook.dismissals[answer.reason].correction,
    )


def suspend_for_review(
    ledger: Ledger, playbook: Playbook, dismissed: Dismissed, *, now: int
) -> StopOrder | None:
    """Stop a contact for everybody once it was dismissed for so many accounts as the playbook says.

    What was dismissed before somebody resumed it counts no more.
    """
    enough = playbook.dismissals[dismissed.reason].suspend_after
    if enough is None or playbook.treatment(dismissed.treatment).kind != "contact":
        return None
    log = [one for one in ledger.stop_log() if (one.level, one.of) == ("treatment", dismissed.treatment)]
    resumed = max((one.resumed_at or 0 for one in log), default=0)
    accounts = ledger.accounts_dismissed(dismissed.treatment, dismissed.reason, after=resumed)
    if accounts < enough or any(one.resumed_at is None for one in log):
        return None
    reason = f"Dismissed as {dismissed.reason} for {accounts} accounts: to be reviewed, then resumed."
    scope = f"treatment:{dismissed.treatment}"
    return stop_contacts(ledger, playbook, scope, reason=reason, by=SUSPENDED_BY, now=now).order
