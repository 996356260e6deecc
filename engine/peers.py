"""How often similar accounts responded: counts that a release carries, of accounts, not of contacts.

Similar are accounts of the same segment. Counts are of the tables as they were known when the release was
learned, so a decision quotes what was known before it; they are no estimate of what a contact causes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SIMILAR_BY = "segment"
"""The column of accounts that makes them similar; "" stands for those without a segment."""
PEER_DAYS = 365
"""Contacts of so many days before the release was learned are counted."""
LEAST_PEERS = 5
"""With fewer contacted accounts nothing is told."""

Counts = Mapping[str, Mapping[str, tuple[int, int]]]
"""Treatment or channel -> segment -> accounts that were contacted, and those of them that responded."""


@dataclass(frozen=True)
class Peers:
    """The counts of a release.

    Attributes:
        until: Microseconds UTC: contacts and responses before were counted, as far as stored by then.
        treatments, channels: By treatment, and by channel whatever the message.
    """

    until: int
    treatments: Counts
    channels: Counts

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Peers | None:
        """Those of a release; None where it was written without."""
        found = manifest.get("peers")
        if not isinstance(found, Mapping):
            return None
        return cls(int(found["until"]), _counts(found["treatments"]), _counts(found["channels"]))

    def as_json(self) -> dict[str, Any]:
        """For the manifest."""
        return {"by": SIMILAR_BY, "days": PEER_DAYS, "until": self.until,
                "treatments": _lists(self.treatments), "channels": _lists(self.channels)}  # fmt: skip

    def responded(self, treatment: str, channel: str, segment: str | None) -> tuple[str, int, int] | None:
        """What is counted ("treatment" or, where that is too little, "channel"), accounts of the segment that
        were contacted, and those of them that responded; None = too few."""
        both = {"treatment": self.treatments.get(treatment), "channel": self.channels.get(channel)}
        for what, counts in both.items():
            contacted, responded = (counts or {}).get(segment or "", (0, 0))
            if contacted >= LEAST_PEERS:
                return what, contacted, responded
        return None


def _counts(found: Mapping[str, Mapping[str, Any]]) -> Counts:
    return {
        name: {segment: (int(pair[0]), int(pair[1])) for segment, pair in by_segment.items()}
        for name, by_segment in found.items()
    }


def _lists(counts: Counts) -> dict[str, dict[str, list[int]]]:
    return {name: {s: list(pair) for s, pair in by_segment.items()} for name, by_segment in counts.items()}
