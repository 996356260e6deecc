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
from tests.training.builders import QUICK, SMALL, LogSettings, cases_of, stored, tables
from training.errors import TrainingError
from training.learners import LEARNERS, learner, load_installed
from training.own_learners import watch_installed
from training.run import Settings, train

OWN = '''"""A learner of somebody else, as good as the product's linear one."""

from dataclasses import replace

from training.learners import LEARNERS, learner


@learner("theirs", complexity={complexity})
def learn(cases, assignment, boosting):
    return replace(LEARNERS["linear"].learn(cases, assignment, boosting), reader="{reader}")
'''


BROKEN = '''"""A learner of somebody else that does not keep what learners must keep."""

import numpy as np

from training.learners import Fitted, constants, learner


class Broken(Fitted):
    def _learned_values(self, features):
        values = np.tile(self.constants.value, (len(features.moments), 1))
        {values}
        return values


@learner("theirs", complexity=0.5)
def learn(cases, assignment, boosting):
    {learned}
    return Broken(constants(cases, assignment, boosting), len(cases.treatments), {forests}, "{reader}")
'''
UNREADABLE = """{"value.forest.txt": type("Forest", (), {"model_to_string": lambda self: "no forest"})()}"""


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


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (
            {"learned": "raise ZeroDivisionError('a bug\\nin two lines')"},
            "ZeroDivisionError: a bug in two lines;",
        ),
        ({"learned": "return None"}, "returned NoneType, need a training.registry.Fitted;"),
        ({"values": "raise RuntimeError('cannot predict')"}, "stopped with RuntimeError: cannot predict;"),
        ({"values": "return values[:, :-1]"}, "stopped with ValueError: shape mismatch"),
        ({"values": "values[3, 1] = np.nan"}, "expects nan of 'email_news' for an account, need a finite"),
        ({"values": "values[3, 1] = np.inf"}, "expects inf of 'email_news' for an account, need a finite"),
        (
            {"values": "values[3, 1] += 7.0"},
            "than the engine reads from its files as 'best_fixed', by up to 7.00",
        ),
        ({"forests": UNREADABLE, "reader": "s_learner"}, "stopped with ForestError: The forest"),
    ],
)
def test_what_a_broken_learner_of_a_package_does_is_said_in_one_line(place: Path, part, said: str) -> None:
    """It names the learner and its module: a traceback out of the selection names neither."""
    whole = {"values": "pass", "learned": "pass", "forests": "{}", "reader": "best_fixed"} | part
    install(place, BROKEN.format(**whole))
    cases = cases_of(place / "log", LogSettings(accounts=200))
    watch_installed()

    with pytest.raises(TrainingError) as found:
        LEARNERS["theirs"].learn(cases, cases.probability, QUICK)

    assert said in str(found.value)
    assert "\n" not in str(found.value)
    assert str(found.value).startswith("The learner 'theirs' of their_learner ")
    assert str(found.value).endswith("repair or uninstall it.")


def test_a_sound_learner_of_a_package_learns_the_same_when_it_is_looked_at(place: Path) -> None:
    """Looking changes nothing, however often it is asked for."""
    install(place, OWN.format(complexity=0.5, reader="linear"))
    cases = cases_of(place / "log", LogSettings(accounts=200))
    load_installed()
    alone = LEARNERS["theirs"].learn(cases, cases.probability, QUICK)
    watch_installed()
    watch_installed()

    looked_at = LEARNERS["theirs"].learn(cases, cases.probability, QUICK)

    assert looked_at.predict(cases.features).tobytes() == alone.predict(cases.features).tobytes()
    assert LEARNERS["linear"].function.__module__ == "training.effects"
