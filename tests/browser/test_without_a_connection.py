"""In a lift: the page opens without a connection and says how old it is; no answer is lost or sent twice."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from playwright.sync_api import Browser, BrowserContext, Page, expect

from data.ledger import schema as t
from tests.api.company import Company
from tests.browser.conftest import ARGUMENTS, CHROMIUM, address, serves, sign_in, state, visit


@contextmanager
def own_browser(browser: Browser, profile: Path) -> Iterator[BrowserContext]:
    """A browser with a profile on the disk; it is killed at the end, as by an empty battery."""
    port = profile / "DevToolsActivePort"
    port.unlink(missing_ok=True)
    arguments = [*ARGUMENTS, "--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}"]
    started = subprocess.Popen([CHROMIUM, *arguments, "about:blank"], stderr=subprocess.DEVNULL)
    try:
        while not port.exists() or "\n" not in port.read_text(encoding="utf-8"):
            assert started.poll() is None, "Chromium has ended."
            time.sleep(0.05)
        at = port.read_text(encoding="utf-8").split()[0]
        connected = browser.browser_type.connect_over_cdp(f"http://127.0.0.1:{at}")
        connected.contexts[0].set_default_timeout(30_000)
        yield connected.contexts[0]
    finally:
        started.kill()
        started.wait()


def until_kept(page: Page, *paths: str) -> None:
    """Pages are kept in the background."""
    missing = set(paths)
    for _ in range(300):
        kept = page.evaluate("caches.open('pages:am').then((pages) => pages.keys())"
                             ".then((all) => all.map((one) => new URL(one.url).pathname))")  # fmt: skip
        missing -= set(kept)
        if not missing:
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"Not kept: {missing}")


def acts(company: Company, suggestion: dict[str, Any]) -> list[str]:
    """Everything that was answered."""
    own = t.acts.c
    with company.ledger() as ledger, ledger._database.reading() as connection:
        query = sa.select(own.verb).where(own.subject == suggestion["suggestion_id"])
        return list(connection.scalars(query))


LEFT_BEHIND = """async () => {
  const opened = await new Promise((resolve) => {
    const opening = indexedDB.open("nextbest", 1);
    opening.onsuccess = () => resolve(opening.result);
  });
  const asked = opened.transaction("answers").objectStore("answers").count();
  await new Promise((resolve) => { asked.onsuccess = resolve; });
  const pages = (await caches.keys()).filter((name) => name.startsWith("pages"));
  return { answers: asked.result, pages, local: localStorage.length, session: sessionStorage.length };
}"""


def sign_out(page: Page) -> None:
    if not page.get_by_role("button", name="Sign out", exact=True).is_visible():
        page.locator(".me summary").click()
    page.get_by_role("button", name="Sign out", exact=True).click()


def test_three_answers_outlive_a_killed_browser_and_act_once(
    company: Company, browser: Browser, tmp_path: Path
) -> None:
    """Two are sent, each once; the third, which was given to a colleague meanwhile, is told by name."""
    accepted, dismissed, given_away = visit(company, "a9"), visit(company, "a10"), visit(company, "b1")
    card = "#s-{suggestion_id}"
    with own_browser(browser, tmp_path) as context:
        page = sign_in(context, company)
        until_kept(page, "/day")
        context.set_offline(True)
        page.locator(card.format(**accepted)).get_by_role("button", name="Accept").click()
        expect(page.locator(".toast")).to_contain_text("Your answer is kept")
        page.locator(card.format(**dismissed)).get_by_text("Not now").click()
        page.locator(card.format(**dismissed)).get_by_role("button", name="Wrong time").click()
        page.locator(card.format(**given_away)).get_by_role("button", name="Accept").click()
        expect(page.locator(".card.waits")).to_have_count(3)
    before = [state(company, one) for one in (accepted, dismissed, given_away)]
    serves(company, "b1", "stranger")

    with own_browser(browser, tmp_path) as context:
        context.clear_cookies()  # which may have been written to the disk, or not, before it was killed
        page = sign_in(context, company)
        expect(page.locator(".toast")).to_contain_text(f"not sent: {given_away['account_name']}")
        page.reload()
        expect(page.locator(f"#s-{accepted['suggestion_id']}")).to_contain_text("Planned")
        left = page.evaluate("kept()")

    assert before == ["open", "open", "open"]
    assert [acts(company, one) for one in (accepted, dismissed)] == [["accept"], ["dismiss"]]
    assert left == []
    assert state(company, given_away) != "accepted"


def test_the_page_opens_without_a_connection_and_says_how_old_it_is(
    company: Company, tablet: BrowserContext
) -> None:
    """Her day, and a suggestion that she has not opened before; the token of her session is not in it."""
    suggestion = visit(company, "b2")
    path = f"/suggestions/{suggestion['suggestion_id']}"
    page = sign_in(tablet, company)
    until_kept(page, "/day", path)
    tablet.set_offline(True)
    page.goto(address(company, "/day"))
    expect(page.locator("#age")).to_contain_text("No connection. This is how it was this minute.")
    page.locator(f"#s-{suggestion['suggestion_id']} .card-say a").click()
    expect(page.locator("h1")).to_contain_text("looked up side effects")
    token = page.locator("meta[name=csrf]").get_attribute("content")
    page.goto(address(company, "/team"))
    elsewhere = page.url
    tablet.set_offline(False)
    expect(page.locator("#age")).to_be_hidden()

    assert token == ""
    assert elsewhere.endswith("/day"), "What was not kept leads to her day."


def test_what_was_kept_for_one_user_is_gone_with_the_next_ones_first_page(
    company: Company, tablet: BrowserContext
) -> None:
    """Also where her tablet was never told that she had signed out."""
    page = sign_in(tablet, company)
    page.evaluate("caches.open('pages:boss').then((all) => all.put('/day', new Response('of the boss')))")
    page.reload()
    until_kept(page, "/day")

    assert [name for name in page.evaluate("caches.keys()") if name.startswith("pages")] == ["pages:am"]


def test_nothing_is_kept_after_signing_out(company: Company, tablet: BrowserContext) -> None:
    """The next colleague with this tablet finds the door."""
    page = sign_in(tablet, company)
    until_kept(page, "/day")
    page.locator(".me summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()

    assert page.evaluate("caches.has('pages:am')") is False


def test_what_is_unsent_is_told_before_signing_out_and_nothing_stays_behind(
    company: Company, tablet: BrowserContext
) -> None:
    """A note on a customer is no gift for whoever takes the tablet next, nor to be lost without a word."""
    first, second = visit(company, "b3"), visit(company, "b4")
    page = sign_in(tablet, company)
    until_kept(page, "/day")
    tablet.set_offline(True)
    for each in (first, second):
        page.locator(f"#s-{each['suggestion_id']}").get_by_role("button", name="Accept").click()
        expect(page.locator(f"#s-{each['suggestion_id']}.waits")).to_be_visible()
    sign_out(page)
    expect(page.locator(".toast")).to_contain_text("2 answers have not been sent yet. No connection.")
    tablet.route("**/feedback", lambda route: route.fulfill(status=503))
    tablet.set_offline(False)
    sign_out(page)
    page.get_by_role("button", name="Stay signed in").click()
    stayed = page.evaluate("kept().then((all) => all.length)")
    sign_out(page)
    expect(page.locator("dialog")).to_contain_text("2 answers have not been sent yet.")
    page.get_by_role("button", name="Sign out and delete").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()

    assert stayed == 2
    assert [state(company, each) for each in (first, second)] == ["open", "open"]
    assert page.evaluate(LEFT_BEHIND) == {"answers": 0, "pages": [], "local": 0, "session": 0}


def test_what_waits_is_sent_before_signing_out(company: Company, tablet: BrowserContext) -> None:
    """Nobody is asked about what can be put right without her."""
    suggestion = visit(company, "b5")
    page = sign_in(tablet, company)
    until_kept(page, "/day")
    tablet.set_offline(True)
    page.locator(f"#s-{suggestion['suggestion_id']}").get_by_role("button", name="Accept").click()
    expect(page.locator(".card.waits")).to_be_visible()
    tablet.set_offline(False)
    sign_out(page)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()

    assert acts(company, suggestion) == ["accept"]
    assert page.evaluate(LEFT_BEHIND) == {"answers": 0, "pages": [], "local": 0, "session": 0}
