"""What is fixed before anything happens in a simulated world: who lives there and by which laws."""

from __future__ import annotations

from dataclasses import dataclass, replace

from data.world.catalogue import Catalogue
from data.world.effects import Nature, draw_nature
from data.world.people import People, draw_people
from data.world.phases import Phases, draw_phases
from data.world.settings import WorldSettings
from data.world.staff import Staff
from engine.records import Floats


@dataclass(frozen=True)
class Scene:
    """Settings, treatments, accounts, laws, colleagues and phases of one world."""

    settings: WorldSettings
    catalogue: Catalogue
    people: People
    nature: Nature
    staff: Staff
    phases: Phases | None

    @classmethod
    def draw(cls, settings: WorldSettings) -> Scene:
        """Draw a scene. Raises WorldError: `new_treatment` is not in the playbook, or world and playbook do
        not agree."""
        catalogue = Catalogue.shipped(settings.playbook, settings.business)
        if settings.new_treatment:
            catalogue.index(settings.new_treatment)
        people = draw_people(settings, len(catalogue.channels), len(catalogue.topics))
        staff = Staff.of(people, settings.business)
        nature = draw_nature(settings, people, catalogue)
        if settings.skill:
            nature = replace(nature, gross=nature.gross * staff.skill(settings, people, catalogue))
        return cls(settings, catalogue, people, nature, staff, draw_phases(settings, catalogue))

    @property
    def horizons(self) -> Floats:
        """Days within which the outcomes of each treatment count; shape (T,)."""
        return self.settings.horizon_days * self.catalogue.horizon_ratio

    @property
    def decisions(self) -> int:
        """How many decisions are taken in all."""
        return len(self.people) * self.settings.rounds
