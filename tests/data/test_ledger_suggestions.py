"""Suggestions: posted, shown, answered, and gone when they are no longer right."""

from __future__ import annotations

from typing import get_args

import pytest

from data.ledger.ledger import Ledger
from data.ledger.types import ConflictError, OvertakenError, Suggestion, UnknownError, Verb
from tests.data.ledgers import DAY, LATER, NOON, decision, post, proposal, touch


def answer(
    ledger: Ledger, suggestion: Suggestion, verb: Verb, *, user: str = "u", until: int | None = None,
    now: int = NOON, event: str | None = None,
) -> Suggestion:  # fmt: skip
    """Answer with one fact that follows from it."""
    rows = [touch(event or f"{suggestion.suggestion_id}:{verb}")]
    return ledger.answer(suggestion.suggestion_id, verb, user_id=user, rows=rows, until=until, now=now)


def shown(ledger: Ledger, now: int = NOON) -> list[str]:
    """Treatments shown for account a."""
    return [one.treatment for one in ledger.suggestions("a", now=now)]


def test_what_is_posted_is_shown_with_its_reasons(ledger: Ledger) -> None:
    """Before the first night too: a new installation answers its first event."""
    (posted,) = post(ledger, "d1", proposal(priority=0.1 + 0.2))

    assert ledger.suggestions("a", now=NOON) == [posted] == ledger.worklist("u", now=NOON, limit=5)
    assert ledger.suggestion(posted.suggestion_id) == posted
    assert (posted.account_name, posted.state, posted.new) == ("Dr a", "open", True)
    assert (posted.priority, posted.expires_at, posted.posted_at) == (0.1 + 0.2, LATER, NOON)
    assert posted.reasons == [{"code": "read_topic", "topic": "dosing"}]


def test_the_suggestions_of_an_account_lie_side_by_side(ledger: Ledger) -> None:
    """A night writes three of each account: apart they would be three pages of every index by their id."""
    posted = post(ledger, "d1", proposal("visit"), proposal("mail", role="nurse", rank=2))
    of_other = post(ledger, "d2", proposal("visit"), account_id="b")

    ids = [one.suggestion_id for one in posted]
    assert len({*ids}) == 2
    assert len({one[:8] for one in ids}) == 1
    assert ids[0][:8] != of_other[0].suggestion_id[:8]


def test_the_decision_is_kept_to_the_bit(ledger: Ledger) -> None:
    """It is what a replay compares with."""
    logged = decision("d1", probability=0.1 + 0.2, seed=2**62 + 1, record={"x": [0.1, None], "b": 1e-300})

    ledger.post(logged, [], version=0, now=NOON)

    assert ledger.decision("d1") == logged
    with pytest.raises(UnknownError, match="no decision 'd2'"):
        ledger.decision("d2")


def test_a_list_decided_on_old_facts_is_refused(ledger: Ledger) -> None:
    """She just opted out: a list decided before that must not appear after it."""
    version = ledger.account_state("a").version
    ledger.append([touch("e1")], now=NOON)

    with pytest.raises(ConflictError, match=r"has changed \(version 1, decided at 0\): decide again"):
        ledger.post(decision("d1"), [proposal()], version=version, now=NOON)

    assert shown(ledger) == []
    with pytest.raises(UnknownError):
        ledger.decision("d1")


def test_posting_does_not_change_the_version(ledger: Ledger) -> None:
    """A list is not a fact: deciding must not make the next decision necessary."""
    post(ledger, "d1", proposal())

    assert ledger.account_state("a").version == 0


def test_an_unchanged_suggestion_stays_the_same(ledger: Ledger) -> None:
    """Its place and reasons may move; it is not new because it was decided again."""
    (first,) = post(ledger, "d1", proposal())

    second = post(ledger, "d2", proposal(rank=2, priority=5.0), proposal("call"), now=NOON + 1)

    assert [one.treatment for one in second] == ["call", "visit"]
    assert second[1].suggestion_id == first.suggestion_id
    assert (second[1].posted_at, second[1].priority, second[1].decision_id) == (NOON, 5.0, "d2")


