"""The ledger against a model of a few lines, over random weeks of one account."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from data.ledger.ledger import Ledger
from data.ledger.types import Verb
from tests.data.ledgers import DAY, NOON, accounts, night, post, proposal

TREATMENTS = ("call", "mail", "visit")
FAR = NOON + 1000 * DAY

lists = st.sets(st.sampled_from(TREATMENTS)).map(sorted)
steps = st.one_of(
    st.tuples(st.just("post"), lists),
    st.tuples(st.just("stage"), lists),
    st.tuples(st.just("complete")),
    st.tuples(
        st.just("answer"),
        st.sampled_from(TREATMENTS),
        st.sampled_from(["accept", "dismiss", "snooze", "complete"]),
    ),
)


@dataclass
class Model:
    """What people should see: suggestions by treatment, the list on show and the one being staged."""

    live: dict[str, dict] = field(default_factory=dict)
    listed: dict[str, int] = field(default_factory=dict)
    staged: dict[str, int] | None = None
    numbers: count = field(default_factory=count)

    def list_of(self, treatments: list[str]) -> dict[str, int]:
        for treatment in treatments:
            self.live.setdefault(treatment, {"number": next(self.numbers), "state": "open", "until": 0})
        return {treatment: self.live[treatment]["number"] for treatment in treatments}

    def post(self, treatments: list[str]) -> None:
        self.drop_unlisted(set(treatments))
        self.listed = self.list_of(treatments)
        if self.staged is not None:
            self.staged = dict(self.listed)

    def complete(self) -> None:
        self.listed, self.staged = self.staged or {}, None
        on_list = {t for t, one in self.live.items() if self.listed.get(t) == one["number"]}
        self.drop_unlisted(on_list)

    def drop_unlisted(self, kept: set[str]) -> None:
        self.live = {t: one for t, one in self.live.items() if one["state"] != "open" or t in kept}

    def shown(self, now: int) -> dict[str, tuple[int, str]]:
        return {
            t: (one["number"], one["state"])
            for t, one in self.live.items()
            if one["state"] == "accepted"
            or (one["state"] == "snoozed" and one["until"] <= now)
            or (one["state"] == "open" and self.listed.get(t) == one["number"])
        }

    def answer(self, treatment: str, verb: Verb, until: int) -> None:
        if verb in ("accept", "snooze"):
            self.live[treatment] |= {"state": "accepted" if verb == "accept" else "snoozed", "until": until}
        else:
            del self.live[treatment]


@settings(max_examples=25, deadline=None)
@given(st.lists(steps, min_size=4, max_size=14))
def test_what_is_shown_is_what_a_model_of_a_few_lines_says(weeks: list[tuple]) -> None:
    """Nights, live lists and answers in any order: snoozed stays snoozed, unchanged stays the same one."""
    with TemporaryDirectory() as folder:
        ledger, model, ids = Ledger.create(f"sqlite:///{folder}/ledger.sqlite"), Model(), {}
        ledger.put_accounts(accounts("a"))
        runs = 0
        for number, step in enumerate(weeks):
            now = NOON + number * DAY
            visible = {one.treatment: one for one in ledger.suggestions("a", now=now)}
            match step:
                case ("post", treatments):
                    post(ledger, f"d{number}", *map(far, treatments), now=now)
                    model.post(treatments)
                case ("stage", treatments):
                    night(ledger, f"n{runs}", {"a": list(map(far, treatments))}, now=now, complete=False)
                    model.staged = model.list_of(treatments)
                case ("complete",) if model.staged is not None:
                    ledger.complete_run(f"n{runs}", summary={}, now=now)
                    model.complete()
                    runs += 1
                case ("answer", treatment, verb) if treatment in visible:
                    one = visible[treatment]
                    if one.state == "accepted" and verb == "accept":
                        continue
                    until = now + DAY * 3 // 2
                    given_until = until if verb == "snooze" else None
                    ledger.answer(one.suggestion_id, verb, user_id="u", rows=[], until=given_until, now=now)
                    model.answer(treatment, verb, until)

            shown = {one.treatment: one for one in ledger.suggestions("a", now=now)}
            expected = model.shown(now)
            assert {t: one.state for t, one in shown.items()} == {t: s for t, (_, s) in expected.items()}
            for treatment, (own, _) in expected.items():
                assert ids.setdefault(own, shown[treatment].suggestion_id) == shown[treatment].suggestion_id
            assert len(set(ids.values())) == len(ids)
        ledger.close()


def far(treatment: str):
    """A proposal that does not expire within the test."""
    return proposal(treatment, rank=1 + TREATMENTS.index(treatment), expires_at=FAR)
