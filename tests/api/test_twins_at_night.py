"""When the night looks for twins, and which finding which decision reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from api.nightly import run_night
from data.home import DataError
from data.nights import night_folders
from data.twins import twin_sets
from engine.records import EngineError
from tests.api.company import Clock, load, settings_of
from tests.scenarios.telecom import FIRMS, PLAYBOOK, tables


def company(folder: Path, text: str = PLAYBOOK, firms: int = 40) -> Any:
    rules = folder / "rules.toml"
    rules.write_text(text, encoding="utf-8")
    kept = set(FIRMS[:firms])
    rows = {
        name: [row for row in table if row.get("account_id", FIRMS[0]) in kept]
        for name, table in tables(1).items()
    }
    load(folder / "home", rows, playbook=str(rules))
    return settings_of(folder / "home", playbook=str(rules))


def facts(settings: Any) -> pl.DataFrame:
    nights = night_folders(settings.as_home().nights)
    folder = max(nights, key=lambda night: (night.state() or {})["as_of"])
    return pl.concat([folder.read(bucket, "facts") for bucket in folder.finished()])


def test_each_night_finds_and_then_decides_on_what_it_found(tmp_path: Path) -> None:
    """Also when the clock stands still between two nights."""
    settings, clock = company(tmp_path), Clock()

    for nights in (1, 2):
        run_night(settings, clock=clock, ignore_freshness=True)
        found = twin_sets(settings.as_home())
        assert len(found) == nights
        assert facts(settings)["twins_found"].null_count() == 0
        assert not facts(settings)["twins_found"].is_nan().any()
    assert found[0].stored_at < found[1].as_of


def test_a_night_for_a_past_moment_reads_what_had_been_found_before_it(tmp_path: Path) -> None:
    """It cannot know what is found today; the next night does."""
    settings, clock = company(tmp_path), Clock()
    as_of = clock()
    clock.pass_time(hours=1)

    run_night(settings, as_of=as_of, clock=clock, ignore_freshness=True)

    assert facts(settings)["twins_found"].is_nan().all()
    assert [found.as_of for found in twin_sets(settings.as_home())] == [clock()]
    clock.pass_time(hours=1)
    run_night(settings, as_of=clock(), clock=clock, ignore_freshness=True)
    assert (facts(settings)["twins_found"] == 0.0).all()


def test_the_same_past_night_again_looks_for_nothing(tmp_path: Path) -> None:
    """A run that is complete changes nothing."""
    settings, clock = company(tmp_path), Clock()
    run_night(settings, as_of=clock(), clock=clock, ignore_freshness=True)
    found = twin_sets(settings.as_home())

    assert run_night(settings, as_of=clock(), clock=clock, ignore_freshness=True).already

    assert twin_sets(settings.as_home()) == found


def test_a_night_that_was_interrupted_after_it_found_goes_on_with_that(tmp_path: Path) -> None:
    """It decides the rest as it began."""
    settings, clock = company(tmp_path), Clock()

    def interrupt(stage: str, done: int, of: int) -> None:
        if (stage, done) == ("deciding and publishing", 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_night(settings, clock=clock, ignore_freshness=True, report=interrupt)

    run_night(settings, clock=clock, ignore_freshness=True)

    assert len(twin_sets(settings.as_home())) == 1
    assert not facts(settings)["twins_found"].is_nan().any()


def test_a_search_that_was_interrupted_leaves_nothing_and_is_done_again(tmp_path: Path) -> None:
    """Half of the accounts compared is nothing found."""
    settings, clock = company(tmp_path), Clock()

    def interrupt(stage: str, done: int, of: int) -> None:
        if stage == "twins: comparing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_night(settings, clock=clock, ignore_freshness=True, report=interrupt)

    assert twin_sets(settings.as_home()) == []
    run_night(settings, clock=clock, ignore_freshness=True)
    assert len(list(settings.as_home().twins.iterdir())) == 1


def test_a_playbook_without_twins_looks_for_none(tmp_path: Path) -> None:
    """Nothing is computed, kept or asked for."""
    text = PLAYBOOK.replace("[twins]\n", "[twins]\non = false\n").partition("[context_weights")[0]
    settings = company(tmp_path, text)

    run_night(settings, clock=Clock(), ignore_freshness=True)

    assert twin_sets(settings.as_home()) == []
    assert "twins_found" not in facts(settings).columns


def test_without_any_trait_the_night_stops_and_says_so(tmp_path: Path) -> None:
    """Comparing everybody with everybody would claim what size explains."""
    text = PLAYBOOK.replace("[twins]\n", '[twins]\nwithout = ["employees", "industry", "segment"]\n')
    settings = company(tmp_path, text)

    with pytest.raises((EngineError, DataError), match="no attribute is left to tell who is alike"):
        run_night(settings, clock=Clock(), ignore_freshness=True)
    assert night_folders(settings.as_home().nights) == []