def test_what_is_no_longer_proposed_is_withdrawn(ledger: Ledger) -> None:
    """A colleague has acted: the suggestion goes, and the page can say so."""
    (visit,) = post(ledger, "d1", proposal())

    post(ledger, "d2", proposal("call"), now=NOON + 1)

    assert shown(ledger) == ["call"]
    assert ledger.suggestion(visit.suggestion_id).state == "withdrawn"
    assert [one.suggestion_id for one in ledger.withdrawn_since("a", after=NOON)] == [visit.suggestion_id]
    assert ledger.withdrawn_since("a", after=NOON + 1) == []


def test_a_suggestion_proposed_again_after_it_ended_is_a_new_one(ledger: Ledger) -> None:
    """An old answer must not hang on it."""
    (first,) = post(ledger, "d1", proposal())
    post(ledger, "d2", now=NOON + 1)

    (second,) = post(ledger, "d3", proposal(), now=NOON + 2)

    assert second.suggestion_id != first.suggestion_id
    assert second.new


def test_the_same_treatment_twice_in_a_list_is_one_suggestion_at_the_better_place(ledger: Ledger) -> None:
    """One identity, one suggestion."""
    (only,) = post(ledger, "d1", proposal(rank=2, priority=1.0), proposal(rank=1, priority=2.0))

    assert only.priority == 2.0


def test_roles_see_their_own(ledger: Ledger) -> None:
    """The commercial side must not read the medical one."""
    post(ledger, "d1", proposal(), proposal("answer", role="medical_liaison", rank=2))

    seen = ledger.suggestions("a", now=NOON, roles=["medical_liaison"])

    assert [one.treatment for one in seen] == ["answer"]
    assert ledger.suggestions("a", now=NOON, roles=[]) == []


def test_an_expired_suggestion_is_gone_and_takes_no_answer(ledger: Ledger) -> None:
    """What was right on Monday is nonsense on Friday."""
    (visit,) = post(ledger, "d1", proposal())

    assert shown(ledger, now=LATER - 1) == ["visit"]
    assert shown(ledger, now=LATER) == []
    assert ledger.worklist("u", now=LATER, limit=5) == []
    with pytest.raises(ConflictError, match="is expired and takes no answer"):
        answer(ledger, visit, "accept", now=LATER)
    assert ledger.tail() == []


def test_after_expiry_the_same_proposal_is_a_new_suggestion(ledger: Ledger) -> None:
    """And the old one was not withdrawn by anybody."""
    (old,) = post(ledger, "d1", proposal())

    (fresh,) = post(ledger, "d2", proposal(expires_at=LATER + DAY), now=LATER)

    assert fresh.suggestion_id != old.suggestion_id
    assert ledger.suggestion(old.suggestion_id).state == "expired"
    assert ledger.withdrawn_since("a", after=0) == []


def test_an_accepted_suggestion_stays_whatever_is_proposed_and_comes_first(ledger: Ledger) -> None:
    """She said she would: it is on her list until it is done."""
    visit, _ = post(ledger, "d1", proposal(), proposal("call", rank=2))

    accepted = answer(ledger, visit, "accept")
    post(ledger, "d2", proposal("call", priority=99.0))

    assert accepted.state == "accepted"
    assert [one.treatment for one in ledger.worklist("u", now=NOON, limit=5)] == ["visit", "call"]
    assert shown(ledger, now=LATER + DAY) == ["visit"]
    post(ledger, "d3", proposal(priority=1.0))
    assert [(one.suggestion_id, one.state) for one in ledger.suggestions("a", now=NOON)] == [
        (visit.suggestion_id, "accepted")
    ]


def test_an_accepted_suggestion_keeps_what_the_person_agreed_to(ledger: Ledger) -> None:
    """Not what it was posted with, nor what later lists say."""
    post(ledger, "d1", proposal(priority=1.0))
    (visit,) = post(ledger, "d2", proposal(priority=2.0))
    answer(ledger, visit, "accept")

    post(ledger, "d3", proposal(priority=3.0))
    post(ledger, "d4")

    (kept,) = ledger.suggestions("a", now=NOON)
    assert (kept.priority, kept.decision_id) == (2.0, "d2")


