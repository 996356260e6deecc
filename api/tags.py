"""ETags of what two people may edit at once: who saw something older is told so and overwrites nothing."""

from __future__ import annotations

import hashlib
import re
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Header

from api.problems import HttpProblem
from data.ledger.schema import dumps

_TAG = re.compile(r'(?:W/)?"[^"]*"')

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=2000,
        description="The ETag that was read: acts only while nobody has changed it since, else 412.",
    ),
]

TAGGED: dict[int | str, dict[str, Any]] = {
    200: {"headers": {"ETag": {"description": "Of its state now.", "schema": {"type": "string"}}}}
}
"""For the `responses` of a route that answers with an ETag."""


def tag_of(*state: Any) -> str:
    """The ETag of a state; JSON values."""
    return f'"{hashlib.blake2b(dumps(state).encode(), digest_size=12).hexdigest()}"'


def matches(if_match: str | None, tag: str) -> bool:
    """Whether a request may act on what has this tag."""
    if if_match is None or if_match.strip() == "*":
        return True
    return tag in _TAG.findall(if_match)


def require(if_match: str | None, tag: str) -> None:
    """Raises a 412 problem where somebody has changed it since it was read."""
    if not matches(if_match, tag):
        detail = "Somebody has changed it since you read it: read it again, then decide."
        raise HttpProblem(HTTPStatus.PRECONDITION_FAILED, detail)
