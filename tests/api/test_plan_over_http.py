"""People's days over HTTP: planned by night, changed by hand, never more than there is time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, timedelta
from pathlib import Path

import pytest

from api.day_plan import day_plan
from api.plan_schemas import plan_out
from data import playbooks
from data.playbooks import read_playbook
from engine.plan_why import DISPLACED
from engine.wording import Reader
from tests.api.company import TEAM, Company, served, tables_of
from tests.bad_input.commands import runner
from tests.data.files import UNTIL, account, micros, user

TODAY = UNTIL.date()
LEAVE = TODAY + timedelta(1)
"""A Friday on which the medical liaison is away, as loaded."""
NAMES = [f"p{n:02}" for n in range(12)]
MEDICAL = "medical_liaison"


def playbook(folder: Path) -> Path:
    """The shipped one, with four places a day so that twelve accounts are too many."""
    text = (Path(playbooks.__file__).parent / "pharma.toml").read_text(encoding="utf-8")
    changes = {
        "per_person_per_day = 8": "per_person_per_day = 4",
        "spacing_days = 2": "spacing_days = 1",
        "per_account = 2": "per_account = 4",
        "exploration_share = 0.02": "exploration_share = 0.0",
    }
    for shipped, changed in changes.items():
        assert shipped in text
        text = text.replace(shipped, changed)
    file = folder / "plan.toml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """Twelve accounts of an account manager who has 30 minutes on each of four days; a night has run."""
    folder = tmp_path_factory.mktemp("plan")
    tables = tables_of(NAMES)
    days = ("monday", "tuesday", "wednesday", "thursday")
    of = {"am": {f"{day}_minutes": 30 for day in days}, "ml": {"absences": f"2025-12-24|{LEAVE}/{LEAVE}"}}
    tables["users"] = [
        user(user_id, name=user_id, role=role, manager_id="boss", **of.get(user_id, {}))
        for role, user_id in TEAM.items()
    ] + [user("boss", name="Boss", role="sales_manager"), user("stranger", name="S", role="account_manager")]
    tables["accounts"] = [
        account(name, name=f"Dr {name}", potential_value=40_000, latitude=50.0 + n // 2, longitude=8.0)
        for n, name in enumerate(NAMES)
    ]
    with served(folder, tables, playbook=str(playbook(folder))) as found:
        found.night()
        yield found


def planned(plan: dict, day: date | None = None) -> list[dict]:
    return [one for d in plan["days"] if day is None or d["date"] == day.isoformat() for one in d["planned"]]


def test_a_commercial_colleague_never_learns_what_medical_has_planned(company: Company) -> None:
    """What stands in the place of hers may be medical; that it does is all she is told."""
    rules = read_playbook("pharma")
    with company.ledger() as ledger:
        plan = day_plan(ledger, rules, "am", now=company.clock())
    assert plan is not None
    waits = plan.displaced[0]
    by_medical = replace(waits, why={"code": "hours", "by": ["p01", "visit_x", MEDICAL], "short_of": 0.0})
    of_medical = replace(waits, role=MEDICAL)

    found = plan_out(
        replace(plan, displaced=(waits, by_medical, of_medical)), {}, hand_overs=[],
        roles=("account_manager",), currency="EUR", reader=Reader("en", company.clock(), UTC, rules),
    ).waiting  # fmt: skip

    assert [one.treatment for one in found] == [waits.treatment] * 2
    assert found[1].displaced_by is None
    assert MEDICAL not in {one.role for one in found}


def test_a_day_holds_no_more_than_its_time_and_places(company: Company) -> None:
    """Never more than a person can act on."""
    plan = company.get("/plan")

    assert [day["date"] for day in plan["days"]] == [(TODAY + timedelta(n)).isoformat() for n in range(7)]
    for day in plan["days"]:
        assert day["planned_minutes"] + day["booked_minutes"] <= day["minutes"] or not day["planned"]
        assert len(day["planned"]) <= 4
        assert [one["place"] for one in day["planned"]] == list(range(1, len(day["planned"]) + 1))
    assert 0 < len(planned(plan)) <= 12
    assert all(day["minutes"] in (0, 30) for day in plan["days"])
    assert plan["price_per_hour"] > 0


def test_days_off_as_loaded_hold_nothing(company: Company) -> None:
    """What the leave calendar says of a colleague is believed as it was exported."""
    days = {day["date"]: day for day in company.get("/plan", "ml")["days"]}

    assert (days[LEAVE.isoformat()]["minutes"], days[LEAVE.isoformat()]["planned"]) == (0, [])
    assert days[TODAY.isoformat()]["minutes"] > 0


def test_an_account_has_no_two_contacts_of_a_plan_about_the_same(company: Company) -> None:
    """One topic is one conversation, whoever leads it."""
    subjects = [
        (one["suggestion"]["account_id"], one["suggestion"]["treatment"].split("_", 1)[1])
        for user_id in ("am", "ml", "rs")
        for one in planned(company.get("/plan", user_id))
    ]

    assert len(subjects) == len(set(subjects))


def test_what_waits_says_why_and_what_it_lacks(company: Company) -> None:
    """Whoever misses a visit in the plan learns what stands in its place."""
    waiting = company.get("/plan")["waiting"]

    assert {one["code"] for one in waiting} <= {*DISPLACED}
    full = [one for one in waiting if one["code"] == "hours"]
    assert full
    assert all(one["displaced_by"]["account_id"] in NAMES and one["text"] for one in full)


def test_the_worklist_is_todays_plan_in_order(company: Company) -> None:
    """The morning's list is the day's way."""
    today = [one["suggestion"]["suggestion_id"] for one in planned(company.get("/plan"), TODAY)]

    assert [s["suggestion_id"] for s in company.get("/worklist")] == today
    beyond = [s["suggestion_id"] for s in company.get("/worklist", limit=50)]
    assert beyond[: len(today)] == today
    assert len(beyond) > len(today)


def test_moving_one_by_hand_leaves_all_others_to_the_plan(company: Company) -> None:
    """She has an appointment on that day; the rest gives way, and colleagues notice nothing."""
    colleague = company.get("/plan", "ml")
    days = [day for day in company.get("/plan")["days"] if day["minutes"]]
    first, other = days[0], days[1]
    chosen = first["planned"][0]["suggestion"]["suggestion_id"]

    plan = company.post("/plan/moves", {"suggestion_id": chosen, "date": other["date"], "time": "10:30"})

    moved = next(one for one in planned(plan, date.fromisoformat(other["date"]))
                 if one["suggestion"]["suggestion_id"] == chosen)  # fmt: skip
    assert moved["settled"]
    assert all(day["planned_minutes"] <= day["minutes"] for day in plan["days"])
    assert company.get("/plan") == plan
    assert company.get("/plan", "ml") == colleague
    freed = company.post("/plan/moves", {"suggestion_id": chosen, "date": None})
    assert not any(one["settled"] for one in planned(freed))


def test_what_was_settled_by_hand_outlives_the_night(company: Company) -> None:
    """An appointment does not vanish because a model ran."""
    plan = company.get("/plan")
    day = [day["date"] for day in plan["days"] if day["minutes"]][-1]
    chosen = planned(plan)[0]["suggestion"]
    company.post("/plan/moves", {"suggestion_id": chosen["suggestion_id"], "date": day})

    company.clock.pass_time(minutes=1)
    company.night()

    after = planned(company.get("/plan"), date.fromisoformat(day))
    assert chosen["suggestion_id"] in [one["suggestion"]["suggestion_id"] for one in after if one["settled"]]
    company.post("/plan/moves", {"suggestion_id": chosen["suggestion_id"], "date": None})


def test_a_day_away_holds_nothing(company: Company) -> None:
    """Who falls ill finds her visits on other days, and back again when she is well."""
    day = next(day["date"] for day in company.get("/plan")["days"] if day["planned"])

    plan = company.post("/plan/absences", {"from": day})

    gone = next(one for one in plan["days"] if one["date"] == day)
    assert (gone["minutes"], gone["planned"], gone["away"]) == (0, [], True)
    back = company.post("/plan/absences", {"from": day, "absent": False})
    assert next(one for one in back["days"] if one["date"] == day)["planned"]


def test_what_is_accepted_has_its_day_and_what_is_dismissed_none(company: Company) -> None:
    """Her word counts at once; the place of what she refused goes to the next."""
    before = company.get("/plan")
    accepted, refused = (one["suggestion"] for one in planned(before)[-2:])
    day = [day["date"] for day in before["days"] if day["minutes"]][-1]

    company.answers(accepted, "accept", at=f"{day}T12:00:00Z")
    company.answers(refused, "dismiss", reason="other")

    plan = company.get("/plan")
    on_day = [one["suggestion"]["suggestion_id"] for one in planned(plan, date.fromisoformat(day))]
    assert accepted["suggestion_id"] in on_day
    assert refused["suggestion_id"] not in [one["suggestion"]["suggestion_id"] for one in planned(plan)]
    assert company.get("/worklist")[0]["suggestion_id"] == accepted["suggestion_id"]


def test_a_live_suggestion_enters_the_day_by_its_worth(company: Company) -> None:
    """The page on side effects was read a minute ago: today's plan has a visit about it."""
    name = NAMES[-1]
    company.reads_page(account_id=name)

    plan = company.get("/plan")

    listed = {s["treatment"] for s in company.suggestions(name)}
    seen = [one["suggestion"] for one in (*planned(plan), *plan["waiting"]) if one["suggestion"]]
    assert {s["treatment"] for s in seen if s["account_id"] == name} >= {
        treatment for treatment in listed if treatment.startswith("visit")
    }
    assert all(day["planned_minutes"] <= day["minutes"] for day in plan["days"] if not day["booked"])