def test_whoever_accepts_what_was_nobodys_has_it_on_the_list(ledger: Ledger) -> None:
    """Otherwise it would be accepted and forgotten."""
    (visit,) = post(ledger, "d1", proposal(user_id=None))
    assert ledger.worklist("v", now=NOON, limit=5) == []

    answer(ledger, visit, "accept", user="v")

    assert [one.treatment for one in ledger.worklist("v", now=NOON, limit=5)] == ["visit"]


def test_a_snoozed_suggestion_sleeps_until_its_time_and_is_the_same_then(ledger: Ledger) -> None:
    """Deciding again must not wake it."""
    (visit,) = post(ledger, "d1", proposal())

    answer(ledger, visit, "snooze", until=NOON + DAY)
    post(ledger, "d2", proposal(), now=NOON + 1)

    assert shown(ledger, now=NOON + DAY - 1) == []
    (awake,) = ledger.suggestions("a", now=NOON + DAY)
    assert (awake.suggestion_id, awake.state, awake.snoozed_until) == (
        visit.suggestion_id, "snoozed", NOON + DAY,
    )  # fmt: skip


def test_a_snoozed_suggestion_comes_back_also_when_it_is_no_longer_proposed(ledger: Ledger) -> None:
    """She asked to be reminded; until it expires it is hers to end."""
    (visit,) = post(ledger, "d1", proposal())
    answer(ledger, visit, "snooze", until=NOON + DAY)

    post(ledger, "d2")

    assert shown(ledger, now=NOON + DAY) == ["visit"]
    assert [one.treatment for one in ledger.worklist("u", now=NOON + DAY, limit=5)] == ["visit"]
    assert shown(ledger, now=LATER) == []


def test_what_was_put_off_is_taken_only_as_decided_on_the_newest_facts(ledger: Ledger) -> None:
    """That it was put off is such a fact already; a list made since then proposes it anew."""
    visit, call = post(ledger, "d1", proposal(), proposal("call", rank=2))
    for n, one in enumerate((visit, call)):
        answer(ledger, one, "snooze", until=NOON + DAY, event=f"put off {n}", now=NOON + n)
    version = ledger.account_state("a").version
    ledger.post(decision("d2", decided_at=NOON + 5), [proposal()], version=version, now=NOON + 5)

    with pytest.raises(OvertakenError):
        answer(ledger, call, "accept", event="call", now=NOON + 6)

    assert answer(ledger, visit, "accept", event="visit", now=NOON + 6).state == "accepted"


def test_a_snooze_needs_a_time_ahead(ledger: Ledger) -> None:
    """One in the past would do nothing and look as if it had."""
    (visit,) = post(ledger, "d1", proposal())

    for until in (None, NOON):
        with pytest.raises(ConflictError, match="a time ahead of now"):
            answer(ledger, visit, "snooze", until=until)


@pytest.mark.parametrize(("verb", "state"), [("dismiss", "dismissed"), ("complete", "completed")])
def test_a_dismissed_or_completed_suggestion_leaves_the_list(ledger: Ledger, verb: Verb, state: str) -> None:
    """And proposed once more it is another suggestion."""
    (visit,) = post(ledger, "d1", proposal())

    assert answer(ledger, visit, verb).state == state

    assert shown(ledger) == []
    (again,) = post(ledger, "d2", proposal())
    assert again.suggestion_id != visit.suggestion_id


def test_an_answer_and_its_facts_come_together(ledger: Ledger) -> None:
    """The facts make earlier decisions outdated, so the version grows."""
    (visit,) = post(ledger, "d1", proposal())

    answer(ledger, visit, "complete", event="done")

    state = ledger.account_state("a")
    assert [row.event_id for row in state.tail] == ["done"]
    assert state.version == 1


def test_an_answer_without_facts_makes_decisions_outdated_too(ledger: Ledger) -> None:
    """A list decided before a dismissal must not bring it back."""
    (visit,) = post(ledger, "d1", proposal())

    ledger.answer(visit.suggestion_id, "dismiss", user_id="u", rows=[], until=None, now=NOON)

    with pytest.raises(ConflictError, match="decide again"):
        ledger.post(decision("d2"), [proposal()], version=0, now=NOON)


