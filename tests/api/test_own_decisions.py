"""What the engine decided itself becomes what the next training learns from, with its probability."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pytest

import training.cases
from data.history import HistoryStore, Snapshot
from data.nights import NightFolder
from data.own_decisions import OWN_POLICY, own_decisions
from data.playbooks import read_playbook
from engine.records import DAY_MICROS
from tests.api.company import Company, served, tables_of
from tests.data.files import outcome
from training.cases import OWN_WAITING, build_cases

ACCOUNTS = [f"a{n}" for n in range(1, 15)]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """One event that was decided live; then a night, and the one after it, which takes over both."""
    tables = tables_of(ACCOUNTS, outcomes=[outcome("o1", "a1")])
    with served(tmp_path_factory.mktemp("own"), tables) as company:
        company.reads_page("side_effects", "a1")
        company.clock.pass_time(hours=1)
        company.night(ignore_freshness=True)
        company.clock.pass_time(days=1)
        company.night(ignore_freshness=True)
        yield company


def snapshot_of(company: Company) -> Snapshot:
    found = HistoryStore(company.settings.as_home().history).current()
    assert found is not None
    return found


def decisions_of(snapshot: Snapshot) -> pl.DataFrame:
    return pl.concat([snapshot.table(bucket, "decisions") for bucket in range(snapshot.buckets)])


def test_a_live_decision_is_history_after_the_night_as_it_was_logged(company: Company) -> None:
    """A probability that is estimated a month later, when it was known, is a gift thrown away."""
    with company.ledger() as ledger:
        logged = ledger.logged.live(after=(-1, ""), until=company.clock(), limit=10)

    found = decisions_of(snapshot_of(company)).filter(pl.col("decision_id") == logged[0].decision_id)

    row = found.row(0, named=True)
    record = logged[0].record
    could = {t for t, stage in zip(record["treatment"], record["stage"], strict=True) if stage is None}
    assert (row["account_id"], row["treatment"]) == ("a1", logged[0].treatment)
    assert (row["probability"], row["policy"], row["place"]) == (logged[0].probability, OWN_POLICY, 1)
    assert set(row["eligible"].split("|")) == could
    assert row["treatment"] in could
    assert row["stored_at"] == row["decided_at"]
    assert found.height == 1


def test_of_a_night_each_account_comes_every_seventh_day(company: Company) -> None:
    """Whose turn it is follows from the account alone, so it has nothing to do with what was drawn."""
    with company.ledger() as ledger:
        every = ledger.logged.every(after=(-1, ""), until=company.clock(), limit=1_000)
    runs = [each for each in every if "night" in each.record]
    first = [each for each in runs if each.decided_at < company.clock() - DAY_MICROS // 2]

    found = decisions_of(snapshot_of(company))
    taken = found.filter(pl.col("decision_id").is_in([each.decision_id for each in first]))

    assert 0 < taken.height < len(first) == len(ACCOUNTS)
    folder = NightFolder(company.settings.as_home().nights / first[0].record["night"])
    records = pl.concat([folder.read(bucket, "record") for bucket in range(16) if folder.has(bucket)])
    for row in taken.iter_rows(named=True):
        own = records.filter(pl.col("account_id") == row["account_id"], pl.col("stage").is_null())
        assert set(row["eligible"].split("|")) == set(own["treatment"])


def test_the_next_training_knows_the_engines_own_probabilities(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the API over the night to the cases; before enough are mature they wait, counted."""
    snapshot, playbook = snapshot_of(company), read_playbook("pharma")
    everything = decisions_of(snapshot)

    waiting = build_cases(snapshot, playbook)
    monkeypatch.setattr(training.cases, "OWN_ENOUGH", 0)
    cases = build_cases(snapshot, playbook)

    assert waiting.basis == "landmarks"
    assert waiting.left_out[OWN_WAITING] == everything.height
    assert cases.basis == "decisions"
    logged = {(row["account_id"], row["probability"]) for row in everything.iter_rows(named=True)}
    assert set(zip(cases.account_ids, cases.probability.tolist(), strict=True)) <= logged
    assert len(cases) > 1
    assert (cases.options > 1).any()


def test_a_third_night_takes_nothing_over_twice(company: Company) -> None:
    """The night may be started again, and its note of how far it came may be lost."""
    before = decisions_of(snapshot_of(company))
    (company.settings.as_home().history / "DECISIONS_AT").unlink()

    company.clock.pass_time(minutes=1)
    company.night(ignore_freshness=True)

    after = decisions_of(snapshot_of(company))
    assert after.filter(pl.col("superseded_at").is_not_null()).is_empty()
    assert after["decision_id"].is_unique().all()
    assert set(before["decision_id"]) <= set(after["decision_id"])


def test_what_an_interrupted_night_posts_late_is_not_passed_over(company: Company) -> None:
    """It decides as of its beginning; by then decisions of the day after may have been taken over."""
    with company.ledger() as ledger:
        found, until = own_decisions(ledger, (company.clock(), "~"), now=company.clock() + 1)

    assert found.height > 0
    assert until == (company.clock(), "~")
