"""Laws 1 and 2 for features: together equals one by one, order means nothing, the future is not known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.contract import TABLES
from engine.features import Features
from engine.records import Floats, History, Moments
from tests.engine.books import settings as twins_settings
from tests.engine.builders import features, playbook
from tests.engine.deciding import journey, stage
from tests.engine.random_histories import of_account, random_history, random_moments, shuffled
from tests.engine.test_twin_facts import finding
from tests.engine.test_twin_facts import past as twins_found

SEEDS = st.integers(0, 2**31 - 1)
GROUPS = ("account", "channel", "topic", "message", "consent", "web_behaviour", "has_role", "has_timezone",
          "closed", "limits", "tracked", "snoozed")  # fmt: skip


def groups_of(known: Features) -> Mapping[str, Floats]:
    return {name: getattr(known, name) for name in GROUPS}


def same_bits(one: Mapping[str, Floats], other: Mapping[str, Floats]) -> bool:
    return all(
        one[name].shape == other[name].shape and one[name].tobytes() == other[name].tobytes()
        for name in GROUPS
    )


def pick(known: Features, rows: list[int]) -> Mapping[str, Floats]:
    return {name: np.ascontiguousarray(values[rows]) for name, values in groups_of(known).items()}


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_features_of_many_moments_equal_those_of_each_alone(seed: int) -> None:
    """The night asks for a bucket, a live event for one account: another bit is another decision."""
    past, asked = random_history(seed), random_moments(seed, 6)
    together = features(past, asked)

    for i, owner in enumerate(asked.account_ids):
        alone = features(of_account(past, owner), Moments((owner,), asked.as_of[i : i + 1]))

        assert same_bits(pick(together, [i]), groups_of(alone))


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_the_order_of_rows_and_rows_given_twice_change_nothing(seed: int) -> None:
    """A block and a tail come in any order, and what is in both must count once."""
    past, asked = random_history(seed), random_moments(seed)

    mixed = features(shuffled(past, seed), asked)

    assert same_bits(groups_of(features(past, asked)), groups_of(mixed))


def as_known_before(past: History, moment: int) -> History:
    """Without the versions stored at or after a moment; later versions have then superseded nothing yet."""
    frames = {}
    for table, frame in past.frames.items():
        stored = pl.col("stored_at").cast(pl.Int64)
        superseded = pl.col("superseded_at").cast(pl.Int64)
        known = frame.filter(stored.is_null() | (stored < moment))
        frames[table] = known.with_columns(
            pl.when(superseded < moment).then(pl.col("superseded_at")).alias("superseded_at")
        )
    return History(frames)


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_what_is_stored_later_changes_nothing(seed: int) -> None:
    """A training case must not know what our side learned afterwards: corrections, tombstones, late facts."""
    past, asked = random_history(seed), random_moments(seed, 4)
    now = features(past, asked)

    for i, owner in enumerate(asked.account_ids):
        moment = int(asked.as_of[i])
        then = features(as_known_before(past, moment), Moments((owner,), asked.as_of[i : i + 1]))

        assert same_bits(pick(now, [i]), groups_of(then))


def as_happened_before(past: History, moment: int) -> History:
    """Without facts that occur at or after a moment, plans aside: the plan itself is a fact of today."""
    frames = {}
    for table, frame in past.frames.items():
        time = TABLES[table].time
        if time is not None:
            before = pl.col(time).cast(pl.Int64) < moment
            plan = (pl.col("status") == "planned") if table == "touchpoints" else pl.lit(value=False)
            frame = frame.filter(before | plan)  # noqa: PLW2901
        frames[table] = frame
    return History(frames)


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_what_occurs_later_changes_nothing(seed: int) -> None:
    """Neither a touchpoint nor a response, outcome, wish or answer of the future may tell of itself."""
    past, asked = random_history(seed), random_moments(seed, 4)
    now = features(past, asked)

    for i, owner in enumerate(asked.account_ids):
        earlier = as_happened_before(past, int(asked.as_of[i]))
        then = features(earlier, Moments((owner,), asked.as_of[i : i + 1]))

        assert same_bits(pick(now, [i]), groups_of(then))


RULES = playbook(
    twins=twins_settings(), twin_steps=("email", "visit"),
    journey=journey(stage("new", None), stage("asked", "inbound_any_365d >= 1")),
)  # fmt: skip


@given(SEEDS)
@settings(max_examples=10, deadline=None)
def test_a_fact_of_one_pair_is_what_its_column_says(seed: int) -> None:
    """Reasons read single numbers, rules whole columns: another number would be a wrong reason."""
    frames = random_history(seed).frames | {"twins": twins_found(finding(-400.0))["twins"]}
    known = features(History(frames), random_moments(seed, 4), RULES)
    shape = len(known.moments), len(RULES.treatments)

    for name in known.set.sources:
        column = known.fact(name)
        for pair, number in np.ndenumerate(np.broadcast_to(column.values, shape)):
            levels = column.levels
            expected = None if np.isnan(number) else number
            if levels is not None:
                expected = levels[int(number)] if 0 <= number < len(levels) else None
            assert known.value(name, *pair) == expected, name
