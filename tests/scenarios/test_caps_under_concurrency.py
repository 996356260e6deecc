"""Caps hold when many act at once, and when a contact falls between a night's scoring and its publishing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.feedback import Wish, wish_rows
from api.nightly import run_night
from data.ledger.ledger import Ledger
from data.ledger.types import Suggestion, TailRow
from data.live import history_of
from data.playbooks import playbook_text
from engine.records import known_rows
from tests.api.company import NOW, Company, load, served, settings_of, tables_of
from tests.data.files import days_before, touchpoint

ACCOUNT = "c1"
MOST = 3
"""Contacts that the account may have in 30 days; one podcast was sent yesterday."""
OWN = {
    "am": ("visit_side_effects", "visit_efficacy", "visit_dosing", "call_efficacy", "call_reimbursement"),
    "ml": ("medical_call_side_effects", "medical_call_new_data"),
    "rs": ("reimbursement_coverage", "reimbursement_patient_support"),
}


def strict(folder: Path) -> str:
    """The shipped playbook with few contacts in all."""
    text = playbook_text("pharma")
    few = '[contact_limits.all_30d]\nchannel = "*"\ncount = '
    assert few in text
    (folder / "strict.toml").write_text(text.replace(f"{few}10", f"{few}{MOST}"), encoding="utf-8")
    return str(folder / "strict.toml")


def contacts(ledger: Ledger, now: int) -> list[dict[str, Any]]:
    """What was done or is planned for the account."""
    rows = known_rows(history_of(ledger.account_state(ACCOUNT))["touchpoints"], now)
    own = [row for row in rows.iter_rows(named=True) if row["direction"] == "outbound"]
    return [row for row in own if row["status"] in ("done", "planned")]


def test_fifty_requests_at_once_on_one_account_keep_its_cap(ledger_url: str, tmp_path: Path) -> None:
    """Three colleagues want nine things and two contacts are left: two are planned, nobody gets a third."""
    with served(tmp_path, tables_of([ACCOUNT]), ledger_url=ledger_url, playbook=strict(tmp_path)) as company:
        company.reads_page("side_effects", ACCOUNT)
        headers = {user: company.as_(user) for user in OWN}
        wishes = [(user, treatment) for user, own in OWN.items() for treatment in own]

        def ask(number: int) -> int:
            user, treatment = wishes[number % len(wishes)]
            if number % 3 == 0:
                return accept_first(company, user, headers[user])
            body = {"event_id": f"own-{number}", "treatment": treatment}
            path = f"/v1/accounts/{ACCOUNT}/suggestions"
            return company.client.post(path, headers=headers[user], json=body).status_code

        with ThreadPoolExecutor(50) as threads:
            statuses = Counter(threads.map(ask, range(50)))

        now = company.clock() + 10**6
        with company.ledger() as ledger:
            found = contacts(ledger, now)
            open_ = [s for s in ledger.suggestions(ACCOUNT, now=now) if s.state == "open"]

    assert len(found) == MOST, found
    assert statuses.keys() <= {200, 204, 404, 409, 422}, statuses
    assert [s.treatment for s in open_ if not s.treatment.startswith("stop_")] == []


def test_what_facts_have_overtaken_is_decided_again_before_it_is_taken(
    ledger_url: str, tmp_path: Path
) -> None:
    """Two were proposed, then others have planned as many: in the moment before the list is decided again
    neither can be taken, and what can still be, can."""
    with served(tmp_path, tables_of([ACCOUNT]), ledger_url=ledger_url, playbook=strict(tmp_path)) as company:
        company.reads_page("side_effects", ACCOUNT)
        with company.ledger() as ledger:
            now = company.clock()
            listed = [
                s for s in ledger.suggestions(ACCOUNT, now=now + 10**6) if not s.treatment.startswith("stop_")
            ]
            ledger.append([_met(number, now) for number in range(MOST - 1)], now=now)
        statuses = [accept(company, suggestion).status_code for suggestion in listed]
        with company.ledger() as ledger:
            found = contacts(ledger, company.clock() + 10**6)

    assert len(listed) == MOST - 1
    assert statuses == [409, 409]
    assert len(found) == MOST


def test_a_list_that_other_facts_have_overtaken_is_taken_from_all_the_same(
    ledger_url: str, tmp_path: Path
) -> None:
    """She has read something meanwhile: the list is decided again, and what it still says can be taken."""
    with served(tmp_path, tables_of([ACCOUNT]), ledger_url=ledger_url, playbook=strict(tmp_path)) as company:
        company.reads_page("side_effects", ACCOUNT)
        read = {"touchpoint_id": "read", "direction": "inbound", "channel": "website", "status": "done"}
        with company.ledger() as ledger:
            now = company.clock()
            before = len(contacts(ledger, now + 10**6))
            ledger.append([TailRow("read", "touchpoints", ACCOUNT, {**read, "occurred_at": now})], now=now)
        statuses = [accept_first(company, user, company.as_(user)) for user in OWN]
        with company.ledger() as ledger:
            found = contacts(ledger, company.clock() + 10**6)

    assert 200 in statuses
    assert len(found) == before + statuses.count(200)


def test_what_a_load_has_overtaken_is_decided_again_before_it_is_taken(
    ledger_url: str, tmp_path: Path
) -> None:
    """From the load to the night that follows it the old list is on show; no contact is left."""
    with served(tmp_path, tables_of([ACCOUNT]), ledger_url=ledger_url, playbook=strict(tmp_path)) as company:
        company.night()
        listed = wanted(company)
        company.clock.pass_time(minutes=1)
        load(tmp_path, filled(), loaded_at=company.clock(), ledger_url=ledger_url)
        company.clock.pass_time(minutes=1)
        said = [accept(company, suggestion) for suggestion in listed]
        with company.ledger() as ledger:
            found = contacts(ledger, company.clock() + 10**6)

    assert len(listed) == MOST - 1
    assert [each.status_code for each in said] == [409, 409]
    assert len(found) == MOST


@pytest.mark.parametrize("asleep", [True, False], ids=["still put off", "awake"])
def test_what_was_put_off_is_decided_again_before_it_is_taken(
    ledger_url: str, tmp_path: Path, asleep: bool
) -> None:
    """She put both off; meanwhile others have planned as many: what comes back may be read, not taken."""
    with served(tmp_path, tables_of([ACCOUNT]), ledger_url=ledger_url, playbook=strict(tmp_path)) as company:
        company.reads_page("side_effects", ACCOUNT)
        listed = put_off(company)
        with company.ledger() as ledger:
            ledger.append([_met(number, company.clock()) for number in range(MOST - 1)], now=company.clock())
        company.clock.pass_time(days=0 if asleep else 1, minutes=1)
        company.reads_page("dosing", ACCOUNT)
        answers = [accept(company, suggestion) for suggestion in listed]
        with company.ledger() as ledger:
            found = contacts(ledger, company.clock() + 10**6)
            states = {ledger.suggestion(suggestion.suggestion_id).state for suggestion in listed}

    assert len(listed) == MOST - 1
    assert [answer.status_code for answer in answers] == [409, 409]
    assert all(f"{MOST} of at most {MOST} contacts" in answer.json()["detail"] for answer in answers)
    assert len(found) == MOST
    assert states == {"snoozed"}, "Refused, it may still be answered otherwise."


@pytest.mark.parametrize("asleep", [True, False], ids=["still put off", "awake"])
def test_of_what_was_put_off_as_much_is_taken_as_the_cap_allows(
    ledger_url: str, tmp_path: Path, asleep: bool
) -> None:
    """Her own pause is not in the way of the first, but the first in that of the other."""
    with served(tmp_path, tables_of([ACCOUNT]), ledger_url=ledger_url, playbook=strict(tmp_path)) as company:
        company.reads_page("side_effects", ACCOUNT)
        listed = put_off(company)
        with company.ledger() as ledger:
            ledger.append([_met(0, company.clock())], now=company.clock())
        company.clock.pass_time(days=0 if asleep else 1, minutes=1)
        statuses = [accept(company, suggestion).status_code for suggestion in listed]
        with company.ledger() as ledger:
            found = contacts(ledger, company.clock() + 10**6)

    assert statuses == [200, 409]
    assert len(found) == MOST


def test_what_was_put_off_is_not_taken_against_a_wish_that_has_just_come(
    ledger_url: str, tmp_path: Path
) -> None:
    """In the moment between her "no more" and the list that follows from it."""
    with served(tmp_path, tables_of([ACCOUNT]), ledger_url=ledger_url, playbook=strict(tmp_path)) as company:
        company.reads_page("side_effects", ACCOUNT)
        listed = put_off(company)
        company.clock.pass_time(days=1, minutes=1)
        with company.ledger() as ledger:
            now = company.clock()
            wishes = [Wish(suggestion.channel, "marketing", "opt_out") for suggestion in listed]
            wishes += [Wish(suggestion.channel, "service", "opt_out") for suggestion in listed]
            ledger.append(wish_rows(set(wishes), ACCOUNT, "said", now), now=now)
            before = len(contacts(ledger, now + 10**6))
        statuses = [accept(company, suggestion).status_code for suggestion in listed]
        with company.ledger() as ledger:
            after = len(contacts(ledger, company.clock() + 10**6))

    assert statuses == [409, 409]
    assert after == before


def test_an_undo_brings_no_plan_back_beyond_what_a_load_has_brought(ledger_url: str, tmp_path: Path) -> None:
    """What a load brings has been known elsewhere for a day; here it is new."""
    with served(tmp_path, tables_of([ACCOUNT]), ledger_url=ledger_url, playbook=strict(tmp_path)) as company:
        company.reads_page("side_effects", ACCOUNT)
        suggestion = wanted(company)[0]
        assert accept(company, suggestion).status_code == 200
        put_off(company, [suggestion])
        company.clock.pass_time(seconds=5)
        load(tmp_path, filled(), loaded_at=company.clock(), ledger_url=ledger_url)
        said = undo(company, suggestion)
        with company.ledger() as ledger:
            found = contacts(ledger, company.clock() + 10**6)

    assert said.status_code == 409
    assert f"{MOST} of at most {MOST} contacts" in said.json()["detail"]
    assert len(found) == MOST


def filled() -> dict[str, list[dict[str, Any]]]:
    """A folder by which no contact is left, known elsewhere since yesterday."""
    met = [
        touchpoint(f"met-{n}", ACCOUNT, occurred_at=days_before(2 + n), channel="congress",
                   stored_at=days_before(1))
        for n in range(MOST - 1)
    ]  # fmt: skip
    return tables_of([ACCOUNT], touchpoints=met)


def undo_after(
    company: Company, suggestion: Suggestion, met: int
) -> tuple[httpx.Response, list[dict[str, Any]], str]:
    """What is answered to an undo once others have planned so many contacts; contacts and state after it."""
    with company.ledger() as ledger:
        ledger.append([_met(number, company.clock()) for number in range(met)], now=company.clock())
    said = undo(company, suggestion)
    with company.ledger() as ledger:
        state = ledger.suggestion(suggestion.suggestion_id).state
        return said, contacts(ledger, company.clock() + 10**6), state


@pytest.mark.parametrize("met", [MOST - 2, MOST - 1], ids=["room", "full"])
def test_an_undo_brings_a_plan_back_only_where_there_is_room(
    ledger_url: str, tmp_path: Path, met: int
) -> None:
    """She took one and put it off at once; before she thinks better of it, others have planned theirs."""
    with served(tmp_path, tables_of([ACCOUNT]), ledger_url=ledger_url, playbook=strict(tmp_path)) as company:
        company.reads_page("side_effects", ACCOUNT)
        suggestion = wanted(company)[0]
        assert accept(company, suggestion).status_code == 200
        company.clock.pass_time(seconds=5)
        put_off(company, [suggestion])
        company.clock.pass_time(seconds=5)
        said, found, state = undo_after(company, suggestion, met)

    assert len(found) == MOST
    if met == MOST - 1:
        assert (said.status_code, state) == (409, "snoozed")
        assert f"{MOST} of at most {MOST} contacts" in said.json()["detail"]
    else:
        assert (said.status_code, state) == (200, "accepted")


@pytest.mark.parametrize("met", [MOST - 2, MOST - 1], ids=["room", "full"])
def test_what_was_done_long_ago_is_a_plan_again_only_where_there_is_room(
    ledger_url: str, tmp_path: Path, met: int
) -> None:
    """Ticked off with a date that no cap counts any more; before it is taken back, others have planned
    theirs."""
    with served(tmp_path, tables_of([ACCOUNT]), ledger_url=ledger_url, playbook=strict(tmp_path)) as company:
        company.reads_page("side_effects", ACCOUNT)
        suggestion = wanted(company)[0]
        assert accept(company, suggestion).status_code == 200
        done = answer(company, suggestion, {"verb": "complete", "at": company.clock.iso(days=-40)})
        said, found, state = undo_after(company, suggestion, met)

    counted = [row for row in found if row["touchpoint_id"] != f"of-{suggestion.suggestion_id}"]
    assert (done.status_code, len(counted)) == (200, 1 + met)
    if met == MOST - 1:
        assert (said.status_code, state) == (409, "completed")
        assert f"{MOST} of at most {MOST} contacts" in said.json()["detail"]
    else:
        assert (said.status_code, state, len(found)) == (200, "accepted", MOST), said.text


def test_what_a_wish_ended_comes_back_by_an_undo_only_where_there_is_room(
    ledger_url: str, tmp_path: Path
) -> None:
    """The wish was written down by mistake, and somebody has used the contact of the plan that it ended."""
    with served(tmp_path, tables_of([ACCOUNT]), ledger_url=ledger_url, playbook=strict(tmp_path)) as company:
        company.reads_page("side_effects", ACCOUNT)
        first, other = wanted(company)
        assert [accept(company, one).status_code for one in (first, other)] == [200, 200]
        wishes = [
            {"channel": other.channel, "purpose": purpose, "status": "opt_out"}
            for purpose in ("marketing", "service")
        ]
        done = answer(company, first, {"verb": "complete", "preferences": wishes})
        with company.ledger() as ledger:
            ledger.append([_met(0, company.clock())], now=company.clock())
        said = undo(company, first)
        with company.ledger() as ledger:
            found = contacts(ledger, company.clock() + 10**6)
            states = [ledger.suggestion(one.suggestion_id).state for one in (first, other)]

    assert (done.status_code, done.json()["withdrawn_plans"], said.status_code) == (200, 1, 409)
    assert f"{MOST} of at most {MOST} contacts" in said.json()["detail"]
    assert len(found) == MOST
    assert states == ["completed", "withdrawn"]


@pytest.mark.parametrize("met", [MOST - 2, MOST - 1], ids=["room", "full"])
def test_what_a_colleague_is_asked_for_is_planned_only_where_there_is_room(
    ledger_url: str, tmp_path: Path, met: int
) -> None:
    """It was asked while there was room, and others have planned theirs before she took it on."""
    with served(tmp_path, tables_of([ACCOUNT]), ledger_url=ledger_url, playbook=strict(tmp_path)) as company:
        task = asked(company, "medical_liaison", "medical_call_new_data")
        with company.ledger() as ledger:
            ledger.append([_met(number, company.clock()) for number in range(met)], now=company.clock())
        said, again = take_on(company, task, "ml"), take_on(company, task, "ml")
        with company.ledger() as ledger:
            found = contacts(ledger, company.clock() + 10**6)
            state = ledger.hand_overs.find(task).state

    assert len(found) == MOST
    if met == MOST - 1:
        assert (said.status_code, again.status_code, state) == (409, 409, "asked")
        assert f"{MOST} of at most {MOST} contacts" in said.json()["detail"]
    else:
        assert (said.status_code, again.status_code, state) == (200, 200, "accepted")


def test_colleagues_who_take_tasks_on_at_once_keep_the_cap(ledger_url: str, tmp_path: Path) -> None:
    """Four are asked for something else each and two contacts are left."""
    tasks = {
        ("medical_liaison", "ml"): OWN["ml"], ("reimbursement_specialist", "rs"): OWN["rs"],
    }  # fmt: skip
    with served(tmp_path, tables_of([ACCOUNT]), ledger_url=ledger_url, playbook=strict(tmp_path)) as company:
        waiting = [
            (asked(company, role, treatment), user)
            for (role, user), own in tasks.items() for treatment in own
        ]  # fmt: skip
        for user in ("ml", "rs"):
            company.as_(user)
        with ThreadPoolExecutor(len(waiting)) as threads:
            statuses = list(threads.map(lambda one: take_on(company, *one).status_code, waiting))
        with company.ledger() as ledger:
            found = contacts(ledger, company.clock() + 10**6)

    assert sorted(statuses) == [200, 200, 409, 409]
    assert len(found) == MOST


def asked(company: Company, role: str, treatment: str) -> str:
    """A hand-over to the colleague who has the account in that role."""
    body = {"to_role": role, "treatment": treatment}
    return str(company.post(f"/accounts/{ACCOUNT}/hand-overs", body)["hand_over_id"])


def take_on(company: Company, hand_over: str, user: str) -> httpx.Response:
    path = f"/v1/hand-overs/{hand_over}/answer"
    return company.client.post(path, headers=company.as_(user), json={"verb": "accept"})


def wanted(company: Company) -> list[Suggestion]:
    """All contacts that are proposed."""
    with company.ledger() as ledger:
        found = ledger.suggestions(ACCOUNT, now=company.clock() + 10**6)
    return [suggestion for suggestion in found if not suggestion.treatment.startswith("stop_")]


def put_off(company: Company, listed: list[Suggestion] | None = None) -> list[Suggestion]:
    """All contacts that are proposed, or these, put off for a day by those whom they are for."""
    listed = wanted(company) if listed is None else listed
    for suggestion in listed:
        body = {"verb": "snooze", "until": company.clock.iso(days=1)}
        assert answer(company, suggestion, body).status_code == 200
    return listed


def accept(company: Company, suggestion: Suggestion) -> httpx.Response:
    """By the one whom it is for."""
    return answer(company, suggestion, {"verb": "accept"})


def answer(company: Company, suggestion: Suggestion, body: dict[str, Any]) -> httpx.Response:
    """By the one whom it is for."""
    path = f"/v1/suggestions/{suggestion.suggestion_id}/feedback"
    return company.client.post(path, headers=company.as_(whose(suggestion)), json=body)


def undo(company: Company, suggestion: Suggestion) -> httpx.Response:
    """By the one whom it is for."""
    path = f"/v1/suggestions/{suggestion.suggestion_id}/undo"
    return company.client.post(path, headers=company.as_(whose(suggestion)))


def whose(suggestion: Suggestion) -> str:
    return next(user for user, own in OWN.items() if suggestion.treatment in own)


def _met(number: int, now: int) -> TailRow:
    """A contact that somebody has planned where nobody is asked."""
    row = {"touchpoint_id": f"met-{number}", "direction": "outbound", "channel": "congress"}
    return TailRow(
        f"met-{number}", "touchpoints", ACCOUNT, {**row, "status": "planned", "occurred_at": now + 10**12}
    )


def accept_first(company: Company, user: str, headers: dict[str, str]) -> int:
    """Take whatever is on her list for the account, as it stands by now."""
    path = f"/v1/accounts/{ACCOUNT}/suggestions"
    listed = company.client.get(path, headers=headers).json()
    own = [s for s in listed if s["state"] == "open" and s["treatment"] in OWN[user]]
    if not own:
        return 204
    path = f"/v1/suggestions/{own[0]['suggestion_id']}/feedback"
    return company.client.post(path, headers=headers, json={"verb": "accept"}).status_code


def acting_once_scored(home: Path, act: Callable[[], None]) -> Callable[[], int]:
    """A clock that is read between scoring and publishing, and has something happen just then."""
    acted: list[bool] = []

    def clock() -> int:
        if not acted and list((home / "nights").glob("*/bucket_*.lists.parquet")):
            acted.append(True)
            act()
        return NOW

    return clock


def test_a_contact_between_scoring_and_publishing_is_counted(ledger_url: str, tmp_path: Path) -> None:
    """A colleague met her at a congress while the night was computing: the list has one contact less."""
    book = strict(tmp_path)
    load(tmp_path, tables_of([ACCOUNT]), ledger_url=ledger_url)
    settings = settings_of(tmp_path, ledger_url=ledger_url, playbook=book)
    ledger = Ledger.open(settings.as_home().ledger_url)
    row = {"touchpoint_id": "met", "direction": "outbound", "channel": "congress", "status": "done",
           "occurred_at": NOW}  # fmt: skip

    def meet() -> None:
        ledger.append([TailRow("met", "touchpoints", ACCOUNT, row)], now=NOW)

    found = run_night(settings, as_of=NOW, clock=acting_once_scored(tmp_path, meet))

    listed = [s for s in ledger.suggestions(ACCOUNT, now=NOW + 1) if not s.treatment.startswith("stop_")]
    decided_at = {ledger.decision(s.decision_id).decided_at for s in listed}
    ledger.close()
    assert found.summary["suggestions"] == MOST - 1, "computed before the contact"
    assert found.summary["decided_again"] == 1
    assert len(listed) == MOST - 2
    assert decided_at == {NOW + 1}
