"""Signing in to the page: sessions by cookie, CSRF, guessing, headers, and no way around /v1's access."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.commands import password as password_command
from api.page.routing import own_path
from api.signing_in import MOST_OF_USER_HERE, PasswordError, SigningIn, hash_password
from data.ledger.types import UnknownError
from tests.api.company import Company, served, settings_of, tables_of
from tests.api.visitors import PASSWORD, Visitor, give_password


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with served(tmp_path_factory.mktemp("sign-in"), tables_of(["a1", "a2", "a3"])) as found:
        yield found


def sign_in(company: Company, user_id: str, password: str) -> httpx.Response:
    with httpx.Client(base_url=company.client.base_url, timeout=60) as client:
        return client.post("/sign-in", data={"user_id": user_id, "password": password})


def test_who_signs_in_sees_her_day_and_after_signing_out_nothing(company: Company) -> None:
    """The session is over on our side, not only in the browser."""
    visitor = Visitor(company)
    cookie = visitor.client.cookies["nextbest"]
    there = visitor.text
    visitor.send("/sign-out")
    with httpx.Client(base_url=company.client.base_url, cookies={"nextbest": cookie}) as copy:
        again = copy.get("/day")

    assert "My day" in there
    assert visitor.page.url.path == "/sign-in"
    assert (again.status_code, again.headers["location"]) == (303, "/sign-in?next=/day")


def test_the_cookie_is_for_http_alone_and_another_one_after_each_sign_in(company: Company) -> None:
    """A script cannot read it, another site cannot send it, and one planted before is worth nothing."""
    give_password(company, "am")
    with httpx.Client(base_url=company.client.base_url, cookies={"nextbest": "planted"}) as client:
        answer = client.post("/sign-in", data={"user_id": "am", "password": PASSWORD})

    cookie = answer.headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=lax", "path=/", "max-age=259200"))
    assert "planted" not in cookie


@pytest.mark.parametrize(
    ("host", "https", "secure"),
    [("127.0.0.1", None, False), ("0.0.0.0", None, True), ("127.0.0.1", True, True), ("::", False, False)],
)
def test_away_from_this_machine_the_cookie_is_for_https_alone(
    company: Company, tmp_path: Path, host: str, https: bool | None, secure: bool
) -> None:
    """Nobody has to remember to switch that on."""
    with company.ledger() as ledger:
        found = SigningIn(ledger, settings_of(tmp_path, host=host, https=https))

        assert (found.secure, found.cookie.startswith("__Host-")) == (secure, secure)


def test_wrong_user_and_wrong_password_get_the_same_answer(company: Company) -> None:
    """Nobody can find out who works here."""
    give_password(company, "am")
    answers = [sign_in(company, *who) for who in (("am", "wrong"), ("nobody", "wrong"), ("rs", ""))]

    texts = {answer.text.replace('value="am"', "").replace('value="nobody"', "").replace('value="rs"', "")
             for answer in answers}  # fmt: skip
    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert len(texts) == 1


def test_guessing_is_stopped_for_a_while_even_with_the_right_password(company: Company) -> None:
    """Five attempts, then a quarter of an hour."""
    give_password(company, "ml")
    vain = [sign_in(company, "ml", f"guess {n}").status_code for n in range(MOST_OF_USER_HERE)]
    stopped = sign_in(company, "ml", PASSWORD).status_code
    others = sign_in(company, "rs", "wrong").status_code
    company.clock.pass_time(minutes=16)
    later = sign_in(company, "ml", PASSWORD).status_code

    assert vain == [401] * MOST_OF_USER_HERE
    assert (stopped, others, later) == (429, 401, 303)


def test_a_change_needs_the_sessions_own_token_in_a_form_and_over_the_api(company: Company) -> None:
    """Another site can make her browser send a form, but cannot know the token."""
    visitor = Visitor(company)
    body = {"to_role": "medical_liaison", "note": "x"}
    path = "/v1/accounts/a1/hand-overs"

    codes = [
        visitor.client.post(path, json=body, headers=headers).status_code
        for headers in ({}, {"X-CSRF-Token": "wrong"}, {"X-CSRF-Token": visitor.csrf})
    ]
    visitor.send("/language", csrf="another", language="en")

    assert codes == [403, 403, 200]
    assert visitor.page.status_code == 403


def test_a_cookie_opens_of_the_api_what_a_token_opens(company: Company) -> None:
    """One rule for who may see what, however she proves who she is."""
    visitor = Visitor(company)

    mine, other = (visitor.client.get(f"/v1/accounts/{a}/suggestions").status_code for a in ("a1", "nix"))
    stranger = Visitor(company, "stranger")

    assert (mine, other) == (200, 404)
    assert stranger.client.get("/v1/accounts/a1/suggestions").status_code == 404
    assert "a1" not in stranger.get("/accounts")


def test_every_answer_forbids_what_pages_do_not_need(company: Company) -> None:
    """No script of others, no frame around us, no guessing of types."""
    visitor = Visitor(company)
    for path in ("/day", "/sign-in", "/v1/health", "/static/page.css", "/nowhere"):
        headers = visitor.client.get(path).headers

        assert headers["content-security-policy"].startswith("default-src 'self'; ")
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
    assert "strict-transport-security" not in headers


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("https://evil.example/day?x=1", "/day?x=1"), ("//evil.example", "/day"),
        ("/\\evil.example", "/evil.example"),
        ("https://evil.example//other.example/a", "/other.example/a"), ("/accounts?q=a", "/accounts?q=a"),
        ("", "/day"), ("javascript:alert(1)", "/alert(1)"), ("/sign-in", "/day"),
    ],
)  # fmt: skip
def test_nobody_is_sent_to_another_site(address: str, path: str) -> None:
    """A link to our door must not end at somebody else's."""
    assert own_path(address) == path


def test_the_command_sets_a_password_and_refuses_a_short_one(
    company: Company, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From standard input for scripts, random for a first day; never one that everybody knows."""
    given = tmp_path / "given"
    given.write_text("a sentence of my own\n", encoding="utf-8")
    home = company.settings.home
    with given.open(encoding="utf-8") as file:
        monkeypatch.setattr("sys.stdin", file)
        password_command("rs", home=home)
    typed = sign_in(company, "rs", "a sentence of my own").status_code
    capsys.readouterr()
    password_command("rs", random=True, home=home)
    made = capsys.readouterr().out.strip()

    assert typed == 303
    assert len(made) >= 20
    assert sign_in(company, "rs", made).status_code == 303
    with pytest.raises(UnknownError):
        password_command("nobody", random=True, home=home)
    with pytest.raises(PasswordError, match="12 to"):
        hash_password("short")
