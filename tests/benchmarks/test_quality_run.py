"""The bench as a whole, with small worlds: cells are measured once, tables say what was measured."""

from __future__ import annotations

import ast
import json
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality import handover, ours, run, worlds
from benchmarks.quality.__main__ import main
from benchmarks.quality.found import Found
from benchmarks.quality.peers import PEERS
from benchmarks.quality.peers.problem import Problem
from benchmarks.quality.pictures import curves
from benchmarks.quality.results import JUDGING, NOT_LEARNING, ROOT, Cell, Result, Results, code_of
from benchmarks.quality.run import Plan, cells
from benchmarks.quality.tables import BEGIN, END, document, put_into
from data.home import DataError
from data.progress import quiet
from engine.features import Features
from tests.benchmarks.test_quality_worlds import small

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def result(who: str = "product", world: str = "randomised", cases: int = 20_000, seed: int = 1,
           value: float | None = 150.0) -> Result:  # fmt: skip
    """A finished cell: the oracle earns 300, the best fixed action 100."""
    zero = world.startswith("zero")
    return Result(
        Cell(world, cases, seed, who), value, 0.0 if zero else 300.0, 0.0 if zero else 100.0, 20.0, 7.0, "",
        code_of(who), "abc", {"numpy": "2"},
    )  # fmt: skip


def found_of(folder: Path, *given: Result) -> Found:
    """What was read back of some results."""
    results = Results(folder / "results.jsonl")
    for each in given:
        results.add_cell(each)
    return Found.of(results)


def test_a_share_is_zero_at_the_best_fixed_action_and_one_at_the_oracle() -> None:
    """All tables rest on it."""
    assert [replace(result(), value=value).share for value in (100.0, 300.0, 50.0)] == [0.0, 1.0, -0.25]
    assert np.isnan(result(value=None).share)
    assert np.isnan(result(world="zero").share)


def test_a_cell_is_measured_again_only_when_its_code_has_changed(tmp_path: Path) -> None:
    """A run of days goes on where it stopped, and never mixes old code's figures with new ones unseen."""
    results = Results(tmp_path / "results.jsonl")
    results.add_cell(result())
    code = {"product": code_of("product")}

    done = results.missing([result().cell], code)
    changed = results.missing([result().cell], {"product": "other"})
    more = results.missing([result().cell, result(seed=2).cell], code)

    assert (done, changed, more) == ([], [result().cell], [result(seed=2).cell])


def test_a_line_that_a_crash_cut_short_is_measured_again(tmp_path: Path) -> None:
    """The file must stay readable."""
    results = Results(tmp_path / "results.jsonl")
    results.add_cell(result())
    with results.path.open("a", encoding="utf-8") as file:
        file.write('{"kind": "cell", "cell": {"wor')

    assert list(results.cells()) == [result().cell]


def test_what_the_tables_were_made_from_goes_on_on_another_machine(tmp_path: Path) -> None:
    """A measurement of days outlives the machine: there, only what is missing is measured."""
    tracked = tmp_path / "measured.jsonl"
    here = Results(tmp_path / "here.jsonl", tracked)
    here.add_cell(result(value=120.0))
    here.add("claim", {"world": "zero", "seed": 1, "code": "a", "claimed": False})
    here.keep()
    kept = tracked.read_text(encoding="utf-8")
    there = Results(tmp_path / "there.jsonl", tracked)
    there.add_cell(result(seed=2))
    there.add_cell(replace(result(), value=99.0, code="older"))

    left = there.missing([result(seed=s).cell for s in (1, 2, 3)], {"product": code_of("product")})
    there.keep()

    assert left == [result(seed=3).cell]
    assert there.cells()[result().cell].value == 120.0
    assert tracked.read_text(encoding="utf-8").splitlines()[:1] == kept.splitlines()[:1]
    assert len(tracked.read_text(encoding="utf-8").splitlines()) == 3


