"""Signing in by a provider of OpenID Connect: who comes in, who does not, and who is out again."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from api.provider import REFETCH_SECONDS, Provider
from data.settings import Settings, SettingsError
from tests.api.company import Clock, Company, served, settings_of, tables_of
from tests.api.provider import AUDIENCE, CLIENT, SECRET, SmallProvider, providing
from tests.api.visitors import PASSWORD, give_password

ROLES = {"field": "account_manager", "medical": "medical_liaison", "office": "marketer"}


def configured(provider: SmallProvider, **others: Any) -> dict[str, Any]:
    return {
        "oidc_issuer": provider.issuer, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET,
        "oidc_audience": AUDIENCE, "oidc_roles": ROLES, "oidc_user_claim": "staff",
        "page_url": "https://nextbest.example/",
    } | others  # fmt: skip


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider(clock: Clock) -> Iterator[SmallProvider]:
    with providing(clock) as found:
        found.people = {
            "s-am": {"staff": "am", "groups": ["others", "field"], "name": "A. M."},
            "s-new": {"staff": "newcomer", "groups": "office", "name": "Nele Neu"},
            "s-out": {"staff": "ml", "groups": ["canteen"]},
        }
        yield found


@pytest.fixture
def company(provider: SmallProvider, clock: Clock, tmp_path: Path) -> Iterator[Company]:
    with served(tmp_path, tables_of(["a1"]), **configured(provider)) as found:
        provider.clock = found.clock
        yield found


class Browser:
    """Keeps cookies and follows nothing."""

    def __init__(self, company: Company, provider: SmallProvider) -> None:
        self.client = httpx.Client(base_url=company.client.base_url, timeout=60)
        self.provider = provider

    def go(self, next_path: str = "/accounts") -> httpx.Response:
        return self.client.get("/sign-in/provider", params={"next": next_path})

    def back(self, subject: str, **others: str) -> httpx.Response:
        brought = self.provider.come_back(self.go().headers["location"], subject) | others
        return self.client.get("/sign-in/provider/return", params=brought)

    def inside(self) -> bool:
        return self.client.get("/day").status_code == 200


@pytest.fixture
def browser(company: Company, provider: SmallProvider) -> Browser:
    return Browser(company, provider)


def test_she_is_sent_to_the_provider_and_comes_back_signed_in(company: Company, browser: Browser) -> None:
    """With a code and PKCE, to where she wanted to go; the button stands on the sign-in page."""
    page = browser.client.get("/sign-in").text
    sent = browser.go()
    asked = {name: values[0] for name, values in parse_qs(urlsplit(sent.headers["location"]).query).items()}
    answer = browser.back("s-am")

    assert 'href="/sign-in/provider?next=' in page
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert asked["redirect_uri"] == "https://nextbest.example/sign-in/provider/return"
    assert {"state", "nonce", "code_challenge"} <= asked.keys()
    assert (answer.status_code, answer.headers["location"]) == (303, "/accounts")
    assert browser.inside()


def test_the_group_gives_the_role_and_who_is_new_is_added(company: Company, browser: Browser) -> None:
    """A newcomer needs no load before she can begin; a role that changed there changes here."""
    browser.back("s-new")
    browser.provider.people["s-am"]["groups"] = ["medical"]
    browser.back("s-am")

    with company.ledger() as ledger:
        found = {user.user_id: user for user in ledger.users()}
    assert (found["newcomer"].role, found["newcomer"].name) == ("marketer", "Nele Neu")
    assert found["am"].role == "medical_liaison"


def test_without_a_known_group_nobody_comes_in(browser: Browser) -> None:
    """Whoever is somebody at the provider is not yet somebody here."""
    answer = browser.back("s-out")

    assert answer.status_code == 403
    assert "no access" in answer.text
    assert not browser.inside()


def test_nobody_takes_the_id_of_a_colleague(company: Company, browser: Browser) -> None:
    """Claims can be edited at the provider; its subject cannot."""
    browser.back("s-am")
    browser.provider.people["s-thief"] = {"staff": "am", "groups": ["field"]}
    stolen = browser.back("s-thief")
    job = Browser(company, browser.provider)
    with company.ledger() as ledger:
        ledger.keys.create("crm", ["events:write"], role="job", now=0, expires_at=company.clock() * 2)
    browser.provider.people["s-job"] = {"staff": "crm", "groups": ["field"]}

    assert stolen.status_code == 403
    assert job.back("s-job").status_code == 403


def test_a_state_holds_once_and_for_the_browser_that_began(company: Company, browser: Browser) -> None:
    """A link with somebody else's code must not sign anybody in, and a copied one is worth nothing."""
    brought = browser.provider.come_back(browser.go().headers["location"], "s-am")
    cookies = dict(browser.client.cookies)
    other = Browser(company, browser.provider).client.get("/sign-in/provider/return", params=brought)
    first = browser.client.get("/sign-in/provider/return", params=brought)
    copied = httpx.get(f"{company.client.base_url}/sign-in/provider/return", params=brought, cookies=cookies)

    assert (other.status_code, first.status_code, copied.status_code) == (400, 303, 400)
    assert "begin again" in copied.text


