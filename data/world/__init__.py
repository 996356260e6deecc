"""A simulated pharma world whose truth is known, so that claims about the engine can be checked.

`simulate` draws accounts, colleagues, a year of contacts, responses and prescriptions; `World.write` puts the
tables of the data contract into a folder and the truth beside them, where no loader looks. docs/world.md
says what is simulated and what the truth means.
"""

from data.world.settings import WorldError, WorldSettings
from data.world.simulation import World, simulate, write_world
from data.world.truth import Truth, best_fixed, oracle, policy_value

__all__ = [
    "Truth", "World", "WorldError", "WorldSettings", "best_fixed", "oracle", "policy_value", "simulate",
    "write_world",
]  # fmt: skip
