"""What the service is as a program: what it loads, what it says of itself."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from api.cli import GROUP, assemble, exit_code, one_line
from data.artifacts import CorruptReleaseError
from data.ledger.types import AlreadyRunningError, LedgerError
from engine.records import EngineError
from tests.api.company import Company, served

ROOT = Path(__file__).parents[2]


def test_serving_loads_neither_mlflow_nor_scikit_learn_nor_lightgbm(tmp_path: Path) -> None:
    """They cost seconds, memory and a way in for pickles; a release is text and arrays."""
    check = (
        "import sys, api.app, api.nightly, api.server\n"
        "print([m for m in ('mlflow', 'sklearn', 'lightgbm', 'matplotlib', 'pandas') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_help_loads_nothing_heavy() -> None:
    """Whoever asks for help should not wait for a compiler."""
    check = (
        "import sys\nsys.argv = ['nextbest', '--help']\nimport api.cli\n"
        "try:\n    api.cli.main()\nexcept SystemExit:\n    pass\n"
        "print([m for m in ('numba', 'fastapi', 'sqlglot', 'sklearn', 'mlflow') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_every_package_adds_its_commands() -> None:
    """api and training do not know each other; the entry-point group joins them."""
    names = {
        command.name or command.callback.__name__.replace("_", "-")
        for command in assemble().registered_commands
    }

    assert {entry.name for entry in entry_points(group=GROUP)} == {"api", "training"}
    assert {"ingest", "world", "train", "nightly", "serve", "demo", "token", "migrate"} <= names


def test_the_handbook_names_every_command_and_exit_code() -> None:
    """A scheduler's author reads them there."""
    documented = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    names = {
        command.name or command.callback.__name__.replace("_", "-")
        for command in assemble().registered_commands
    }
    codes = set(map(int, re.findall(r"^\| (\d) \|", documented, re.MULTILINE)))

    assert [name for name in sorted(names) if f"nextbest {name}" not in documented] == []
    assert codes == set(range(9))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (EngineError("x"), 2),
        (CorruptReleaseError("x"), 5),
        (LedgerError("x"), 6),
        (AlreadyRunningError("x"), 7),
        (FileNotFoundError(2, "No such file or directory", "/x"), 2),
    ],
)
def test_an_error_ends_with_the_code_of_its_kind(error: Exception, code: int) -> None:
    """A scheduler decides by the code whether to try again or to wake somebody."""
    assert exit_code(error) == code


def test_an_error_of_the_system_names_the_path() -> None:
    """ "No such file" alone helps nobody."""
    assert (
        one_line(FileNotFoundError(2, "No such file or directory", "/x")) == "/x: No such file or directory"
    )


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    with served(tmp_path_factory.mktemp("program")) as found:
        yield found


def test_readiness_says_what_decides(company: Company) -> None:
    """No token, nothing of any account: what a load balancer and an operator need."""
    before = company.client.get("/v1/ready").json()
    run = company.night().run_id
    after = company.client.get("/v1/ready").json()

    assert (before["status"], before["release"], before["learned"]) == ("ok", "starting-values", False)
    assert (before["night"], after["night"]) == (None, run)
    assert before["playbook"] == "pharma"


def test_the_api_describes_itself(company: Company) -> None:
    """OpenAPI is what others build on; nothing in it needs another server."""
    described = company.client.get("/openapi.json").json()

    assert set(described["paths"]) == {
        "/v1/accounts",
        "/v1/accounts/{account_id}",
        "/v1/accounts/{account_id}/adverse-events",
        "/v1/accounts/{account_id}/contacts",
        "/v1/accounts/{account_id}/field-notes",
        "/v1/accounts/{account_id}/hand-overs",
        "/v1/accounts/{account_id}/preferences",
        "/v1/accounts/{account_id}/preferences/{channel}/{purpose}",
        "/v1/accounts/{account_id}/suggestions",
        "/v1/accounts/{account_id}/what-if",
        "/v1/playbook",
        "/v1/releases",
        "/v1/releases/{release_id}",
        "/v1/releases/{release_id}/board",
        "/v1/releases/{release_id}/card",
        "/v1/releases/{release_id}/report",
        "/v1/suggestions/{suggestion_id}",
        "/v1/accounts/{account_id}/timeline",
        "/v1/accounts/{account_id}/twins",
        "/v1/accounts/{account_id}/what-would-change",
        "/v1/accounts/{account_id}/why-not/{treatment}",
        "/v1/contact-stops",
        "/v1/contact-stops/{stop_id}/resume",
        "/v1/contacts/{touchpoint_id}/undo",
        "/v1/corrections",
        "/v1/corrections/{suggestion_id}/settle",
        "/v1/dismissals",
        "/v1/events",
        "/v1/field-notes",
        "/v1/hand-overs",
        "/v1/hand-overs/figures",
        "/v1/hand-overs/{hand_over_id}",
        "/v1/hand-overs/{hand_over_id}/answer",
        "/v1/health",
        "/v1/persons/{person_id}",
        "/v1/persons/{person_id}/erasure",
        "/v1/plan",
        "/v1/plan/absences",
        "/v1/plan/moves",
        "/v1/ready",
        "/metrics",
        "/v1/stream",
        "/v1/suggestions/{suggestion_id}/feedback",
        "/v1/suggestions/{suggestion_id}/undo",
        "/v1/team/stand-ins",
        "/v1/team/stand-ins/{stand_in_id}/end",
        "/v1/worklist",
    }
    assert company.client.get("/docs").status_code == 404


@pytest.mark.parametrize("path", ["/nothing", "/v1/nothing"])
def test_what_is_not_there_is_a_problem_too(company: Company, path: str) -> None:
    """One form for all errors (RFC 9457)."""
    answer = company.client.get(path)

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert set(answer.json()) >= {"type", "title", "status", "detail"}


@pytest.mark.parametrize("limit", [0, 201, "many"])
def test_a_limit_out_of_range_is_a_problem(company: Company, limit: object) -> None:
    """Lists have an end."""
    answer = company.client.get("/v1/worklist", headers=company.as_("am"), params={"limit": str(limit)})

    assert answer.status_code == 422
    assert "limit" in answer.json()["detail"]


def test_a_treatment_that_is_not_there_is_named_with_what_is_near(company: Company) -> None:
    """A typing mistake is not a riddle."""
    answer = company.client.get("/v1/accounts/a1/why-not/visit_dosig", headers=company.as_("am"))

    assert answer.status_code == 404
    assert "visit_dosing" in answer.json()["detail"]


def test_reasons_are_said_in_the_language_of_the_reader(company: Company) -> None:
    """The people read Arabic, Persian and English."""
    import polars as pl

    with company.ledger() as ledger:
        ledger.put_users(
            pl.DataFrame({"user_id": ["am"], "name": ["X"], "role": ["account_manager"], "language": ["fa"]})
        )
    company.reads_page("side_effects", "a2")

    first = company.suggestions("a2")[0]

    assert "پیشنهاد" in first["headline"]
    assert first["note"].startswith("بهتر")
