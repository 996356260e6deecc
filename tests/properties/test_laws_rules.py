"""Rules only remove, and consent fails closed (laws 3 and 6)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.journey import Journey
from engine.playbook import ContactLimit, Suppression
from engine.policies import STAGES
from engine.records import History
from tests.engine.builders import TREATMENTS, at, moments, permission
from tests.engine.deciding import decided, journey, policy, stage
from tests.engine.random_histories import ACCOUNTS, random_history, random_moments
from tests.properties.laws import SCORER, facts, release, rules, same_bits

SEEDS = st.integers(0, 2**31 - 1)
PREDICATES = (
    "days_since_visit > 7", "outbound_any_30d < 2", "segment = 'A'",
    "potential_value > 0 or segment is null", "not days_since_inbound_same_topic < 5", "1 = 0", "1 = 1",
    "channel <> 'email'", "response_rate_any_365d >= 0.5", "days_until_any is null",
    "kind = 'stop' or purpose = 'service'", "outcomes_90d + outcome_value_30d > 10",
)  # fmt: skip


@given(SEEDS, st.sampled_from(PREDICATES), st.sampled_from([None, *PREDICATES]), st.sampled_from(STAGES[1:4]))
@settings(max_examples=50, deadline=None)
def test_a_policy_more_only_removes(seed: int, when: str, applies: str | None, stage) -> None:
    """A lawyer who adds a rule must be sure that it allows nothing new."""
    past, asked, base = random_history(seed), random_moments(seed), rules()
    more = replace(base, policies=(*base.policies, policy("new", when, applies=applies, stage=stage)))

    before, after = (decided(past, asked, rules=book, scorer=SCORER) for book in (base, more))

    assert not (after.objections.eligible & ~before.objections.eligible).any()
    assert after.objections.eligible[:, 0].all()
    assert same_bits(before.scores, after.scores) == []
    assert same_bits(before.priority, after.priority) == []


@given(SEEDS, st.sampled_from(PREDICATES), st.sampled_from(["s_learner", "t_learner"]))
@settings(max_examples=20, deadline=None)
def test_a_policy_more_only_removes_under_a_learned_release(seed: int, when: str, learner: str) -> None:
    """The same with forests: what is forbidden has no chance, what is left is worth what it was before."""
    past, asked, base, scorer = random_history(seed), random_moments(seed), rules(), release(learner)
    more = replace(base, policies=(*base.policies, policy("new", when)))

    before, after = (decided(past, asked, rules=book, scorer=scorer) for book in (base, more))

    removed = before.objections.eligible & ~after.objections.eligible
    assert not (after.objections.eligible & ~before.objections.eligible).any()
    assert (after.ranking.target[removed] == 0.0).all()
    assert same_bits(before.scores, after.scores) == []
    assert same_bits(before.priority, after.priority) == []


@given(SEEDS, st.integers(1, 4), st.sampled_from(["*", "email", "visit"]))
@settings(max_examples=25, deadline=None)
def test_a_limit_or_a_pause_more_only_removes(seed: int, count: int, channel: str) -> None:
    """The same for contact policies."""
    past, asked, base = random_history(seed), random_moments(seed), rules()
    limits = (*base.contact_limits, ContactLimit("new", channel, "", count, 30.0))
    pauses = (*base.suppressions, Suppression("new", "contacts", "channel", count, 30.0, 30.0, channel))
    more = replace(base, contact_limits=limits, suppressions=pauses)

    before, after = (decided(past, asked, rules=book, scorer=SCORER) for book in (base, more))

    assert not (after.objections.eligible & ~before.objections.eligible).any()


@given(
    SEEDS,
    st.sampled_from([("rep",), ("system",), ("rep", "system")]),
    st.sampled_from([None, *PREDICATES[:4]]),
)
@settings(max_examples=25, deadline=None)
def test_a_stage_more_and_an_owner_less_only_remove(seed: int, owners: tuple[str, ...], when) -> None:
    """Without a journey everything is everybody's; a journey takes away and allows nothing new."""
    past, asked, base = random_history(seed), random_moments(seed), replace(rules(), journey=Journey())
    more = replace(base, journey=journey(stage("first", when, owners=owners)))

    before, after = (decided(past, asked, rules=book, scorer=SCORER) for book in (base, more))

    assert not (after.objections.eligible & ~before.objections.eligible).any()
    assert after.objections.eligible[:, 0].all()
    assert same_bits(before.scores, after.scores) == []


