"""P1: a page is read, and within the same request the account manager's list says what to do about it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.api.company import Company, served, tables_of
from tests.data.files import DAY, UNTIL, days_before, iso, preference, touchpoint
from tests.scenarios.businesses import rules
from tests.scenarios.playbooks import shipped, without

PAGES = ("efficacy", "side_effects", "dosing", "reimbursement", "patient_support", "guidelines", "new_data")
VISITED_DAYS_AGO = (None, 1, 20)
PLANNED_IN_DAYS = (None, 3)
ADDRESSED = ("visit", "remote_call", "email", "medical_call")
READING = {"direction": "inbound", "channel": "website", "status": "done"}


class Crowd:
    """200 accounts that differ in page, last visit, consent and planned visit; which has what is drawn."""

    def __init__(self, seed: int = 12, size: int = 200) -> None:
        draw = random.Random(seed)
        self.accounts = [f"x{draw.randrange(10**9):09d}" for _ in range(size)]
        self.page = {a: draw.choice((*PAGES, "side_effects", "side_effects")) for a in self.accounts}
        self.visited = {a: draw.choice(VISITED_DAYS_AGO) for a in self.accounts}
        self.planned = {a: draw.choice(PLANNED_IN_DAYS) for a in self.accounts}
        self.consents = {a: draw.random() < 0.7 for a in self.accounts}

    def tables(self) -> dict[str, list[dict[str, object]]]:
        tables = tables_of(self.accounts)
        tables["preferences"] = [
            row for row in tables["preferences"]
            if row["purpose"] != "web_behaviour" or self.consents[row["account_id"]]
        ]  # fmt: skip
        for account in self.accounts:
            if (days := self.visited[account]) is not None:
                done = {"occurred_at": days_before(days), "treatment": "visit_efficacy", "topic": "efficacy"}
                tables["touchpoints"].append(touchpoint(f"v-{account}", account, **done))
            if (ahead := self.planned[account]) is not None:
                plan = {
                    "occurred_at": iso(UNTIL + ahead * DAY),
                    "status": "planned",
                    "treatment": "visit_dosing",
                }
                stored = {"stored_at": days_before(2)}
                tables["touchpoints"].append(touchpoint(f"p-{account}", account, **plan, **stored))
        return tables


def lists_after_reading(company: Company, crowd: Crowd) -> dict[str, list[dict[str, object]]]:
    """Everybody reads a page; then the account manager looks at each account."""
    events = [
        {
            "event_id": f"e-{account}", "table": "touchpoints", "account_id": account,
            "row": READING | {"topic": crowd.page[account]},
        }
        for account in crowd.accounts
    ]  # fmt: skip
    company.post("/events", events)
    return {account: company.suggestions(account) for account in crowd.accounts}


def check_reasons_quote_their_own_facts(crowd: Crowd, lists: dict[str, list[dict[str, object]]]) -> None:
    for account, found in lists.items():
        for suggestion in found:
            for reason in suggestion["reasons"]:
                if reason["code"] == "read_topic":
                    assert reason["facts"]["topic"] == crowd.page[account]
            if crowd.consents[account] and str(suggestion["treatment"]).endswith(crowd.page[account]):
                assert "read_topic" in [reason["code"] for reason in suggestion["reasons"]]


def check_only_who_read_about_side_effects_hears_of_them(crowd: Crowd, lists: dict[str, list[dict]]) -> None:
    for account, found in lists.items():
        read = crowd.page[account] == "side_effects" and crowd.consents[account]
        after_a_visit = crowd.visited[account] == 1
        about = [
            s["treatment"] for s in found if s["treatment"] in ("visit_side_effects", "call_side_effects")
        ]
        # Who was visited the day before may be spared a call too: the playbook says.
        assert bool(about) == read or (after_a_visit and not about), (
            account,
            crowd.page[account],
            crowd.consents[account],
            about,
        )


def check_no_visit_after_a_visit(crowd: Crowd, lists: dict[str, list[dict]]) -> None:
    for account, found in lists.items():
        if crowd.visited[account] == 1:
            assert "visit" not in [s["channel"] for s in found]


def check_no_visit_before_a_planned_visit(crowd: Crowd, lists: dict[str, list[dict]]) -> None:
    for account, found in lists.items():
        if crowd.planned[account] is not None:
            assert "visit" not in [s["channel"] for s in found]


def check_without_consent_the_visit_stays_unused(crowd: Crowd, lists: dict[str, list[dict]]) -> None:
    for account, found in lists.items():
        if not crowd.consents[account]:
            assert "read_topic" not in [reason["code"] for s in found for reason in s["reasons"]]
            # What lies ready for everybody (a podcast, a page of the app) tells nothing of her visit.
            told = [s for s in found if s["channel"] in ADDRESSED]
            assert not [s for s in told if str(s["treatment"]).endswith("side_effects")]


CHECKS: tuple[Callable[..., None], ...] = (
    check_reasons_quote_their_own_facts,
    check_only_who_read_about_side_effects_hears_of_them,
    check_no_visit_after_a_visit,
    check_no_visit_before_a_planned_visit,
    check_without_consent_the_visit_stays_unused,
)


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    return Crowd()


@pytest.fixture(scope="module")
def lists(crowd: Crowd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[dict]]]:
    with served(tmp_path_factory.mktemp("crowd"), crowd.tables()) as company:
        yield lists_after_reading(company, crowd)


def test_a_page_read_puts_a_visit_first_on_the_account_managers_list(tmp_path: Path) -> None:
    """The flagship: one request from the website, and the tablet shows what to do and why."""
    account = f"dr{random.SystemRandom().randrange(10**8)}"
    # With the shipped exploration another would be first once in fifty times.
    with served(tmp_path, tables_of([account, "other"]), playbook=rules(tmp_path, "pharma")) as company:
        company.reads_page("side_effects", account)
        worklist = company.get("/worklist")

    first = worklist[0]
    name = first["account_name"]
    assert (first["account_id"], first["treatment"]) == (account, "visit_side_effects")
    assert first["headline"] == (
        f"{name} looked up side effects on the website just now. "
        f"Suggestion: visit {name} and discuss the concerns."
    )
    reason = first["reasons"][0]
    assert (reason["code"], reason["facts"]["topic"]) == ("read_topic", "side_effects")
    assert {s["account_id"] for s in worklist} == {account}


def test_a_question_by_another_channel_is_not_called_a_visit_to_the_website(tmp_path: Path) -> None:
    """She asked on the telephone: a sentence about a page that she never read is nonsense to her."""
    row = {"direction": "inbound", "channel": "remote_call", "topic": "side_effects", "status": "done"}
    with served(tmp_path) as company:
        company.post("/events", {"event_id": "c", "table": "touchpoints", "account_id": "a1", "row": row})
        first = next(s for s in company.suggestions() if s["treatment"].endswith("side_effects"))

    assert first["headline"].startswith(
        f"{first['account_name']} turned to us about “Side effects” just now (Remote call). Suggestion: "
    )
    assert "website" not in first["headline"]


def test_the_sentence_ages_and_the_suggestion_expires(tmp_path: Path) -> None:
    """Yesterday's "just now" would make a fool of the account manager."""
    with served(tmp_path) as company:
        company.reads_page("side_effects")
        company.clock.pass_time(minutes=3)
        # The first may be one that is explored.
        soon = next(s for s in company.suggestions() if s["treatment"] == "visit_side_effects")
        company.clock.pass_time(days=4)
        late = [s["treatment"] for s in company.suggestions()]

    assert "3 minutes ago" in soon["headline"]
    assert "3 minutes ago" in soon["reasons"][0]["text"]
    assert "visit_side_effects" not in late


