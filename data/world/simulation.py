"""From settings to a world, and from a world to a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from data.progress import Progress, quiet
from data.whole_folder import refuse_occupied, whole_folder
from data.world.business import WorldError
from data.world.course import Course, run_course
from data.world.events import decisions_table, outcomes_table, responses_table
from data.world.offers import offers_table
from data.world.scene import Scene
from data.world.settings import WorldSettings
from data.world.tables import (
    Contacts,
    accounts_table,
    decision_ids,
    frame,
    moments,
    preferences_table,
    touchpoints_table,
)  # fmt: skip
from data.world.truth import Truth, caused_within_horizon, expected_otherwise
from engine.contract import TIME

_SETTINGS = "truth/settings.json"
"""Only a world has it."""


@dataclass(frozen=True)
class World:
    """A simulated world.

    Attributes:
        settings: What it was made from.
        tables: Of the data contract, by name.
        truth: About every decision.
        traits: What is hidden about the accounts, one row each.
        stages: Phases of the accounts, one row each; None where the business knows none.
    """

    settings: WorldSettings
    tables: Mapping[str, pl.DataFrame]
    truth: Truth
    traits: pl.DataFrame
    stages: pl.DataFrame | None = None

    def write(self, folder: Path) -> None:
        """Write the tables as <folder>/<table>.parquet and the truth into <folder>/truth, or nothing at all.

        A world that was written there before is replaced.

        Raises:
            OccupiedFolderError: There is something else in the folder.
            WorldError: The folder cannot be written.
        """
        _refuse_occupied(folder)
        try:
            with whole_folder(folder) as building:
                for name, rows in self.tables.items():
                    rows.write_parquet(building / f"{name}.parquet")
                (building / "truth").mkdir()
                self._write_truth(building / "truth")
        except OSError as error:
            raise WorldError(f"The world cannot be written to {folder}: {error.strerror}.") from error

    def _write_truth(self, folder: Path) -> None:
        truth = self.truth
        about = pl.DataFrame({
            "decision_id": truth.decision_ids, "account_id": truth.account_ids,
            "decided_at": moments(truth.decided_at),
        })  # fmt: skip
        names = list(truth.treatments)
        about.hstack(pl.from_numpy(truth.expected, schema=names)).write_parquet(folder / "expected.parquet")
        about.with_columns(
            treatment=pl.Series(names).gather(truth.choice), probability=truth.probability,
            baseline=truth.baseline, optout=truth.optout,
        ).write_parquet(folder / "decisions.parquet")  # fmt: skip
        about.select("decision_id").hstack(
            pl.from_numpy(truth.eligible, schema=names)
        ).write_parquet(folder / "eligible.parquet")  # fmt: skip
        pl.DataFrame({"treatment": names, "cost": truth.cost}).write_parquet(folder / "treatments.parquet")
        self.traits.write_parquet(folder / "traits.parquet")
        if self.stages is not None:
            self.stages.write_parquet(folder / "stages.parquet")
        settings = json.dumps(asdict(self.settings), default=str, indent=2)
        (folder / Path(_SETTINGS).name).write_text(settings + "\n", encoding="utf-8")


def simulate(settings: WorldSettings, progress: Progress = quiet) -> World:
    """Simulate a world. The same settings give the same world.

    Args:
        settings: Checked when they were made.
        progress: Called with (stage, done, of).

    Raises:
        WorldError: `new_treatment` is not in the playbook, or its world does not know what the playbook says.
    """
    progress("accounts", 0, 4)
    scene = Scene.draw(settings)
    progress("contacts", 1, 4)
    course = run_course(scene)
    progress("tables", 2, 4)
    tables = _tables(scene, course)
    progress("truth", 3, 4)
    truth = _truth(scene, course)
    progress("truth", 4, 4)
    stages = None if scene.phases is None else scene.phases.table(scene.people.account_ids)
    return World(settings, tables, truth, _traits(scene), stages)


def playbook_of(folder: Path) -> str | None:
    """Whose world was written to a folder; None where there is none."""
    try:
        said = json.loads((folder / _SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return str(said.get("playbook", "pharma"))


def write_world(settings: WorldSettings, folder: Path, progress: Progress = quiet) -> World:
    """Simulate a world and write it to a folder. Raises WorldError, OccupiedFolderError."""
    _refuse_occupied(folder)
    world = simulate(settings, progress)
    world.write(folder)
    return world


def _refuse_occupied(folder: Path) -> None:
    refuse_occupied(folder, is_ours=lambda there: (there / _SETTINGS).is_file(), what="a simulated world")


def _tables(scene: Scene, course: Course) -> dict[str, pl.DataFrame]:
    contacts = Contacts(course, scene.catalogue)
    begin = pl.lit(scene.settings.start_micros).cast(TIME)
    users, team = scene.staff.users(scene.settings), scene.staff.team(scene.people)
    tables = {
        "accounts": accounts_table(scene),
        "users": frame("users", users.with_columns(stored_at=begin).to_dict()),
        "account_team": frame("account_team", team.with_columns(stored_at=begin).to_dict()),
        "touchpoints": touchpoints_table(scene, course, contacts),
        "responses": responses_table(scene, course, contacts),
        "outcomes": outcomes_table(scene, course),
        "preferences": preferences_table(scene, course),
    }
    if scene.settings.assignment != "targeted":
        tables["decisions"] = decisions_table(scene, course)
    offers = offers_table(scene, contacts)
    if offers is not None:
        tables["offers"] = offers
    return tables


def _truth(scene: Scene, course: Course) -> Truth:
    catalogue, rounds, count = scene.catalogue, scene.settings.rounds, scene.decisions
    return Truth(
        decision_ids=decision_ids(scene),
        account_ids=pl.select(pl.Series(scene.people.account_ids).repeat_by(rounds).explode()).to_series(),
        decided_at=course.decided_at.ravel(),
        treatments=catalogue.ids,
        cost=catalogue.cost,
        horizon_days=scene.horizons,
        expected=caused_within_horizon(course, scene).reshape(count, -1),
        baseline=expected_otherwise(course, scene).ravel(),
        optout=course.optout.ravel(),
        eligible=course.eligible.reshape(count, -1),
        choice=course.choice.ravel(),
        probability=course.probability.ravel(),
    )


def _traits(scene: Scene) -> pl.DataFrame:
    people, catalogue = scene.people, scene.catalogue
    columns = {"account_id": pl.Series(people.account_ids), "openness": pl.Series(people.openness),
               "frailty": pl.Series(people.frailty)}  # fmt: skip
    if scene.settings.business.underperformers:
        columns["underperforms"] = pl.Series(people.underperforms)
    for names, tastes in ((catalogue.channels, people.channel_taste), (catalogue.topics, people.topic_taste)):
        columns |= {f"taste_{name or 'no_topic'}": pl.Series(tastes[:, i]) for i, name in enumerate(names)}
    return pl.DataFrame(columns)
