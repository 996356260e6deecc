"""Claims where nothing is to be gained, and intervals beside the truth: measured and counted by seed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks.quality import worlds
from benchmarks.quality.certainty import AS_SHOWN, LOGGED_ACCOUNTS, _some, claimed, covered
from benchmarks.quality.found import Found
from benchmarks.quality.results import CERTAINTY, Results, code_of
from benchmarks.quality.tables import document
from data.world import WorldSettings, simulate


def test_false_claims_and_coverage_are_counted_by_seed(tmp_path: Path) -> None:
    """A seed that was measured twice counts once, with its newest result."""
    results = Results(tmp_path / "results.jsonl")
    for seed, hit in ((1, True), (1, False), (2, True), (3, False), (4, False)):
        bounds = {"verdict": "limited evidence", "above_fixed": seed < 4, "above_nobody": seed != 2}
        results.add("claim", {"world": "zero", "seed": seed, "code": "a", "claimed": hit, **bounds})
        results.add(
            "coverage", {"world": "randomised", "seed": seed, "code": "a", "covered": {"a call": not hit}}
        )

    one = document(Found.of(results), datetime(2026, 11, 22, tzinfo=UTC), "make bench-quality")
    results.add("claim", {"world": "zero_logged", "seed": 1, "code": "a", "claimed": False})
    for seed in range(3, 203):
        held = {"a call": True, f"a call{AS_SHOWN}": True}
        results.add("coverage", {"world": "logged", "seed": seed, "code": "a", "covered": held})
    text = document(Found.of(results), datetime(2026, 11, 22, tzinfo=UTC), "make bench-quality")

    assert "all of them" not in one
    assert "| all of them: a gain is claimed | 5 | 20.0% |" in text
    assert "| all of them: bounds above zero, whatever the verdict | 4 | 50.0% |" in text
    assert "| `zero`: a gain is claimed | 4 | 25.0% |" in text
    assert "| `zero`: bounds above zero, whatever the verdict | 4 | 50.0% |" in text
    assert "| `randomised`: a call | 4 | 75.0% |" in text
    assert "| `logged`: a call | 200 | 100.0% | 97.4% to 100.0% | 95 % | no |" in text
    assert "| `logged`: a call, as shown | 200 | 100.0% | 97.4% to 100.0% | at least 95 % | yes |" in text


def test_old_claims_count_where_seeds_measured_again_gave_the_same(tmp_path: Path) -> None:
    """Four hundred training runs outlive a change that leaves them as they are, world by world."""
    results = Results(tmp_path / "here.jsonl", tmp_path / "tracked.jsonl")
    today = code_of(CERTAINTY)
    for world, seed, code, hit in (
        ("zero", 1, "old", False), ("zero", 2, "old", True), ("zero_logged", 1, "old", False),
        ("zero_logged", 2, "old", False), ("zero", 1, today, False), ("zero_logged", 1, today, True),
    ):  # fmt: skip
        line = {"world": world, "seed": seed, "code": code, "commit": code, "claimed": hit}
        results.add_certainty("claim", line)
    results.keep()

    for each in (results, Results(tmp_path / "there.jsonl", tmp_path / "tracked.jsonl")):
        found = {(line["world"], line["seed"]): (line["code"], line["claimed"])
                 for line in each.certainty("claim")}  # fmt: skip

        assert found == {
            ("zero", 1): (today, False), ("zero", 2): (today, True), ("zero_logged", 1): (today, True),
            ("zero_logged", 2): ("old", False),
        }  # fmt: skip


def test_a_training_run_in_a_small_zero_world_claims_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the 400 seeds of the full bench repeat."""
    monkeypatch.setattr("benchmarks.quality.certainty.ZERO_ACCOUNTS", 180)

    found = claimed("zero", 3)

    assert found["claimed"] is False
    assert not (found["above_fixed"] and found["above_nobody"])
    assert found["verdict"] in ("limited evidence", "outside scope", "directional", "reliable")


def test_coverage_compares_intervals_with_what_all_accounts_are_worth(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the truth moved far away no interval holds it: the check can fail."""
    monkeypatch.setattr("benchmarks.quality.certainty.ALL_ACCOUNTS", 600)
    monkeypatch.setattr("benchmarks.quality.certainty.LOGGED_ACCOUNTS", LOGGED_ACCOUNTS // 2)
    as_is = covered("randomised", 1)["covered"]
    policies = ("a call to everybody", "visits to segment A, else e-mail", "anything eligible alike")
    monkeypatch.setattr("benchmarks.quality.certainty._truly", lambda world: dict.fromkeys(policies, 1e6))
    elsewhere = covered("randomised", 1)["covered"]

    assert len(as_is) == 9
    assert sum(as_is.values()) >= 6
    assert sum(elsewhere.values()) == 0


def test_the_log_behind_an_interval_is_of_few_accounts_and_the_truth_of_all() -> None:
    """Were the log of all accounts, intervals would be compared with what they were made from."""
    world = simulate(
        WorldSettings.named(**{"accounts": 60, "seed": 4} | dict(worlds.preset("logged").settings))
    )

    log = _some(world, 10)

    assert log.tables["accounts"].height == 10
    for name in ("touchpoints", "outcomes", "decisions"):
        assert set(log.tables[name]["account_id"]) <= set(log.tables["accounts"]["account_id"])
    assert set(log.tables["responses"]["touchpoint_id"]) <= set(log.tables["touchpoints"]["touchpoint_id"])
    assert len(log.truth) == len(world.truth)
