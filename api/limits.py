"""How much one user may ask for: requests a minute, events of one request, rows of one page."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from api.problems import HttpProblem
from data.settings import Settings

_REMEMBERED = 20_000
"""Users whose rate is remembered; who was forgotten begins with a full allowance."""


@dataclass
class Rates:
    """An allowance per user that fills up evenly: after a pause a minute's worth may come at once.

    Of one process; used on the event loop alone.

    Attributes:
        per_minute: 0 = no limit.
        seconds: A clock that only goes forward.
    """

    per_minute: int
    seconds: Callable[[], float] = time.monotonic
    _left: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def take(self, user_id: str) -> float:
        """Take one; 0.0 = granted, else after how many seconds to ask again."""
        if not self.per_minute:
            return 0.0
        now, a_second = self.seconds(), self.per_minute / 60
        left, at = self._left.pop(user_id, (float(self.per_minute), now))
        left = min(float(self.per_minute), left + (now - at) * a_second)
        granted = left >= 1
        self._left[user_id] = (left - granted, now)
        if len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)
        return 0.0 if granted else (1 - left) / a_second


@dataclass(frozen=True)
class Limits:
    """The limits of one application, as the settings say."""

    rates: Rates
    max_events: int
    max_page: int

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """From the settings."""
        return cls(Rates(settings.requests_per_minute), settings.max_events, settings.max_page)

    def request_of(self, user_id: str) -> None:
        """Count a request. Raises a 429 that says when to come again."""
        wait = self.rates.take(user_id)
        if wait:
            detail = f"More than {self.rates.per_minute:,} requests a minute; send the next one later."
            raise HttpProblem(
                HTTPStatus.TOO_MANY_REQUESTS, detail, {"Retry-After": str(max(1, math.ceil(wait)))}
            )

    def events(self, count: int) -> None:
        """Raises a 413 where a request has too many events."""
        if count > self.max_events:
            detail = f"A request takes at most {self.max_events:,} events, got {count:,}; send several."
            raise HttpProblem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)

    def page(self, limit: int) -> int:
        """The size of a page. Raises a 422 where it is too large."""
        if limit > self.max_page:
            detail = f"limit: a page has at most {self.max_page:,} rows, got {limit:,}."
            raise HttpProblem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
        return limit