def test_no_figure_is_a_mean_over_two_codes_and_what_is_of_other_code_is_named(tmp_path: Path) -> None:
    """Otherwise a figure after a change would be partly one of before it."""
    old = [replace(result(seed=seed, value=300.0), code="old", commit="0ld") for seed in (1, 2, 3)]
    alone = replace(result("best_fixed", world="hidden"), code="old", commit="0ld")
    found = found_of(tmp_path, *old, result(seed=4, value=120.0), alone)

    text = document(found, NOW, "make bench-quality")

    assert "| `randomised` | 4 | 200 | 10.0 | - |" in text
    assert "Of other code than this checkout's, commit 0ld: 1 cells (`hidden` 20,000 (1))." in text
    assert "measured with newer code: 3 cells (`randomised` 20,000 (3))." in text


def test_old_seeds_count_where_seeds_measured_again_gave_the_same_to_the_bit(tmp_path: Path) -> None:
    """A change that changes nothing does not cost days; one seed that differs costs them all."""
    old = [replace(result(seed=seed, value=120.0), code="old", commit="0ld") for seed in (1, 2, 3)]
    other = [replace(result("best_fixed", seed=seed), code="old", commit="0ld") for seed in (1, 2)]
    results = Results(tmp_path / "here.jsonl", tmp_path / "tracked.jsonl")
    for each in (*old, *other, result(value=120.0), result("best_fixed", value=100.0)):
        results.add_cell(each)
    results.keep()
    kept = Results(tmp_path / "there.jsonl", tmp_path / "tracked.jsonl")

    for each in (results, kept):
        text = document(Found.of(each), NOW, "make bench-quality")

        assert "| `randomised` | 1 to 3 | 200 | 10.0 ± 0.0 | 0.0 |" in text
        assert "gave the same to the bit: 2 cells (`randomised` 20,000 (2))." in text
        assert "measured with newer code: 1 cells (`randomised` 20,000 (1))." in text
        wanted = [result(who, seed=2).cell for who in ("product", "best_fixed")]
        code = {who: code_of(who) for who in ("product", "best_fixed")}
        assert each.missing(wanted, code) == [result("best_fixed", seed=2).cell]
    assert '"code": "old"' in (tmp_path / "tracked.jsonl").read_text(encoding="utf-8")

    kept.add_cell(result(seed=2, value=121.0))

    assert [cell.seed for cell in Found.of(kept).older if cell.who == "product"] == [3]


def test_codes_that_gave_the_same_differ_from_newer_code_together(tmp_path: Path) -> None:
    """Seed 1 was carried over to a second code and differs now. That seed 2, never measured with the second,
    comes out as before does not make the seeds of the first code those of today's."""
    results = Results(tmp_path / "here.jsonl")
    for seed in (1, 2, 3):
        results.add_cell(replace(result(seed=seed, value=120.0), code="first"))
    cell = asdict(result().cell)
    results.add("again", {"cell": cell, "code": "first", "now": "second", "same": True})
    results.add("again", {"cell": cell, "code": "second", "now": code_of("product"), "same": False})

    results.add_cell(result(seed=2, value=120.0))

    assert [cell.seed for cell in Found.of(results).older] == [1, 3]