def test_what_comes_back_too_late_or_for_another_nonce_is_refused(company: Company, browser: Browser) -> None:
    """A token that was made for another sign-in is not for this one."""
    brought = browser.provider.come_back(browser.go().headers["location"], "s-am")
    company.clock.pass_time(minutes=11)
    late = browser.client.get("/sign-in/provider/return", params=brought)
    browser.provider.nonce = "of another sign-in"

    assert late.status_code == 400
    assert browser.back("s-am").status_code == 403


def test_who_leaves_at_the_provider_is_out_within_five_minutes(company: Company, browser: Browser) -> None:
    """The session is checked there every few minutes, with a refresh token that the ledger cannot read."""
    browser.back("s-am")
    for _ in range(4):
        company.clock.pass_time(minutes=4)
        assert browser.inside()
    with company.ledger() as ledger:
        kept = str(ledger.person_rows.about("user", "am"))
    del browser.provider.people["s-am"]
    soon = browser.inside()
    company.clock.pass_time(minutes=4)

    assert soon
    assert not any(refresh in kept for refresh in browser.provider.refreshes)
    assert not browser.inside()
    browser.provider.people["s-am"] = {"staff": "am", "groups": ["field"]}
    assert not browser.inside()


def test_who_loses_her_group_is_out_and_who_leaves_here_is_out_at_once(
    company: Company, browser: Browser
) -> None:
    """Both sides can close the door."""
    browser.back("s-am")
    other = Browser(company, browser.provider)
    other.back("s-new")
    browser.provider.people["s-am"]["groups"] = []
    company.clock.pass_time(minutes=4)
    lost = browser.inside()
    there = other.inside()
    with company.ledger() as ledger:
        ledger.settle_left("newcomer", company.clock(), now=company.clock())

    assert (lost, there, other.inside()) == (False, True, False)
    assert other.back("s-new").status_code == 403
    assert company.client.get("/v1/worklist", headers=bearer(browser.provider, "s-new")).status_code == 401


def test_without_a_refresh_token_a_session_lasts_as_long_as_the_word_of_the_provider(
    company: Company, browser: Browser
) -> None:
    """What cannot be checked does not hold."""
    browser.provider.gives_refresh = False
    browser.back("s-am")
    there = browser.inside()
    company.clock.pass_time(minutes=6)

    assert (there, browser.inside()) == (True, False)


