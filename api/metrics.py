"""What Prometheus scrapes of one process: requests, decisions, events, open streams, what decides.

Labels are templates of routes, statuses and words of the contract; never an id.
"""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from api.decider import Decider

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The figures of one application; safe to be counted by several threads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._requests = Counter(
            "nextbest_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "nextbest_request_seconds", "Until the answer was sent; streams are left out.",
            ["method", "route"], buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self._decisions = Counter(
            "nextbest_decisions", "Live decisions posted, by what caused them.", ["cause"],
            registry=self.registry,
        )  # fmt: skip
        self._events = Counter(
            "nextbest_events", "Events taken, by table of the contract.", ["table"], registry=self.registry
        )
        self.streams = Gauge("nextbest_open_streams", "Streams that are open now.", registry=self.registry)
        self._in_use = Gauge(
            "nextbest_release_info", "What decides: always 1.", ["release", "playbook", "playbook_version"],
            registry=self.registry,
        )  # fmt: skip

    def request(self, method: str, route: str, status: int, seconds: float | None) -> None:
        """One request; `seconds` None = a stream, whose length says nothing."""
        known = method if method in METHODS else "other"
        self._requests.labels(known, route, str(status)).inc()
        if seconds is not None:
            self._seconds.labels(known, route).observe(seconds)

    def decided(self, trigger: str) -> None:
        """One live decision; of its trigger only the kind."""
        self._decisions.labels(trigger.partition(":")[0]).inc()

    def event(self, table: str) -> None:
        """One event that was taken."""
        self._events.labels(table).inc()

    def text(self, decider: Decider | None) -> bytes:
        """All figures in Prometheus' text format; `decider` None = nothing can decide just now."""
        self._in_use.clear()
        if decider is not None:
            labels = (decider.scorer.release, decider.playbook.id, decider.playbook.version)
            self._in_use.labels(*labels).set(1)
        return generate_latest(self.registry)
