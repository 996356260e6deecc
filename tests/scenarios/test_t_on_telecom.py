"""T on the shipped telecom playbook: planted under-performers are found, told in money, and acted on."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from api.nightly import run_night
from data.ingest import ingest
from data.ledger.ledger import Ledger
from data.world import WorldSettings, simulate
from tests.api.company import NOW, Clock, Company, settings_of
from tests.data.files import UNTIL
from tests.scenarios import telecom
from tests.scenarios.businesses import ALWAYS, house, rules, treatments
from tests.scenarios.playbooks import shipped, without
from tests.scenarios.telecom import FAILS, FIRMS, PLANTED, WORKS

OURS = {
    "visit_needs": ("visit", "visit_twins"), "call_offer": ("offer", "offer_twins"),
    "mail_news": ("email", "email_fibre"),
}  # fmt: skip
FROM_TWINS = {"visit_twins", "offer_twins"}
REMAINS = tomllib.loads(shipped("telecom"))["outcomes"]["purchase"]
"""Of a euro of a purchase."""


def tables() -> telecom.Rows:
    """The company of the twins, in the words of the shipped playbook; as much remains of what it sells."""
    rows = telecom.tables(telecom.SEED)
    role = {"seller": "account_manager", "head_of_sales": "head_of_sales"}
    traits = ALWAYS | {"segment": "large", "network": "none"}
    contacts = [
        t | dict(zip(("channel", "treatment"), OURS[t["treatment"]], strict=True))
        for t in rows["touchpoints"]
    ]
    return rows | {
        "accounts": [a | traits for a in rows["accounts"]],
        "users": [u | {"role": role[u["role"]]} for u in rows["users"]],
        "account_team": [t | {"role": role[t["role"]]} for t in rows["account_team"]],
        "touchpoints": contacts,
        "outcomes": [
            o | {"kind": "purchase", "value": round(o["value"] / REMAINS, 2)} for o in rows["outcomes"]
        ],
    }


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """The company after a night."""
    with house(tmp_path_factory.mktemp("shipped"), "telecom", tables()) as company:
        company.night(ignore_freshness=True)
        yield company


def claims(company: Company) -> set[str]:
    with company.ledger() as ledger:
        known = {firm: ledger.twins(firm) for firm in FIRMS}
    return {firm for firm, k in known.items() if k and k.finding}


def twins_of(company: Company, firm: str) -> dict[str, Any]:
    return company.get(f"/accounts/{firm}/twins", "boss")


def test_t_planted_underperformers_are_found_again_and_others_are_not_claimed(company: Company) -> None:
    """No better twin, no claim."""
    found = claims(company)

    assert len(found & set(PLANTED)) >= 0.6 * len(PLANTED)
    assert len(found - set(PLANTED)) <= 5


def test_t_what_worked_on_twins_is_told_beside_how_often_it_failed(company: Company) -> None:
    """A visit followed by an offer works for 70 %, an e-mail alone for 15 %; every count opens its rows."""
    counts: dict[str, list[int]] = {"visit|offer": [0, 0], "email": [0, 0]}
    for firm in sorted(claims(company) & set(PLANTED)):
        shown = twins_of(company, firm)
        assert 0 < shown["unrealised"]["low"] < shown["unrealised"]["value"] < shown["unrealised"]["high"]
        assert shown["items"][0]["item"] == "lines"
        for told in shown["approaches"]:
            counts["|".join(told["steps"])][0] += told["worked"]
            counts["|".join(told["steps"])][1] += told["failed"]
            assert (len(told["worked_on"]), len(told["failed_on"])) == (told["worked"], told["failed"])

    best, mail = counts["visit|offer"], counts["email"]
    assert best[0] / sum(best) == pytest.approx(WORKS, abs=0.2)
    assert mail[0] / sum(mail) == pytest.approx(FAILS, abs=0.15)


def test_t_the_opportunity_is_suggested_where_it_was_found_and_nowhere_else(company: Company) -> None:
    """An offer of what twins buy, or a visit that shows it, to those who buy less."""
    found = claims(company)

    suggested = {firm for firm in FIRMS if treatments(company, firm) & FROM_TWINS}

    assert suggested <= found
    assert len(suggested & set(PLANTED)) >= 0.8 * len(found & set(PLANTED))


def test_t_without_the_rule_the_opportunity_is_suggested_to_everybody(tmp_path: Path) -> None:
    """It is the playbook that asks for twins that buy more; taken out, an offer is made on no evidence."""
    file = Path(rules(tmp_path, "telecom"))
    file.write_text(
        without(file.read_text(encoding="utf-8"), "policies.twins_that_buy_more"), encoding="utf-8"
    )
    some = FIRMS[:60]
    rows = {
        name: [row for row in table if row.get("account_id", some[0]) in some]
        for name, table in tables().items()
    }
    with house(tmp_path / "home", "telecom", rows, str(file)) as company:
        company.night(ignore_freshness=True)
        suggested = {firm for firm in some if "offer_twins" in treatments(company, firm)}
        found = claims(company)

    assert len(suggested - found) > 0.5 * len(some)


def test_t_in_the_simulated_telecom_world_claims_lie_among_the_planted(tmp_path: Path) -> None:
    """The world knows who was planted: a claim is several times likelier to be right than by chance."""
    given = simulate(WorldSettings(playbook="telecom", accounts=500, seed=11, effect=0.0, until=UNTIL))
    settings = settings_of(tmp_path, playbook="telecom")
    given.write(tmp_path / "world")
    ingest(tmp_path / "world", settings.as_home(), loaded_at=NOW)
    run_night(settings, clock=Clock(), ignore_freshness=True)
    ledger = Ledger.open(settings.as_home().ledger_url)
    known = {a: ledger.twins(a) for a in given.traits["account_id"]}
    ledger.close()

    planted = set(given.traits.filter(pl.col("underperforms"))["account_id"])
    claimed = {a for a, k in known.items() if k and k.finding}

    assert len(claimed & planted) >= 0.25 * len(planted)
    assert len(claimed & planted) / len(claimed) > 3 * len(planted) / len(known)