def silent_since_yesterday(seed: int, days: float = 1.0) -> History:
    """A random history in which nobody has said anything about consent in the last day, or so many."""
    past = random_history(seed)
    earlier = pl.col("since").cast(pl.Int64) < at(-days)
    frames = dict(past.frames)
    frames["preferences"] = past["preferences"].filter(earlier)
    return History(frames)


@given(SEEDS, st.sampled_from(["email", "*"]), st.sampled_from([None, "p"]))
@settings(max_examples=30, deadline=None)
def test_after_a_withdrawal_no_marketing_email_is_offered_to_anybody(
    seed: int, channel: str, contact: str | None
) -> None:
    """Said once on a visit, it holds for the account in every decision, explored ones included."""
    withdrawn = [
        permission(-0.5, "opt_out", channel, account_id=owner, contact_id=contact) for owner in ACCOUNTS
    ]
    past = silent_since_yesterday(seed).append(facts(*withdrawn))
    offers = replace(rules(), exploration_share=0.9)

    result = decided(past, moments(*ACCOUNTS), rules=offers, scorer=SCORER, seed=seed)

    marketing = [i for i, t in enumerate(TREATMENTS) if t.kind == "contact" and t.channel == "email"
                 and t.purpose == "marketing"]  # fmt: skip
    assert not result.objections.eligible[:, marketing].any()
    assert not np.isin(result.ranking.places, marketing).any()
    assert (result.ranking.target[:, marketing] == 0.0).all()


@given(SEEDS, st.permutations(range(6)), st.sampled_from(["email", "*"]))
@settings(max_examples=40, deadline=None)
def test_a_withdrawal_holds_in_whatever_order_we_learn_of_what_was_said_before(
    seed: int, order: list[int], channel: str
) -> None:
    """An older permission that arrives late, from another system, must not bring the e-mails back."""
    said = [
        permission(-9.0, channel="email", account_id="a", stored=-8.5),
        permission(-6.0, channel="*", account_id="a", stored=-0.2),
        permission(-4.0, "opt_out", channel, account_id="a", stored=-3.9),
        permission(-5.0, channel="email", account_id="a", contact_id="p", stored=-0.1),
        permission(-8.0, channel="email", account_id="a", stored=-0.3),
        permission(-4.5, channel=channel, account_id="a", stored=-1.0),
    ]
    past = silent_since_yesterday(seed, 60.0)
    for place in order:
        past = past.append(facts(said[place]))

    for day in (-3.0, -0.5, -0.05, 0.0):
        result = decided(past, moments("a", at_day=day), rules=rules(), scorer=SCORER, seed=seed)

        marketing = [i for i, t in enumerate(TREATMENTS) if t.kind == "contact" and t.channel == "email"
                     and t.purpose == "marketing"]  # fmt: skip
        assert not result.objections.eligible[:, marketing].any(), day
        assert (result.ranking.target[:, marketing] == 0.0).all()


@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_lists_hold_only_what_may_be_done_and_pays(seed: int) -> None:
    """Whatever the draw: everything listed is eligible, once, and after place 1 worth more than nothing."""
    past, asked = random_history(seed), random_moments(seed)

    result = decided(past, asked, rules=rules(), scorer=SCORER, seed=seed)

    for row, places in enumerate(result.ranking.places):
        placed = places[places >= 0]
        assert len(set(placed.tolist())) == len(placed)
        assert result.objections.eligible[row, placed].all()
        assert (result.priority.priority[row, placed[1:]] > 0.0).all()
        assert (places[0] != 0) or (places[1:] == -1).all()
        assert_fits(result, row, placed)


def assert_fits(result, row: int, placed: np.ndarray) -> None:
    """The list as a whole keeps every limit of the playbook."""
    for index, limit in enumerate(rules().contact_limits):
        used = result.features.limits[row, index]
        added = sum(
            TREATMENTS[t].kind == "contact" and limit.channel in ("*", TREATMENTS[t].channel) for t in placed
        )
        assert not added or used + added <= limit.count
