"""What the service writes to its log: one JSON object a line, each with the id of its request.

Never what was sent or answered, nor whom it concerns: an unexpected error is told by its type and the places
in the code, because its message may quote a value.
"""

from __future__ import annotations

import json
import logging
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from data.settings import Settings

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request that is being answered; "" outside of one."""

FIELDS = "fields"
"""`extra={FIELDS: {...}}` of a log call: further keys of its line."""


class _Lines(logging.Formatter):
    """Common to both forms."""

    def __init__(self, *, messages_of_errors: bool) -> None:
        super().__init__()
        self._messages = messages_of_errors

    def parts(self, record: logging.LogRecord) -> dict[str, Any]:
        """What a line says, in its order."""
        said: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := REQUEST_ID.get():
            said["request_id"] = request_id
        said |= getattr(record, FIELDS, {})
        if record.exc_info and record.exc_info[1] is not None:
            said |= self._error(record.exc_info[1])
        return said

    def _error(self, error: BaseException) -> dict[str, Any]:
        places = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)]
        said: dict[str, Any] = {"error": type(error).__name__, "trace": places[-12:]}
        return said | {"error_message": str(error)} if self._messages else said


class JsonLines(_Lines):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return json.dumps(self.parts(record), ensure_ascii=False, default=str)


class TextLines(_Lines):
    """The same for the eye: time, level, message, then name=value."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        said = self.parts(record)
        first = [str(said.pop(name)) for name in ("at", "level", "logger", "message")]
        return " ".join([*first, *(f"{name}={value}" for name, value in said.items())])


def start_logging(settings: Settings) -> None:
    """Write everything that is logged to standard error, in the form that the settings ask for."""
    form = JsonLines if settings.log_format == "json" else TextLines
    handler = logging.StreamHandler()
    handler.setFormatter(form(messages_of_errors=settings.debug))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
