"""Laws that hold for every condition."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.conditions import FactColumn, parse_condition
from tests.properties.conditions import FACTS, NUMBER_FACTS, NUMBERS, TEXT_FACTS, TEXTS, conditions


@st.composite
def columns(draw, rows=6):
    numbers = st.lists(st.sampled_from([*NUMBERS, np.nan]), min_size=rows, max_size=rows)
    codes = st.lists(st.integers(-1, len(TEXTS) - 1), min_size=rows, max_size=rows)
    return {name: FactColumn(np.array(draw(numbers))) for name in NUMBER_FACTS} | {
        name: FactColumn(np.array(draw(codes), dtype=np.float64), TEXTS) for name in TEXT_FACTS
    }


def parse(text):
    return parse_condition(text, FACTS, where="rule")


@settings(max_examples=60, deadline=None)
@given(text=conditions(), facts=columns())
def test_all_rows_together_equal_each_row_alone(text, facts):
    """The night and a live event must agree on every rule."""
    condition = parse(text)

    together = np.broadcast_to(condition.evaluate(facts), 6)
    alone = [
        condition.evaluate({n: FactColumn(c.values[i : i + 1], c.levels) for n, c in facts.items()}).max()
        for i in range(6)
    ]

    assert together.tolist() == alone


@settings(max_examples=60, deadline=None)
@given(text=conditions(), facts=columns())
def test_the_opposite_is_opposite_and_unknown_stays_unknown(text, facts):
    """Neither a rule nor its opposite may be satisfied by a fact that nobody knows."""
    holds = parse(text).evaluate(facts)
    opposite = parse(f"not ({text})").evaluate(facts)

    assert (opposite == np.where(holds == -1, -1, 1 - holds)).all()


@settings(max_examples=60, deadline=None)
@given(text=conditions(), facts=columns(), order=st.permutations(range(len(TEXTS))))
def test_the_order_of_the_levels_does_not_matter(text, facts, order):
    """Codes differ from store to store; texts do not."""
    levels = tuple(TEXTS[place] for place in order)
    recode = np.array([*(levels.index(text) for text in TEXTS), -1], dtype=np.float64)
    other = {
        name: column if column.levels is None else FactColumn(recode[column.values.astype(int)], levels)
        for name, column in facts.items()
    }
    condition = parse(text)

    assert (condition.evaluate(facts) == condition.evaluate(other)).all()


@settings(max_examples=60, deadline=None)
@given(text=conditions())
def test_the_canonical_text_is_stable_and_reads_the_same_facts(text):
    """What is stored of a rule must be the rule."""
    once = parse(text)

    assert parse(once.text) == once
    assert set(once.facts) <= set(FACTS)
