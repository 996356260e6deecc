"""What a person sees and taps on a tablet: verbs, what arrives by itself, languages, nobody shut out."""

from __future__ import annotations

import time
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.api.company import Company
from tests.browser.conftest import address, latin, sign_in, state, visit

LANGUAGES = {"en": ("ltr", "My day"), "ar": ("rtl", "خطة اليوم"), "fa": ("rtl", "برنامهٔ امروز من")}
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


def test_p1_a_new_suggestion_appears_without_reload_and_goes_when_a_colleague_has_acted(
    company: Company, tablet: BrowserContext
) -> None:
    """She stands before the door; the page in her hand knows what has just happened."""
    page = sign_in(tablet, company)
    page.evaluate("window.kept = true")
    page.wait_for_timeout(400)
    suggestion = visit(company, "a11")
    card = page.locator(f"#s-{suggestion['suggestion_id']}")
    expect(card).to_contain_text("looked up side effects on the website just now")
    expect(page.locator(".toast")).to_contain_text("New: ")
    expect(page.locator("#count")).to_contain_text("suggestion")

    company.answers(suggestion, "dismiss", reason="wrong_time")
    expect(card).to_have_count(0)

    assert page.evaluate("window.kept") is True, "It was not reloaded."


def test_p1_what_an_event_causes_arrives_on_an_open_page_by_itself(
    company: Company, tablet: BrowserContext
) -> None:
    """From the event's way in to the card on the glass; the time is printed (`pytest -s`) and not limited."""
    page = sign_in(tablet, company)
    started = time.perf_counter()
    company.reads_page("side_effects", "a1", event_id="measured")
    answered = time.perf_counter()
    name = company.get("/accounts/a1")["account_name"]
    card = page.locator("article.arrived", has_text=f"{name} looked up side effects on the website just now")
    expect(card.first).to_be_visible()
    seen = time.perf_counter()

    print(f"event answered after {answered - started:.2f} s, its card seen after {seen - started:.2f} s")  # noqa: T201
    expect(page.locator(".toast")).to_contain_text("New: ")


def test_what_happens_before_the_page_listens_is_not_missed(company: Company, tablet: BrowserContext) -> None:
    """An event comes between the making of the page and the opening of its stream."""

    def meanwhile(route: Route) -> None:
        company.reads_page("side_effects", "a9")
        route.continue_()

    tablet.route("**/v1/stream*", meanwhile, times=1)
    page = sign_in(tablet, company)
    name = company.get("/accounts/a9")["account_name"]

    card = page.locator("article.arrived", has_text=f"{name} looked up side effects on the website just now")
    expect(card.first).to_be_visible()


def test_a_card_in_use_is_not_taken_out_of_her_hand(company: Company, tablet: BrowserContext) -> None:
    """She is choosing a reason while something else arrives."""
    mine = visit(company, "a2")
    page = sign_in(tablet, company)
    card = page.locator(f"#s-{mine['suggestion_id']}")
    card.get_by_text("Not now").click()
    other = visit(company, "a3")
    expect(page.locator(f"#s-{other['suggestion_id']}")).to_be_visible()

    card.get_by_role("button", name="Wrong time").click()
    expect(page.locator(".told")).to_contain_text("Dismissed.")

    assert state(company, mine) == "dismissed"