def test_written_tables_leave_their_cells_in_the_tracked_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the command itself, with nothing left to measure."""
    page, tracked = tmp_path / "page.md", tmp_path / "measured.jsonl"
    page.write_text(f"{BEGIN}\n{END}\n", encoding="utf-8")
    monkeypatch.setattr("benchmarks.quality.__main__.PAGE", page)
    monkeypatch.setattr("benchmarks.quality.__main__.ROOT", tmp_path)
    Results(tmp_path / "results.jsonl").add_cell(result())
    asked = ["--worlds", "randomised", "--who", "product", "--write", "--tracked", str(tracked)]

    done = main([*asked, "--results", str(tmp_path / "results.jsonl")])

    assert done == 0
    assert "| `randomised` | 1 | 200 | 25.0 |" in page.read_text(encoding="utf-8")
    assert Results(tmp_path / "none.jsonl", tracked).cells() == {result().cell: result()}


@pytest.mark.parametrize(("asked", "covered"), [("ours", set()), ("certainty", set(JUDGING))])
def test_no_figure_depends_on_what_its_fingerprint_leaves_out(asked: str, covered: set[str]) -> None:
    """A file that is left out by mistake could change and old figures would pass for new ones."""
    found, open_ = set(), [ROOT / f"benchmarks/quality/{asked}.py"]
    while open_:
        for node in ast.walk(ast.parse(open_.pop().read_text(encoding="utf-8"))):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            path = ROOT / (module.replace(".", "/") + ".py")
            if module.startswith("training.") and path not in found:
                found.add(path)
                open_.append(path)

    left_out = NOT_LEARNING - {"errors.py"} - {Path(name).name for name in covered}
    assert not {path.name for path in found} & left_out


def test_every_learner_of_a_small_world_gets_a_cell_and_nothing_is_done_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From simulation to a line of the table, by the same code as the full table."""
    made = []

    def simulated(name: str, seed: int, cases: int) -> worlds.Material:
        made.append((name, seed, cases))
        return replace(small(name, cases), seed=seed)

    monkeypatch.setattr(run, "material", simulated)
    who = ("product", "best_fixed", "lightgbm_t", "vw")
    plan = Plan(frozenset(cells(["randomised"], [4_200], [1], who)), None)
    results = Results(tmp_path / "results.jsonl")

    run.run(plan, results, quiet)
    run.run(plan, results, quiet)

    lines = results.cells()
    assert made == [("randomised", 1, 4_200)]
    assert {cell.who for cell in lines} == {"product", "best_fixed", "lightgbm_t"}
    assert all(each.value is not None and each.value < each.oracle for each in lines.values())
    assert lines[Cell("randomised", 4_200, 1, "product")].note in ("best_fixed", "s_learner", "t_learner")


def test_the_full_run_pairs_every_peer_with_the_product_in_every_world_by_twenty_seeds() -> None:
    """The criterion of the comparison asks for it; seeds for tuning are not among them."""
    wanted = run.full((*ours.names(), *PEERS))

    for world in worlds.presets():
        for who in ("product", *PEERS):
            mine = {
                cell.seed for cell in wanted if (cell.world, cell.cases, cell.who) == (world, 20_000, who)
            }
            assert mine == set(range(1, 21))
    assert {cell.cases for cell in wanted} == {20_000, 50_000, 100_000, 200_000, 500_000}
    assert max(cell.seed for cell in wanted) == 20


def test_the_affordable_run_has_three_seeds_where_shares_are_wanted_and_no_selection_at_200_000() -> None:
    """What takes days is measured by nobody; seeds for tuning are not among them."""
    wanted = run.affordable(ours.names())

    for world in run.GOALS:
        for who, size in (("product", 20_000), ("linear", 200_000)):
            mine = {cell.seed for cell in wanted if (cell.world, cell.cases, cell.who) == (world, size, who)}
            assert mine == {1, 2, 3}
    assert {cell.world for cell in wanted} == set(worlds.presets())
    assert not [cell for cell in wanted if cell.cases > 20_000 and cell.who == "product"]


def test_nothing_is_learned_for_somebody_who_was_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The product's selection takes a quarter of an hour at 200,000 cases."""
    given = small("randomised", 4_200)
    monkeypatch.delattr(ours, "select")
    monkeypatch.delattr(ours, "plain_t_learner")

    asked = ours.choices(given.cases, ours.assigned(given.cases, 1), given.asked, ["best_fixed"], seed=1)

    assert [choice.who for choice in asked] == ["best_fixed"]


