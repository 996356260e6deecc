"""`nextbest explain`: a decision that was taken, told from what was kept of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from api.decider import proposals_of
from api.explain import LanguageError, explain
from data.ledger.types import Proposal, UnknownError
from data.nights import remove_nights
from data.playbooks import playbook_text
from tests.api.company import Company, served, tables_of
from tests.bad_input.commands import runner
from tests.engine.builders import history, playbook
from tests.engine.deciding import READY, FixedScorer, decided


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with served(tmp_path_factory.mktemp("explained"), tables_of([f"a{n}" for n in range(6)])) as found:
        yield found


def live(company: Company, account: str, topic: str = "side_effects") -> str:
    return company.reads_page(topic, account)["stored"][0]["decision_id"]


def told(company: Company, decision: str, **options: Any) -> dict[str, Any]:
    return json.loads(json.dumps(explain(company.settings, decision, **options)))


def test_a_live_decision_is_told_with_its_funnel_parts_reasons_and_objections(company: Company) -> None:
    """Who asks next month why she was to visit gets numbers that belong together."""
    decision = live(company, "a1")

    found = told(company, decision)

    assert (found["account_id"], found["decision_id"]) == ("a1", decision)
    first = next(c for c in found["candidates"] if c["place"] == 1)
    assert first["treatment"] == found["treatment"] == "visit_side_effects"
    amounts = [r["amount"] for r in found["reasons"]["visit_side_effects"] if r["amount"] is not None]
    assert sum(amounts) == pytest.approx(first["priority"], rel=1e-9)
    assert found["reasons"]["visit_side_effects"][0]["text"] == "Looked up “Side effects” just now (Website)."
    removed = sum(stage["removed"] for stage in found["funnel"])
    assert removed + found["funnel"][-1]["remaining"] == len(found["candidates"])
    assert found["decided_again"] == "Deciding again gives the same."
    assert set(found["objections"]) == {c["treatment"] for c in found["candidates"] if c["place"] is None}
    assert found["what_would_change"]["text"]


def test_what_happens_later_does_not_change_what_is_told(company: Company) -> None:
    """The decision was made on what was known then, and so is its explanation."""
    decision = live(company, "a2")
    before = told(company, decision)
    company.clock.pass_time(hours=5)
    row = {"channel": "email", "purpose": "marketing", "kind": "permission", "status": "opt_out"}
    company.post("/events", {"event_id": "o2", "table": "preferences", "account_id": "a2", "row": row})

    assert told(company, decision) == before


def test_a_decision_of_the_night_is_told_from_its_files(company: Company) -> None:
    """Most decisions are the night's: the ledger has their row alone."""
    company.night()
    decision = company.suggestions("a4")[0]["decision_id"]

    found = told(company, decision)

    assert found["kept_in"].startswith("night ")
    assert found["decided_again"] == "Deciding again gives the same."
    placed = [c["treatment"] for c in found["candidates"] if c["place"] is not None]
    assert set(found["reasons"]) == set(placed) - {"none"}


def test_a_night_of_an_earlier_version_is_still_told(tmp_path: Path) -> None:
    """Its files stay for thirty days, over an upgrade too; lists were one text then."""
    with served(tmp_path, tables_of(["b1"])) as company:
        run = company.night().run_id
        decision = company.suggestions("b1")[0]["decision_id"]
        before = told(company, decision)
        for file in (company.settings.as_home().nights / run).glob("*.lists.parquet"):
            lists = pl.read_parquet(file)
            texts = [
                json.dumps([one | {"reasons": json.loads(one["reasons"])} for one in listed])
                for listed in lists["proposals"].to_list()
            ]
            lists.with_columns(proposals=pl.Series(texts, dtype=pl.String)).write_parquet(file)
        company.clock.pass_time(days=1)

        assert told(company, decision) == before
        assert before["reasons"]
        summary = company.night(ignore_freshness=True).summary

    assert summary["new"] == summary["suggestions"] > 0


