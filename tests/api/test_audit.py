"""The audit log: who saw and did what, without a word of what it was; and logs that name nobody."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.nightly import run_night
from data.ledger.audit import Seen
from data.ledger.connection import Database
from engine.records import DAY_MICROS
from tests.api.company import Company, served, tables_of

NOTE = "She is afraid of nausea Qzxwv"


@pytest.fixture
def company(tmp_path: Path, ledger_url: str) -> Iterator[Company]:
    with served(tmp_path, tables_of(["a1", "a2"]), ledger_url=ledger_url) as found:
        yield found


def written(company: Company, **chosen: str) -> list[Seen]:
    """What the log has, once the last request is in it: it is noted after its answer has gone out."""
    last = uuid.uuid4().hex
    company.client.get(f"/v1/hand-overs/{last}", headers=company.as_("rs"))
    for _ in range(1000):
        company.app.state.trail.write()
        with company.ledger() as ledger:
            if any(one.subject == last for one in ledger.audit.find(user_id="rs")):
                return ledger.audit.find(**chosen)  # type: ignore[arg-type]
    raise AssertionError("The last request is not in the log.")


def test_reading_and_answering_leave_a_trace_that_says_whom_it_was_about(company: Company) -> None:
    """A physician asks who has looked at her file."""
    company.reads_page("side_effects", "a1")
    suggestion = company.suggestions("a1")[0]
    company.answers(suggestion, "complete", note=NOTE)
    company.get("/accounts/a2", "ml")
    company.client.get("/v1/accounts/apart", headers=company.as_("am"))
    company.client.get("/v1/worklist")

    about = [(one.user_id, one.what, one.status) for one in written(company, account_id="a1")]
    assert about == [
        ("am", "GET /v1/accounts/{account_id}/suggestions", 200),
        ("am", "POST /v1/suggestions/{suggestion_id}/feedback", 200),
    ]
    assert [one.account_id for one in written(company, user_id="ml")] == ["a2"]
    assert 404 in {one.status for one in written(company, user_id="am")}
    assert NOTE not in str(written(company))


def test_the_log_is_only_appended_to(company: Company) -> None:
    """Whoever could take a line out could read unseen."""
    company.get("/worklist")
    before = written(company, user_id="am")
    database = Database(company.settings.as_home().ledger_url, timeout_seconds=5)
    for change in ("DELETE FROM audit", "UPDATE audit SET user_id = 'x'"):
        with pytest.raises(Exception, match="only appended"), database.writing() as connection:
            connection.execute(sa.text(change))
    database.close()

    assert written(company, user_id="am") == before != []


def test_the_night_forgets_what_is_older_than_the_days_of_the_settings(company: Company) -> None:
    """Kept as long as somebody may ask, and no longer."""
    company.get("/accounts/a1")
    first = len(written(company))
    company.clock.pass_time(days=40)
    company.get("/accounts/a2")
    assert "a2" in {one.account_id for one in written(company)}
    settings = company.settings.model_copy(update={"audit_days": 30.0})

    run_night(settings, clock=company.clock, ignore_freshness=True)
    with company.ledger() as ledger:
        left = ledger.audit.find()
        again = ledger.audit.forget(before=company.clock() - 30 * DAY_MICROS)

    assert first >= 1
    assert left
    assert {one.at for one in left} == {company.clock()}
    assert again == 0


def test_logs_name_nobody(company: Company, caplog: pytest.LogCaptureFixture) -> None:
    """Logs go to many hands, and nothing is erased from them."""
    caplog.set_level(logging.DEBUG)
    company.reads_page("side_effects", "a1")
    name = company.suggestions("a1")[0]["account_name"]
    company.answers(company.suggestions("a1")[0], "complete", note=NOTE)
    company.client.post("/v1/accounts/a1/contacts", headers=company.as_("am"), json={"note": NOTE})
    company.client.get("/v1/accounts", headers=company.as_("am"), params={"q": name})
    ours = [record for record in caplog.records if record.name.startswith(("nextbest", "uvicorn"))]

    assert any(record.getMessage() == "request" for record in ours)
    told = str([vars(record) for record in ours])
    assert name not in told
    assert NOTE not in told