def test_a_refused_fact_leaves_the_suggestion_unanswered(ledger: Ledger) -> None:
    """All or nothing."""
    ledger.append([touch("taken", channel="email")], now=NOON)
    (visit,) = post(ledger, "d1", proposal())

    with pytest.raises(ConflictError, match="'taken'"):
        answer(ledger, visit, "complete", event="taken")

    assert ledger.suggestion(visit.suggestion_id).state == "open"


@pytest.mark.parametrize("verb", get_args(Verb))
def test_the_same_answer_again_changes_nothing(ledger: Ledger, verb: Verb) -> None:
    """A tablet on a train sends twice."""
    (visit,) = post(ledger, "d1", proposal())
    until = NOON + DAY if verb == "snooze" else None
    first = answer(ledger, visit, verb, until=until)
    version = ledger.account_state("a").version

    again = answer(ledger, visit, verb, until=until, now=NOON + 5, event="sent again")

    assert again == first
    assert len(ledger.tail()) == 1
    assert ledger.account_state("a").version == version


ENDS: dict[str, list[Verb]] = {"dismissed": ["dismiss"], "completed": ["accept", "complete"], "withdrawn": []}


@pytest.mark.parametrize("state", ENDS)
def test_what_has_ended_takes_no_other_answer(ledger: Ledger, state: str) -> None:
    """And says what became of it."""
    (visit,) = post(ledger, "d1", proposal())
    for earlier in ENDS[state]:
        answer(ledger, visit, earlier)
    if state == "withdrawn":
        post(ledger, "d2")

    by = " by u" if ENDS[state] else ""
    for verb in get_args(Verb):
        with pytest.raises(ConflictError, match=f"is {state}{by} and takes no answer any more"):
            answer(ledger, visit, verb, user="v", until=NOON + DAY)


def test_two_people_cannot_both_accept(ledger: Ledger) -> None:
    """The second must learn that the first goes."""
    (visit,) = post(ledger, "d1", proposal())
    answer(ledger, visit, "accept")

    with pytest.raises(ConflictError, match="already accepted by u"):
        answer(ledger, visit, "accept", user="v", event="other")


def test_an_answer_to_nothing_is_refused(ledger: Ledger) -> None:
    """Ids come from outside."""
    with pytest.raises(UnknownError, match="no suggestion 'zz'"):
        ledger.answer("zz", "accept", user_id="u", rows=[], until=None, now=NOON)
    with pytest.raises(UnknownError, match="no suggestion 'zz'"):
        ledger.suggestion("zz")


def test_a_worklist_is_short_and_in_order(ledger: Ledger) -> None:
    """Never more than a person can act on; equal priorities keep an order of their own."""
    post(ledger, "d1", proposal(priority=5.0), proposal("call", rank=2, priority=1.0))
    post(ledger, "d2", proposal(priority=9.0), proposal("mail", user_id="v", rank=2), account_id="b")

    listed = ledger.worklist("u", now=NOON, limit=2)

    assert [(one.account_id, one.treatment) for one in listed] == [("b", "visit"), ("a", "visit")]
    assert listed == ledger.worklist("u", now=NOON, limit=9)[:2]
    assert len(ledger.worklist("u", now=NOON, limit=9)) == 3


@pytest.mark.parametrize("verb", ["accept", "snooze"])
@pytest.mark.parametrize("by", ["post", "stage"])
def test_what_consent_ended_is_withdrawn_however_it_was_answered(ledger: Ledger, by: str, verb: Verb) -> None:
    """Accepted and snoozed ones outlive every list; a withdrawn consent they must not outlive."""
    (visit, _) = post(ledger, "d1", proposal(), proposal("call", rank=2))
    answer(ledger, visit, verb, until=NOON + DAY if verb == "snooze" else None)
    version = ledger.account_state("a").version
    decided = decision("d2", ended=["visit", "letter"])

    if by == "post":
        ledger.post(decided, [proposal("call")], version=version, now=NOON + 1)
    else:
        ledger.begin_run("r", NOON, now=NOON)
        ledger.stage("r", [(decided, [proposal("call")], version)], now=NOON + 1)

    assert ledger.suggestion(visit.suggestion_id).state == "withdrawn"
    assert [one.treatment for one in ledger.withdrawn_since("a", after=NOON)] == ["visit"]
    assert shown(ledger, now=NOON + DAY) == ["call"]
