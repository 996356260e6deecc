"""The playbook of a running service: read again when its file changes, and only ever a whole one."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path

from data.playbooks import playbook_of, playbook_text, shipped
from engine.playbook import Playbook
from engine.records import EngineError

SETTLE_SECONDS = 1.0
"""A file that was written a moment ago may still be being written."""

_log = logging.getLogger("nextbest.playbook")
_Mark = tuple[int, int, int]


@dataclass(frozen=True)
class PlaybookRead:
    """A playbook with the text that it was read from."""

    playbook: Playbook
    text: str


class PlaybookFile:
    """The playbook of a name or path as it stands; a shipped one does not change while a process runs.

    What its file was changed to and cannot be used is refused, and the one before stays. Not for several
    threads at once.

    Attributes:
        refused: Why the file as it stands is not used; None = it is.
    """

    def __init__(self, name_or_path: str) -> None:
        self._name = name_or_path
        self._path = None if name_or_path in shipped() else Path(name_or_path)
        self._mark: _Mark | None = None
        self._read: PlaybookRead | None = None
        self._before: PlaybookRead | None = None
        self.refused: str | None = None

    def read(self) -> PlaybookRead:
        """The playbook in use. Raises PlaybookError where there is none yet that can be."""
        mark = self._marked()
        if self._read is None:
            self._mark, self._read = mark, self._parsed()
        elif mark is not None and mark != self._mark and _settled(mark):
            self._mark = mark
            self._take_over()
        return self._read

    @property
    def changed(self) -> bool:
        """Whether `read` would have to look into it."""
        mark = self._marked()
        return self._read is None or (mark is not None and mark != self._mark)

    def refuse(self, why: EngineError) -> PlaybookRead:
        """Go back to the one before, because what was read cannot be used with the rest.

        Raises `why` where there is none.
        """
        if self._before is None:
            raise why
        self._read, self._before = self._before, None
        self._say(why)
        return self._read

    def _take_over(self) -> None:
        try:
            found = self._parsed()
        except EngineError as error:
            self._say(error)
            return
        self._before, self._read, self.refused = self._read, found, None
        _log.info("playbook %s taken over", found.playbook.version)

    def _say(self, why: EngineError) -> None:
        self.refused = str(why)
        _log.error("the playbook was changed to one that cannot be used; the one before decides on: %s", why)

    def _parsed(self) -> PlaybookRead:
        text = playbook_text(self._name)
        return PlaybookRead(playbook_of(text), text)

    def _marked(self) -> _Mark | None:
        """What tells the file from another; None = it does not change, or is not there just now."""
        try:
            found = self._path.stat() if self._path is not None else None
        except OSError:
            return None
        return None if found is None else (found.st_mtime_ns, found.st_size, found.st_ino)


def _settled(mark: _Mark) -> bool:
    return abs(time.time() - mark[0] / 1e9) >= SETTLE_SECONDS
