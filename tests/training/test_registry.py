"""Learners of other packages compete like the product's own, without a fork."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from data.artifacts import read_release
from data.home import Home
from data.ledger.ledger import Ledger
from engine.scoring import learned_scorer
from tests.training.builders import QUICK, SMALL, LogSettings, stored, tables
from training.errors import TrainingError
from training.learners import LEARNERS, learner, load_installed
from training.run import Settings, train

OWN = '''"""A learner of somebody else, as good as the product's linear one."""

from dataclasses import replace

from training.learners import LEARNERS, learner


@learner("theirs", complexity={complexity})
def learn(cases, assignment, boosting):
    return replace(LEARNERS["linear"].learn(cases, assignment, boosting), reader="{reader}")
'''


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that packages are installed into; what they registered is gone afterwards."""
    before = dict(LEARNERS)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    LEARNERS.clear()
    LEARNERS.update(before)
    sys.modules.pop("their_learner", None)


def install(place: Path, code: str) -> None:
    """What pip leaves behind: a module, and metadata that names it under the group."""
    (place / "their_learner.py").write_text(code)
    known = place / "their_learner-1.0.dist-info"
    known.mkdir()
    (known / "METADATA").write_text("Metadata-Version: 2.1\nName: their-learner\nVersion: 1.0\n")
    (known / "entry_points.txt").write_text("[nextbest.learners]\ntheirs = their_learner\n")
    importlib.invalidate_caches()


def trained(place: Path):
    home = Home.at(place / "home", models=place / "models")
    stored(home.root, tables(LogSettings(accounts=400)))
    Ledger.create(home.ledger_url).close()
    settings = Settings(made_at=1_767_300_000_000_000, boosting=QUICK)
    return home, train(home, SMALL, settings, progress=lambda stage, done, of: None)


def test_a_learner_of_an_installed_package_competes_and_its_release_is_served(place: Path) -> None:
    """Here it is as good as any, and the simplest of the good: it is chosen, and the engine reads it."""
    install(place, OWN.format(complexity=0.5, reader="linear"))

    home, outcome = trained(place)

    assert "theirs" in outcome.selection.values
    assert outcome.selection.chosen == "theirs"
    release = read_release(home.models, outcome.release.id)
    assert release.manifest["learner"] == "theirs"
    scorer = learned_scorer(release.manifest, release.texts, release.arrays, SMALL)
    assert scorer.parts.learner == "linear"


def test_a_way_of_reading_that_the_engine_does_not_know_is_refused(place: Path) -> None:
    """A release that nobody can serve must not be written."""
    install(place, OWN.format(complexity=0.5, reader="crystal_ball"))

    with pytest.raises(TrainingError, match=r"read as .crystal_ball.*it reads best_fixed"):
        trained(place)

    assert not list((place / "models").glob("*"))


def test_a_package_that_cannot_be_loaded_is_named(place: Path) -> None:
    """The way out is said: nobody should have to read a traceback of someone else's code."""
    install(place, "import a_package_that_nobody_has\n")

    with pytest.raises(TrainingError, match=r"'their_learner' cannot be loaded .*repair or uninstall"):
        load_installed()


def test_two_learners_cannot_have_the_same_complexity(place: Path) -> None:
    """Ties go to the simpler one; among equals nobody could say which was chosen and why."""
    install(place, OWN.format(complexity=0, reader="linear"))

    with pytest.raises(TrainingError, match="has complexity 0, like 'best_fixed'"):
        load_installed()


def test_two_learners_cannot_have_the_same_name() -> None:
    """A release says by its learner's name how it was learned."""
    with pytest.raises(TrainingError, match="Two learners are called 'best_fixed'"):
        learner("best_fixed", complexity=99)(LEARNERS["t_learner"].learn)