def test_accounts_in_different_situations_get_different_first_suggestions(
    lists: dict[str, list[dict]],
) -> None:
    """A list that is the same for everybody would be a brochure."""
    own = [[s for s in found if s["role"] == "account_manager"] for found in lists.values()]
    firsts = {found[0]["treatment"] for found in own if found}

    assert len(firsts) >= 5, firsts
    assert "visit_side_effects" in firsts


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_each_list_follows_from_the_accounts_own_facts(
    check: Callable[..., None], crowd: Crowd, lists: dict[str, list[dict]]
) -> None:
    """Page, last visit, consent and plans of the account itself decide."""
    check(crowd, lists)


@pytest.mark.parametrize(
    ("table", "check"),
    [
        ("policies.side_effects_on_request", check_only_who_read_about_side_effects_hears_of_them),
        ("policies.no_visit_after_visit", check_no_visit_after_a_visit),
        ("policies.no_visit_before_planned_visit", check_no_visit_before_a_planned_visit),
    ],
)
def test_without_the_responsible_rule_the_scenario_fails(
    table: str, check: Callable[..., None], tmp_path: Path
) -> None:
    """It is the playbook that does it, not the code around it."""
    crowd = Crowd(size=60)
    playbook = tmp_path / "changed.toml"
    playbook.write_text(without(shipped(), table), encoding="utf-8")

    with served(tmp_path, crowd.tables(), playbook=str(playbook)) as company:
        lists = lists_after_reading(company, crowd)

    with pytest.raises(AssertionError):
        check(crowd, lists)


def test_without_the_consent_setting_the_visit_is_used(tmp_path: Path) -> None:
    """The permission for web behaviour is what keeps a visit unused, and nothing else."""
    crowd = Crowd(size=60)
    playbook = tmp_path / "changed.toml"
    setting = "web_behaviour_needs_consent = true"
    playbook.write_text(shipped().replace(setting, setting.replace("true", "false")), encoding="utf-8")

    with served(tmp_path, crowd.tables(), playbook=str(playbook)) as company:
        lists = lists_after_reading(company, crowd)

    with pytest.raises(AssertionError):
        check_without_consent_the_visit_stays_unused(crowd, lists)


def test_consent_withdrawn_makes_the_visit_unused_from_then_on(tmp_path: Path) -> None:
    """Permission counts at the moment of the decision, not at that of the visit."""
    with served(tmp_path) as company:
        company.reads_page("side_effects")
        before = company.suggestions()
        row = preference(
            "a1", channel="*", purpose="web_behaviour", status="opt_out", since=company.clock.iso()
        )
        company.post("/events", {"event_id": "stop", "table": "preferences", "account_id": "a1", "row": row})
        left = company.suggestions()

    assert [s for s in before if s["treatment"].endswith("side_effects")]
    assert not [s for s in left if s["treatment"].endswith("side_effects")]
