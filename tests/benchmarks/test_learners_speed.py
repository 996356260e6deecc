"""Every learner's line compares equal results, on forests as small as they can be."""

import pytest

from benchmarks.deciding import tiled
from benchmarks.learners import learner_line
from benchmarks.material import world


@pytest.mark.parametrize("learner", ["t_learner", "doubly_robust", "linear"])
def test_a_learner_says_what_its_forests_say_in_the_library(learner: str) -> None:
    """A reader that skipped a forest or a term would be fast and wrong; the comparison stops it."""
    material = world(60)

    found = learner_line(learner, material, tiled(material.known(), 20), trees=2)

    assert learner in found.what
