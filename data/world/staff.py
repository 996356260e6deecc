"""The colleagues of the simulated world and which accounts they serve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from data.world.names import full_name
from data.world.people import COUNTRIES, People
from data.world.settings import WorldSettings
from engine.contract import WEEKDAYS
from engine.records import Ints

_TERRITORIES_OF_ONE: dict[str, int] = {
    "account_manager": 1, "medical_liaison": 8, "reimbursement_specialist": 5,
}  # fmt: skip
_PREFIX: dict[str, str] = {"account_manager": "am", "medical_liaison": "ml", "reimbursement_specialist": "rs"}
_TEAMS_OF_ONE_MANAGER = 10
_MINUTES_A_DAY: dict[str, float] = {
    "account_manager": 300.0, "medical_liaison": 240.0, "reimbursement_specialist": 240.0,
}  # fmt: skip


@dataclass(frozen=True)
class Staff:
    """Who serves which territory.

    Attributes:
        territories: Ids, by number.
        countries: Code of the country of each territory.
    """

    territories: tuple[str, ...]
    countries: Ints

    @classmethod
    def of(cls, people: People) -> Staff:
        """Colleagues enough for all accounts."""
        count = int(people.territory[-1]) + 1
        first = np.searchsorted(people.territory, np.arange(count))
        return cls(
            tuple(f"{COUNTRIES[people.country[i]][0]}-{t + 1:04d}" for t, i in enumerate(first)),
            people.country[first],
        )

    def user_id(self, role: str, territory: int) -> str:
        """The colleague of a role who serves a territory."""
        return f"{_PREFIX[role]}{territory // _TERRITORIES_OF_ONE[role] + 1:04d}"

    def serving(self, territory: Ints, role: np.ndarray[tuple[int], np.dtype[np.str_]]) -> pl.Series:
        """Who carries out contacts, one per row; empty for what no person does."""
        out = pl.Series([None], dtype=pl.String).new_from_index(0, len(territory))
        for name in _PREFIX:
            ids = pl.Series([self.user_id(name, t) for t in range(len(self.territories))], dtype=pl.String)
            out = ids.gather(territory).zip_with(pl.Series(role == name), out)
        return out

    def users(self, settings: WorldSettings) -> pl.DataFrame:
        """The table of users; one sales manager above ten account managers."""
        rng = settings.generator("colleagues")
        managers = [self._user(rng, f"sm{m + 1:04d}", "account_manager", m * _TEAMS_OF_ONE_MANAGER, None)
                    for m in range(-(-len(self.territories) // _TEAMS_OF_ONE_MANAGER))]  # fmt: skip
        others = [
            self._user(rng, self.user_id(role, t), role, t, f"sm{t // _TEAMS_OF_ONE_MANAGER + 1:04d}")
            for role, span in _TERRITORIES_OF_ONE.items()
            for t in range(0, len(self.territories), span)
        ]
        return pl.DataFrame(managers + others, infer_schema_length=None)

    def _user(
        self, rng: np.random.Generator, user_id: str, role: str, territory: int, manager: str | None
    ) -> dict[str, object]:
        _, zone, _, _, languages = COUNTRIES[int(self.countries[territory])]
        language = languages[int(rng.integers(0, len(languages)))]
        given, family = int(rng.integers(0, 20)), int(rng.integers(0, 20))
        weekend = ("thursday", "friday") if zone == "Asia/Tehran" else ("saturday", "sunday")
        minutes = _MINUTES_A_DAY[role]
        return {
            "user_id": user_id,
            "name": full_name(language, given, family, titled=False),
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
            for role in _PREFIX
        ])  # fmt: skip
