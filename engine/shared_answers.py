"""The shared collection of answers: what is said to a question or an objection, and who owns the words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.playbook_text import PlaybookError, Tables

OBJECTIONS: tuple[str, ...] = ("price", "timing", "features", "fit", "other")
"""What an objection is about."""


@dataclass(frozen=True)
class SharedAnswer:
    """One answer.

    Attributes:
        topic: On which it is given; "" = on any.
        objection: Of `OBJECTIONS`, which it answers; "" = questions on the topic.
        owner: Role that keeps it true.
        text: Language -> the answer.
    """

    id: str
    topic: str
    objection: str
    owner: str
    text: Mapping[str, str]


def read_answers(tables: Tables) -> tuple[SharedAnswer, ...]:
    """The section [answers]. Raises PlaybookError: an answer to nothing."""
    given = tables.sections["answers"]
    for key, table in given.items():
        if not table["topic"] and not table["objection"]:
            raise PlaybookError(f"answers.{key}: say what it answers: a topic, an objection, or both.")
    return tuple(SharedAnswer(id=key, **table) for key, table in given.items())


def answers_to(
    answers: tuple[SharedAnswer, ...], kind: str, topic: str, objection: str
) -> list[SharedAnswer]:
    """The answers to what was heard.

    Args:
        kind: "question" or "objection"; nothing else is answered.
        topic: "" = on none in particular.
        objection: Of an objection, what it is about.
    """
    if kind == "question":
        return [one for one in answers if not one.objection and one.topic == topic]
    if kind != "objection":
        return []
    return [one for one in answers if one.objection == objection and one.topic in ("", topic)]
