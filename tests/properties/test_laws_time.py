"""Law 2: known at t means occurred before t and stored before t."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.contract import TIME
from engine.records import History
from tests.engine.builders import (
    NOW,
    answer,
    moments,
    outcome,
    permission,
    response,
    touchpoint,
)  # fmt: skip
from tests.engine.deciding import decided
from tests.engine.random_histories import ACCOUNTS, random_history
from tests.properties.laws import SCORER, facts, rules, same_bits

SEEDS = st.integers(0, 2**31 - 1)


def stored_later(seed: int) -> History:
    """Facts and corrections of facts that our side learns at NOW or afterwards, whenever they occurred."""
    draw = np.random.default_rng(seed)
    frames = {}
    for table, frame in random_history(seed).frames.items():
        late = NOW + draw.integers(0, 3, frame.height) * 3_600_000_000
        frames[table] = frame.with_columns(pl.Series("stored_at", late).cast(TIME))
    return History(frames)


@given(SEEDS, SEEDS)
@settings(max_examples=40, deadline=None)
def test_what_is_stored_at_the_moment_or_later_changes_no_decision(seed: int, later: int) -> None:
    """A replay tomorrow of today's decision must not know what came in over night."""
    past = random_history(seed)

    before = decided(past, moments(*ACCOUNTS), rules=rules(), scorer=SCORER)
    after = decided(past.append(stored_later(later)), moments(*ACCOUNTS), rules=rules(), scorer=SCORER)

    assert same_bits(before, after) == []


@given(SEEDS, st.sampled_from([0.0, 1 / 86_400_000_000, 0.5, 40.0]))
@settings(max_examples=25, deadline=None)
def test_what_occurs_at_the_moment_or_later_changes_no_decision(seed: int, days: float) -> None:
    """A row with a date ahead of its time, stored early by mistake or clock skew, tells nothing yet."""
    past = random_history(seed)
    early = {"stored": -30.0, "account_id": "a"}
    asked = touchpoint(-20.0, id="x3", channel="fax", direction="inbound", **early)
    ahead = facts(
        touchpoint(days, id="x1", channel="visit", treatment="visit_news", topic="news", **early),
        touchpoint(days, id="x2", channel="website", direction="inbound", topic="safety", **early),
        asked,
        response("x3", days, "unsubscribed", **early),
        outcome(days, 9_999.0, **early),
        permission(days, "opt_out", **early),
        answer(days, "dismiss", "visit_news", until=days + 30.0, **early),
    )
    ground = past.append(facts(asked))

    before = decided(ground, moments(*ACCOUNTS), rules=rules(), scorer=SCORER)
    after = decided(past.append(ahead), moments(*ACCOUNTS), rules=rules(), scorer=SCORER)

    assert same_bits(before, after) == []


@given(SEEDS)
@settings(max_examples=15, deadline=None)
def test_what_was_stored_a_microsecond_earlier_does_change_it(seed: int) -> None:
    """The service stores an event first and decides one microsecond later: it must count."""
    past, tick = random_history(seed), 1 / 86_400_000_000
    event = facts(touchpoint(-tick, channel="visit", treatment="visit_news"))

    before = decided(past, moments("a"), rules=rules(), scorer=SCORER)
    after = decided(past.append(event), moments("a"), rules=rules(), scorer=SCORER)

    assert ".features.account" in same_bits(before, after)
