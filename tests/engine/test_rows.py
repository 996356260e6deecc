"""Columns leave a frame in one way, however many rows there are, and what is held is not used wrongly."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import rows
from engine.encoding import encode_history
from engine.features import FeatureSet
from engine.playbook import ContactLimit
from engine.records import History, Moments, kept_with
from engine.rows import ALWAYS, NEVER, Rows, in_order
from tests.engine.builders import ATTRIBUTES, account, features, history, playbook, touchpoint
from tests.engine.random_histories import random_history, random_moments, shuffled
from tests.properties.laws import facts, rules
from tests.properties.test_features_laws import groups_of, same_bits

SEEDS = st.integers(0, 2**31 - 1)


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_many_rows_are_coded_as_few_are(seed: int) -> None:
    """The night reads columns by Polars, a live event one by one: another code would be another fact."""
    past, asked = shuffled(random_history(seed), seed), random_moments(seed)
    few = features(past, asked, rules())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "FEW", 0)
        many = features(past, asked, rules())

    assert same_bits(groups_of(few), groups_of(many))


TEXTS = st.sampled_from(
    ["", "a", "b", "a text of thirty letters, say", "a text of thirty letters, soy", None]
)


@given(texts=st.lists(TEXTS, min_size=1, max_size=40), begin=st.integers(0, 5), parts=st.booleans())
@settings(max_examples=100, deadline=None)
def test_texts_of_many_rows_are_coded_one_by_one(texts: list[str | None], begin: int, *, parts: bool) -> None:
    """Texts are told apart by how they stand in memory: cut, in parts, long or missing, they are the same."""
    codes = {"a": 3, "": 7, "a text of thirty letters, soy": 5, "unseen": 1}
    whole = pl.Series(texts, dtype=pl.String)
    column = (pl.concat([whole, whole], rechunk=False) if parts else whole).slice(begin)
    expected = [-1 if text is None else codes.get(text, -1) for text in column.to_list()]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "FEW", -1)
        found = [rows.coded(column, codes), Rows(pl.DataFrame({"account_id": column}), codes).account]

    assert found[0].tolist() == expected
    assert found[1].tolist() == [code for code in expected if code >= 0]


def test_more_texts_than_are_told_apart_are_coded_as_well() -> None:
    """A column may say anything, say long texts of which each row has its own."""
    texts = [f"{place}, and so many letters that it stands elsewhere" for place in range(3_000)]
    codes = {text: place for place, text in enumerate(texts) if place % 3}

    found = rows.coded(pl.Series(texts), codes), Rows(pl.DataFrame({"account_id": texts}), codes).account

    assert found[0].tolist() == [place if place % 3 else -1 for place in range(3_000)]
    assert found[1].tolist() == [place for place in range(3_000) if place % 3]


def frame(**columns: list[object]) -> pl.DataFrame:
    return pl.DataFrame({"account_id": ["b", "a", "c"], **columns})


def test_rows_of_others_and_tombstones_are_left_out() -> None:
    """A frame may hold more than was asked for."""
    found = Rows(frame(deleted=[None, True, False], channel=["email", "visit", "fax"]), {"a": 0, "b": 1})

    assert found.account.tolist() == [1]
    assert found.coded("channel", {"email": 4}).tolist() == [4]


def test_a_column_that_is_not_there_is_not_known() -> None:
    """Older stores lack columns that were added since."""
    found = Rows(frame(), {"a": 0, "b": 1, "c": 2})

    assert found.valid_from.tolist() == [ALWAYS] * 3
    assert found.valid_to.tolist() == [NEVER] * 3
    assert found.coded("channel", {}).tolist() == [-1] * 3
    assert np.isnan(found.numbers("value")).all()
    assert not found.known("value").any()
    assert found.texts("name") == [None] * 3


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 3), max_size=12))
def test_order_is_by_all_keys_and_equal_rows_stay_once(given_rows: list[tuple[int, int, int]]) -> None:
    """Further keys are looked at in ties alone, which must not be seen."""
    account, time, key = (np.array([row[k] for row in given_rows], dtype=np.int64) for k in range(3))

    order = in_order(account, time, lambda places: [key[places]])
    found = given_rows if order is None else [given_rows[place] for place in order]

    assert found == sorted(set(given_rows))


def test_numbers_keep_what_was_not_given_apart_from_zero() -> None:
    """Whole numbers, flags and texts are read as numbers; what is none is unknown."""
    found = Rows(
        frame(whole=[1, None, 3], flag=[True, False, True], text=["1.5", "x", None]),
        {"a": 0, "b": 1, "c": 2},
    )

    np.testing.assert_array_equal(found.numbers("whole"), [1.0, np.nan, 3.0])
    np.testing.assert_array_equal(found.numbers("whole", 0.0), [1.0, 0.0, 3.0])
    np.testing.assert_array_equal(found.numbers("flag"), [1.0, 0.0, 1.0])
    np.testing.assert_array_equal(found.numbers("text"), [1.5, np.nan, np.nan])


def test_what_was_coded_of_an_account_is_held_for_the_same_playbook_alone() -> None:
    """Whoever tries another playbook on the same facts must get that playbook's codes."""
    past = history(account("a"), touchpoint(-3.0, account_id="a", channel="email"), accounts=())
    own, other = playbook(), playbook(contact_limits=(ContactLimit("all", "*", "", 4, 30.0),))

    first = encode_history(past, ["a"], own, ATTRIBUTES)

    assert encode_history(past, ["a"], own, ATTRIBUTES) is first
    assert encode_history(past, ["a"], other, ATTRIBUTES) is not first
    assert encode_history(past, ["a"], other, ()).attributes.values.shape[1] == 0
    assert encode_history(past, ["b"], other, ()).accounts == ("b",)


