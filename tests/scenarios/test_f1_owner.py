"""F1: every suggestion goes to the team that owns the account's stage, and its content fits the stage."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tests.api.company import Company
from tests.engine.funnel import STAGES, stage
from tests.scenarios.funnel_company import asks_about, buys, house, text
from tests.scenarios.playbooks import without

TRACES: dict[str, list[str]] = {
    "customer_awareness": [], "brand_awareness": ["brand"] * 2, "brand_consideration": ["comparison"] * 2,
    "brand_preference": ["trial"] * 2, "purchase_intention": ["pricing"] * 2, "purchase": ["order"],
    "loyalty": ["order"] * 3,
}  # fmt: skip
FITTING = {
    "customer_awareness": {"guide"}, "brand_awareness": {"guide"}, "brand_consideration": {"guide", "story"},
    "brand_preference": {"story"}, "purchase_intention": {"demo", "quote"}, "purchase": {"demo", "quote"},
    "loyalty": {"demo", "quote", "thanks"},
}  # fmt: skip
ALWAYS = {"answer_price": "se", "answer_doubts": "system"}
"""Objections are answered by topic: particular ones by sales, general ones by marketing."""


class Crowd:
    """Accounts in stages that are drawn."""

    def __init__(self, seed: int | None = None, size: int = 14) -> None:
        draw = random.Random(seed if seed is not None else random.SystemRandom().randrange(10**9))
        self.accounts = [f"c{number}" for number in draw.sample(range(10**8), size)]
        self.stages = {a: list(TRACES)[i % len(TRACES)] for i, a in enumerate(self.accounts)}

    def lives(self, company: Company) -> None:
        for account, reached in self.stages.items():
            for trace in TRACES[reached]:
                if trace == "order":
                    buys(company, account)
                else:
                    asks_about(company, account, trace)


def lists(company: Company, crowd: Crowd) -> dict[str, set[str]]:
    """What is suggested for each account, to either team."""
    company.night(ignore_freshness=True)
    return {a: {s["treatment"] for s in company.suggestions(a, "mk")} for a in crowd.accounts}


def check_owner_and_content(crowd: Crowd, found: dict[str, set[str]]) -> None:
    for account, treatments in found.items():
        assert treatments - ALWAYS.keys() == FITTING[crowd.stages[account]], crowd.stages[account]


def test_suggestions_go_to_the_owner_of_the_stage_and_back_when_the_stage_goes_back(tmp_path: Path) -> None:
    """Education for those who do not know us, prices for buyers; a lead that went cold is marketing's."""
    crowd = Crowd()
    with house(tmp_path, crowd.accounts) as company:
        crowd.lives(company)
        warm = lists(company, crowd)
        company.clock.pass_time(days=12)
        cold = lists(company, crowd)

    check_owner_and_content(crowd, warm)
    for account, reached in crowd.stages.items():
        bought = STAGES.index(reached) >= STAGES.index("purchase")
        assert cold[account] - ALWAYS.keys() == (FITTING[reached] if bought else {"guide"})


def test_an_objection_goes_to_the_team_that_answers_it_whatever_the_stage(tmp_path: Path) -> None:
    """Price is sales', also for somebody who hardly knows us; doubts are marketing's, also for a customer."""
    with house(tmp_path, ["new", "customer"]) as company:
        for _ in range(3):
            buys(company, "customer")
        asks_about(company, "new", "price_objection")
        asks_about(company, "customer", "doubts")
        found = {account: company.suggestions(account, "mk") for account in ("new", "customer")}

    roles = {a: {s["treatment"]: s["role"] for s in shown} for a, shown in found.items()}
    assert (roles["new"]["answer_price"], roles["new"]["guide"]) == ("seller", "system")
    assert (roles["customer"]["answer_doubts"], roles["customer"]["quote"]) == ("system", "seller")


@pytest.mark.parametrize("table", ["journey.purchase_intention", "journey.brand_consideration", "teams"])
def test_without_the_responsible_stage_or_owner_the_scenario_fails(table: str, tmp_path: Path) -> None:
    """It is the playbook that does it, not the code around it."""
    crowd, changed = Crowd(seed=3, size=7), text()
    if table == "teams":
        changed = changed.replace('roles = ["seller"]', 'roles = ["seller", "marketer", "system"]')
    else:
        changed = without(changed, table).replace("stage = 'purchase_intention'", "stage = 'purchase'")
    with house(tmp_path, crowd.accounts, changed) as company:
        crowd.lives(company)
        found = lists(company, crowd)

    with pytest.raises(AssertionError):
        check_owner_and_content(crowd, found)


def test_where_one_person_wears_both_hats_nothing_is_handed_over(tmp_path: Path) -> None:
    """A small company: one role owns every stage, and whatever fits the account is hers."""
    everybody = '["marketer", "seller", "system"]'
    stages = "\n".join(
        stage(id, place, everybody, f"inbound_{topic}_30d >= 2" if topic else None, [])
        for place, (id, topic) in enumerate(zip(STAGES, ("", "brand", "trial", "pricing"), strict=False), 1)
    )
    playbook = text(journey=stages).replace('stages = ["loyalty", "advocacy"]', "")
    playbook = playbook.replace("places = 5", "places = 9")
    for table in ("hand_overs.ready_to_buy", "service_levels.seller"):
        playbook = without(playbook, table)
    with house(tmp_path, ["one"], playbook) as company:
        asks_about(company, "one", "pricing")
        asks_about(company, "one", "pricing")
        found: list[dict[str, Any]] = company.suggestions("one", "mk")
        handed = company.get("/hand-overs", "se")

    assert {s["role"] for s in found} == {"marketer", "seller", "system"}
    assert handed == []
