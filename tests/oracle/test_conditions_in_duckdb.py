"""DuckDB running the same text is the oracle for what a rule means."""

import random

import duckdb
import numpy as np
import pytest
from hypothesis import example, given, settings

from engine.conditions import FactColumn, parse_condition
from tests.properties.conditions import FACTS, NUMBER_FACTS, NUMBERS, TEXT_FACTS, TEXTS, conditions

ROWS = 120


def random_rows():
    draw = random.Random(7)
    return [
        [draw.choice((*NUMBERS, None)) for _ in NUMBER_FACTS]
        + [draw.choice((*TEXTS, None)) for _ in TEXT_FACTS]
        for _ in range(ROWS)
    ]


def columns_of(rows):
    columns = {}
    for place, name in enumerate((*NUMBER_FACTS, *TEXT_FACTS)):
        values = [row[place] for row in rows]
        if name in NUMBER_FACTS:
            columns[name] = FactColumn(np.array([np.nan if v is None else v for v in values]))
        else:
            codes = [-1.0 if v is None else float(TEXTS.index(v)) for v in values]
            columns[name] = FactColumn(np.array(codes), TEXTS)
    return columns


@pytest.fixture(scope="module")
def table():
    with duckdb.connect() as connection:
        # A division by zero is unknown in a rule; DuckDB would stop.
        connection.execute("SET error_on_division_by_zero = false")
        connection.execute("SET ieee_floating_point_ops = false")
        numbers = ", ".join(f"{name} DOUBLE" for name in NUMBER_FACTS)
        texts = ", ".join(f"{name} VARCHAR" for name in TEXT_FACTS)
        connection.execute(f"CREATE TABLE facts (id INTEGER, {numbers}, {texts})")
        rows = [[place, *row] for place, row in enumerate(random_rows())]
        connection.executemany("INSERT INTO facts VALUES (?, ?, ?, ?, ?, ?)", rows)
        yield connection


COLUMNS = columns_of(random_rows())


@settings(max_examples=200, deadline=None)
@given(text=conditions())
@example(text="not size_a = 1 and size_b = 2 or flag_c is null")
@example(text="size_a - size_b - 1 > 2 / size_b / 2 and - size_a % 2 = 1")
@example(text="not name_a like 'A%' or name_a not in ('A', name_b)")
@example(text="not size_a between 0 and 1 and size_b = 1")
def test_a_condition_means_what_duckdb_says_it_means(table, text):
    """People who know SQL must be able to rely on it, unknowns included; so must a query on the tables."""
    condition = parse_condition(text, FACTS, where="rule")

    rows = table.execute(f"SELECT ({text}) FROM facts ORDER BY id").fetchall()
    expected = [-1 if holds is None else int(holds) for (holds,) in rows]
    ours = np.broadcast_to(condition.evaluate(COLUMNS), ROWS).tolist()
    canonical = table.execute(f"SELECT ({condition.text}) FROM facts ORDER BY id").fetchall()

    assert ours == expected
    assert canonical == rows
