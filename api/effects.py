"""What is known of effects, of each treatment and of following a release: as it was measured, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from api.service import Service
from data.artifacts import list_manifests
from engine.clusters import enough

Finding = Literal["more", "less", "unknown"]
_CARRIES = ("reliable", "directional")
"""Verdicts on evidence that carries a figure."""


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


@dataclass(frozen=True)
class Effects:
    """What a release has measured.

    Attributes:
        of: Treatment -> its effect, of those that the log could speak of.
        observational: Whether it was estimated how past contacts were chosen: what nobody recorded may then
            explain part of them.
    """

    of: Mapping[str, Effect]
    observational: bool


def effects_in_use(service: Service) -> Effects | None:
    """Of the release in use; None where there is none."""
    in_use = service.ledger.release_in_use()
    manifest = list_manifests(service.models).get(in_use.release_id) if in_use else None
    if manifest is None:
        return None
    rows, measured = manifest.get("overlap", []), manifest.get("evaluation", {}).get("accounts", {})
    told = enough(measured.get("persons"))
    found = {row["treatment"]: _effect(row["cases"], row["effect"] if told else None) for row in rows}
    return Effects(found, any(each.get("strength") is not None for each in measured.get("policies", ())))


@dataclass(frozen=True)
class Gain:
    """What following a release brings beside what was done, per decision, in currency after its cost.

    Attributes:
        effect: Its `cases` are decisions of accounts that the release had not seen.
        observational: As in `Effects`.
    """

    effect: Effect
    observational: bool


def gains(service: Service) -> dict[str, Gain]:
    """Release -> what it was shown to bring; without those that were not judged."""
    found = {release: _gain(manifest) for release, manifest in list_manifests(service.models).items()}
    return {release: gain for release, gain in found.items() if gain is not None}


def _gain(manifest: Mapping[str, Any]) -> Gain | None:
    measured = manifest.get("evaluation", {}).get("accounts", {})
    policies = {each["policy"]: each for each in measured.get("policies", ())}
    own = policies.get(manifest.get("learner"))
    if own is None:
        return None
    told = enough(measured.get("persons")) and own["verdict"]["level"] in _CARRIES
    effect = _effect(measured["decisions"], own["versus_logged"] if told else None)
    return Gain(effect, own.get("strength") is not None)


def _effect(cases: int, found: Mapping[str, float | None] | None) -> Effect:
    estimate, low, high = (found[name] for name in ("estimate", "low", "high")) if found else (None,) * 3
    if estimate is None or low is None or high is None:
        return Effect(cases, None, None, None, "unknown")
    finding: Finding = "more" if low > 0.0 else "less" if high < 0.0 else "unknown"
    return Effect(cases, estimate, low, high, finding)
