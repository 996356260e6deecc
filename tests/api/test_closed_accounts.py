"""An account that was deleted or merged into another is not seen and not contacted any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.keys import create_key
from tests.api.company import load, served
from tests.data.files import account


@pytest.mark.parametrize("how", [{"deleted": "true"}, {"merged_into": "a2"}])
def test_a_closed_account_disappears_with_all_its_suggestions(tmp_path: Path, how: dict[str, str]) -> None:
    """A list that still shows an account which nobody may contact is worse than a short list."""
    with served(tmp_path) as company:
        company.night()
        shown = company.get("/worklist", limit=50)
        company.answers(next(s for s in shown if s["account_id"] == "a1"), "accept")
        assert "a1" in [shown["account_id"] for shown in company.get("/worklist", limit=50)]

        company.clock.pass_time(hours=1)
        load(tmp_path, {"accounts": [account("a1", **how)]}, loaded_at=company.clock())

        assert "a1" not in [shown["account_id"] for shown in company.get("/worklist", limit=50)]
        answer = company.client.get("/v1/accounts/a1/suggestions", headers=company.as_("am"))
        assert answer.status_code == 404


def test_an_event_of_a_closed_account_is_kept_and_brings_no_contact(tmp_path: Path) -> None:
    """Facts may arrive late; e-mails need no team, so it is the rule that holds them back."""
    with served(tmp_path) as company:
        company.night()
        company.clock.pass_time(hours=1)
        load(tmp_path, {"accounts": [account("a1", deleted="true")]}, loaded_at=company.clock())
        company.clock.pass_time(minutes=1)
        row = {"direction": "inbound", "channel": "website", "topic": "side_effects", "status": "done"}
        event = {"event_id": "late", "table": "touchpoints", "account_id": "a1", "row": row}

        company.tokens["website"] = create_key(company.settings, "website", ["events:write"])[1]
        company.post("/events", event, user_id="website")

        with company.ledger() as ledger:
            assert ledger.suggestions("a1", now=company.clock()) == []
            assert [kept.event_id for kept in ledger.tail()] == ["late"]
