"""How often people do what is suggested to them, as a release has learned it: P(followed).

By treatment where it was suggested often enough to differ from the rest of its role, by role else. The floor
is the playbook's and is applied here and in `engine.arbitration`: who is suggested little would otherwise
never get the chance to show that he would do it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.playbook import Playbook
from engine.records import EngineError, Floats

ROLES, TREATMENTS = "followed_roles", "followed_treatments"
"""Arrays of a release, and the lists of its manifest's "followed" that name their entries."""


@dataclass(frozen=True)
class Following:
    """P(followed) before the floor.

    Attributes:
        roles: Role -> P(followed) of a treatment of which nothing is known.
        treatments: Treatment -> P(followed).
    """

    roles: Mapping[str, float]
    treatments: Mapping[str, float]

    @classmethod
    def of(cls, manifest: Mapping[str, Any], arrays: Mapping[str, Any]) -> Following | None:
        """That of a release; None where it was learned without answers.

        Raises:
            EngineError: The arrays do not fit the names, or are no probabilities.
        """
        names = manifest.get("followed")
        if not isinstance(names, Mapping):
            return None
        return cls(*(_named(list(names[key]), key, arrays) for key in (ROLES, TREATMENTS)))

    def arrays(self) -> dict[str, Floats]:
        """For the release's values; names by `names`."""
        return {
            ROLES: np.array(list(self.roles.values()), dtype=np.float64),
            TREATMENTS: np.array(list(self.treatments.values()), dtype=np.float64),
        }

    def names(self) -> dict[str, list[str]]:
        """For the release's manifest, in the order of `arrays`."""
        return {ROLES: list(self.roles), TREATMENTS: list(self.treatments)}

    def under(self, playbook: Playbook, starting: Floats) -> Floats:
        """P(followed) of each treatment of a playbook, at least its floor; shape (T,).

        Args:
            starting: What holds where nothing was learned, and where the system acts; shape (T,).
        """
        system = {role.id for role in playbook.roles if role.system}
        found = starting.copy()
        for place, treatment in enumerate(playbook.treatments):
            if treatment.kind == "none" or treatment.role in system:
                continue
            share = self.treatments.get(treatment.id, self.roles.get(treatment.role))
            if share is not None:
                found[place] = max(share, playbook.followed_floor)
        return found


def _named(names: list[str], key: str, arrays: Mapping[str, Any]) -> dict[str, float]:
    shares = np.asarray(arrays.get(key, ()), dtype=np.float64)
    if shares.shape != (len(names),) or not ((shares >= 0.0) & (shares <= 1.0)).all():
        raise EngineError(
            f"The release's array {key!r} has shape {shares.shape}, but needs {len(names)} probabilities, "
            "one for each name in its manifest."
        )
    return dict(zip(names, map(float, shares), strict=True))
