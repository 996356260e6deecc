"""The colleagues of the simulated world and which accounts they serve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from data.world.business import Business, RoleNature
from data.world.catalogue import Catalogue
from data.world.names import full_name
from data.world.people import COUNTRIES, People
from data.world.settings import WorldSettings
from engine.contract import WEEKDAYS
from engine.records import Floats, Ints

JOB_ROLE = "job"
"""Role of a technical user, which no playbook has."""
EVENTS_USER = "events"


@dataclass(frozen=True)
class Staff:
    """Who serves which territory.

    Attributes:
        territories: Ids, by number.
        countries: Code of the country of each territory.
        roles: How the colleagues of each role are spread; empty = nobody works there.
        managers_of: How many colleagues of the first role have one manager; 0 = there are none.
        manager_prefix: Of the managers' user ids.
    """

    territories: tuple[str, ...]
    countries: Ints
    roles: Mapping[str, RoleNature]
    managers_of: int
    manager_prefix: str

    @classmethod
    def of(cls, people: People, kind: Business) -> Staff:
        """Colleagues enough for all accounts."""
        count = int(people.territory[-1]) + 1
        first = np.searchsorted(people.territory, np.arange(count))
        ids = tuple(f"{COUNTRIES[people.country[i]][0]}-{t + 1:04d}" for t, i in enumerate(first))
        return cls(ids, people.country[first], kind.roles, kind.managers_of, kind.manager_prefix)

    def user_id(self, role: str, territory: int) -> str:
        """The colleague of a role who serves a territory."""
        nature = self.roles[role]
        return f"{nature.prefix}{territory // nature.territories + 1:04d}"

    def serving(self, territory: Ints, role: np.ndarray[tuple[int], np.dtype[np.str_]]) -> pl.Series:
        """Who carries out contacts, one per row; empty for what no person does."""
        out = pl.Series([None], dtype=pl.String).new_from_index(0, len(territory))
        for name in self.roles:
            ids = pl.Series([self.user_id(name, t) for t in range(len(self.territories))], dtype=pl.String)
            out = ids.gather(territory).zip_with(pl.Series(role == name), out)
        return out

    def skill(self, settings: WorldSettings, people: People, catalogue: Catalogue) -> Floats:
        """Effect of a contact by the colleague who serves the account, about 1; shape (n, T)."""
        skill = np.ones((len(people), len(catalogue.ids)))
        rng = settings.generator("skill")
        for role, nature in self.roles.items():
            own = rng.standard_normal(len(self.territories))[people.territory // nature.territories]
            theirs = np.array(catalogue.roles) == role
            skill[:, theirs] = np.exp(settings.skill * own - 0.5 * settings.skill**2)[:, None]
        return skill

    def users(self, settings: WorldSettings) -> pl.DataFrame:
        """The table of users, managers first; where nobody works, the technical user that sends events."""
        if not self.roles:
            return pl.DataFrame([{"user_id": EVENTS_USER, "name": "Web shop", "role": JOB_ROLE}])
        rng = settings.generator("colleagues")
        lead = next(iter(self.roles), "")
        managers = [self._user(rng, self._manager_id(t), lead, t, None)
                    for t in range(0, len(self.territories), self.managers_of or 1)
                    if self.managers_of]  # fmt: skip
        others = [
            self._user(rng, self.user_id(role, t), role, t, self._manager_id(t))
            for role, nature in self.roles.items()
            for t in range(0, len(self.territories), nature.territories)
        ]
        return pl.DataFrame(managers + others, infer_schema_length=None)

    def _manager_id(self, territory: int) -> str | None:
        return f"{self.manager_prefix}{territory // self.managers_of + 1:04d}" if self.managers_of else None

    def _user(
        self, rng: np.random.Generator, user_id: str | None, role: str, territory: int, manager: str | None
    ) -> dict[str, object]:
        _, zone, _, _, languages = COUNTRIES[int(self.countries[territory])]
        language = languages[int(rng.integers(0, len(languages)))]
        given, family = int(rng.integers(0, 20)), int(rng.integers(0, 20))
        weekend = ("thursday", "friday") if zone == "Asia/Tehran" else ("saturday", "sunday")
        minutes = self.roles[role].minutes
        return {
            "user_id": user_id,
            "name": full_name(language, given, family),
            "role": role,
            "manager_id": manager,
            "language": language,
            "timezone": zone,
        } | {f"{day}_minutes": 0.0 if day in weekend else minutes for day in WEEKDAYS}

    def team(self, people: People) -> pl.DataFrame:
        """The table account_team: each account has one colleague of each role."""
        ids, numbers = pl.Series(people.account_ids), range(len(self.territories))
        return pl.concat([
            pl.DataFrame({"account_id": ids}).with_columns(
                role=pl.lit(role),
                user_id=pl.Series([self.user_id(role, t) for t in numbers]).gather(people.territory),
            )
            for role in self.roles
        ] or [pl.DataFrame(schema=dict.fromkeys(("account_id", "role", "user_id"), pl.String))])  # fmt: skip
