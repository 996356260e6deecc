"""T: similar accounts that buy much more, what that is worth, what they buy, and what worked on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from typer.testing import CliRunner

from api.cli import assemble
from data.nights import night_folders
from tests.api.company import Company, served
from tests.scenarios.telecom import FAILS, FIRMS, PLANTED, PLAYBOOK, SEED, WORKS, seller_of, tables


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """The company after a night."""
    folder = tmp_path_factory.mktemp("telecom")
    rules = folder / "telecom.toml"
    rules.write_text(PLAYBOOK, encoding="utf-8")
    rows = tables(SEED)
    with served(folder / "home", rows, playbook=str(rules)) as company:
        company.night(ignore_freshness=True)
        yield company


def claims(company: Company) -> dict[str, dict[str, Any]]:
    """Firm -> what the ledger has of it."""
    with company.ledger() as ledger:
        known = {firm: ledger.twins(firm) for firm in FIRMS}
    return {firm: dict(k.finding.content) for firm, k in known.items() if k and k.finding}


def some_claim(company: Company) -> str:
    return next(firm for firm in PLANTED if firm in claims(company))


def twins_of(company: Company, firm: str, user: str = "boss") -> dict[str, Any]:
    return company.get(f"/accounts/{firm}/twins", user)


def test_planted_twins_are_found_again_and_others_are_not_claimed(company: Company) -> None:
    """Most of the planted, and at most a few of the 342 that buy what their like does."""
    found = set(claims(company))

    assert len(found & set(PLANTED)) >= 0.6 * len(PLANTED)
    assert len(found - set(PLANTED)) <= 3


def test_the_seller_sees_money_with_its_interval_and_what_twins_buy(company: Company) -> None:
    """In figures: an eighth of 30 orders of 108 EUR leaves some thousand a year."""
    firm = some_claim(company)

    shown = twins_of(company, firm, seller_of(firm))

    gap = shown["unrealised"]
    assert 0 < gap["low"] < gap["value"] < gap["high"]
    assert shown["twins"] >= 10
    assert shown["items"][0]["item"] == "lines"
    assert shown["items"][0]["twins"] > shown["items"][0]["own"]
    assert all(item["buyers"] <= shown["twins"] for item in shown["items"])


def test_which_approach_worked_is_told_beside_how_often_it_failed(company: Company) -> None:
    """A visit and then an offer works for 70 %, an e-mail alone for 15 %, and so they are ordered."""
    firms = [firm for firm in PLANTED if firm in claims(company)]
    counts: dict[str, list[int]] = {"visits|offers": [0, 0], "mails": [0, 0]}
    first = 0
    for firm in firms:
        approaches = twins_of(company, firm)["approaches"]
        first += approaches[0]["steps"] == ["visits", "offers"]
        for told in approaches:
            counts["|".join(told["steps"])][0] += told["worked"]
            counts["|".join(told["steps"])][1] += told["failed"]
            assert (
                told["share_low"] <= told["worked"] / (told["worked"] + told["failed"]) <= told["share_high"]
            )
            assert told["share_low"] < told["share_high"]

    best, mail = counts["visits|offers"], counts["mails"]
    assert best[0] / sum(best) == pytest.approx(WORKS, abs=0.2)
    assert mail[0] / sum(mail) == pytest.approx(FAILS, abs=0.15)
    assert first >= 0.8 * len(firms)


def test_every_count_opens_its_rows(company: Company) -> None:
    """The head of sales serves all firms: as many rows as the counts say, each the one that was loaded."""
    loaded = {name: _csv(company, name) for name in ("touchpoints", "outcomes")}
    for approach in twins_of(company, some_claim(company))["approaches"]:
        assert len(approach["worked_on"]) == approach["worked"]
        assert len(approach["failed_on"]) == approach["failed"]
        for row in approach["worked_on"]:
            assert row["purchase"]["value"] == loaded["outcomes"][row["purchase"]["outcome_id"]]["value"]
            assert [loaded["touchpoints"][t["touchpoint_id"]]["account_id"] for t in row["touchpoints"]] == (
                [row["account_id"]] * len(approach["steps"])
            )
        assert all(row["purchase"] is None for row in approach["failed_on"])


def test_counts_and_sums_equal_an_independent_query_of_the_loaded_files(company: Company) -> None:
    """DuckDB on the files as they came, written from the definitions alone."""
    for firm, content in list(claims(company).items())[:4]:
        with duckdb.connect() as sql:
            folder = company.settings.home / "incoming"
            for table in ("touchpoints", "outcomes"):
                sql.execute(f"CREATE VIEW {table} AS SELECT * FROM read_csv('{folder / table}.csv')")
            sql.register("alike", pl.DataFrame({"account_id": content["similar"]}))
            sql.register("twin", pl.DataFrame({"account_id": content["twins"]}))

            assert content["own"] == pytest.approx(sql.execute(OWN, [firm]).fetchone()[0] or 0.0)
            bought = {item: (mean, buyers) for item, mean, buyers in sql.execute(BOUGHT).fetchall()}
            for item in content["items"]:
                assert (item["twins"], len(item["buyers"])) == pytest.approx(bought[item["item"]])
            tried = {steps: (worked, failed) for steps, worked, failed in sql.execute(TRIED).fetchall()}
            told = {"|".join(a["steps"]): (len(a["worked"]), len(a["failed"])) for a in content["approaches"]}
            assert told == {steps: counts for steps, counts in tried.items() if sum(counts) >= 5}


OWN = """
SELECT sum(value) FROM outcomes
WHERE account_id = ? AND occurred_at >= TIMESTAMPTZ '2026-01-01 06:00:00Z' - INTERVAL 365 DAY
"""
BOUGHT = """
SELECT product, sum(value) / (SELECT count(*) FROM twin), count(DISTINCT account_id)
FROM outcomes SEMI JOIN twin USING (account_id)
WHERE occurred_at >= TIMESTAMPTZ '2026-01-01 06:00:00Z' - INTERVAL 365 DAY GROUP BY product
"""
TRIED = """
WITH step AS (
    SELECT account_id, occurred_at, CASE treatment WHEN 'visit_needs' THEN 'visits'
        WHEN 'call_offer' THEN 'offers' ELSE 'mails' END AS step
    FROM touchpoints SEMI JOIN alike USING (account_id)),
