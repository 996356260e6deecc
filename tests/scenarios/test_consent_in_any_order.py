"""A withdrawn consent ends contacts in any order of events: late, doubled, in a batch, around a night."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import pytest

from api.decider import LiveDecider
from api.nightly import run_night
from api.service import Service
from data.ledger.ledger import Ledger
from data.ledger.types import TailRow
from data.live import history_of
from engine.records import DAY_MICROS, known_rows
from tests.api.company import NOW, Clock, load, settings_of, tables_of
from tests.data.files import DAY, UNTIL, days_before, iso, touchpoint

WITHDRAWN, OLD_PERMISSION, READS = "withdrawn", "old permission", "reads a page"
ORDERS = tuple(sorted(set(permutations((WITHDRAWN, WITHDRAWN, OLD_PERMISSION, READS)))))
"""The withdrawal is told twice, as senders do."""
PHASES = {"between": (1, 1, 1, 1), "around": (0, 1, 1, 2), "after": (0, 0, 2, 2)}
"""When the first to the fourth arrive: 0 before a night, 1 between its scoring and publishing, 2 after it."""
BATCHES = ((WITHDRAWN, READS), (READS, WITHDRAWN))


@dataclass(frozen=True)
class Story:
    """What happens to an account: requests, each in its phase and with the events that it brings."""

    account: str
    requests: tuple[tuple[int, tuple[str, ...]], ...]

    @property
    def withdraws(self) -> bool:
        return any(WITHDRAWN in events for _, events in self.requests)


def stories() -> Iterator[Story]:
    """Every order in every phase, two things in one request, and accounts that withdraw nothing."""
    for phase, when in PHASES.items():
        for number, order in enumerate(ORDERS):
            yield Story(f"{phase}-{number:02}", tuple((w, (e,)) for w, e in zip(when, order, strict=True)))
    for phase in range(3):
        for number, batch in enumerate(BATCHES):
            yield Story(f"batch-{phase}{number}", ((phase, batch),))
        yield Story(f"control-{phase}", ((phase, (READS,)),))


STORIES = tuple(stories())


def row(event: str, account: str) -> TailRow:
    """Visits are refused as of yesterday; an older permission and what was read may be learned of later."""
    if event == READS:
        page = {"touchpoint_id": f"page-{account}", "occurred_at": NOW - 60_000_000, "direction": "inbound",
                "channel": "website", "topic": "side_effects", "status": "done"}  # fmt: skip
        return TailRow(f"page-{account}", "touchpoints", account, page)
    given = event == OLD_PERMISSION
    wish = {"account_id": account, "channel": "visit", "purpose": "marketing", "kind": "permission",
            "status": "opt_in" if given else "opt_out", "since": NOW - (30 if given else 1) * DAY_MICROS,
            "source": "test"}  # fmt: skip
    return TailRow(f"{'in' if given else 'out'}-{account}", "preferences", account, wish)


@dataclass
class House:
    """The service over a ledger, and which accounts it has been told to visit no more."""

    ledger: Ledger
    service: Service
    clock: Clock
    over: set[str]
    broken: list[str]

    def tell(self, phase: int) -> None:
        """Everything that arrives in a phase, in its order; after each the account is looked at."""
        for story in STORIES:
            for when, events in story.requests:
                if when != phase:
                    continue
                self.clock.pass_time(seconds=1)
                self.service.record([row(event, story.account) for event in events])
                if WITHDRAWN in events:
                    self.over.add(story.account)
                self.look(story.account, f"{story} in phase {phase} after {events}")

    def look(self, account: str, when: str) -> None:
        if account in self.over and (found := self.visits(account)):
            self.broken.append(f"{when}: {found}")

    def visits(self, account: str) -> list[str]:
        """Visits that are suggested, settled or planned."""
        now = self.clock() + 1_000_000
        listed = [s.treatment for s in self.ledger.suggestions(account, now=now) if s.channel == "visit"]
        rows = known_rows(history_of(self.ledger.account_state(account))["touchpoints"], now)
        planned = rows.filter(channel="visit", direction="outbound", status="planned")
        return [*listed, *planned["touchpoint_id"]]


def acting_once_scored(home: Path, act: Callable[[], None], clock: Clock) -> Callable[[], int]:
    """A clock that is read between scoring and publishing, and has something happen just then."""
    acted: list[bool] = []

    def read() -> int:
        if not acted and list((home / "nights").glob("*/bucket_*.lists.parquet")):
            acted.append(True)
            act()
        return clock()

    return read


def planned_visits(accounts: Sequence[str]) -> list[dict[str, object]]:
    """Every other account has a visit planned that a withdrawal must cancel."""
    plan = {"occurred_at": iso(UNTIL + 20 * DAY), "status": "planned", "stored_at": days_before(1)}
    return [touchpoint(f"plan-{account}", account, **plan) for account in accounts[::2]]


@pytest.fixture
def house(ledger_url: str, tmp_path: Path) -> Iterator[House]:
    accounts = [story.account for story in STORIES]
    load(tmp_path, tables_of(accounts, touchpoints=planned_visits(accounts)), ledger_url=ledger_url)
    settings = settings_of(tmp_path, ledger_url=ledger_url)
    ledger, clock = Ledger.open(ledger_url), Clock()
    live = LiveDecider(settings.as_home(), ledger, settings.playbook, settings.seed)
    yield House(ledger, Service(ledger, live, clock), clock, set(), [])
    ledger.close()


def test_no_visit_after_a_withdrawal_in_whatever_order_it_is_learned_of(
    house: House, ledger_url: str, tmp_path: Path
) -> None:
    """Nobody can know which of several systems speaks first; whoever said no is not visited."""
    settings = settings_of(tmp_path, ledger_url=ledger_url)

    house.tell(0)
    run_night(settings, clock=acting_once_scored(tmp_path, lambda: house.tell(1), house.clock))
    for story in STORIES:
        house.look(story.account, f"{story} after the night")
    house.tell(2)
    house.clock.pass_time(days=1)
    run_night(settings, clock=house.clock)
    for story in STORIES:
        house.look(story.account, f"{story} after the next night")

    assert house.broken == []
    assert house.over == {story.account for story in STORIES if story.withdraws}
    assert all(house.visits(story.account) for story in STORIES if not story.withdraws)
