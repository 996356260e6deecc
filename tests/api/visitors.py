"""Somebody at the page with a browser that keeps cookies and follows redirects, but runs no script."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import httpx
from argon2 import PasswordHasher

from tests.api.company import Company

PASSWORD = "correct horse battery"
_quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Only tests may hash so cheaply."""


def give_password(company: Company, user_id: str, password: str = PASSWORD) -> None:
    with company.ledger() as ledger:
        ledger.sign_ins.put_password(user_id, _quick.hash(password), now=company.clock())


class Visitor:
    """One browser; signs in by itself."""

    def __init__(self, company: Company, user_id: str = "am") -> None:
        give_password(company, user_id)
        self.client = httpx.Client(base_url=company.client.base_url, follow_redirects=True, timeout=60)
        self.user_id = user_id
        self.page = self.client.post("/sign-in", data={"user_id": user_id, "password": PASSWORD})

    def get(self, path: str, **query: Any) -> str:
        self.page = self.client.get(path, params=query)
        return self.text

    def send(self, path: str, *, csrf: str | None = None, **fields: Any) -> str:
        """Send a form from the page that is open."""
        token = self.csrf if csrf is None else csrf
        headers = {"Referer": str(self.page.url)}
        self.page = self.client.post(path, data={"csrf": token, **fields}, headers=headers)
        return self.text

    @property
    def csrf(self) -> str:
        found = re.search(r'name="csrf" content="([^"]+)"', self.page.text)
        assert found, self.page.text[:2000]
        return found[1]

    @property
    def text(self) -> str:
        """What is read, without mark-up."""
        body = re.sub(r"<(script|style|template|svg).*?</\1>", " ", self.page.text, flags=re.DOTALL)
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())

    @property
    def said(self) -> str:
        """What the page tells about what was just done."""
        found = re.search(r'class="told[^"]*" role="status">(.*?)</div>', self.page.text, re.DOTALL)
        told = re.sub(r"<form.*?</form>", " ", found[1] if found else "", flags=re.DOTALL)
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", told)).split())