def test_what_a_night_kept_may_be_gone_and_that_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After thirty days the files go; what the ledger still knows is said with it."""
    with served(tmp_path, tables_of(["b1"])) as company:
        company.night()
        decision = company.suggestions("b1")[0]["decision_id"]
        company.clock.pass_time(days=1)
        newer = company.night(ignore_freshness=True).run_id
        remove_nights(company.settings.as_home().nights, before=company.clock(), keep=newer)

        ended = runner(tmp_path, capsys)("explain", decision)

    assert ended.code == 2
    assert "have been removed" in ended.line
    assert "b1" in ended.line


def test_it_is_told_in_the_language_that_is_asked_for(company: Company) -> None:
    """One that the playbook does not have is named, with those it has."""
    decision = live(company, "a3")

    persian = told(company, decision, language="fa")

    assert persian["reasons"]["visit_side_effects"][0]["text"].startswith("همین حالا")
    with pytest.raises(LanguageError, match="it has en, ar, fa"):
        explain(company.settings, decision, language="de")


def test_the_night_tells_apart_what_a_person_will_look_at() -> None:
    """What the system sends is told as a whole; the representative reads each fact with its amount."""
    rules = playbook(suppressions=(), contact_limits=(), optout_loss=0.0)
    by = FixedScorer(
        {"visit_safety": 300.0, "email_news": 200.0}, adds={"segment": 20.0, "outcomes_90d": 9.0}
    )
    result = decided(history(*READY), rules=rules, scorer=by)

    night, at_once = (proposals_of(result, 0, rules, {"rep": "u"}, many=many) for many in (True, False))

    def parts(proposals: list[Proposal]) -> dict[str, set[str]]:
        return {p.treatment: {r["code"] for r in p.reasons} & {"profile", "purchases"} for p in proposals}

    assert parts(night)["visit_safety"] == {"profile", "purchases"}
    assert parts(night)["email_news"] == set()
    assert parts(at_once)["email_news"] == {"profile", "purchases"}


def under_another_playbook(company: Company, folder: Path) -> Company:
    """The same company after somebody has changed the file of its playbook."""
    text = playbook_text("pharma")
    other = folder / "other.toml"
    other.write_text(text.replace("optout_loss = 300", "optout_loss = 301"), encoding="utf-8")
    changed = company.settings.model_copy(update={"playbook": str(other)})
    return Company(changed, company.clock, company.client, company.app)


def test_a_decision_under_an_earlier_playbook_is_explained_with_that_one(
    company: Company, tmp_path: Path
) -> None:
    """The rules that were in force then explain it, not those of today."""
    decision = live(company, "a5")

    found = told(under_another_playbook(company, tmp_path), decision)

    assert found["decided_again"] == "Deciding again gives the same."
    assert found["objections"]


def test_another_playbook_that_was_not_kept_is_said_and_nothing_is_made_up(
    company: Company, tmp_path: Path
) -> None:
    """Under today's rules "why not" would be another story."""
    decision = live(company, "a5", "dosing")
    engine = sa.create_engine(company.settings.as_home().ledger_url)
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM playbooks"))
    engine.dispose()

    found = told(under_another_playbook(company, tmp_path), decision)

    assert found["decided_again"].startswith("The playbook has changed since")
    assert (found["objections"], found["what_would_change"]) == ({}, None)
    assert found["reasons"]["visit_side_effects"]


def test_facts_that_are_not_as_they_were_are_said_and_not_used(company: Company) -> None:
    """What would be decided now is no explanation of what was decided then."""
    decision = live(company, "a3", "dosing")
    engine = sa.create_engine(company.settings.as_home().ledger_url)
    with engine.begin() as connection:
        query = sa.text("SELECT record FROM decisions WHERE decision_id = :id")
        record = json.loads(connection.scalar(query, {"id": decision}))
        record["caused"][1] += 1.0
        change = sa.text("UPDATE decisions SET record = :record WHERE decision_id = :id")
        connection.execute(change, {"id": decision, "record": json.dumps(record)})
    engine.dispose()

    found = told(company, decision)

    assert found["decided_again"].startswith("Deciding again gives another caused")
    assert (found["objections"], found["what_would_change"]) == ({}, None)


def test_an_erased_account_is_told_as_erased(company: Company) -> None:
    """The decision stays, the person does not."""
    decision = live(company, "a0")
    engine = sa.create_engine(company.settings.as_home().ledger_url)
    with engine.begin() as connection:
        key = connection.scalar(sa.text("SELECT subject_key FROM accounts WHERE account_id = 'a0'"))
        connection.execute(sa.text("DELETE FROM personal WHERE subject_key = :key"), {"key": key})
    engine.dispose()

    assert told(company, decision)["account_name"] == "erased"


def test_the_command_prints_what_a_person_reads(company: Company, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines, or everything as JSON; an unknown decision is one line."""
    run = runner(company.settings.home, capsys)
    decision = live(company, "a1", "dosing")

    text, data, nothing = run("explain", decision), run("explain", decision, "--json"), run("explain", "no")

    assert (text.code, data.code, nothing.code) == (0, 0, 6)
    assert "Not placed:" in text.out
    assert "P(response)" in text.out
    assert json.loads(data.out)["decision_id"] == decision
    assert "no decision 'no'" in nothing.line
    with pytest.raises(UnknownError):
        explain(company.settings, "no")
