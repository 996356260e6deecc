"""Builders of small simulated worlds and what tests read off them."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl

from data.playbooks import read_playbook
from data.world import Truth, World, WorldSettings, simulate
from engine.records import DAY_MICROS


@cache
def world(**changes: object) -> World:
    """A small world; equal settings are simulated once."""
    return simulate(WorldSettings.named(**({"accounts": 300, "seed": 7} | changes)))


def rewards(given: World) -> tuple[np.ndarray, np.ndarray]:
    """What outcomes within the horizon of each decision were worth, and whether the horizon is over."""
    truth, settings = given.truth, given.settings
    worth = read_playbook(settings.playbook).outcome_worth[settings.business.outcome]
    horizon = (truth.horizon_days[truth.choice] * DAY_MICROS).round().astype(np.int64)
    outcomes = given.tables["outcomes"].sort("account_id", "occurred_at")
    span = (settings.days + 400) * DAY_MICROS

    def key(accounts: pl.Series, at: np.ndarray) -> np.ndarray:
        return accounts.str.slice(1).cast(pl.Int64).to_numpy() * span + at - settings.start_micros

    known = key(outcomes["account_id"], outcomes["occurred_at"].cast(pl.Int64).to_numpy())
    total = np.concatenate([[0.0], worth * outcomes["value"].to_numpy().cumsum()])
    first = np.searchsorted(known, key(truth.account_ids, truth.decided_at))
    last = np.searchsorted(known, key(truth.account_ids, truth.decided_at + horizon))
    return total[last] - total[first], truth.decided_at + horizon <= settings.until_micros


def check_outcomes_average_the_truth(given: World) -> None:
    """Baseline plus caused effect is the expectation of every window, so residuals centre on zero."""
    reward, mature = rewards(given)
    truth = given.truth
    caused = truth.expected[np.arange(len(truth)), truth.choice]

    surprise = np.where(mature, reward - truth.baseline - caused, 0.0)
    by_account = surprise.reshape(given.settings.accounts, -1).sum(axis=1)

    assert abs(by_account.mean()) < 4 * by_account.std() / np.sqrt(len(by_account))


def chosen(truth: Truth) -> np.ndarray:
    """The logged choices as a policy."""
    policy = np.zeros(truth.expected.shape)
    policy[np.arange(len(truth)), truth.choice] = 1.0
    return policy


def naive_lift(given: World) -> tuple[float, float]:
    """Mean reward after contacts minus after none, and what the same contacts truly caused."""
    reward, mature = rewards(given)
    contacted = given.truth.choice > 0
    caused = given.truth.expected[np.arange(len(reward)), given.truth.choice]
    seen = reward[mature & contacted].mean() - reward[mature & ~contacted].mean()
    return float(seen), float(caused[mature & contacted].mean())


def emails_before(given: World, days: int) -> pl.DataFrame:
    """E-mails with how many came to the account in some days before, and whether it then unsubscribed."""
    emails = (
        given.tables["touchpoints"].filter(channel="email", status="done").sort("account_id", "occurred_at")
    )
    left = given.tables["responses"].filter(response="unsubscribed")["touchpoint_id"]
    counted = emails.rolling("occurred_at", period=f"{days}d", group_by="account_id").agg(before=pl.len() - 1)
    return counted.with_columns(left=emails["touchpoint_id"].is_in(left.implode()))
