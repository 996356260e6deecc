"""Leave: a colleague has the tasks of who is away, as long as she is, and gives them back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.api.company import Company, served, tables_of
from tests.api.visitors import Visitor
from tests.data.files import account, team_member, user

TODAY = date(2026, 1, 1)


@pytest.fixture
def company(tmp_path: Path, ledger_url: str) -> Iterator[Company]:
    """`am` serves a1 and `second` serves b1, both account managers below `lead`; `ml` is another role."""
    tables = tables_of(["a1"])
    tables["accounts"].append(account("b1", potential_value=40_000))
    tables["accounts"].append(account("a9", potential_value=40_000))
    tables["account_team"] += [team_member("b1", user_id="second"), team_member("a9", user_id="am")]
    tables["users"] += [
        user("second", name="Colleague second", role="account_manager"),
        user("lead", name="Colleague lead", role="sales"),
    ]
    with served(tmp_path, tables, ledger_url=ledger_url) as found:
        below = [("am", "account_manager"), ("second", "account_manager"), ("ml", "medical_liaison")]
        rows = {
            "user_id": [who for who, _ in below], "name": [f"Colleague {who}" for who, _ in below],
            "role": [role for _, role in below], "manager_id": ["lead"] * 3,
        }  # fmt: skip
        with found.ledger() as ledger:
            ledger.put_users(pl.DataFrame(rows))
        found.reads_page("side_effects", "a1")
        found.post("/accounts/a1/hand-overs", {"to_role": "account_manager", "note": "Call."}, "ml")
        yield found


def away(company: Company, days: int = 3, **others: Any) -> dict[str, Any]:
    body = {"user_id": "am", "stand_in": "second", "from": str(TODAY),
            "until": str(TODAY + timedelta(days=days - 1))}  # fmt: skip
    found: dict[str, Any] = company.post("/team/stand-ins", body | others, "lead")
    return found


def tasks(company: Company, who: str) -> set[tuple[str, str]]:
    return {(one["kind"], one["account_id"]) for one in company.get("/worklist", who, limit=50)}


def status(company: Company, path: str, who: str) -> int:
    return company.client.get(f"/v1{path}", headers=company.as_(who)).status_code


def test_all_open_tasks_are_the_stand_ins_until_the_colleague_is_back(company: Company) -> None:
    """Nobody's customers wait because somebody is on holiday; and the return gives back what is left."""
    before = {who: tasks(company, who) for who in ("am", "second")}
    stands = away(company)
    during = {who: tasks(company, who) for who in ("am", "second")}
    company.post(f"/team/stand-ins/{stands['stand_in_id']}/end", {}, "am")

    assert stands["state"] == "in_force"
    assert ("hand_over", "a1") in before["am"]
    assert len({kind for kind, _ in before["am"]}) == 2
    assert during == {"am": set(), "second": before["second"] | before["am"]}
    assert {who: tasks(company, who) for who in ("am", "second")} == before


def test_it_begins_and_ends_by_itself(company: Company) -> None:
    """She sets it before she leaves, and nobody has to think of her return."""
    before = tasks(company, "am")
    stands = away(
        company, **{"from": str(TODAY + timedelta(days=2)), "until": str(TODAY + timedelta(days=3))}
    )
    still = tasks(company, "am")
    company.clock.pass_time(days=2)
    company.reads_page("new_data", "a1")
    gone, there = tasks(company, "am"), tasks(company, "second")
    company.clock.pass_time(days=2)

    assert (stands["state"], still) == ("planned", before)
    assert gone == set()
    assert ("hand_over", "a1") in there
    assert ("hand_over", "a1") in tasks(company, "am")
    assert status(company, "/accounts/a9", "second") == 404


def test_she_sees_the_accounts_and_answers_in_her_place(company: Company) -> None:
    """A task without its account cannot be done."""
    closed = status(company, "/accounts/a1", "second")
    away(company)
    found = company.suggestions("a1", "second")[0]
    company.answers(found, "complete", "second")
    handed = company.get("/hand-overs", "second")[0]
    answered = company.post(f"/hand-overs/{handed['hand_over_id']}/answer", {"verb": "accept"}, "second")

    assert closed == 404
    assert status(company, "/accounts/a9", "second") == 200
    assert {one["account_id"] for one in company.get("/accounts", "second")} == {"a1", "a9", "b1"}
    assert answered["state"] == "accepted"
    assert status(company, "/accounts/b1", "am") == 404


def test_without_the_team_only_accounts_with_open_tasks_are_hers(company: Company) -> None:
    """A day off need not open a whole territory."""
    away(company, with_team=False)

    assert status(company, "/accounts/a1", "second") == 200
    assert status(company, "/accounts/a9", "second") == 404


@pytest.mark.parametrize(
    ("others", "refused"),
    [
        ({"stand_in": "ml"}, 409),
        ({"stand_in": "am"}, 409),
        ({"stand_in": "stranger"}, 404),
        ({"user_id": "stranger"}, 404),
        ({"until": "2025-12-01", "from": "2025-12-01"}, 422),
        ({"until": "2025-12-01"}, 422),
    ],
)
def test_who_cannot_stand_in_is_refused(company: Company, others: dict[str, str], refused: int) -> None:
    """Another role would see the other side of the wall; another team is not the leader's to give away."""
    body = {"user_id": "am", "stand_in": "second", "from": str(TODAY), "until": str(TODAY)} | others
    answer = company.client.post("/v1/team/stand-ins", headers=company.as_("lead"), json=body)

    assert answer.status_code == refused, answer.text
    assert company.get("/team/stand-ins", "lead") == []


def test_a_chain_of_stand_ins_is_refused(company: Company) -> None:
    """Tasks that were given on twice would be nobody's."""
    away(company)
    body = {"user_id": "second", "stand_in": "am", "from": str(TODAY), "until": str(TODAY)}
    answer = company.client.post("/v1/team/stand-ins", headers=company.as_("lead"), json=body)

    assert answer.status_code == 409
    assert company.client.post(
        "/v1/team/stand-ins", headers=company.as_("am"), json=body
    ).status_code == 403  # fmt: skip


def test_only_herself_and_her_leader_end_it(company: Company) -> None:
    """A colleague cannot send her tasks back."""
    found = away(company)["stand_in_id"]
    end = f"/v1/team/stand-ins/{found}/end"
    answers = [
        company.client.post(end, headers=company.as_(who)).status_code for who in ("second", "ml", "lead")
    ]
    with company.ledger() as ledger:
        kept = ledger.stand_ins.find(found)

    assert answers == [404, 404, 200]
    assert (kept.state, kept.set_by, kept.ended_by) == ("over", "lead", "lead")


def test_on_the_page_the_leader_gives_the_tasks_and_the_colleague_takes_them_back(company: Company) -> None:
    """In a form, and with one tap."""
    leader = Visitor(company, "lead")
    leader.get("/team")
    said = leader.send("/team/stand-ins", user_id="am", stand_in="second", first=str(TODAY), until=str(TODAY),
                       with_team="1")  # fmt: skip
    listed = company.get("/team/stand-ins", "lead")
    colleague = Visitor(company, "am")
    day = colleague.get("/day")
    back = colleague.send(f"/team/stand-ins/{listed[0]['stand_in_id']}/end")

    assert "Colleague second has the tasks" in said
    assert "A colleague has your tasks" in day
    assert "A colleague has your tasks" not in back
    assert company.get("/team/stand-ins", "lead") == []
