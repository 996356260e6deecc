"""The trail of requests on its way to the ledger: written by a thread of its own, a moment after the answer.

A reader does not wait for the log, and what people do is in the ledger anyway. What cannot be written is kept
and tried again.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from starlette.types import Scope

from data.home import DataError
from data.ledger.audit import AuditLog, Seen
from data.ledger.types import User

EVERY_SECONDS = 1.0
_SUBJECTS = ("suggestion_id", "hand_over_id", "touchpoint_id", "release_id", "stop_id", "stand_in_id",
             "person_id")  # fmt: skip
_log = logging.getLogger("nextbest.audit")


def seen(scope: Scope, route: str, status: int, at: int) -> Seen | None:
    """What is kept of a request; None = nobody had signed in."""
    user: User | None = scope.get("state", {}).get("user")
    if user is None:
        return None
    path: dict[str, Any] = scope.get("path_params", {})
    subject = next((str(path[name]) for name in _SUBJECTS if name in path), None)
    what = f"{scope['method']} {route}"
    return Seen(at, user.user_id, user.key_id, what, status, path.get("account_id"), subject)


class Trail:
    """Entries that wait, and the thread that writes them; `close` writes the last."""

    def __init__(self, log: AuditLog) -> None:
        self._ledger, self._waiting = log, list[Seen]()
        self._lock, self._over = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def add(self, entry: Seen) -> None:
        """Costs the request nothing."""
        with self._lock:
            self._waiting.append(entry)

    def close(self) -> None:
        """Stop, with everything written."""
        self._over.set()
        self._thread.join()
        self.write()

    def write(self) -> None:
        """Write what waits."""
        with self._lock:
            entries, self._waiting = self._waiting, []
        if not entries:
            return
        try:
            self._ledger.append(entries)
        except DataError as error:
            _log.error("%d entries of the audit log wait: %s", len(entries), error)
            with self._lock:
                self._waiting = entries + self._waiting

    def _run(self) -> None:
        while not self._over.wait(EVERY_SECONDS):
            self.write()
