"""Priority in money, lists that respect their limits as a whole, and exact probabilities of place 1."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.arbitration import LEFT_OUT, Ranking, Together, left_out, placed_at, rank
from engine.playbook import ContactLimit
from tests.engine.builders import TREATMENTS, history, playbook, touchpoint
from tests.engine.deciding import READY, FixedScorer, decided, index, listed, weight

IDS = ("none", "a", "b", "c", "d")


def ranked(
    priority: list[float],
    *,
    eligible: list[bool] | None = None,
    share: float = 0.0,
    places: int = 3,
    seed: int = 1,
    account: str = "x",
    day: int = 0,
    together: Together | None = None,
) -> Ranking:
    """`rank` for one account."""
    flags = eligible or [True] * len(priority)
    return rank(
        np.array([priority]), np.array([flags]), (account,), np.array([day]),
        treatments=IDS[: len(priority)], share=share, places=places, seed=seed, together=together,
    )  # fmt: skip


def restrictions(room: list[int], counts: list[list[int]], clash: list[tuple[int, int]] = ()) -> Together:
    pairs = np.zeros((len(counts), len(counts)), dtype=bool)
    for a, b in clash:
        pairs[a, b] = pairs[b, a] = True
    return Together(np.array([room]), np.array(counts, dtype=bool), pairs)


@pytest.mark.parametrize(
    ("priority", "eligible", "expected"),
    [
        ([0.0, 1.0, 3.0, 2.0], None, [2, 3, 1]),
        ([0.0, 1.0, 3.0, 2.0], [True, True, False, True], [3, 1, -1]),
        ([0.0, -1.0, 0.0, 2.0], None, [3, -1, -1]),
        ([0.0, -1.0, 0.0, np.nan], None, [0, -1, -1]),
        ([0.0, 2.0, 2.0, 2.0], None, [1, 2, 3]),
        ([0.0, 2.0, 2.0, 2.0], [False, True, True, True], [1, 2, 3]),
    ],
)
def test_the_best_eligible_come_first_and_only_what_beats_no_contact(priority, eligible, expected) -> None:
    """By hand: eligible and worth more than nothing, ties by id; else the account is left alone."""
    assert ranked(priority, eligible=eligible).places.tolist() == [expected]


def test_more_places_than_treatments_stay_empty() -> None:
    """A list is as long as there is something to say."""
    assert ranked([0.0, 1.0], places=4).places.tolist() == [[1, -1, -1, -1]]


def test_a_list_does_not_use_the_last_contact_twice() -> None:
    """Two e-mails fit one by one and not together: the second would break the limit."""
    one_mail_left = restrictions([1], [[0], [1], [1], [0]])

    assert ranked([0.0, 3.0, 2.0, 1.0], together=one_mail_left).places.tolist() == [[1, 3, -1]]


def test_a_list_does_not_contradict_itself() -> None:
    """To stop e-mails and to send one, on the same list, is two voices."""
    contradiction = restrictions([], [[], [], [], []], [(1, 2)])

    assert ranked([0.0, 1.0, 3.0, 2.0], together=contradiction).places.tolist() == [[2, 3, -1]]


def test_what_is_drawn_for_place_one_takes_its_room_too() -> None:
    """Exploration is a contact like any other."""
    one_mail_left = restrictions([1], [[0], [1], [1], [0]])

    for seed in range(200):
        result = ranked([0.0, 3.0, 2.0, 1.0], share=0.9, seed=seed, together=one_mail_left).places[0]

        assert not {1, 2} <= set(result.tolist())


def test_exploration_draws_place_one_alone() -> None:
    """Places 2..K carry no probability, so they follow by priority; no contact leaves no list."""
    seen = set()
    for seed in range(300):
        result = ranked([0.0, 3.0, -2.0, 1.0], share=0.9, seed=seed)
        if result.explored[0]:
            seen.add(tuple(result.places[0].tolist()))

    assert seen == {(0, -1, -1), (1, 3, -1), (2, 1, 3), (3, 1, -1)}


def test_the_draw_is_that_of_account_and_day() -> None:
    """A live decision draws what the night drew, and tomorrow is another day."""
    draws = {
        (account, day): ranked([0.0, 1.0, 2.0, 3.0], share=0.5, account=account, day=day).places.tolist()
        for account in map(str, range(20))
        for day in (0, 1)
    }

    again = {key: ranked([0.0, 1.0, 2.0, 3.0], share=0.5, account=key[0], day=key[1]).places.tolist()
             for key in reversed(draws)}  # fmt: skip

    assert draws == again
    assert any(draws[(account, 0)] != draws[(account, 1)] for account in map(str, range(20)))


def test_probabilities_by_hand() -> None:
    """Share 0.3, three eligible of which the second is greedy: 0.1, 0.8, 0.1 and nothing for the rest."""
    result = ranked([0.0, 2.0, 1.0, 9.0], eligible=[True, True, True, False], share=0.3)

    assert result.greedy.tolist() == [1]
    assert result.target[0] == pytest.approx([0.1, 0.8, 0.1, 0.0], abs=1e-15)
    assert result.probability[0] == result.target[0, result.places[0, 0]]


def test_logged_probabilities_agree_with_frequencies() -> None:
    """Off-policy estimates stand or fall with these numbers: 4,000 draws, each within 4 standard errors."""
    draws = 4000
    first = [
        int(ranked([0.0, 1.0, 2.0], share=0.5, seed=3, account=str(i)).places[0, 0]) for i in range(draws)
    ]

    expected = ranked([0.0, 1.0, 2.0], share=0.5).target[0]
    for treatment, probability in enumerate(expected):
        error = (probability * (1 - probability) / draws) ** 0.5
        assert abs(first.count(treatment) / draws - probability) < 4 * error


def test_rows_of_the_target_sum_to_one() -> None:
    """A policy is a distribution, whatever the number of eligible treatments."""
    rng = np.random.default_rng(5)
    shape = (200, 40)
    priority, eligible = rng.normal(size=shape), rng.random(shape) < 0.5
    accounts, columns = tuple(map(str, range(200))), tuple(map(str, range(40)))
    day = np.zeros(200, dtype=np.int64)

    result = rank(priority, eligible, accounts, day, treatments=columns, share=0.07, places=3, seed=1)

    assert np.abs(result.target.sum(axis=1) - 1.0).max() < 1e-12
    assert (result.probability > 0.0).all()
    assert (result.target[np.arange(200), result.places[:, 0]] == result.probability).all()


def test_priority_is_the_value_caused_less_cost_and_fatigue_if_followed() -> None:
    """By hand for a visit: (300 - 100 caused - 90 cost - 0.01 x 500 fatigue) x 0.5 followed = 52.5."""
    scorer = FixedScorer({"none": 100.0, "visit_news": 300.0}, followed=0.5, optout=0.01)

    result = decided(history(*READY), scorer=scorer)

    visit = index(result, "visit_news")
    assert result.priority.caused[0, visit] == 200.0
    assert result.priority.fatigue[0, visit] == 5.0
    assert result.priority.priority[0, visit] == 52.5
    assert result.priority.priority[0, 0] == 0.0


def test_the_system_needs_nobody_to_follow_and_people_have_a_floor() -> None:
    """A doubtful P(followed) must not bury a suggestion for good; a machine does what it is told."""
    scorer = FixedScorer({"email_news": 101.0, "visit_news": 190.0}, followed=0.0)

    result = decided(history(*READY), scorer=scorer, rules=playbook(optout_loss=0.0))

    assert result.priority.priority[0, index(result, "email_news")] == 100.0
    assert result.priority.priority[0, index(result, "visit_news")] == pytest.approx(100.0 * 0.2)


def test_context_weights_multiply_where_they_are_known_to_hold() -> None:
    """A weight is a lift for a known reason; what is not known lifts nothing."""
    rules = playbook(
        context_weights=(
            weight("fresh", "days_since_visit < 7", 4.0, applies="topic = 'safety'"),
            weight("large", "potential_value > 500", 2.0),
            weight("mailed", "days_since_email < 7", 100.0),
        ),
        optout_loss=0.0,
    )
    scorer = FixedScorer({"visit_safety": 91.0, "visit_news": 91.0})

    result = decided(history(*READY, touchpoint(-3.0)), rules=rules, scorer=scorer)

    assert result.priority.weight[0, index(result, "visit_safety")] == 8.0
    assert result.priority.weight[0, index(result, "visit_news")] == 2.0
    assert result.priority.weight[0, 0] == 1.0
    assert result.priority.priority[0, index(result, "visit_safety")] == 8.0


def test_levers_are_added_before_they_multiply() -> None:
    """Issue +50 %, group -20 %, action +10 % give 1.4; less than -100 % gives nothing."""
    levers = {("issue", "product"): 50.0, ("group", "promotion"): -20.0, ("action", "visit_news"): 10.0}
    scorer = FixedScorer({"visit_news": 190.0})

    lifted = decided(history(*READY), rules=playbook(levers=levers, optout_loss=0.0), scorer=scorer)
    buried = decided(history(*READY), rules=playbook(levers={("issue", "product"): -150.0}), scorer=scorer)

    visit = index(lifted, "visit_news")
    assert lifted.priority.lever[0, visit] == pytest.approx(1.4)
    assert lifted.priority.priority[0, visit] == pytest.approx(140.0)
    assert buried.priority.priority[0, visit] == 0.0


def test_the_leaders_formula_can_be_chosen() -> None:
    """Response 0.25 x value 200 x weight 2 = 100, whatever the contact causes or costs."""
    rules = playbook(priority="leaders", context_weights=(weight("w", "1 = 1", 2.0),))

    result = decided(history(*READY), rules=rules, scorer=FixedScorer({"visit_news": -1000.0}))

    assert result.priority.priority[0, index(result, "visit_news")] == 100.0
    assert result.priority.priority[0, 0] == 0.0


def test_a_decision_applies_the_limits_of_the_playbook_to_the_whole_list() -> None:
    """Room for one e-mail: the better one is placed, the other one is told why not."""
    limits = (ContactLimit("mail", "email", "", 2, 7.0),)
    rules = playbook(contact_limits=limits, suppressions=())
    scorer = FixedScorer({"email_news": 50.0, "email_safety": 40.0, "visit_news": 100.0})
    past = history(*READY, touchpoint(-2.0, channel="email"))

    result = decided(past, rules=rules, scorer=scorer)

    assert listed(result) == ["email_news", "visit_news"]
    reason = left_out(result.priority.priority, result.objections.eligible, result.ranking)[0]
    assert LEFT_OUT[reason[index(result, "email_safety")]] == "no_room_together"


def test_a_stop_and_what_it_stops_do_not_share_a_list() -> None:
    """Stopping marketing e-mail excludes marketing e-mail, and leaves service e-mail alone."""
    scorer = FixedScorer({"stop_email": 500.0, "email_news": 400.0, "email_safety": 300.0})

    assert listed(decided(history(*READY), scorer=scorer)) == ["stop_email", "email_safety"]


def test_why_left_out_by_hand() -> None:
    """Each code once: beaten, worth nothing, and drawn away."""
    plain = ranked([0.0, 3.0, 2.0, -1.0], places=1)
    codes = left_out(np.array([[0.0, 3.0, 2.0, -1.0]]), np.ones((1, 4), dtype=bool), plain)[0]
    alone = replace(plain, places=np.array([[0]]), explored=np.array([True]))
    drawn = left_out(np.array([[0.0, 3.0, 2.0, -1.0]]), np.ones((1, 4), dtype=bool), alone)[0]

    assert [LEFT_OUT[c] if c >= 0 else "" for c in codes] == [
        "outranked",
        "",
        "outranked",
        "below_no_contact",
    ]
    assert [LEFT_OUT[c] if c >= 0 else "" for c in drawn] == [
        "",
        "exploration",
        "exploration",
        "below_no_contact",
    ]
    assert placed_at(plain, 4).tolist() == [[0, 1, 0, 0]]


def test_the_treatments_of_the_small_playbook_are_in_the_order_that_ties_rely_on() -> None:
    """Ties go by id because the treatments are sorted: "none" first."""
    ids = [t.id for t in TREATMENTS]

    assert ids == ["none", *sorted(ids[1:])]


def test_an_equal_that_the_limits_keep_out_is_not_said_to_be_outranked() -> None:
    """Two are worth the same as the last on the list; the earlier one has no room, the later one lost."""
    worth = [0.0, 3.0, 2.0, 2.0, 2.0]
    one_of_both = restrictions([1], [[0], [1], [1], [0], [0]])
    found = ranked(worth, places=2, together=one_of_both)

    codes = left_out(np.array([worth]), np.ones((1, 5), dtype=bool), found)[0]

    assert found.places.tolist() == [[1, 3]]
    assert [LEFT_OUT[code] for code in codes[[2, 4]]] == ["no_room_together", "outranked"]


def test_what_cannot_be_judged_is_not_promoted_however_much_it_is_said_to_be_worth() -> None:
    """Accounts like this one hardly ever got it: its value is a guess far from anything seen."""
    worth = {"visit_news": 900.0, "email_news": 40.0}

    plain = decided(history(*READY), scorer=FixedScorer(worth))
    held = decided(history(*READY), scorer=FixedScorer(worth, never_given=("visit_news",)))

    visit = index(held, "visit_news")
    assert listed(plain)[0] == "visit_news"
    assert "visit_news" not in listed(held)
    assert held.priority.priority[0, visit] == 0.0
    assert held.priority.caused[0, visit] == 900.0
    rows = held.funnel().filter(rule="not_comparable")
    assert rows["removed"].to_list() == [1]


def test_what_cannot_be_judged_is_still_explored() -> None:
    """Chance is the only way to learn what nobody has tried."""
    scorer = FixedScorer({"visit_news": 900.0}, never_given=("visit_news",))
    found = decided(history(*READY), scorer=scorer, rules=playbook(exploration_share=0.5))

    visit = index(found, "visit_news")
    assert found.objections.eligible[0, visit]
    assert 0.0 < found.ranking.target[0, visit] < 0.5


def test_a_treatment_worth_nothing_is_below_no_contact_whether_or_not_it_can_be_judged() -> None:
    """The reason is the one that would hold anyway."""
    scorer = FixedScorer({"visit_news": -900.0}, never_given=("visit_news",))
    found = decided(history(*READY), scorer=scorer)

    assert found.funnel().filter(rule="not_comparable")["removed"].to_list() == [0]
