"""The message that goes with a suggestion: found for one suggestion, because it reads the account's facts."""

from __future__ import annotations

from urllib.parse import quote

import polars as pl

from api.service import Service
from data.ledger.types import Suggestion, User
from data.live import history_of, newest_stored
from engine.messages import Message, message_to
from engine.playbook import Playbook, Treatment
from engine.records import History, known_rows


def message_for(suggestion: Suggestion, user: User, service: Service) -> Message | None:
    """Ready to send, in the language of the account; None where the playbook has no text for it."""
    treatment = service.decider().playbook.treatment(suggestion.treatment)
    if not treatment.message:
        return None
    state = service.ledger.account_state(suggestion.account_id)
    history = history_of(state)
    known_at = max(service.clock(), newest_stored(history)) + 1
    return message_to(treatment, name=state.name, language=_language(history, known_at), sender=user.name)


def mail_address(message: Message, treatment: Treatment, playbook: Playbook) -> str | None:
    """Opens the colleague's own mail program with the text; None where nobody writes an e-mail herself."""
    if "mail" not in treatment.channel or treatment.role in {
        role.id for role in playbook.roles if role.system
    }:
        return None
    return f"mailto:?subject={quote(message.subject)}&body={quote(message.text)}"


def _language(history: History, known_at: int) -> str | None:
    """Of the account's persons, where all that is known of them agrees; else of the account itself."""
    contacts = known_rows(history["contacts"], known_at).filter(pl.col("language").is_not_null())
    spoken = contacts["language"].unique().to_list()
    if len(spoken) == 1:
        return str(spoken[0])
    own = known_rows(history["accounts"], known_at).tail(1)["language"].to_list()
    return own[0] if own else None
