"""Lists that grow come a page at a time, each row once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.company import Company, served, tables_of
from tests.data.files import user

ACCOUNTS = ["a1", "a2", "a3"]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """Of each account a hand-over to `rs` and a dismissal that asks for a correction; `boss` leads `am`."""
    tables = tables_of(ACCOUNTS)
    tables["users"] = [
        row | {"manager_id": "boss"} if row["user_id"] == "am" else row for row in tables["users"]
    ] + [user("boss", name="Colleague boss", role="director")]
    with served(tmp_path_factory.mktemp("lists"), tables) as found:
        for account in ACCOUNTS:
            found.post(
                f"/accounts/{account}/hand-overs", {"to_role": "reimbursement_specialist", "note": "x"}
            )
            found.post("/accounts/a1/hand-overs",
                       {"to_role": "reimbursement_specialist", "note": account})  # fmt: skip
            found.reads_page("side_effects", account)
            found.answers(found.suggestions(account)[0], "dismiss", reason="wrong_contact")
        yield found


def pages(company: Company, path: str, who: str) -> list[list[Any]]:
    """All pages of two rows."""
    found, address = [], f"/v1{path}{'&' if '?' in path else '?'}limit=2"
    while address:
        answer = company.client.get(address, headers=company.as_(who))
        assert answer.status_code == 200, answer.text
        found.append(answer.json())
        address = answer.headers.get("link", "").partition(">")[0].removeprefix("<")
    return found


@pytest.mark.parametrize(
    ("path", "who"),
    [
        ("/hand-overs", "rs"),
        ("/hand-overs?box=sent", "am"),
        ("/accounts/a1/hand-overs", "am"),
        ("/dismissals", "boss"),
        ("/corrections", "boss"),
    ],
)
def test_the_pages_together_are_the_list(company: Company, path: str, who: str) -> None:
    """Nothing twice, nothing lost, in the same order."""
    whole = company.get(path.partition("?")[0], who, **({"box": "sent"} if "sent" in path else {}))

    found = pages(company, path, who)

    assert [row for page in found for row in page] == whole
    assert whole
    assert all(len(page) <= 2 for page in found)
    assert len(found) == max(1, -(-len(whole) // 2))
    assert len(found) > 1 or path == "/dismissals"
