"""What first use costs: a loop that is handed the same thing in two shapes is compiled, and kept, twice."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = """
import sys
from numba.core.dispatcher import Dispatcher
from engine import holding, rows
from engine.decide import decide
from engine.features import FeatureSet
from engine.records import Moments
from tests.engine.builders import ATTRIBUTES
from tests.engine.random_histories import random_history, random_moments
from tests.properties.laws import SCORER, release, rules

past, playbook = random_history(7), rules()
for few in (rows.FEW, -1):
    rows.FEW = few
    for asked in (random_moments(7), random_moments(7, 1)):
        for scorer in (SCORER, release("s_learner")):
            features = FeatureSet.of(playbook, ATTRIBUTES)
            decide(past, asked, playbook=playbook, features=features, scorer=scorer, seed=7)
compiled = {
    f"{name}.{each.__name__}": len(each.signatures)
    for name, module in list(sys.modules.items()) if name.startswith("engine.")
    for each in vars(module).values() if isinstance(each, Dispatcher) and each.__module__ == name
}
print(sum(compiled.values()) > 40)
print(sorted(name for name, shapes in compiled.items() if shapes > 1 and name != "engine.holding._hold"))
"""


def test_every_loop_is_compiled_for_one_shape_of_arguments(tmp_path: Path) -> None:
    """One account and many, a live event and the night hand over the same types: else first use takes longer.

    What is held is compiled for each kind of it. Nothing is taken from where compiled loops are kept: what
    comes from there does not tell of the loops inside.
    """
    own = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=ROOT, env=own, capture_output=True, text=True, check=True
    )

    assert done.stdout.split("\n")[:2] == ["True", "[]"]
