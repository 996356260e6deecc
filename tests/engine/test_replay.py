"""Decisions come out of what was kept of them, and what differs is found."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.decide import decide, judge, place
from engine.features import FeatureSet
from engine.plan_settings import Minimum
from engine.playbook import Playbook
from engine.replay import FOLLOWING, RECORD_TYPES, RecordError, charged, compare, from_scores
from engine.shadow_prices import ShadowPrices
from tests.engine.builders import ATTRIBUTES, TREATMENTS, history, moments, playbook
from tests.engine.deciding import READY, FixedScorer, condition, decided
from tests.engine.random_histories import ACCOUNTS, random_history, random_moments
from tests.properties.laws import SCORER, rules

SIZE = len(TREATMENTS)


def variant(kind: str) -> Playbook:
    more = {
        "value": {},
        "leaders": {"priority": "leaders"},
        "thompson": {"exploration": "thompson", "posterior_draws": 16},
    }
    return replace(rules(), **more[kind])


@given(st.integers(0, 2**31 - 1), st.sampled_from(["value", "leaders", "thompson"]), st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_a_decision_follows_from_its_scores_to_the_bit(seed: int, kind: str, draw: int) -> None:
    """Whatever the formula, the limits and the draws: no fact is needed to check a ranking."""
    own = variant(kind)
    record = decided(random_history(seed), random_moments(seed), rules=own, scorer=SCORER, seed=draw).record()

    again = from_scores(record, own)

    found = compare(record, again, SIZE, FOLLOWING)
    assert (found.columns, found.largest, found.ranks) == ((), 0.0, ())


def test_the_types_of_a_record_are_those_that_a_replay_reads() -> None:
    """A record kept as JSON has no types; read with these it is the same frame."""
    record = decided(random_history(1), moments(*ACCOUNTS), rules=rules(), scorer=SCORER).record()

    plain = record.with_columns(pl.col(pl.Datetime).to_physical()).to_dict(as_series=False)

    assert dict(record.schema) == RECORD_TYPES
    assert pl.DataFrame(plain, schema=RECORD_TYPES).equals(record)


def test_what_was_charged_and_due_is_heeded_though_prices_are_gone() -> None:
    """A night with a plan is replayed when nobody knows its prices any more."""
    own = playbook(minimums=(Minimum("visits", condition("days_since_visit is null"), None, 400.0),))
    worth = FixedScorer({"visit_news": 300.0, "email_news": 60.0}, never_given=("visit_safety",))
    given = {"playbook": own, "features": FeatureSet.of(own, ATTRIBUTES), "scorer": worth}
    past, asked = history(*READY), moments()
    record = decide(past, asked, **given, seed=7, prices=ShadowPrices(minute={"u": 21.0})).record()
    without = decide(past, asked, **given, seed=7).record()

    scores_again = from_scores(record, own)
    facts_again = place(
        charged(judge(past, asked, **given), record, own), past, playbook=own, seed=7
    ).record()

    assert not without["place"].equals(record["place"])
    assert compare(record, scores_again, SIZE, FOLLOWING).columns == ()
    assert compare(record, facts_again, SIZE).columns == ()


def test_what_differs_is_named_with_how_far_and_every_rank_that_changed() -> None:
    """A number that was changed afterwards must come to light, and what it would have changed."""
    past = random_history(3)
    own = replace(rules(), exploration_share=0.0)
    record = decided(past, moments(*ACCOUNTS), rules=own, scorer=SCORER).record()
    first = (
        record.with_row_index("row")
        .filter(pl.col("place") == 1, pl.col("treatment") != "none")
        .row(0, named=True)
    )
    changed = record.with_row_index("row").with_columns(
        pl.when(pl.col("row") == first["row"]).then(pl.col("value") - 1e9).otherwise("value").alias("value")
    )

    found = compare(changed, from_scores(changed, own), SIZE, FOLLOWING)

    assert found.differs.tolist().count(True) == 1
    assert {"caused", "priority", "place"} <= set(found.columns)
    assert found.largest > 1e8
    change = next(one for one in found.ranks if one.treatment == first["treatment"])
    assert (change.before, change.after) == (1, None)
    assert found.differs[change.decision]


def test_what_is_kept_under_another_playbook_or_by_an_earlier_version_is_refused() -> None:
    """A replay that guesses proves nothing."""
    record = decided(random_history(1), moments("a"), rules=rules(), scorer=SCORER).record()
    fewer = replace(rules(), treatments=rules().treatments[:-1])

    with pytest.raises(RecordError, match="are not those of its playbook"):
        from_scores(record, fewer)
    with pytest.raises(RecordError, match="lacks room"):
        from_scores(record.drop("room"), rules())