def test_every_verb_is_done_with_a_thumb(company: Company, tablet: BrowserContext) -> None:
    """Accept, undo, result with wish and hand-over, snooze: each with what follows."""
    first, second = visit(company, "a4"), visit(company, "a5")
    page = sign_in(tablet, company)
    page.locator(f"#s-{first['suggestion_id']}").get_by_role("button", name="Accept").click()
    expect(page.locator(".told")).to_contain_text("Accepted and planned.")
    accepted = state(company, first)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".told")).to_contain_text("Taken back.")
    undone = state(company, first)

    page.locator(f"#s-{first['suggestion_id']}").get_by_role("link", name="Record the result").click()
    page.get_by_text("We met").click()
    page.locator("label.chip", has_text="E-mail").click()
    page.get_by_label("Note").fill("Asked about nausea.")
    page.get_by_text("Ask a colleague for something").click()
    page.locator("form[data-keep=complete]").get_by_label("To whom").select_option("medical_liaison")
    page.get_by_role("button", name="Done").click()
    expect(page.locator(".told")).to_contain_text("The result is recorded.")

    page.goto(address(company, f"/suggestions/{second['suggestion_id']}"))
    page.get_by_text("Remind me later").click()
    page.get_by_role("button", name="For 3 days").click()
    expect(page.locator(".told")).to_contain_text("reminded later")

    assert (accepted, undone) == ("accepted", "open")
    assert (state(company, first), state(company, second)) == ("completed", "snoozed")
    assert "a4" in [task["account_id"] for task in company.get("/hand-overs", "ml")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_l_the_page_speaks_her_language_in_her_direction(
    company: Company, tablet: BrowserContext, language: str
) -> None:
    """Mirrored, in her digits and calendar; no word of another language but names and codes."""
    visit(company, "a7" if language == "ar" else "a8")
    page = sign_in(tablet, company)
    page.locator(".me summary").click()
    page.locator(f"button[name=language][value={language}]").click()
    direction, title = LANGUAGES[language]
    expect(page.locator("h1")).to_have_text(title)
    account = address(company, "/accounts/a8")
    suggestion = page.locator(".card-say a").first.get_attribute("href") or ""

    strange = {}
    for path in (
        "/day",
        "/accounts",
        account,
        suggestion,
        "/playbook",
        f"{account}/why-not?treatment=visit_dosing",
    ):
        page.goto(path if path.startswith("http") else address(company, path))
        assert page.locator("html").get_attribute("dir") == direction
        if found := latin(page):
            strange[path] = found
        if path == account:
            facts = page.locator(".facts-of").inner_text()
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    page.goto(address(company, "/day"))
    page.locator(".me summary").click()
    page.locator("button[name=language][value=en]").click()

    assert overflow <= 0
    assert language == "en" or strange == {}
    assert {"en": "50 to 59", "ar": "من 50 إلى 59", "fa": "۵۰ تا ۵۹"}[language] in facts


def test_persian_digits_are_drawn_as_persians_write_them(company: Company, tablet: BrowserContext) -> None:
    """Noto Naskh Arabic, which many machines have, draws 4, 6 and 7 as Urdu writes them."""
    with company.ledger() as ledger:
        ledger.sign_ins.choose_language("am", "fa")
    page = sign_in(tablet, company)
    with company.ledger() as ledger:
        ledger.sign_ins.choose_language("am", "en")
    asked = tablet.new_cdp_session(page)
    asked.send("DOM.enable")
    asked.send("CSS.enable")
    root = asked.send("DOM.getDocument")["root"]["nodeId"]
    title = asked.send("DOM.querySelector", {"nodeId": root, "selector": "h1"})["nodeId"]

    fonts = asked.send("CSS.getPlatformFontsForNode", {"nodeId": title})["fonts"]

    names = {font["familyName"] for font in fonts}
    assert names
    assert "Noto Naskh Arabic" not in names


@pytest.mark.parametrize(
    ("language", "scheme"), [("en", "light"), ("en", "dark"), ("ar", "light"), ("ar", "dark")]
)
def test_nobody_is_shut_out(company: Company, tablet: BrowserContext, language: str, scheme: Any) -> None:
    """WCAG 2.2 AA as far as a program can see: contrast, names, order, size of targets; mirrored too."""
    suggestion = visit(company, "a6")
    with company.ledger() as ledger:
        ledger.sign_ins.choose_language("am", language)
    page = sign_in(tablet, company)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.locator("details.more summary").first.click()
    found = {"/day": violations(page)}
    more = ["/accounts", "/playbook", "/accounts/a6/why-not?treatment=email_guidelines"]
    paths = [
        "/accounts/a6",
        f"/suggestions/{suggestion['suggestion_id']}",
        *(more if language == "en" and scheme == "light" else []),
    ]
    for path in paths:
        page.goto(address(company, path))
        page.evaluate("document.querySelectorAll('details:not(.me)').forEach((one) => { one.open = true; })")
        found[path] = violations(page)
    with company.ledger() as ledger:
        ledger.sign_ins.choose_language("am", "en")

    assert {path: one for path, one in found.items() if one} == {}


def test_a_manager_and_the_door_shut_nobody_out_either(company: Company, tablet: BrowserContext) -> None:
    """The pages before signing in, and the tables of a team."""
    page = tablet.new_page()
    page.goto(address(company, "/sign-in"))
    door = violations(page)
    company.night()
    page = sign_in(tablet, company, "boss")
    found = {}
    for path in ("/team", "/team/am", "/playbook", "/releases"):
        page.goto(address(company, path))
        found[path] = violations(page)

    assert door == []
    assert {path: one for path, one in found.items() if one} == {}


def violations(page: Page) -> list[str]:
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in found]
