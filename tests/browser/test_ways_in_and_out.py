"""What leads into the page and out of it: the company's sign-in, a colleague's place, the mail program."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from data.playbooks import playbook_text
from tests.api.company import Clock, Company, served, tables_of
from tests.api.provider import SmallProvider, providing
from tests.api.test_provider import configured
from tests.api.visitors import give_password
from tests.browser.conftest import address, latin, sign_in
from tests.data.files import user

COLLEAGUES = {"am": "سارة", "stranger": "هدى", "ml": "ليلى", "rs": "منى"}
PERSONAL_MAIL = """
[channels.personal_mail]
name = { en = "Personal e-mail", ar = "رسالة شخصية", fa = "ایمیل شخصی" }
minutes = 10
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[SmallProvider]:
    with providing(Clock()) as found:
        found.people = {"s-am": {"staff": "am", "groups": ["field"]}, "s-out": {"staff": "x", "groups": []}}
        yield found


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory, provider: SmallProvider) -> Iterator[Company]:
    """Account managers of this company write some of their e-mails themselves."""
    folder = tmp_path_factory.mktemp("ways")
    rows = tables_of(["a1", "a2"], users=[user("boss", name="Boss", role="head")])
    rows["users"][0]["manager_id"] = "boss"
    for row in rows["users"]:
        row["name"] = COLLEAGUES.get(row["user_id"], row["name"])
        row["manager_id"] = "boss" if row["user_id"] in COLLEAGUES else ""
    for row, language in zip(rows["accounts"], ("en", "ar"), strict=True):
        row |= {"language": language, "name": {"en": "Dr Olfat", "ar": "د. ألفت"}[language]}
    text = playbook_text("pharma")
    before, _, after = text.partition('[treatments.visit_side_effects]\nchannel = "visit"')
    book = folder / "own.toml"
    written = f'{before}{PERSONAL_MAIL}\n[treatments.visit_side_effects]\nchannel = "personal_mail"{after}'
    book.write_text(written, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = configured(provider, page_url=f"http://127.0.0.1:{port}")
    with served(folder / "home", rows, at=port, playbook=str(book), **settings) as found:
        provider.clock = found.clock
        for user_id in ("am", "boss", "stranger"):
            give_password(found, user_id)
        yield found


@pytest.mark.parametrize(
    ("language", "button"),
    [
        ("en", "Sign in with the company account"),
        ("ar", "تسجيل الدخول بحساب الشركة"),
        ("fa", "ورود با حساب شرکت"),
    ],
)
def test_the_companys_own_sign_in_is_one_tap(
    company: Company, provider: SmallProvider, tablet: BrowserContext, language: str, button: str
) -> None:
    """There and back, to the page that she wanted; the way out leads to the door."""
    provider.at_the_door = "s-am"
    page = tablet.new_page()
    page.goto(address(company, f"/sign-in?language={language}&next=/accounts"))
    strange = latin(page)
    page.get_by_role("link", name=button).click()
    page.wait_for_url("**/accounts")
    name = page.locator(".me summary").inner_text()
    page.locator(".me summary").click()
    page.locator("form[action='/sign-out'] button").click()
    expect(page.get_by_role("link", name=button)).to_be_visible()

    assert language == "en" or strange == set()
    assert COLLEAGUES["am"] in name


def test_whom_the_company_gives_no_access_is_told_so(
    company: Company, provider: SmallProvider, tablet: BrowserContext
) -> None:
    """And where to ask, in her language."""
    provider.at_the_door = "s-out"
    page = tablet.new_page()
    page.goto(address(company, "/sign-in?language=ar"))
    page.locator("a[href^='/sign-in/provider']").click()
    expect(page.get_by_role("alert")).to_be_visible()

    assert latin(page) == set()
    assert page.goto(address(company, "/day")).url.endswith("/sign-in?next=/day")  # type: ignore[union-attr]


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_manager_gives_the_tasks_of_who_is_away_to_a_colleague(
    company: Company, tablet: BrowserContext, language: str
) -> None:
    """Both see it, and who is back takes them again with one tap."""
    with company.ledger() as ledger:
        for user_id in ("boss", "am"):
            ledger.sign_ins.choose_language(user_id, language)
    page = sign_in(tablet, company, "boss")
    page.goto(address(company, "/team"))
    page.locator("section[aria-labelledby=leave] details summary").click()
    form = page.locator("form[action='/team/stand-ins']")
    form.locator("[name=user_id]").select_option("am")
    form.locator("[name=stand_in]").select_option("stranger")
    for name in ("first", "until"):
        form.locator(f"[name={name}]").fill(company.clock.iso()[:10])
    form.locator("button.primary").click()
    expect(page.locator(".told").first).to_be_visible()
    given = page.locator("form[action$='/end']").inner_text()
    strange = latin(page)
    away = sign_in(tablet.browser.new_context(), company, "am")  # type: ignore[union-attr]
    back = away.locator("form[action$='/end'] button")
    strange |= latin(away)
    back.click()
    expect(back).to_have_count(0)
    away.context.close()

    assert given.index(COLLEAGUES["am"]) < given.index(COLLEAGUES["stranger"])
    assert language == "en" or strange == set()


@pytest.mark.parametrize(
    ("account", "subject", "begins"),
    [("a1", "Appointment", "Dear Dr Olfat,\n\nI would"), ("a2", "موعد زيارة", "د. ألفت، تحية طيبة،\n\nأودّ")],
)
def test_a_text_ready_to_send_opens_in_her_mail_program(
    company: Company, tablet: BrowserContext, account: str, subject: str, begins: str
) -> None:
    """Subject and text as they stand on the page, in the account's language; spaces and lines included."""
    company.reads_page("side_effects", account)
    found = next(one for one in company.suggestions(account) if one["channel"] == "personal_mail")
    with company.ledger() as ledger:
        ledger.sign_ins.choose_language("am", "ar")
    page = sign_in(tablet, company)
    page.goto(address(company, f"/suggestions/{found['suggestion_id']}"))
    link = page.locator("a[href^='mailto:']")
    written = urlsplit(link.get_attribute("href") or "")
    parts = {name: values[0] for name, values in parse_qs(written.query.replace("+", "%2B")).items()}
    shown = page.locator("#message-text")

    assert (written.path, parts["subject"]) == ("", subject)
    assert parts["body"].startswith(begins)
    assert parts["body"] == shown.input_value()
    assert parts["body"].endswith(COLLEAGUES["am"])
    assert _runs(page) == {"a1": "ltr", "a2": "rtl"}[account]


def _runs(page: Page) -> str:
    """The direction in which the text is shown."""
    found: str = page.evaluate("getComputedStyle(document.getElementById('message-text')).direction")
    return found