def test_what_is_accepted_and_taken_back_has_no_day_of_its_own_any_more(company: Company) -> None:
    """A slip of the finger must not leave an appointment behind."""
    last = [day["date"] for day in company.get("/plan")["days"] if day["minutes"]][-1]
    chosen = next(one["suggestion"] for one in planned(company.get("/plan")) if not one["settled"])
    company.answers(chosen, "accept", at=f"{last}T12:00:00Z")
    settled = [one["suggestion"]["suggestion_id"] for one in planned(company.get("/plan")) if one["settled"]]

    company.post(f"/suggestions/{chosen['suggestion_id']}/undo", {})

    assert chosen["suggestion_id"] in settled
    after = [one["suggestion"]["suggestion_id"] for one in planned(company.get("/plan")) if one["settled"]]
    assert chosen["suggestion_id"] not in after


def test_what_a_colleague_hands_over_comes_first_and_takes_its_time(company: Company) -> None:
    """A task with a service level is done before anything that a model likes."""
    before = company.get("/plan", "rs")
    body = {"to_role": "reimbursement_specialist", "treatment": "reimbursement_coverage"}
    company.post(f"/accounts/{NAMES[0]}/hand-overs", body)

    plan = company.get("/plan", "rs")

    assert [task["treatment"] for task in plan["hand_overs"]] == ["reimbursement_coverage"]
    handed = sum(day["handed_minutes"] for day in plan["days"])
    assert handed > 0 == sum(day["handed_minutes"] for day in before["days"])
    for day in plan["days"]:
        assert day["planned_minutes"] + day["handed_minutes"] <= day["minutes"] or not day["planned"]


