"""Conditions as steps: accounts in blocks, treatments side by side, and each pair alone say the same."""

import numpy as np
from hypothesis import given, settings

from engine.conditions import FactColumn, parse_condition
from engine.programs import ALWAYS, BOTH, Assembler, Source
from tests.properties.conditions import FACTS, NUMBER_FACTS, NUMBERS, TEXTS, conditions

MOMENTS, TREATMENTS = 70, 33
"""More than a block of moments, more treatments than are done at a time."""


def column(name, shape, draw):
    if name in NUMBER_FACTS:
        return FactColumn(draw.choice([*NUMBERS, np.nan], shape))
    return FactColumn(draw.integers(-1, len(TEXTS), shape).astype(float), TEXTS)


def mixed():
    """Facts of accounts, of treatments, and of pairs."""
    draw = np.random.default_rng(7)
    shapes = [(MOMENTS, 1), (1, TREATMENTS), (MOMENTS, TREATMENTS)]
    return {name: column(name, shapes[place % 3], draw) for place, name in enumerate(FACTS)}


MIXED = mixed()
ALONE = {
    name: FactColumn(np.broadcast_to(given.values, (MOMENTS, TREATMENTS)).ravel(), given.levels)
    for name, given in MIXED.items()
}


@settings(max_examples=80, deadline=None)
@given(text=conditions())
def test_pairs_side_by_side_say_what_each_says_alone(text):
    """A night judges blocks of accounts with all their treatments, a what-if one pair."""
    condition = parse_condition(text, FACTS, where="rule")

    together = np.broadcast_to(condition.evaluate(MIXED), (MOMENTS, TREATMENTS))
    alone = np.broadcast_to(condition.evaluate(ALONE), MOMENTS * TREATMENTS)

    assert together.ravel().tolist() == alone.tolist()


def test_a_step_that_several_conditions_need_is_written_once():
    """Nine policies ask for the days since a visit: it is read once."""
    code = Assembler({"days": Source(step=1)})
    texts = ("days > 3 and days < 9", "days > 3 or days is null")
    facts = {"days": FACTS[NUMBER_FACTS[0]]}
    asked = [parse_condition(text, facts, where="rule").tree.emit(code) for text in texts]

    program = code.program(asked).code

    # The fact, 3, 9, > 3, < 9, is null, and, or.
    assert len(program.steps) == 8


def test_what_no_account_changes_comes_first_and_keeps_its_operands():
    """Steps are put in another order than they were written in; each must still find what it works on."""
    code = Assembler({"days": Source(step=1)})
    fact, yes = code.fact("days"), code.always(True)
    both = code.step(BOTH, yes, code.always(False))

    program = code.program([both]).code

    last = program.steps[program.asked[0]]
    operands = program.steps[last[1:3]]
    assert not fact.fixed
    assert operands[:, 0].tolist() == [ALWAYS, ALWAYS]
    assert operands[:, 3].tolist() == [1, 0]