def test_a_learner_does_not_choose_what_a_release_would_not_promote(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where assignment was estimated, the bench must judge what serving would do."""
    given = small("randomised", 4_200)
    known = ours.assigned(given.cases, 1)

    class NobodyWasContacted:
        def comparable(self, features: Features, treatments: int) -> np.ndarray:
            return np.arange(treatments) == np.zeros((len(features.moments), 1))

    free = next(ours.choices(given.cases, known, given.asked, ["best_fixed"], seed=1))
    monkeypatch.setattr(ours, "learn_support", lambda *given, seed: NobodyWasContacted())
    bound = next(ours.choices(given.cases, known, given.asked, ["best_fixed"], seed=1))

    assert free.choice.any()
    assert not bound.choice.any()


def test_a_peer_is_handed_what_was_known_and_nothing_of_the_truth(tmp_path: Path) -> None:
    """Whoever saw the truth would win."""
    given = small("logged")
    own = given.cases
    handover.hand_over(own, ours.assigned(own, 3), given.asked, 3, tmp_path)
    problem = Problem.read(tmp_path)
    names = {path.stem for path in tmp_path.iterdir()}

    assert np.allclose(problem.reward, own.reward - own.cost[own.action])
    assert np.array_equal(problem.asked.eligible, given.asked.eligible)
    assert np.allclose(problem.own.known["message"], own.features.message, equal_nan=True)
    assert not {name for name in names if "worth" in name or "expected" in name or "oracle" in name}
    linear = problem.linear_contexts()
    assert np.isfinite(linear[0]).all()
    assert np.isfinite(linear[1]).all()
    assert np.abs(linear[0].mean(axis=0)).max() < 0.5


def test_a_peer_takes_the_best_of_what_is_eligible(tmp_path: Path) -> None:
    """A peer that contacts whom it may not would be compared unfairly."""
    given = small("randomised", 4_200)
    own, draw = given.cases, np.random.default_rng(0)
    eligible = draw.random(given.asked.eligible.shape) < 0.5
    eligible[:, 0] = True
    asked = replace(given.asked, eligible=eligible)
    handover.hand_over(own, ours.assigned(own, 3), asked, 3, tmp_path)
    problem = Problem.read(tmp_path)

    choice = problem.greedy(draw.random((len(eligible), len(problem.learned))))

    assert eligible[np.arange(len(choice)), choice].all()
    assert len(problem.learned) > 10
    assert set(choice) <= set(problem.learned)


def test_a_peer_that_is_not_installed_or_too_slow_is_no_answer_but_a_note(tmp_path: Path) -> None:
    """One peer that fails must not end a run of days."""
    given = small("logged")
    own = given.cases
    handover.hand_over(own, ours.assigned(own, 3), given.asked, 3, tmp_path)

    missing = handover.ask("linucb", tmp_path, Path(sys.executable))
    slow = handover.ask("linucb", tmp_path, Path(sys.executable), budget=0)

    assert missing.choice is None
    assert "No module named 'mabwiser'" in missing.note
    assert slow.choice is None
    assert "not finished within 0 s" in slow.note


def test_the_table_shows_means_with_errors_and_who_did_not_finish(tmp_path: Path) -> None:
    """A peer without an answer must not look like one that was not asked."""
    found = found_of(
        tmp_path, result(seed=1, value=200.0), result(seed=2, value=240.0), result("vw", value=None),
        result("best_fixed"), result(world="zero", value=-1.5),
    )  # fmt: skip

    text = document(found, NOW, "make bench-quality")

    assert "| `randomised` | 1 to 2 | 200 | 60.0 ± 10.0 | 25.0 |  (1 not finished) |" in text
    assert "| `zero` | 20,000 | -1.5 | - | - |" in text
    assert "numpy 2" in text


def test_a_peer_that_is_ahead_does_not_pass_and_one_far_behind_does(tmp_path: Path) -> None:
    """The criterion of the comparison."""
    noise = (0.0, 2.0, -2.0, 1.0)
    found = found_of(
        tmp_path,
        *(result(seed=seed, value=200.0 + each) for seed, each in enumerate(noise, 1)),
        *(result("vw", seed=seed, value=220.0 - each) for seed, each in enumerate(noise, 1)),
        *(result("linucb", seed=seed, value=120.0 - each) for seed, each in enumerate(noise, 1)),
    )

    text = document(found, NOW, "make bench-quality")

    (ahead,) = [line for line in text.splitlines() if line.startswith("| `randomised` | 20,000 | Vowpal")]
    (behind,) = [line for line in text.splitlines() if line.startswith("| `randomised` | 20,000 | MABWiser")]
    assert ahead.endswith("| no |")
    assert behind.endswith("| yes |")


def test_goals_are_said_to_be_reached_only_where_they_are(tmp_path: Path) -> None:
    """90 % of the oracle's gain with 200,000 cases, and more with more data."""
    found = found_of(
        tmp_path, result(value=200.0), result(cases=200_000, value=285.0),
        result(world="logged", value=250.0), result(world="logged", cases=200_000, value=240.0),
    )  # fmt: skip

    text = document(found, NOW, "make bench-quality")

    assert "| `randomised`: share with 200,000 cases | at least 90% | 92.5 | yes |" in text
    assert "| `logged`: share with 200,000 cases | at least 90% | 70.0 | no |" in text
    assert "| `logged`: grows with the data | more | 75.0 with 20,000, 70.0 with 200,000 | no |" in text


def test_being_worse_than_the_best_fixed_action_is_said_only_beyond_noise(tmp_path: Path) -> None:
    """A single seed cannot tell, and a little below on some seeds is chance."""
    seeds = list(enumerate((0.0, 3.0, -3.0, 1.0), 1))
    found = found_of(
        tmp_path,
        *(result("best_fixed", w, seed=s, value=100.0) for w in ("logged", "linear") for s, _ in seeds),
        *(result(world="logged", seed=s, value=60.0 + noise) for s, noise in seeds),
        *(result(world="linear", seed=s, value=99.5 + noise) for s, noise in seeds),
        result("best_fixed"), result(value=50.0),
    )  # fmt: skip

    lines = [line for line in document(found, NOW, "").splitlines() if "beside `best_fixed`" in line]

    assert [(line.split("`")[1], line.split("|")[-2].strip()) for line in lines] == [
        ("randomised", "-"), ("logged", "no"), ("linear", "yes"),
    ]  # fmt: skip


def test_tables_go_between_the_marks_and_nowhere_else(tmp_path: Path) -> None:
    """The rest of the page was written by people."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")

    put_into(page, "new")

    assert page.read_text(encoding="utf-8") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    page.write_text("nothing", encoding="utf-8")
    with pytest.raises(DataError, match="put the two lines where the tables belong"):
        put_into(page, "new")
    assert page.read_text(encoding="utf-8") == "nothing"


def test_the_picture_has_a_curve_for_everybody_measured_at_two_sizes(tmp_path: Path) -> None:
    """Without a second size there is no curve to draw."""
    one = found_of(tmp_path / "one", result())
    two = found_of(tmp_path / "two", result(), result(cases=200_000, value=250.0), result("vw"))

    assert curves(one) == ""
    assert curves(two).count("<polyline") == 2
    assert curves(two).startswith("<svg")
    assert "nan" not in curves(two)


def test_a_misspelt_world_or_learner_is_one_line_and_nothing_is_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run of days must not begin with a slip."""
    results = ["--results", str(tmp_path / "results.jsonl")]

    assert main([*results, "--worlds", "randomized"]) == 2
    assert "Did you mean 'randomised'" in capsys.readouterr().err
    assert main([*results, "--who", "lightgbm"]) == 2
    assert "does not know ['lightgbm']" in capsys.readouterr().err
    assert not (tmp_path / "results.jsonl").exists()


def test_results_are_plain_json_lines(tmp_path: Path) -> None:
    """Somebody else may want to read them."""
    found_of(tmp_path, result())

    line = json.loads((tmp_path / "results.jsonl").read_text(encoding="utf-8"))

    assert line["cell"] == {"world": "randomised", "cases": 20_000, "seed": 1, "who": "product"}


def test_the_fingerprint_of_ours_does_not_depend_on_the_peers() -> None:
    """A change of a peer's adapter must not throw the product's figures away, and the reverse."""
    assert code_of("product") == code_of("s_learner")
    assert code_of("vw") != code_of("product")


def test_the_fingerprint_of_a_world_is_of_what_is_known_in_it() -> None:
    """Hours of figures are kept while that stays the same, and thrown away when an effect changes."""
    few = worlds.WorldSettings.named(accounts=20, seed=1)
    twice = {worlds.known_of(few) for _ in range(2)}

    assert len(twice) == 1
    assert worlds.known_of(replace(few, effect=few.effect / 2)) not in twice
    assert worlds.known_of(replace(few, seed=2)) not in twice