tries AS (
    SELECT account_id, string_agg(step, '|' ORDER BY occurred_at) AS steps,
        min(occurred_at) AS began, max(occurred_at) AS ended
    FROM step GROUP BY account_id),
judged AS (
    SELECT steps, EXISTS (
        SELECT 1 FROM outcomes o WHERE o.account_id = t.account_id AND o.occurred_at > t.ended
        AND o.occurred_at <= t.ended + INTERVAL 60 DAY AND o.value >= 1.5 * coalesce((
            SELECT max(p.value) FROM outcomes p WHERE p.account_id = t.account_id
            AND p.occurred_at < t.began AND p.occurred_at >= t.began - INTERVAL 365 DAY), 0)) AS worked
    FROM tries t)
SELECT steps, count(*) FILTER (worked), count(*) FILTER (NOT worked) FROM judged GROUP BY steps
"""


def test_names_and_rows_of_colleagues_firms_stay_closed_while_the_counts_are_whole(company: Company) -> None:
    """What a seller may not see does not exist for her, but as part of a count."""
    firm = some_claim(company)
    seller = seller_of(firm)

    own, whole = twins_of(company, firm, seller), twins_of(company, firm)

    shown = [row["account_id"] for a in own["approaches"] for row in (*a["worked_on"], *a["failed_on"])]
    shown += [row["account_id"] for item in own["items"] for row in item["bought"]]
    shown += [account["account_id"] for account in own["seen"]]
    assert shown
    assert {seller_of(account) for account in shown} == {seller}
    for mine, all_rows in zip(own["approaches"], whole["approaches"], strict=True):
        assert (mine["worked"], mine["failed"]) == (all_rows["worked"], all_rows["failed"])
    others = [f for f in FIRMS if seller_of(f) != seller]
    assert not [f for f in others if f'"{f}"' in str(own).replace("'", '"')]


def test_whoever_does_not_serve_the_firm_is_told_nothing(company: Company) -> None:
    """Not even that it exists."""
    path = f"/v1/accounts/{some_claim(company)}/twins"

    assert company.client.get(path, headers=company.as_("stranger")).status_code == 404
    assert company.client.get(path).status_code == 401


def test_no_better_twin_no_claim(company: Company) -> None:
    """A firm that buys what its like does is told so: looked for, and nothing claimed."""
    firm = next(f for f in FIRMS if f not in PLANTED and f not in claims(company))

    shown = twins_of(company, firm)

    assert shown["looked_for"] is True
    assert (shown["unrealised"], shown["approaches"], shown["items"]) == (None, [], [])


def test_the_night_decides_on_what_it_found_and_says_so(company: Company) -> None:
    """The suggestion to visit stands first and tells the money and what worked, in the seller's language."""
    firm = some_claim(company)

    visit = next(s for s in company.suggestions(firm, seller_of(firm)) if s["channel"] == "visit")

    reason = next(r for r in visit["reasons"] if r["code"] == "twins")
    best = twins_of(company, firm)["approaches"][0]
    assert reason["facts"]["worked"] == best["worked"]
    assert (
        f"visits, then offers worked for {best['worked']} of {best['worked'] + best['failed']}"
        in reason["text"]
    )
    assert {r["code"] for r in visit["reasons"]} >= {"context_weight"}


