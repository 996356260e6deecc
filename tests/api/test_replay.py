"""`nextbest replay`: what was decided comes out of what was kept, and what does not is told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from api.cli import assemble
from api.replay import Replayed, replay
from data.times import to_iso
from tests.api.company import NOW, Company, served, tables_of

ACCOUNTS = [f"a{n}" for n in range(10)]
TOPICS = ("side_effects", "dosing", "efficacy", "guidelines")


def month(company: Company) -> None:
    """Two nights, and events before, between and after them; one consent is withdrawn."""
    for account, topic in zip(ACCOUNTS[:8], TOPICS * 2, strict=True):
        company.reads_page(topic, account)
    company.night(ignore_freshness=True)
    company.clock.pass_time(days=3)
    withdrawn = {"channel": "email", "purpose": "marketing", "kind": "permission", "status": "opt_out"}
    company.post("/events", {"event_id": "o1", "table": "preferences", "account_id": "a1", "row": withdrawn})
    own = [s for s in company.suggestions("a2") if s["role"] == "account_manager"]
    company.answers(own[0], "accept")
    company.clock.pass_time(days=1)
    company.night(ignore_freshness=True)
    company.reads_page("dosing", "a3")


def replayed(company: Company, **options: Any) -> Replayed:
    return replay(company.settings, NOW - 1, company.clock() + 10**9, **options)


def run(company: Company, *options: str) -> Any:
    until = to_iso(company.clock() + 10**9)
    home = ("--home", str(company.settings.home), "--models", str(company.settings.models))
    env = {"NEXTBEST_LEDGER_URL": company.settings.as_home().ledger_url}
    asked = ["replay", "--since", to_iso(NOW - 1), "--until", until, *home, *options]
    return CliRunner(env=env).invoke(assemble(), asked)


def tamper(company: Company, statement: str, **values: Any) -> None:
    engine = sa.create_engine(company.settings.as_home().ledger_url)
    with engine.begin() as connection:
        connection.execute(sa.text(statement), values)
    engine.dispose()


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    home = tmp_path_factory.mktemp("replayed")
    with served(home, tables_of(ACCOUNTS)) as found:
        month(found)
        yield found


def test_nights_and_live_decisions_come_out_to_the_bit_on_either_database(
    ledger_url: str, tmp_path: Path
) -> None:
    """Consent withdrawn, plans made and nights since: each decision knows only what was known then."""
    with served(tmp_path, tables_of(ACCOUNTS), ledger_url=ledger_url) as company:
        month(company)

        found = replayed(company)
        ended = run(company)

    assert (found.nights, found.scores.differ, found.facts.differ) == (20, 0, 0)
    assert found.live >= 8 + 3
    assert found.scores.agree == found.facts.agree == found.nights + found.live
    assert (found.erased, dict(found.missing), found.posted) == (0, {}, 0)
    assert ended.exit_code == 0
    assert ended.output.splitlines()[-1] == "Everything agrees."


def test_a_live_score_that_was_changed_is_told_with_its_ranks_and_stops_a_pipeline(company: Company) -> None:
    """Who wants to hide why a colleague was sent must not be able to."""
    decision = company.reads_page("side_effects", "a4")["stored"][0]["decision_id"]
    with company.ledger() as ledger:
        record = dict(ledger.decision(decision).record)
    first = record["place"].index(1)
    changed = {**record, "value": [v - (1e6 if i == first else 0) for i, v in enumerate(record["value"])]}
    put = "UPDATE decisions SET record = :record WHERE decision_id = :id"

    tamper(company, put, record=json.dumps(changed, sort_keys=True, separators=(",", ":")), id=decision)
    ended = run(company, "--json", "--scores-only")
    tamper(company, put, record=json.dumps(record, sort_keys=True, separators=(",", ":")), id=decision)

    told = json.loads(ended.output[ended.output.index("{") :])
    assert ended.exit_code == 1
    assert (told["agrees"], told["scores"]["differ"]) == (False, 1)
    assert told["scores"]["largest"] >= 1e5
    change = next(c for c in told["scores"]["ranks"] if c["treatment"] == record["treatment"][first])
    assert (change["decision_id"], change["account_id"]) == (decision, "a4")
    assert (change["before"], change["after"]) == (1, None)


def test_a_fact_that_was_changed_in_place_is_told(company: Company) -> None:
    """Scores agree with themselves; only the facts show that somebody has rewritten the past."""
    decision = company.reads_page("side_effects", "a6")["stored"][0]["decision_id"]
    query = "SELECT seq, content FROM tail WHERE account_id = 'a6' ORDER BY seq DESC LIMIT 1"
    engine = sa.create_engine(company.settings.as_home().ledger_url)
    with engine.begin() as connection:
        seq, content = connection.execute(sa.text(query)).one()
    engine.dispose()
    put = "UPDATE tail SET content = :content WHERE seq = :seq"

    tamper(company, put, seq=seq, content=content.replace("side_effects", "dosing"))
    found = replayed(company)
    tamper(company, put, seq=seq, content=content)

    assert found.scores.differ == 0
    assert found.facts.differ == 1
    assert {change["decision_id"] for change in found.facts.ranks} == {decision}
    assert not found.agrees
    assert replayed(company).agrees


def test_what_another_processor_took_differs_only_where_a_rank_changed(company: Company) -> None:
    """Bits may differ between machines; what was suggested may not."""
    decision = company.reads_page("efficacy", "a5")["stored"][0]["decision_id"]
    with company.ledger() as ledger:
        record = dict(ledger.decision(decision).record)
    moved = {**record, "response": [v + 1e-15 for v in record["response"]], "made_by": "elsewhere"}
    put = "UPDATE decisions SET record = :record WHERE decision_id = :id"

    tamper(company, put, record=json.dumps(moved, sort_keys=True, separators=(",", ":")), id=decision)
    found = replayed(company)
    tamper(company, put, record=json.dumps(record, sort_keys=True, separators=(",", ":")), id=decision)

    assert (found.facts.differ, found.facts.elsewhere, found.facts.ranks_changed) == (1, 1, 0)
    assert found.facts.columns == {"response"}
    assert 0 < found.facts.largest < 1e-12
    assert found.agrees


def test_what_is_gone_is_counted_and_named(tmp_path: Path) -> None:
    """Erased people stay erased; a lost file is said rather than passed over."""
    with served(tmp_path, tables_of(ACCOUNTS)) as company:
        month(company)
        nights = sorted((company.settings.as_home().nights).iterdir())
        gone = nights[0].name
        shutil.rmtree(nights[0])
        tamper(company, "DELETE FROM personal WHERE row_key = 'a9'")

        without_person = replayed(company)
        tamper(company, "DELETE FROM playbooks")
        without_playbook = replayed(company)
        said = run(company).output.splitlines()[-1]

    assert without_person.missing == {f"files of the night {gone}": 2}
    assert without_person.erased == 2
    assert without_person.facts.agree == without_person.live + len(ACCOUNTS) - 1
    assert without_person.agrees
    assert without_playbook.scores.agree == 0
    assert any(name.startswith("the playbook ") for name in without_playbook.missing)
    count = without_playbook.nights + without_playbook.live
    assert sum(without_playbook.missing.values()) == count
    assert f"{count} decisions could not be" in said