@given(SEEDS, st.sampled_from(["accounts", "account_team", "feedback", "offers", "outcomes", "touchpoints"]))
@settings(max_examples=12, deadline=None)
def test_single_tables_are_coded_again_only_where_they_changed(seed: int, table: str) -> None:
    """A live event codes the table it is of; what was kept of it before would be yesterday's facts."""
    past, more, own = random_history(seed), random_history(seed + 1), rules()
    (asked,) = {*random_moments(seed).account_ids[:1]}
    before = encode_history(past, [asked], own, ATTRIBUTES)
    changed = past.append(History({table: more[table]}))

    found = encode_history(changed, [asked], own, ATTRIBUTES)

    fresh = encode_history(History(changed.frames), [asked], own, ATTRIBUTES)
    assert pickle.dumps(found) == pickle.dumps(fresh)
    parts = {"accounts": "attributes", "account_team": "team", "outcomes": "outcomes", "offers": "offers"}
    same = {part for name, part in parts.items() if name != table}
    assert all(getattr(found, part) is getattr(before, part) for part in same)


def test_a_later_fact_is_read_though_the_earlier_ones_are_held() -> None:
    """Facts are appended to a history that was decided on before."""
    past = history(account("a"), touchpoint(-3.0, account_id="a", channel="email"), accounts=())
    asked, own = Moments.at(["a"], 1_800_000_000_000_000), playbook()
    before = features(past, asked, own).account

    later = past.append(facts(touchpoint(-1.0, account_id="a", id="z")))

    assert not np.array_equal(features(later, asked, own).account, before, equal_nan=True)


def test_what_follows_from_a_playbook_is_worked_out_once_for_each() -> None:
    """A changed playbook begins anew; the same one is not asked twice."""
    asked: list[FeatureSet] = []
    work = kept_with(lambda owner: asked.append(owner) or len(asked))
    own = FeatureSet.of(playbook(), ATTRIBUTES)

    assert [work(own), work(own), work(replace(own)), work(own)] == [1, 1, 2, 1]
