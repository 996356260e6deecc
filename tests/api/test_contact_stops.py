"""An emergency stop holds from the moment it is given: live, in the night, and for what is on the lists."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli import assemble
from api.explain import explain
from tests.api.company import Company, served, tables_of
from tests.data.files import user

STOP = {"scope": "channel:visit", "reason": "leaflet recalled"}


@pytest.fixture
def company(tmp_path: Path):
    tables = tables_of(["a1", "a2"])
    tables["users"] = [
        row if row["user_id"] != "am" else row | {"manager_id": "boss"} for row in tables["users"]
    ] + [user("boss", name="Colleague boss", role="director")]
    with served(tmp_path, tables) as company:
        yield company


def channels(company: Company, account_id: str = "a1") -> set[str]:
    return {suggestion["channel"] for suggestion in company.suggestions(account_id)}


def test_a_stop_holds_at_once_and_until_it_is_resumed(company: Company) -> None:
    """No restart, no night in between: the next request of anybody knows it."""
    company.reads_page()
    assert "visit" in channels(company)

    done = company.post("/contact-stops", STOP, "boss")

    assert (done["withdrawn_suggestions"], done["stopped_by"], done["scope"]) == (1, "boss", "channel:visit")
    assert "visit" not in channels(company)
    company.reads_page(account_id="a2")
    assert channels(company, "a2")
    assert "visit" not in channels(company, "a2")
    assert [stop["reason"] for stop in company.get("/contact-stops")] == ["leaflet recalled"]
    why = company.get("/accounts/a1/why-not/visit_side_effects")
    assert {"stopped"} <= {objection["rule"] for objection in why["objections"]}

    company.post(f"/contact-stops/{done['stop_id']}/resume", {"reason": "new leaflet"}, "boss")

    company.clock.pass_time(minutes=1)
    company.reads_page(account_id="a2")
    assert "visit" in channels(company, "a2")
    assert company.get("/contact-stops") == []


def test_a_decision_is_taken_again_under_the_stops_of_its_time(company: Company) -> None:
    """Live and by night: a replay after the stop is over must not suggest the visit."""
    stop = company.post("/contact-stops", STOP, "boss")
    live = company.reads_page()["stored"][0]["decision_id"]
    company.night()
    by_night = company.suggestions("a2")[0]["decision_id"]
    company.post(f"/contact-stops/{stop['stop_id']}/resume", {}, "boss")

    for decision in (live, by_night):
        with company.ledger() as ledger:
            record = ledger.decision(decision).record
        assert record["stops"] == [{"stop_id": str(stop["stop_id"]), "level": "channel", "of": "visit"}]
        told = explain(company.settings, decision)
        assert told["decided_again"] == "Deciding again gives the same."
        assert "stopped" in {each["rule"] for each in told["objections"]["visit_side_effects"]}


def test_an_accepted_visit_is_withdrawn_with_its_plan(company: Company) -> None:
    """Her calendar must not send her to the physician tomorrow."""
    company.reads_page()
    visit = next(s for s in company.suggestions() if s["channel"] == "visit")
    company.answers(visit, "accept")

    done = company.post("/contact-stops", STOP | {"scope": "all"}, "boss")

    assert (done["withdrawn_suggestions"] >= 1, done["withdrawn_plans"]) == (True, 1)
    with company.ledger() as ledger:
        assert ledger.suggestion(visit["suggestion_id"]).state == "withdrawn"
        plans = [row.content["status"] for row in ledger.tail() if row.table == "touchpoints"][-2:]
    assert plans == ["planned", "cancelled"]
    assert company.suggestions() == []


def test_the_night_knows_it_also_when_it_comes_while_the_night_runs(company: Company) -> None:
    """What was decided before the stop is decided again before it is published."""
    stops = []

    def stop_now(task: str, done: int, total: int) -> None:
        if task.startswith("deciding") and not stops:
            stops.append(company.post("/contact-stops", STOP | {"scope": "all"}, "boss"))

    company.night(report=stop_now)

    assert stops
    assert company.suggestions("a1") == company.suggestions("a2") == []
    company.clock.pass_time(hours=1)
    company.night()
    assert company.suggestions("a1") == company.suggestions("a2") == []


def test_the_night_of_a_moment_is_another_one_under_a_stop(company: Company) -> None:
    """Asked for again after the stop, it is not "already complete": its lists would be those without."""
    moment = company.clock()
    assert not company.night(as_of=moment).already
    company.post("/contact-stops", STOP, "boss")

    under, again = (company.night(as_of=moment) for _ in range(2))

    assert (under.already, again.already) == (False, True)


@pytest.mark.parametrize(
    ("body", "who", "status", "said"),
    [
        (STOP, "am", 403, "stops:write"),
        (
            STOP | {"scope": "channel:vist"},
            "boss",
            422,
            "channel 'vist', did you mean 'visit'?",
        ),
        (STOP | {"scope": "chanel:visit"}, "boss", 422, "did you mean 'channel'?"),
        (STOP | {"scope": "visit"}, "boss", 422, "need all or level:id"),
        (STOP | {"scope": "channel:website"}, "boss", 422, "no contact of channel 'website'"),
        (STOP | {"reason": " "}, "boss", 422, "Say why"),
        ({"scope": "all"}, "boss", 422, "reason"),
    ],
)
def test_what_cannot_be_stopped_is_refused_in_one_line(company: Company, body, who, status, said) -> None:
    """In an emergency a slip of the pen must not look like success."""
    answer = company.client.post("/v1/contact-stops", headers=company.as_(who), json=body)

    assert answer.status_code == status
    assert said in answer.json()["detail"]
    assert company.get("/contact-stops") == []


def test_what_is_not_stopped_cannot_be_resumed(company: Company) -> None:
    """Nor by somebody who leads nobody."""
    stop = company.post("/contact-stops", STOP, "boss")

    for stop_id, who, status in ((99, "boss", 404), (stop["stop_id"], "am", 403)):
        path = f"/v1/contact-stops/{stop_id}/resume"
        assert company.client.post(path, headers=company.as_(who), json={}).status_code == status


def test_the_command_line_stops_shows_and_resumes(company: Company) -> None:
    """Where there is no page there is a shell."""
    run, home = CliRunner(), str(company.settings.home)
    company.reads_page()

    def command(*words: str) -> str:
        result = run.invoke(assemble(), [*words, "--home", home])
        assert result.exit_code == 0, result.output
        return result.output

    stopped = command("stop-contacts", "topic:side_effects", "--reason", "new warning", "--by", "safety")
    listed = command("contact-stops")
    topics = {s["treatment"].partition("_")[2] for s in company.suggestions()}
    resumed = command("resume-contacts", "topic:side_effects")

    assert "Stopped topic:side_effects" in stopped
    assert "suggestions withdrawn" in stopped
    assert "by safety: new warning" in listed
    assert "side_effects" not in topics
    assert "Resumed topic:side_effects" in resumed
    assert command("contact-stops") == "No contacts are stopped.\n"
    assert "by safety" in command("contact-stops", "--all")
    wrong = run.invoke(assemble(), ["resume-contacts", "topic:side_effects", "--home", home])
    assert "are not stopped; stopped are: none." in str(wrong.exception)
