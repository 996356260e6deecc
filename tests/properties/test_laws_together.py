"""Law 1: one decide. Together equals one by one to the bit, and order carries no meaning."""

from __future__ import annotations

import re
from functools import cache
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from data.playbooks import read_playbook
from engine.decide import decide
from engine.features import FeatureSet
from engine.playbook import Playbook, parse_playbook
from engine.records import Moments
from engine.scoring import StartingScorer
from tests.engine.builders import history, moments, permission, team, touchpoint
from tests.engine.deciding import decided
from tests.engine.random_histories import of_account, random_history, random_moments, shuffled
from tests.engine.releases import known_of
from tests.properties.laws import SCORER, release, rules, same_bits, without_version

SEEDS = st.integers(0, 2**31 - 1)


@given(SEEDS)
@settings(max_examples=25, deadline=None)
def test_deciding_together_equals_deciding_one_by_one(seed: int) -> None:
    """The nightly run and a live event must agree, or nobody can trust either."""
    past, asked = random_history(seed), random_moments(seed, 6)
    together = decided(past, asked, rules=rules(), scorer=SCORER, seed=seed)

    for i, owner in enumerate(asked.account_ids):
        moment = Moments((owner,), asked.as_of[i : i + 1])
        alone = decided(of_account(past, owner), moment, rules=rules(), scorer=SCORER, seed=seed)

        assert same_bits(together, alone, (slice(i, i + 1), slice(None))) == []


@given(SEEDS)
@settings(max_examples=15, deadline=None)
def test_the_starting_values_decide_together_as_one_by_one(seed: int) -> None:
    """The same without a release."""
    past, asked = random_history(seed), random_moments(seed, 4)
    scorer = StartingScorer(rules())
    together = decided(past, asked, rules=rules(), scorer=scorer, seed=seed)

    for i in range(len(asked)):
        moment = Moments(asked.account_ids[i : i + 1], asked.as_of[i : i + 1])
        alone = decided(past, moment, rules=rules(), scorer=scorer, seed=seed)

        assert same_bits(together, alone, (slice(i, i + 1), slice(None))) == []


@given(SEEDS, st.sampled_from(["s_learner", "t_learner"]))
@settings(max_examples=20, deadline=None)
def test_a_learned_release_decides_together_as_one_by_one_in_any_order(seed: int, learner: str) -> None:
    """The same with forests, which read every group of features: neither neighbours nor order may matter."""
    past, asked, scorer = random_history(seed), random_moments(seed, 4), release(learner)
    together = decided(past, asked, rules=rules(), scorer=scorer, seed=seed)

    for i, owner in enumerate(asked.account_ids):
        moment = Moments((owner,), asked.as_of[i : i + 1])
        alone_past = shuffled(of_account(past, owner), seed)
        alone = decided(alone_past, moment, rules=rules(), scorer=scorer, seed=seed)

        assert same_bits(together, alone, (slice(i, i + 1), slice(None))) == []


def test_the_learned_releases_of_these_tests_tell_accounts_apart() -> None:
    """Forests that say the same of all accounts would prove nothing."""
    for learner in ("s_learner", "t_learner"):
        scores = release(learner).score(known_of(count=40))

        assert len(np.unique(scores.value[:, 4] - scores.value[:, 0])) > 5
        assert len(np.unique(scores.response[:, 1])) > 5


@given(SEEDS)
@settings(max_examples=25, deadline=None)
def test_the_order_of_history_and_of_accounts_changes_nothing(seed: int) -> None:
    """Rows come from files, blocks and tails in any order; buckets cut accounts in any way."""
    past, asked = random_history(seed), random_moments(seed)
    backwards = Moments(asked.account_ids[::-1], np.ascontiguousarray(asked.as_of[::-1]))

    first = decided(past, asked, rules=rules(), scorer=SCORER)
    again = decided(shuffled(past, seed), backwards, rules=rules(), scorer=SCORER)

    assert same_bits(first, again, (slice(None), slice(None, None, -1))) == []


def test_the_test_of_bits_sees_a_bit() -> None:
    """A comparison that cannot fail proves nothing."""
    one = decided(history(), rules=rules(), scorer=SCORER)
    other = decided(history(touchpoint(-5.0)), rules=rules(), scorer=SCORER)

    assert ".scores.value" in same_bits(one, other)
    assert ".features.account" in same_bits(one, other)


@cache
def pharma() -> tuple[str, Playbook]:
    """The text of the shipped playbook and what it says."""
    from importlib.resources import files

    return (files("data.playbooks") / "pharma.toml").read_text(encoding="utf-8"), read_playbook("pharma")


def reordered(text: str, seed: int) -> str:
    """The same playbook with its tables in another order."""
    head, *tables = re.split(r"(?m)^(?=\[)", text)
    Random(seed).shuffle(tables)
    return head + "\n".join(tables)


@given(SEEDS)
@settings(max_examples=10, deadline=None)
def test_the_order_of_a_playbook_changes_nothing(seed: int) -> None:
    """Whoever moves a rule to where it reads better must not move a decision."""
    text, shipped = pharma()
    moved = parse_playbook(reordered(text, seed))
    roles = [team(role=role.id) for role in shipped.roles]
    past = history(
        *roles,
        permission(-300.0),
        permission(-300.0, purpose="web_behaviour"),
        touchpoint(-0.01, channel="website", direction="inbound", topic="side_effects"),
        touchpoint(-4.0, channel="email", treatment="email_efficacy", topic="efficacy"),
    )

    one, other = (
        decide(past, moments("a"), playbook=book, features=FeatureSet.of(book, book.attributes),
               scorer=StartingScorer(book), seed=seed)
        for book in (shipped, moved)
    )  # fmt: skip

    assert moved.version != shipped.version
    assert same_bits(without_version(one), without_version(other)) == []
