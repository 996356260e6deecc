"""What she settles and what she heard, on the page without a script: days, absences, field notes, answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from tests.api.company import Company, served, tables_of
from tests.api.visitors import Visitor
from tests.data.files import user


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """A night has planned; a head leads the account manager."""
    tables = tables_of([f"a{n}" for n in range(1, 7)], users=[user("boss", name="Boss", role="head")])
    tables["users"][0]["manager_id"] = "boss"
    with served(tmp_path_factory.mktemp("planning"), tables) as found:
        found.night()
        yield found


@pytest.fixture(scope="module")
def visitor(company: Company) -> Visitor:
    return Visitor(company)


def visit(company: Company, account: str) -> dict[str, Any]:
    company.reads_page("side_effects", account)
    return next(s for s in company.suggestions(account) if s["channel"] == "visit")


def day_of(company: Company, suggestion: dict[str, Any]) -> str | None:
    id_ = suggestion["suggestion_id"]
    days = company.get("/plan")["days"]
    return next(
        (d["date"] for d in days if id_ in [p["suggestion"]["suggestion_id"] for p in d["planned"]]), None
    )


def test_a_suggestion_is_moved_to_another_day_and_left_to_the_plan_again(
    company: Company, visitor: Visitor
) -> None:
    """She knows that the practice is closed on Monday; the plan does not."""
    suggestion = visit(company, "a1")
    path = f"/suggestions/{suggestion['suggestion_id']}"
    other = [d["date"] for d in company.get("/plan")["days"] if d["minutes"]][2]
    visitor.get(path)
    visitor.send(f"{path}/move", on=other)
    moved, said = day_of(company, suggestion), visitor.said
    offered = "As the plan likes" in visitor.text
    visitor.send(f"{path}/move", on="")

    assert (moved, offered) == (other, True)
    assert said.startswith("Moved to ")
    assert str(date.fromisoformat(other).day) in said
    assert visitor.said == "The plan chooses its day again."
    assert "As the plan likes" not in visitor.text


def test_a_day_that_the_plan_does_not_have_is_refused_in_words(company: Company, visitor: Visitor) -> None:
    """And nothing changes."""
    suggestion = visit(company, "a2")
    path = f"/suggestions/{suggestion['suggestion_id']}"
    before = day_of(company, suggestion)
    visitor.get(path)
    refused = []
    for on in ("2001-01-01", "tomorrow"):
        visitor.send(f"{path}/move", on=on)
        refused.append(visitor.said)

    assert {text.split(".")[0] for text in refused} == {"Something in the form is missing or cannot be"}
    assert day_of(company, suggestion) == before


def test_a_day_away_is_said_with_one_tap_and_taken_back_with_another(
    company: Company, visitor: Visitor
) -> None:
    """Who falls ill tells the plan, not the office."""
    today = next(d["date"] for d in company.get("/plan")["days"] if d["minutes"])
    visitor.get("/day")
    visitor.send("/day/absence", away=today)
    away = next(d for d in company.get("/plan")["days"] if d["date"] == today)
    said, shown = visitor.said, visitor.text
    pressed = 'name="there" value="' + today in visitor.page.text
    visitor.send("/day/absence", there=today)
    back = next(d for d in company.get("/plan")["days"] if d["date"] == today)

    assert (away["away"], away["minutes"], pressed) == (True, 0, True)
    assert said.startswith("Away on ")
    assert ("You are away today." in shown) is (today == company.clock.iso()[:10])
    assert (back["away"], back["minutes"] > 0) == (False, True)
    assert visitor.said.startswith("There after all on ")


def test_what_was_heard_is_noted_by_tapping_and_answered_on_the_next_suggestion(
    company: Company, visitor: Visitor
) -> None:
    """Price, a question on dosing, and a competitor whose name the next colleague only has to tap."""
    suggestion = visit(company, "a3")
    path = f"/suggestions/{suggestion['suggestion_id']}"
    before = visitor.get(path)
    visitor.send(f"{path}/complete", result="attended", asked="dosing", objection="price",
                 other_competitor="Medinova")  # fmt: skip
    noted = {(n["kind"], n["topic"], n["what"]) for n in company.get("/field-notes")}
    company.clock.pass_time(hours=1)
    company.reads_page("guidelines", "a3")
    next_one = next(s for s in company.suggestions("a3") if s["answers"])
    shown, account = visitor.get(f"/suggestions/{next_one['suggestion_id']}"), visitor.get("/accounts/a3")
    answers = {one["text"] for one in next_one["answers"]}

    assert "Medinova" not in before
    assert 'name="competitor" value="Medinova"' in visitor.page.text
    assert noted == {("question", "dosing", None), ("objection", "side_effects", "price"),
                     ("competitor", "side_effects", "Medinova")}  # fmt: skip
    assert len(answers) == 2
    assert all(text in shown and text in account for text in answers)
    assert "To the objection: Price" in shown
    assert "Named a competitor: Medinova" in account


def test_what_was_heard_in_the_corridor_is_noted_with_the_contact(company: Company, visitor: Visitor) -> None:
    """No plan, no suggestion, and still not lost."""
    visitor.get("/accounts/a4")
    visitor.send("/accounts/a4/record", treatment="visit_efficacy", objection="timing", sent="f1")

    assert visitor.said == "The contact is recorded."
    assert "Has something against it: Timing" in visitor.get("/accounts/a4")


def test_an_objection_of_no_known_kind_is_refused(company: Company, visitor: Visitor) -> None:
    """A form from elsewhere stores nothing."""
    suggestion = visit(company, "a5")
    path = f"/suggestions/{suggestion['suggestion_id']}"
    visitor.get(path)
    visitor.send(f"{path}/complete", objection="weather")

    assert visitor.said.startswith("Something in the form is missing or cannot be.")
    assert company.get(path)["state"] == "open"


def test_a_manager_sees_who_is_there_and_moves_what_is_planned(company: Company) -> None:
    """Somebody calls in sick at seven; whoever leads sets her days right, and finds no other team's."""
    suggestion = visit(company, "a6")
    boss = Visitor(company, "boss")
    team = boss.get("/team")
    days = boss.get("/team/am")
    other = [d["date"] for d in company.get("/plan")["days"] if d["minutes"]][3]
    boss.get(f"/suggestions/{suggestion['suggestion_id']}")
    boss.send(f"/suggestions/{suggestion['suggestion_id']}/move", on=other)
    moved = day_of(company, suggestion)
    boss.get("/team/am")
    boss.send("/team/am/absence", away=other)
    said, away = boss.said, boss.get("/team")
    boss.get("/team/am")
    boss.send("/team/am/absence", there=other)
    back = boss.said
    boss.get("/team/rs")

    assert "Who is there, and how full the days are Colleague" in team
    assert " of 6" in team
    assert "The coming days" in days
    assert moved == other
    assert "away" in away
    assert said.startswith("Away on ")
    assert back.startswith("There after all on ")
    assert boss.page.status_code == 404
    assert Visitor(company, "am").client.get("/team/am").status_code == 403
