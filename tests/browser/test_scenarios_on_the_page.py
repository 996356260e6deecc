"""P1, P2 and P5 as people live them: on a tablet, from what happens to what is read and tapped."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.api.company import Company, served, tables_of
from tests.api.visitors import give_password
from tests.browser.conftest import address, sign_in, visit
from tests.data.files import user

ACCOUNTS = [f"dr{n}" for n in random.SystemRandom().sample(range(10**8), 6)]
READER, AGEING, STOPPING, PATIENT, *_ = ACCOUNTS


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """A company of its own, because its clock is moved."""
    safety = user("sf", name="Colleague sf", role="drug_safety")
    with served(tmp_path_factory.mktemp("lived"), tables_of(ACCOUNTS, users=[safety])) as found:
        for user_id in ("am", "ml", "sf"):
            give_password(found, user_id)
        found.night()
        yield found


def test_p1_a_page_is_read_and_the_tablet_shows_what_to_do_about_it(
    company: Company, tablet: BrowserContext
) -> None:
    """Live, with what triggered it. How long it takes is printed (`pytest -s`); the goal is a second."""
    page = sign_in(tablet, company)
    name = company.get(f"/accounts/{READER}")["account_name"]
    card = page.locator("article.arrived", has_text=f"{name} looked up side effects on the website just now")
    started = time.perf_counter()
    company.reads_page("side_effects", READER)
    card.first.wait_for(state="visible")
    seen = time.perf_counter() - started
    says = card.first.locator(".card-say").inner_text()
    card.first.locator(".card-say a").click()
    expect(page.locator(".reasons li").first).to_contain_text("Looked up “Side effects” just now")

    print(f"P1: from the event's way in to the card on the glass {seen:.2f} s")  # noqa: T201
    assert says.endswith(f"Suggestion: visit {name} and discuss the concerns.")


def test_p1_the_sentence_ages_on_an_open_page_and_the_suggestion_expires(
    company: Company, tablet: BrowserContext
) -> None:
    """ "Just now" is a lie after three minutes, and a visit about it is none after three days."""
    page = sign_in(tablet, company)
    suggestion = visit(company, AGEING)
    card = page.locator(f"#s-{suggestion['suggestion_id']}")
    expect(card).to_contain_text("just now")
    company.clock.pass_time(minutes=3)
    page.evaluate("refresh()")  # what happens each minute
    expect(card).to_contain_text("3 minutes ago")
    company.clock.pass_time(days=4)
    page = sign_in(tablet, company)

    expect(page.locator("h1")).to_have_text("My day")
    expect(page.locator(f"#s-{suggestion['suggestion_id']}")).to_have_count(0)
    page.goto(address(company, f"/suggestions/{suggestion['suggestion_id']}"))
    expect(page.locator("main")).to_contain_text("Not current any more")
    expect(page.get_by_role("button", name="Accept")).to_have_count(0)


def test_p2_no_more_e_mails_is_ticked_on_the_visit_and_holds_for_everybody(
    company: Company, tablet: BrowserContext
) -> None:
    """She says it at the door; it is recorded with the visit's result, in one form."""
    suggestion = visit(company, STOPPING)
    page = sign_in(tablet, company)
    page.goto(address(company, f"/suggestions/{suggestion['suggestion_id']}#result"))
    page.get_by_text("We met").click()
    page.locator("label.chip", has_text="E-mail").click()
    page.get_by_role("button", name="Done").click()
    expect(page.locator(".told")).to_contain_text("The result is recorded.")
    page.goto(address(company, f"/accounts/{STOPPING}"))
    expect(page.locator("[aria-labelledby=wants]")).to_contain_text("E-mail · advertising not allowed")
    page.goto(address(company, f"/accounts/{STOPPING}/why-not?treatment=email_guidelines"))
    expect(page.locator(".rules .objects").first).to_contain_text("Opted out of marketing messages (E-mail).")

    company.reads_page("guidelines", STOPPING)
    company.clock.pass_time(days=1)
    company.night()
    shown = [s for who in ("am", "ml", "rs") for s in company.suggestions(STOPPING, who)]
    assert [s["treatment"] for s in shown if s["channel"] == "email"] == []


def test_p5_a_side_effect_is_with_drug_safety_after_one_form_and_its_clock_runs(
    company: Company, tablet: BrowserContext
) -> None:
    """It is there while the account manager still reads that it was sent; for her it is no signal."""
    safety = sign_in(tablet.browser.new_context(), company, "sf")  # type: ignore[union-attr]
    page = sign_in(tablet, company)
    page.goto(address(company, f"/accounts/{PATIENT}"))
    before = page.locator("[data-refresh=next] .rows").inner_text()
    page.get_by_text("Report a side effect").click()
    page.get_by_label("What was reported").fill("Rash after the second dose.")
    page.get_by_text("Serious").click()
    page.get_by_role("button", name="Send the report").click()
    expect(page.locator(".told")).to_contain_text(
        "The report is with drug safety. Nothing else follows from it."
    )
    task = safety.locator("article.task")
    expect(task.first).to_contain_text("Side effect reported:")
    due = task.first.locator(".card-meta").inner_text()
    task.first.locator("h3 a").click()
    expect(safety.locator("main")).to_contain_text("Rash after the second dose.")
    after = page.locator("[data-refresh=next] .rows").inner_text()
    safety.context.close()

    (waiting,) = [one for one in company.get("/worklist", "sf") if one["account_id"] == PATIENT]
    assert waiting["due_at"] == company.clock.iso(days=1)
    assert due.startswith("due ")
    assert after == before
    assert "Rash" not in page.content()
