"""The simulated world as tables: a log that could exist, read by the loader of any customer."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data.playbooks import read_playbook
from data.tables import read_table
from data.whole_folder import OccupiedFolderError
from data.world import WorldError, WorldSettings, best_fixed, oracle, policy_value, simulate, write_world
from engine.contract import TABLES
from tests.data.worlds import emails_before, world


def test_the_same_settings_write_the_same_bytes(tmp_path: Path) -> None:
    """Published claims name a seed; whoever repeats them must get the very same tables."""
    settings = WorldSettings(accounts=60, seed=11)

    for name in ("one", "two"):
        write_world(settings, tmp_path / name)

    written = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.parquet"))
    assert len(written) == 13
    for path in written:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes(), path


def test_another_seed_is_another_world() -> None:
    """Or intervals over seeds would be a lie."""
    assert not world().tables["outcomes"].equals(world(seed=8).tables["outcomes"])


@pytest.mark.parametrize("assignment", ["targeted", "targeted_logged", "randomised"])
def test_every_table_passes_the_contract(assignment: str, tmp_path: Path) -> None:
    """The world is read by the same loader as a customer's export; nothing may be rejected."""
    write_world(WorldSettings(accounts=200, assignment=assignment), tmp_path)  # type: ignore[arg-type]

    for name in TABLES:
        checked = read_table(tmp_path, name)
        if checked is not None:
            assert len(checked.rejects) == 0, name
            assert len(checked.rows) > 0, name
    assert (read_table(tmp_path, "decisions") is None) == (assignment == "targeted")


def test_references_between_tables_hold() -> None:
    """Rows that point nowhere would be rejected by the loader, or lost by the learner."""
    tables, playbook = world().tables, read_playbook("pharma")
    accounts = set(tables["accounts"]["account_id"])
    users = set(tables["users"]["user_id"])

    for name in ("account_team", "touchpoints", "outcomes", "preferences", "decisions"):
        assert set(tables[name]["account_id"]) <= accounts, name
    assert set(tables["responses"]["touchpoint_id"]) <= set(tables["touchpoints"]["touchpoint_id"])
    assert set(tables["touchpoints"]["decision_id"].drop_nulls()) <= set(tables["decisions"]["decision_id"])
    assert set(tables["touchpoints"]["user_id"].drop_nulls()) <= users
    assert set(tables["users"]["manager_id"].drop_nulls()) <= users
    assert set(tables["touchpoints"]["channel"]) <= {channel.id for channel in playbook.channels}
    assert set(tables["touchpoints"]["topic"]) <= {topic.id for topic in playbook.topics}
    assert set(tables["users"]["role"]) <= {role.id for role in playbook.roles}


def test_all_contacts_of_the_playbook_occur_and_the_horizon_is_its() -> None:
    """A treatment without a log could not be learned; another horizon would count other outcomes."""
    playbook = read_playbook("pharma")

    ids = {treatment.id for treatment in playbook.treatments if treatment.kind != "stop"}

    assert set(world().truth.treatments) == ids == set(world().tables["decisions"]["treatment"])
    assert {playbook.horizon(t.issue) for t in playbook.treatments} == {WorldSettings().horizon_days}


def test_facts_arrive_late_and_are_corrected() -> None:
    """The store must meet what real exports do: late rows, and one id with two contents."""
    touchpoints = world(accounts=1_000).tables["touchpoints"]

    lag = (touchpoints["stored_at"] - touchpoints["occurred_at"]).dt.total_hours()
    done = touchpoints["status"] == "done"
    versions = touchpoints.group_by("touchpoint_id").agg(
        pl.len(),
        pl.col("treatment").n_unique().alias("contents"),
        pl.col("stored_at").n_unique().alias("times"),
    )
    corrected = versions.filter(pl.col("len") > 1)

    assert (lag.filter(done) > 48).sum() > 100
    assert (lag.filter(done) >= 0).all()
    assert len(corrected) > 20
    assert (corrected["times"] == 2).all()
    assert (corrected["contents"] == 2).mean() > 0.95  # type: ignore[operator]


