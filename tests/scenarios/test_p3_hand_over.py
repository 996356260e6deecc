"""P3: she also asked about efficacy; the account manager asks the medical liaison to call her."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.company import Company, served, tables_of
from tests.scenarios.playbooks import shipped, without

ASKED, OTHER = (f"dr{n}" for n in random.SystemRandom().sample(range(10**8), 2))
NOTE = "Asked how long the effect lasts."


def tells(company: Company, account: str = ASKED) -> dict[str, Any]:
    """The visit is made, and on it the question is asked; the account manager hands it over."""
    company.reads_page("side_effects", account)
    listed = company.suggestions(account)  # the first may be one that is explored
    visit = next(each for each in listed if each["treatment"] == "visit_side_effects")
    company.clock.pass_time(hours=3)
    company.answers(visit, "complete", result="attended", note="Wants data on efficacy.")
    body = {"to_role": "medical_liaison", "topic": "efficacy", "note": NOTE}
    return company.post(f"/accounts/{account}/hand-overs", body | {"suggestion_id": visit["suggestion_id"]})


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Company, dict[str, Any]]]:
    with served(tmp_path_factory.mktemp("asked"), tables_of([ASKED, OTHER])) as company:
        company.night()
        yield company, tells(company)


def test_the_liaison_finds_the_task_with_its_context_in_her_own_list(
    told: tuple[Company, dict[str, Any]],
) -> None:
    """Who asked, what for, until when, and what was said before: nobody has to ask twice."""
    company, task = told
    first = company.get("/worklist", "ml")[0]
    whole = company.get(f"/hand-overs/{task['hand_over_id']}", "ml")

    assert (first["hand_over_id"], first["account_id"], first["topic"]) == (
        task["hand_over_id"], ASKED, "efficacy",
    )  # fmt: skip
    assert (first["by_name"], first["note"]) == ("Colleague am", NOTE)
    # 10:00 in Berlin on Thursday; 16 working hours of 9 to 17.
    assert first["due_at"] == "2026-01-05T09:00:00Z"
    visit, page = whole["timeline"][:2]
    assert (visit["treatment"], visit["responses"]) == ("visit_side_effects", ["attended"])
    assert visit["details"] == {"note": "Wants data on efficacy."}
    assert (page["channel"], page["topic"], page["direction"]) == ("website", "side_effects", "inbound")


def test_medical_and_commercial_see_only_what_their_role_may(told: tuple[Company, dict[str, Any]]) -> None:
    """The account manager sees that it was done, never what medical said; others do not see the task."""
    company, task = told
    path = f"/hand-overs/{task['hand_over_id']}"
    secret = f"secret {random.SystemRandom().randrange(10**9)}"
    company.post(f"{path}/answer", {"verb": "accept"}, "ml")
    company.post(
        f"{path}/answer",
        {"verb": "done", "channel": "medical_call", "result": "replied", "note": secret},
        "ml",
    )

    hers = company.get(path)
    everything = [
        hers,
        company.get(f"/accounts/{ASKED}/hand-overs"),
        company.get("/worklist"),
        company.suggestions(ASKED),
    ]
    assert hers["state"] == "done"
    assert secret not in json.dumps(everything)
    assert "medical_call" not in [entry["channel"] for entry in hers["timeline"]]
    assert company.get(path, "ml")["answer"] == secret
    for colleague in ("rs", "stranger"):
        response = company.client.get(f"/v1{path}", headers=company.as_(colleague))
        assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")


def test_the_call_becomes_a_touchpoint_and_counts(told: tuple[Company, dict[str, Any]]) -> None:
    """P4 begins here: what a colleague did is known to the next decision and to the next training."""
    company, _ = told
    company.clock.pass_time(minutes=5)
    rules = company.get(f"/accounts/{ASKED}/why-not/medical_call_new_data", "ml")["objections"]

    assert "policy:one_call_at_a_time" in [rule["rule"] for rule in rules]
    other = company.get(f"/accounts/{OTHER}/why-not/medical_call_new_data", "ml")["objections"]
    assert "policy:one_call_at_a_time" not in [rule["rule"] for rule in other]


def test_without_the_agreed_hours_there_is_no_clock(tmp_path: Path) -> None:
    """The service level is the playbook's."""
    playbook = tmp_path / "changed.toml"
    playbook.write_text(without(shipped(), "service_levels.medical_liaison"), encoding="utf-8")

    with served(tmp_path, tables_of([ASKED]), playbook=str(playbook)) as company:
        task = tells(company)

    assert task["due_at"] is None