def test_what_was_known_is_kept_with_the_night_and_with_a_live_decision(company: Company) -> None:
    """A replay must find what the rules read; both decisions read the same finding."""
    firm = some_claim(company)
    row = {"direction": "inbound", "channel": "call", "status": "done"}
    event = {"event_id": f"call-{firm}", "table": "touchpoints", "account_id": firm, "row": row}
    decision = company.post("/events", event, seller_of(firm))["stored"][0]["decision_id"]

    folder = night_folders(company.settings.as_home().nights)[-1]
    kept = pl.concat([folder.read(bucket, "facts") for bucket in folder.finished()])
    nightly = kept.filter(pl.col("account_id") == firm).row(0, named=True)
    with company.ledger() as ledger:
        live = ledger.decision(decision).record["facts"]

    for fact in ("unrealised_value", "twins_found", "twins_step_1", "twins_worked"):
        assert live[fact] == nightly[fact]
    assert live["unrealised_value"] == twins_of(company, firm)["unrealised"]["value"]
    others = kept.filter(~pl.col("account_id").is_in(list(claims(company))))
    assert others["unrealised_value"].to_list() == [0.0] * others.height


def test_the_command_line_tells_the_same(company: Company) -> None:
    """For whoever has no page at hand."""
    firm, home = some_claim(company), str(company.settings.home)
    asked = ["twins", firm, "--home", home, "--playbook", company.settings.playbook]

    said = CliRunner().invoke(assemble(), asked).output

    shown = twins_of(company, firm)
    best = shown["approaches"][0]
    assert f"similar accounts buy {shown['unrealised']['value']:,.0f} EUR more a year" in said
    assert f"worked for {best['worked']} of {best['worked'] + best['failed']}" in said


def test_before_the_first_night_nothing_is_known(tmp_path: Path) -> None:
    """Not zero: nobody has looked."""
    rules = tmp_path / "telecom.toml"
    rules.write_text(PLAYBOOK, encoding="utf-8")
    rows = {
        name: [row for row in table if row.get("account_id", "f000") < "f040"]
        for name, table in tables(SEED).items()
    }
    with served(tmp_path / "home", rows, playbook=str(rules)) as company:
        shown = twins_of(company, "f001", "seller1")

    assert (shown["looked_for"], shown["unrealised"], shown["as_of"]) == (False, None, None)


def _csv(company: Company, table: str) -> dict[str, dict[str, Any]]:
    frame = pl.read_csv(company.settings.home / "incoming" / f"{table}.csv", infer_schema_length=None)
    return {row[frame.columns[0]]: row for row in frame.iter_rows(named=True)}