def test_nothing_happens_after_the_end_but_plans_are_known() -> None:
    """An export made at `until` cannot know the future, but it holds the diaries."""
    given = world(accounts=1_000)
    end = given.settings.until

    for name, table in given.tables.items():
        assert table["stored_at"].max() < end, name  # type: ignore[operator]
    touchpoints = given.tables["touchpoints"]
    assert touchpoints.filter(pl.col("occurred_at") >= end)["status"].unique().to_list() == ["planned"]
    assert touchpoints.filter(status="planned", channel="visit").height > 10
    assert given.tables["outcomes"]["occurred_at"].max() < end  # type: ignore[operator]
    assert given.tables["responses"]["responded_at"].max() < end  # type: ignore[operator]


def test_opt_outs_rise_with_the_number_of_emails() -> None:
    """What the engine is to learn about stopping: each further e-mail is riskier than the one before."""
    emails = emails_before(world(accounts=6_000, fatigue=4.0), 90)

    few = emails.filter(pl.col("before") <= 1)["left"].mean()
    many = emails.filter(pl.col("before") >= 4)["left"].mean()

    assert many > 3 * few  # type: ignore[operator]


def test_without_fatigue_nobody_opts_out() -> None:
    """The world in which a suggestion to stop is wrong."""
    calm = world(fatigue=0.0)

    assert "unsubscribed" not in set(calm.tables["responses"]["response"])
    assert not calm.truth.optout.any()


def test_fatigue_can_be_confined_to_a_segment() -> None:
    """Where stops must lie is known only if fatigue lies there alone."""
    given = world(accounts=1_000, fatigue=6.0, fatigue_segment="B")
    left = given.tables["preferences"].filter(channel="email", status="opt_out")

    segments = left.join(given.tables["accounts"], on="account_id")["segment"]

    assert len(left) > 20
    assert set(segments) == {"B"}


def test_nobody_is_emailed_without_permission_or_after_an_opt_out() -> None:
    """The log must be one that could legally exist, or eligibility learned from it would be wrong."""
    given = world(accounts=1_000, fatigue=6.0)
    emails = given.tables["touchpoints"].filter(channel="email")
    consent = given.tables["preferences"].filter(channel="email")
    opted_in = consent.filter(status="opt_in")
    left = consent.filter(status="opt_out").select("account_id", "since")

    after = emails.join(left, on="account_id").filter(pl.col("occurred_at") > pl.col("since"))

    assert set(emails["account_id"]) <= set(opted_in["account_id"])
    assert after.is_empty()


def test_the_truth_lies_beside_the_tables_and_says_the_same(tmp_path: Path) -> None:
    """Benchmarks read it from disk; the loader must find none of it among the tables."""
    given = world()
    given.write(tmp_path)

    expected = pl.read_parquet(tmp_path / "truth" / "expected.parquet")
    logged = pl.read_parquet(tmp_path / "truth" / "decisions.parquet")

    assert {path.stem for path in tmp_path.glob("*.parquet")} <= set(TABLES)
    assert np.array_equal(expected.select(given.truth.treatments).to_numpy(), given.truth.expected)
    assert logged.select("decision_id", "treatment").equals(
        given.tables["decisions"].select("decision_id", "treatment")
    )


def test_writing_again_leaves_no_table_of_the_world_before(tmp_path: Path) -> None:
    """A log with probabilities left from an earlier world would belong to other accounts."""
    world().write(tmp_path)

    world(assignment="targeted").write(tmp_path)

    assert not (tmp_path / "decisions.parquet").exists()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"accounts": 0}, "accounts: got 0, need a number from 1"),
        ({"hidden": 1.5}, "hidden: got 1.5"),
        ({"noise": float("nan")}, "noise: got nan"),
        ({"assignment": "randomized"}, "Did you mean 'randomised'"),
        ({"effect_segment": "D"}, "need one of '', 'A', 'B', 'C'"),
        ({"days": 30}, "days: got 30, need at least"),
        ({"until": datetime(2026, 1, 1)}, "without a time zone"),  # noqa: DTZ001
        ({"new_treatment": "email_news"}, "has no contact 'email_news'"),
        ({"confunding": 1.0}, "Did you mean 'confounding'"),
    ],
)
def test_a_setting_that_cannot_be_is_named(changes: dict[str, object], complaint: str) -> None:
    """A world other than the one meant would be measured for days."""
    with pytest.raises(WorldError, match=complaint):
        simulate(WorldSettings.named(**changes))


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """The path was mistyped; no trace of calls helps."""
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")

    with pytest.raises(OccupiedFolderError, match="file is not a folder"):
        write_world(WorldSettings(accounts=5), blocked)
    with pytest.raises(WorldError, match="cannot be written to"):
        write_world(WorldSettings(accounts=5), blocked / "below")


