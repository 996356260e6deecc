"""The worlds of the quality bench: figures can be compared only where worlds stay as they were."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality import worlds
from benchmarks.quality.worlds import Material, material, preset, presets
from data.home import Home
from data.ingest import ingest
from data.playbooks import read_playbook
from data.world import WorldError, WorldSettings, simulate
from training.cases import build_cases
from training.errors import TooFewCasesError

FINGERPRINTS = {
    "randomised": "15c72fa42400",
    "logged": "441a4e958373",
    "unlogged": "441a4e958373",
    "one_segment": "781304a0cd14",
    "fatigue": "db366e089edb",
    "new_message": "53a97e9e0843",
    "delayed": "52c1ad2a76a1",
    "linear": "c10791989e51",
    "hidden": "2b06e39d53ad",
    "zero": "bea240e2cccb",
    "zero_logged": "ccf6e999c1c3",
    "zero_unlogged": "ccf6e999c1c3",
}


@cache
def small(name: str = "randomised", cases: int = 600) -> Material:
    """A world with few accounts."""
    patch = pytest.MonkeyPatch()
    with patch.context() as changed:
        changed.setattr(worlds, "JUDGED_ACCOUNTS", 20)
        return material(name, 5, cases)


def fingerprint(name: str) -> str:
    """Of decisions, truth and outcomes; digits that could differ between processors are left out."""
    world = simulate(WorldSettings.named(accounts=40, seed=3, **preset(name).settings))
    digest = sha256()
    for values in (world.truth.choice, world.truth.eligible, np.round(world.truth.expected, 6) + 0.0):
        digest.update(np.ascontiguousarray(values).tobytes())
    digest.update(world.tables["outcomes"]["value"].to_numpy().tobytes())
    return digest.hexdigest()[:12]


@pytest.mark.parametrize("name", list(presets()))
def test_a_world_of_the_bench_is_the_one_that_figures_were_measured_in(name: str) -> None:
    """Whoever makes the world easier makes every learner look better."""
    assert fingerprint(name) == FINGERPRINTS[name]


def test_nobody_is_judged_whose_cases_were_learned_from() -> None:
    """A learner that remembers accounts would look better than it is for others."""
    given = small()

    assert not set(given.cases.account_ids) & set(given.asked.features.moments.account_ids)
    assert len(set(given.asked.features.moments.account_ids)) == 20


def test_no_policy_beats_the_oracle_and_the_best_fixed_action_is_one_of_them() -> None:
    """Shares of the oracle's gain mean nothing otherwise."""
    asked = small().asked
    draw = np.random.default_rng(0)
    policies = [
        np.where(asked.eligible, draw.random(asked.eligible.shape), -1.0).argmax(axis=1) for _ in range(20)
    ]
    fixed = [np.where(asked.eligible[:, index], index, 0) for index in range(asked.eligible.shape[1])]

    assert max(map(asked.value, policies)) < asked.oracle
    assert max(map(asked.value, fixed)) == pytest.approx(asked.best_fixed)
    assert asked.value(asked.logged) < asked.best_fixed < asked.oracle


def test_a_choice_that_was_not_eligible_has_no_value() -> None:
    """A policy that ignores consent would look good."""
    asked = small().asked
    forbidden = (~asked.eligible).argmax(axis=1)

    with pytest.raises(WorldError, match="not eligible"):
        asked.value(forbidden)


def test_what_was_known_when_asked_is_what_a_logged_case_knows(tmp_path: Path) -> None:
    """Features at the truth's moments must be those that learning sees, loaded the ordinary way."""
    given = small("logged")
    settings = WorldSettings.named(**{"accounts": 60, "seed": 5} | dict(preset("logged").settings))
    world = simulate(settings)
    world.write(tmp_path / "world")
    loaded = ingest(tmp_path / "world", Home.at(tmp_path / "home"), loaded_at=settings.until_micros)
    cases = build_cases(loaded.snapshot, read_playbook("pharma"))
    rows = {key: row for row, key in enumerate(zip(cases.account_ids, cases.as_of.tolist(), strict=True))}
    moments = given.asked.features.moments
    same = [rows[key] for key in zip(moments.account_ids, moments.as_of.tolist(), strict=True)]

    for group in ("account", "channel", "topic", "message"):
        ours, theirs = getattr(given.asked.features, group), getattr(cases.features, group)[same]
        assert np.array_equal(ours, theirs, equal_nan=True)
    assert np.array_equal(given.asked.logged, cases.action[same])
    assert np.array_equal(given.asked.eligible, cases.eligible[same])


def test_a_smaller_number_of_cases_is_part_of_a_larger_one() -> None:
    """So that a curve over cases shows what more data bring and not another draw."""
    given = small()

    few, many = given.first(150), given.first(400)

    assert 150 <= len(few) < 180
    assert set(few.account_ids) < set(many.account_ids)
    with pytest.raises(TooFewCasesError, match="need 100,000"):
        given.first(100_000)


def test_a_new_message_is_judged_only_since_it_exists() -> None:
    """Before, nobody could have chosen it."""
    given = small("new_message")
    place = [treatment.id for treatment in given.playbook.treatments].index("visit_efficacy")

    assert given.asked.eligible[:, place].all()


def test_in_a_zero_world_nobody_can_gain() -> None:
    """There the only right answer is no contact."""
    asked = small("zero").asked

    assert asked.oracle == asked.best_fixed == 0.0


def test_a_world_that_does_not_exist_is_said_with_what_is_near() -> None:
    """A misspelt name must not silently measure something else."""
    with pytest.raises(WorldError, match=r"'randomized'\. Did you mean 'randomised'"):
        preset("randomized")
