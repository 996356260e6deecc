"""What is known of each treatment's effect: as the release in use has measured it, and no more than that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from api.service import Service
from data.artifacts import list_manifests
from engine.clusters import enough

Finding = Literal["more", "less", "unknown"]


@dataclass(frozen=True)
class Effect:
    """What one treatment causes beside no contact, per case, in currency before its cost.

    Attributes:
        cases: With the treatment, among accounts that the release had not seen.
        estimate, low, high: The mean and its 95 % interval; None = it cannot be judged, or so few persons
            served the accounts that there is none.
        finding: "unknown" where the interval has both signs, or there is none.
    """

    cases: int
    estimate: float | None
    low: float | None
    high: float | None
    finding: Finding


def effects_in_use(service: Service) -> Mapping[str, Effect] | None:
    """Treatment -> its effect, of those that the log could speak of; None where no release is in use."""
    in_use = service.ledger.release_in_use()
    manifest = list_manifests(service.models).get(in_use.release_id) if in_use else None
    if manifest is None:
        return None
    persons = manifest.get("evaluation", {}).get("accounts", {}).get("persons")
    rows = manifest.get("overlap", [])
    return {
        row["treatment"]: _effect(row["cases"], row["effect"] if enough(persons) else None) for row in rows
    }


def _effect(cases: int, found: Mapping[str, float | None] | None) -> Effect:
    estimate, low, high = (found[name] for name in ("estimate", "low", "high")) if found else (None,) * 3
    if estimate is None or low is None or high is None:
        return Effect(cases, None, None, None, "unknown")
    finding: Finding = "more" if low > 0.0 else "less" if high < 0.0 else "unknown"
    return Effect(cases, estimate, low, high, finding)