def test_somebody_elses_folder_is_left_as_it_is(tmp_path: Path) -> None:
    """--out with the name of a customer's export must not mix the two."""
    (tmp_path / "accounts.parquet").write_bytes(b"theirs")

    with pytest.raises(OccupiedFolderError, match="not empty and not a simulated world"):
        world().write(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["accounts.parquet"]


def test_a_world_that_breaks_off_leaves_the_one_before(tmp_path: Path) -> None:
    """Half of one world and half of another would be measured for days."""
    out = tmp_path / "world"
    world().write(out)
    before = {path: path.read_bytes() for path in out.rglob("*.*")}
    broken = replace(world(seed=8), traits=None)  # type: ignore[arg-type]

    with pytest.raises(AttributeError):
        broken.write(out)

    assert {path: path.read_bytes() for path in out.rglob("*.*")} == before
    assert list(tmp_path.iterdir()) == [out]


def test_the_end_of_the_history_can_be_any_day() -> None:
    """A demo ends today, so that its suggestions are fresh."""
    today = datetime(2026, 11, 22, tzinfo=UTC)

    moved = simulate(WorldSettings(accounts=30, until=today))

    newest = moved.tables["touchpoints"].filter(status="done")["occurred_at"].max()
    assert (today - newest).days < 7  # type: ignore[operator]


def test_the_figures_of_the_documentation_are_those_of_the_world_that_it_shows() -> None:
    """They change with every change of the effects, and nobody looks."""
    page = (Path(__file__).parents[2] / "docs" / "world.md").read_text(encoding="utf-8")
    said = [int(figure) for figure in re.findall(r"# (\d+): what", page)]

    truth = simulate(WorldSettings(accounts=2_000, seed=1, assignment="randomised", hidden=0.5)).truth

    assert [round(policy_value(truth, policy(truth))) for policy in (oracle, best_fixed)] == said


def test_every_setting_stands_in_the_documentation_with_its_default() -> None:
    """A knob that is not written down is not used, and a wrong default misleads."""
    table = (Path(__file__).parents[2] / "docs" / "world.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", table, re.MULTILINE))

    written = {field.name: getattr(WorldSettings(), field.name) for field in fields(WorldSettings)}

    assert list(rows) == list(written)
    for name, default in written.items():
        if isinstance(default, int | float) and not isinstance(default, bool):
            assert float(rows[name]) == default, name


def test_settings_can_be_written_as_on_a_command_line() -> None:
    """Numbers, truth values and names, each as the setting needs it."""
    settings = WorldSettings.written(["effect=0", "linear = true", "assignment=randomised"], accounts=50)

    assert settings == WorldSettings(accounts=50, effect=0, linear=True, assignment="randomised")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("effect", "need NAME=VALUE"),
        ("effct=0", "'effect'"),
        ("days=90.0", "days: got 90.0, need a whole number"),
        ("effect=much", "effect: got much"),
        ("linear=perhaps", "linear: got perhaps"),
        ("until=2026-01-01", "until: got 2026-01-01"),
        ("assignment=random", "'randomised'"),
    ],
)
def test_a_setting_that_cannot_be_is_one_line(change: str, said: str) -> None:
    """Whoever simulates is told which knob was turned wrongly."""
    with pytest.raises(WorldError, match=re.escape(said)) as error:
        WorldSettings.written([change])

    assert "\n" not in str(error.value)
