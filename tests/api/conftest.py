"""One company for all tests of a file; a test that changes an account takes one of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.company import Company, served, tables_of

ACCOUNTS = [f"a{n}" for n in range(1, 31)]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """30 accounts of one team, and `apart` that it does not serve."""
    tables = tables_of(ACCOUNTS)
    tables["accounts"].append({"account_id": "apart", "name": "Dr Apart", "segment": "B"})
    tables["account_team"].append({"account_id": "apart", "role": "account_manager", "user_id": "stranger"})
    with served(tmp_path_factory.mktemp("company"), tables) as found:
        yield found
