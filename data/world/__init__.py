"""Simulated worlds whose truth is known, so that claims about the engine can be checked.

`simulate` draws accounts, colleagues, a year of contacts, responses and outcomes; `World.write` puts the
tables of the data contract into a folder and the truth beside them, where no loader looks. docs/world.md
says what is simulated and what the truth means.
"""

from data.world.business import WorldError, business, businesses
from data.world.settings import WorldSettings
from data.world.simulation import World, playbook_of, simulate, write_world
from data.world.truth import Truth, best_fixed, oracle, policy_value

__all__ = [
    "Truth", "World", "WorldError", "WorldSettings", "best_fixed", "business", "businesses", "oracle",
    "playbook_of", "policy_value", "simulate", "write_world",
]  # fmt: skip
