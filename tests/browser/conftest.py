"""A real Chromium before a real server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.api.company import Company, served, tables_of
from tests.api.visitors import PASSWORD, give_password
from tests.data.files import user

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
             "--disable-sync", "--no-first-run", "--disable-dev-shm-usage"]  # fmt: skip
expect.set_options(timeout=30_000)
"""What is awaited may take its time on a busy machine; how long it takes is printed where it matters."""
TABLET = {"width": 820, "height": 1180}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Once for all tests."""
    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM} is missing: install the Debian package chromium (apt-get install chromium).")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """A company with people who read three languages; a day shows eight visits, so each file has its own."""
    names = {"a7": "دكتورة ألفت", "a8": "دکتر الفت"}
    tables = tables_of(
        [*(f"a{n}" for n in range(1, 12)), *(f"b{n}" for n in range(1, 6))],
        users=[user("boss", name="Boss", role="head")],
    )
    tables["users"][0]["manager_id"] = "boss"
    for row in tables["accounts"]:
        row["name"] = names.get(row["account_id"], row["name"])
        row |= {"age_group": "50 to 59", "online_hours": "5"}
    with served(tmp_path_factory.mktemp("browser"), tables) as found:
        for user_id in ("am", "ml", "boss"):
            give_password(found, user_id)
        yield found


@pytest.fixture
def tablet(browser: Browser) -> Iterator[BrowserContext]:
    """A tablet held upright."""
    context = browser.new_context(viewport=TABLET)  # type: ignore[arg-type]
    context.set_default_timeout(30_000)
    yield context
    context.close()


def sign_in(tablet: BrowserContext, company: Company, user_id: str = "am") -> Page:
    """Her day, open."""
    page = tablet.new_page()
    page.goto(f"{company.client.base_url}/sign-in")
    page.fill("[name=user_id]", user_id)
    page.fill("[name=password]", PASSWORD)
    page.click("button.primary")
    page.wait_for_url("**/day")
    return page


def address(company: Company, path: str) -> str:
    return f"{company.client.base_url}{path}"


def visit(company: Company, account: str, topic: str = "side_effects") -> dict[str, Any]:
    company.reads_page(topic, account)
    return next(s for s in company.suggestions(account) if s["channel"] == "visit")


def state(company: Company, suggestion: dict[str, Any]) -> str:
    with company.ledger() as ledger:
        return ledger.suggestion(suggestion["suggestion_id"]).state


def serves(company: Company, account: str, user_id: str, role: str = "account_manager") -> None:
    """From now on somebody else has that place in the account's team."""
    with company.ledger() as ledger:
        ledger.put_team(pl.DataFrame({"account_id": [account], "role": [role], "user_id": [user_id]}))


def latin(page: Page) -> set[str]:
    """Latin words that are read on a page, outside names and codes, which are isolated; what a column of an
    account is called is neither."""
    text: str = page.evaluate("""() => {
      const copy = document.body.cloneNode(true);
      for (const name of copy.querySelectorAll('.facts-of dt'))
        name.replaceWith(name.textContent.replace(/[\\u2068\\u2069]/g, '') + ' ');
      const apart = 'bdi, script, style, template, svg, .brand, [lang]';
      for (const part of copy.querySelectorAll(apart)) part.remove();
      const texts = [copy.textContent];
      for (const part of copy.querySelectorAll('[aria-label], [placeholder]'))
        texts.push(part.getAttribute('aria-label'), part.getAttribute('placeholder'));
      return texts.join(' ');
    }""")
    outside_isolates = re.sub("\u2068[^\u2069]*\u2069", " ", text)
    return set(re.findall(r"[A-Za-z]{2,}", outside_isolates)) - {"MSL"}