def test_something_urgent_goes_before_what_a_colleague_has_planned(company: Company) -> None:
    """A visit worth 85 does not wait behind a colleague's call worth 12 that nobody has agreed to."""
    name = NAMES[5]
    company.reads_page(account_id=name)

    plan = company.get("/plan")

    visit = next(one for one in planned(plan) if one["suggestion"]["account_id"] == name)
    assert visit["suggestion"]["treatment"] == "visit_side_effects"
    day = next(d["date"] for d in plan["days"] if visit in d["planned"])
    for colleague in ("ml", "rs"):
        theirs = planned(company.get("/plan", colleague), date.fromisoformat(day))
        assert name not in [one["suggestion"]["account_id"] for one in theirs]


def test_the_command_shows_the_plan_and_ones_days(
    company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever runs the system sees without a browser how good the plan is and what a day holds."""
    nextbest = runner(company.settings.home, capsys)

    whole, table = nextbest("plan", "--json"), nextbest("plan")
    mine, nobody = nextbest("plan", "--user", "am"), nextbest("plan", "--user", "x")

    told = json.loads(whole.out)
    assert 0.0 <= told["gap"] < 0.1
    assert {row["user_id"] for row in told["people"]} >= {"am", "ml", "rs"}
    assert f"Plan of run {told['run']}" in table.out
    assert "am, plan of run" in mine.out
    assert "displaced" in mine.out
    assert nobody.code == 2
    assert "no plan of 'x'" in nobody.line


def test_looking_at_a_plan_years_later_changes_nothing(
    company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was planned is evidence; whoever reads it after the plan is over, reads what was planned then."""
    dates = [day["date"] for day in company.get("/plan")["days"]]
    playbook = read_playbook(company.settings.playbook)

    with company.ledger() as ledger:
        before = ledger.plans.of_person("am")
        told = json.loads(runner(company.settings.home, capsys)("plan", "--user", "am", "--json").out)
        late = day_plan(ledger, playbook, "am", now=micros(UNTIL + timedelta(400)))
        after = ledger.plans.of_person("am")

    assert before is not None
    assert late is not None
    planned_then = [(item.account_id, item.treatment) for item in before.items if item.day is not None]
    assert planned_then
    assert after == before
    assert late.person == before.person
    assert [day["date"] for day in told["days"]] == dates
    seen = [(one["account_id"], one["treatment"]) for day in told["days"] for one in day["planned"]]
    assert seen == planned_then


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/plan/moves", {"suggestion_id": "no-such", "date": None}, 404, "no suggestion"),
        ("/plan/absences", {"from": "2020-01-01"}, 422, "no day of the plan"),
        ("/plan/absences?user_id=ml", {"from": str(TODAY)}, 404, "no plan of 'ml'"),
    ],
)
def test_what_cannot_be_settled_is_refused(
    company: Company, path: str, body: dict[str, object], status: int, said: str
) -> None:
    """One line, and nothing has changed."""
    answer = company.client.post(f"/v1{path}", headers=company.as_("am"), json=body)

    assert answer.status_code == status
    assert said in answer.json()["detail"]


