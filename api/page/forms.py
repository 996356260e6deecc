"""What forms send: short and long texts, and days."""

from __future__ import annotations

from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import Form

from api.problems import HttpProblem

Text = Annotated[str, Form(max_length=4000)]
Short = Annotated[str, Form(max_length=200)]


def day_of(text: str) -> date:
    """A day as a form says it."""
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        detail = f"{text!r} is no date; write 2026-01-31."
        raise HttpProblem(HTTPStatus.UNPROCESSABLE_ENTITY, detail) from None
