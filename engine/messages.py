"""What is sent to an account: the text of a treatment in the account's language, not in the user's."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.playbook import Treatment

OTHERWISE = "en"


@dataclass(frozen=True)
class Message:
    """A text ready to send.

    Attributes:
        language: In which it is (ISO 639-1).
        subject: "" = it has none.
    """

    language: str
    subject: str
    text: str


def message_to(treatment: Treatment, *, name: str, language: str | None, sender: str) -> Message | None:
    """The treatment's message to an account; None where the playbook has none.

    Args:
        name: Of the account.
        language: Of the account; where the playbook lacks it or it is not known, English, else the playbook's
            first.
        sender: Name of the colleague who sends it.
    """
    texts = treatment.message
    if not texts:
        return None
    spoken = next(
        (one for one in (language, OTHERWISE) if one is not None and one in texts), next(iter(texts))
    )
    # In one pass: a name may contain what looks like a placeholder.
    values = {"{name}": name, "{sender}": sender}
    subject, text = (
        re.sub(r"\{name\}|\{sender\}", lambda found: values[found[0]], said.get(spoken, "")).strip()
        for said in (treatment.subject, texts)
    )
    return Message(spoken, subject, text)