def bearer(provider: SmallProvider, subject: str, **others: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {provider.token(subject, **others)}"}


def status(company: Company, headers: dict[str, str]) -> int:
    return company.client.get("/v1/worklist", headers=headers).status_code


def test_an_access_token_opens_the_api_for_its_minutes(company: Company, provider: SmallProvider) -> None:
    """However long the provider means it to, so that who has left is out."""
    token = bearer(provider, "s-am", exp=company.clock() // 1_000_000 + 3600)
    fresh = status(company, token)
    company.clock.pass_time(minutes=7)

    assert (fresh, status(company, token)) == (200, 401)


FORGED = {
    "another's key": {"key": rsa.generate_private_key(65537, 2048)},
    "an unknown key": {"key": rsa.generate_private_key(65537, 2048), "key_id": "unknown"},
    "expired": {"exp": 1_700_000_000},
    "not yet valid": {"nbf": 1_900_000_000},
    "from the future": {"iat": 1_900_000_000, "exp": 1_900_000_300},
    "for another audience": {"aud": "somebody-else"},
    "for the page": {"aud": AUDIENCE, "nonce": "n"},
    "of another issuer": {"iss": "https://elsewhere.example"},
    "without an expiry": {"exp": None},
    "without a subject": {"sub": None},
    "without a group": {"groups": []},
    "signed by a shared secret": {"key": "x" * 32, "algorithm": "HS256"},
    "in another strength": {"algorithm": "RS512"},
}


@pytest.mark.parametrize("how", FORGED)
def test_a_token_that_is_not_as_it_must_be_opens_nothing(
    company: Company, provider: SmallProvider, how: str
) -> None:
    """Each of these has opened doors somewhere."""
    assert status(company, bearer(provider, "s-am", **FORGED[how])) == 401
    assert status(company, bearer(provider, "s-am")) == 200


def test_neither_no_signature_nor_the_public_key_as_a_secret_opens_anything(
    company: Company, provider: SmallProvider
) -> None:
    """The two classic tricks: the head of a token must not choose how it is checked."""
    head, claims, _ = provider.token("s-am").split(".")

    def written(**parts: str) -> str:
        return base64.urlsafe_b64encode(json.dumps(parts).encode()).rstrip(b"=").decode()

    unsigned = f"{written(alg='none', typ='JWT', kid='k1')}.{claims}."
    public = provider.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    import hashlib
    import hmac

    said = f"{written(alg='HS256', typ='JWT', kid='k1')}.{claims}"
    sign = base64.urlsafe_b64encode(hmac.new(public, said.encode(), hashlib.sha256).digest()).rstrip(b"=")
    confused = f"{said}.{sign.decode()}"

    assert [status(company, {"Authorization": f"Bearer {one}"}) for one in (unsigned, confused, head)] == [
        401, 401, 401
    ]  # fmt: skip


def test_a_new_key_is_found_and_unknown_ones_do_not_flood_the_provider(
    company: Company, provider: SmallProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys rotate without a restart; forged key ids cause no more than one look a minute."""
    assert status(company, bearer(provider, "s-am")) == 200
    provider.rotate("k2", "ES256")
    too_soon = [status(company, bearer(provider, "s-am", key_id="k2")) for _ in range(5)]
    reads = provider.asked.count("/keys")
    found: Provider = company.app.state.signing_in.provider.provider
    for url, (at, document) in list(found._read.items()):
        found._read[url] = (at - REFETCH_SECONDS, document)

    assert set(too_soon) == {401}
    assert reads == 1
    assert status(company, bearer(provider, "s-am")) == 200
    assert provider.asked.count("/keys") == 2


def test_a_provider_that_is_down_leaves_passwords_alone(tmp_path: Path, clock: Clock) -> None:
    """One clear line at the button; who has a password here works on."""
    with providing(clock) as gone:
        settings = configured(gone)
    with served(tmp_path, tables_of(["a1"]), **settings) as company:
        give_password(company, "am")
        client = httpx.Client(base_url=company.client.base_url, timeout=60)
        button = client.get("/sign-in/provider")
        api = status(company, bearer(gone, "s-am"))
        signed_in = client.post("/sign-in", data={"user_id": "am", "password": PASSWORD})
        with_token = status(company, company.as_("am"))

    assert button.status_code == 503
    assert button.text.count("cannot be reached") == 1
    assert (api, signed_in.status_code, with_token) == (503, 303, 200)


def test_passwords_can_be_switched_off(tmp_path: Path, clock: Clock, provider: SmallProvider) -> None:
    """Then the provider is the only door of the page."""
    with served(tmp_path, tables_of(["a1"]), **configured(provider, local_sign_in=False)) as company:
        give_password(company, "am")
        client = httpx.Client(base_url=company.client.base_url, timeout=60)
        form = client.get("/sign-in").text
        answer = client.post("/sign-in", data={"user_id": "am", "password": PASSWORD})

    assert "password" not in form
    assert answer.status_code == 403


def test_without_a_provider_there_is_no_button(tmp_path: Path) -> None:
    """Nobody is offered a door that is not there."""
    with served(tmp_path, tables_of(["a1"])) as company:
        client = httpx.Client(base_url=company.client.base_url, timeout=60)

        assert "provider" not in client.get("/sign-in").text
        assert client.get("/sign-in/provider").status_code == 404


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"oidc_client_id": None}, "NEXTBEST_OIDC_CLIENT_ID"),
        ({"oidc_roles": {}}, "NEXTBEST_OIDC_ROLES"),
        ({"page_url": "http://nextbest.example"}, "https"),
        ({"oidc_issuer": "http://login.example"}, "https"),
    ],
)
def test_half_a_configuration_does_not_start(
    tmp_path: Path, others: dict[str, Any], said: str, clock: Clock
) -> None:
    """A door that is half set up is found out at the start, not by whoever stands before it."""
    settings = settings_of(tmp_path, **configured(SmallProvider(clock, "https://login.example"), **others))

    with pytest.raises(SettingsError, match=said):
        Provider.of(settings)


def test_roles_are_read_from_the_environment_and_never_the_secret_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A list of groups is JSON; a slip in it is one line."""
    monkeypatch.setenv("NEXTBEST_OIDC_ROLES", '{"a": "marketer"}')
    monkeypatch.setenv("NEXTBEST_OIDC_CLIENT_SECRET", SECRET)
    read = Settings()
    monkeypatch.setenv("NEXTBEST_OIDC_ROLES", "a=marketer")

    assert read.oidc_roles == {"a": "marketer"}
    assert SECRET not in repr(read)
    with pytest.raises(SettingsError, match="NEXTBEST_OIDC_ROLES"):
        Settings()


@pytest.mark.parametrize("how", ["token", "short token", "session"])
def test_a_stream_lasts_no_longer_than_the_word_of_the_provider(
    company: Company, browser: Browser, provider: SmallProvider, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Opened at the last moment it would have outlived the five minutes after which who has left is out."""
    monkeypatch.setattr("api.stream.OPEN_SECONDS", 3600.0)
    monkeypatch.setattr("api.stream.QUIET_SECONDS", 3600.0)
    now = company.clock() // 1_000_000
    headers, client = {}, company.client
    if how == "session":
        browser.back("s-am")
        monkeypatch.setattr(provider, "answer", lambda *asked: (500, {}))
        company.clock.pass_time(minutes=4, seconds=58)
        client = browser.client
    else:
        times = {"iat": now - 300 - 58} if how == "token" else {"iat": now, "exp": now - 58}
        headers["Authorization"] = f"Bearer {provider.token('s-am', **times)}"

    with client.stream("GET", "/v1/stream", headers=headers, timeout=60) as answer:
        lines = list(answer.iter_lines())
    company.clock.pass_time(seconds=3)
    again = client.get("/v1/worklist", headers=headers).status_code

    assert "event: ready" in lines
    assert again == 401
