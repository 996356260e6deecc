"""What is fixed before anything happens in a simulated world: who lives there and by which laws."""

from __future__ import annotations

from dataclasses import dataclass

from data.world.catalogue import Catalogue
from data.world.effects import Nature, draw_nature
from data.world.people import People, draw_people
from data.world.settings import WorldSettings
from data.world.staff import Staff


@dataclass(frozen=True)
class Scene:
    """Settings, treatments, accounts, laws and colleagues of one world."""

    settings: WorldSettings
    catalogue: Catalogue
    people: People
    nature: Nature
    staff: Staff

    @classmethod
    def draw(cls, settings: WorldSettings) -> Scene:
        """Draw a scene. Raises WorldError when `new_treatment` is not in the playbook."""
        catalogue = Catalogue.shipped()
        if settings.new_treatment:
            catalogue.index(settings.new_treatment)
        people = draw_people(settings, len(catalogue.channels), len(catalogue.topics))
        return cls(settings, catalogue, people, draw_nature(settings, people, catalogue), Staff.of(people))

    @property
    def decisions(self) -> int:
        """How many decisions are taken in all."""
        return len(self.people) * self.settings.rounds