def test_a_manager_reads_the_days_of_her_people_and_no_stranger_does(company: Company) -> None:
    """What is not hers does not exist for her."""
    answers = [
        company.client.get("/v1/plan", headers=company.as_(reader), params={"user_id": "am"})
        for reader in ("boss", "stranger")
    ]

    assert [answer.status_code for answer in answers] == [200, 404]
    assert answers[0].json()["user_id"] == "am"


def test_of_two_who_settle_the_same_day_the_second_is_told(company: Company) -> None:
    """A leader and her colleague move at the same time: nobody overwrites what she has not seen."""
    found = company.client.get("/v1/plan", headers=company.as_("am"))
    one = planned(found.json())[0]["suggestion"]["suggestion_id"]
    tag, body = found.headers["etag"], {"suggestion_id": one, "date": (TODAY + timedelta(4)).isoformat()}

    def moves(who: str, if_match: str) -> tuple[int, str]:
        headers = company.as_(who) | {"If-Match": if_match}
        answer = company.client.post("/v1/plan/moves", headers=headers, json=body)
        return answer.status_code, answer.headers.get("etag", "")

    first, second = moves("boss", tag), moves("am", tag)
    away = company.client.post(
        "/v1/plan/absences", headers=company.as_("am") | {"If-Match": tag}, json={"from": TODAY.isoformat()}
    )
    seen = moves("am", first[1])

    assert (first[0], second[0], away.status_code, seen[0]) == (200, 412, 412, 200)
    assert first[1] not in ("", tag)
