"""The Open Bandit Dataset as tables of the contract: two policies that were logged on one shop.

Each row of the publisher's log is an item shown at one of three places of a page, with the probability with
which it was chosen for that place, and whether it was clicked. docs/howto/openbandit.md explains the choices.

Source:
    Saito, Aihara, Matsutani and Narita (2021), Open Bandit Dataset and Pipeline: Towards Realistic and
    Reproducible Off-Policy Evaluation.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from data.datasets import DatasetError
from data.datasets.files import (
    SYSTEM,
    find,
    only_tables,
    read_csv,
    system_tables,
    with_numbers,
    with_times,
    write_tables,
)
from data.progress import Progress, quiet
from data.whole_folder import refuse_occupied, whole_folder

CAMPAIGNS = ("all", "men", "women")
POLICIES = ("random", "bts")
PLAYBOOK_FILE = "playbook.toml"
_TRAITS = tuple(f"user_feature_{number}" for number in range(4))
_COLUMNS = {"timestamp", "item_id", "position", "click", "propensity_score", *_TRAITS}
_NAME = "Open Bandit"


def convert(source: Path, out: Path, campaign: str = "all", progress: Progress = quiet) -> None:
    """Map one campaign to OUT/random and OUT/bts, folders of the contract, and OUT/playbook.toml.

    Args:
        source: Folder with random_all.csv and bts_all.csv, or random/all/all.csv as the publisher packs them,
            zipped (.gz) or not.
        out: Folder to write; made where it does not exist.
        campaign: One of `CAMPAIGNS`: which part of the shop.
        progress: Called with (stage, done, of).

    Raises:
        OccupiedFolderError: `out` holds something else.
        DatasetError: The campaign is unknown, a file is missing, unreadable or not of this data set, or `out`
            cannot be written.
    """
    if campaign not in CAMPAIGNS:
        raise DatasetError(f"There is no campaign {campaign!r}; there are {', '.join(CAMPAIGNS)}.")
    refuse_occupied(out, is_ours=_is_ours, what="an import of the Open Bandit Dataset")
    progress("reading", 0, 2)
    logs = {policy: _log(source, policy, campaign) for policy in POLICIES}
    items = sorted({item for log in logs.values() for item in log["item"]})
    progress("writing", 1, 2)
    try:
        with whole_folder(out) as building:
            for policy, log in logs.items():
                (building / policy).mkdir()
                write_tables(_tables(log, policy, items), building / policy)
            (building / PLAYBOOK_FILE).write_text(playbook(items, campaign), encoding="utf-8")
    except OSError as error:
        raise DatasetError(f"The tables cannot be written to {out}: {error.strerror}.") from error
    progress("writing", 2, 2)


def _is_ours(folder: Path) -> bool:
    inside = {path.name for path in folder.iterdir()}
    return inside == {*POLICIES, PLAYBOOK_FILE} and all(only_tables(folder / policy) for policy in POLICIES)


def _log(source: Path, policy: str, campaign: str) -> pl.DataFrame:
    """What was shown to whom, when and where, with which probability, and whether it was clicked."""
    path = find(source, (f"{policy}_{campaign}.csv", f"{policy}/{campaign}/{campaign}.csv"))
    rows = read_csv(path, _COLUMNS, what=_NAME)
    rows = with_numbers(rows, ("item_id", "position", "click", "propensity_score"), path)
    rows = with_times(rows, "timestamp", path)
    wrong = rows.filter(~pl.col("propensity_score").is_between(0.0, 1.0, closed="right"))
    if len(wrong):
        raise DatasetError(
            f"{path}, column 'propensity_score': got {wrong['propensity_score'][0]}, need one in (0, 1]."
        )
    return rows.sort("timestamp", maintain_order=True).select(
        *_TRAITS,
        account_id=pl.format("{}-{}", pl.lit(policy), pl.int_range(pl.len()).cast(pl.String).str.zfill(7)),
        at="timestamp",
        item=pl.format("item_{}", pl.col("item_id").cast(pl.Int64).cast(pl.String).str.zfill(3)),
        position=pl.format("place {}", pl.col("position").cast(pl.Int64)),
        click=pl.col("click"),
        probability=pl.col("propensity_score"),
    )


def _tables(log: pl.DataFrame, policy: str, items: list[str]) -> dict[str, pl.DataFrame]:
    """The log names nobody, so every row is an account of its own, with its place of the page as a trait."""
    accounts = log.select(
        "account_id",
        "position",
        *_TRAITS,
        name="account_id",
        language=pl.lit("en"),
        automated=pl.lit(True),
        stored_at=pl.col("at") - pl.duration(seconds=1),
    )
    decisions = log.select(
        "account_id",
        "probability",
        decision_id=pl.lit("d-") + pl.col("account_id"),
        decided_at="at",
        treatment="item",
        place=pl.lit(1, pl.Int64),
        eligible=pl.lit("|".join(items)),
        policy=pl.lit(policy),
        followed=pl.lit(True),
    )
    shown = log.select(
        "account_id",
        touchpoint_id=pl.lit("t-") + pl.col("account_id"),
        occurred_at="at",
        direction=pl.lit("outbound"),
        channel=pl.lit("page"),
        treatment="item",
        role=pl.lit(SYSTEM),
        user_id=pl.lit(SYSTEM),
        status=pl.lit("done"),
        decision_id=pl.lit("d-") + pl.col("account_id"),
    )
    responses = log.filter(pl.col("click") > 0).select(
        touchpoint_id=pl.lit("t-") + pl.col("account_id"), responded_at="at", response=pl.lit("clicked")
    )
    clicks = log.select(
        "account_id",
        outcome_id=pl.lit("o-") + pl.col("account_id"),
        occurred_at="at",
        kind=pl.lit("click"),
        value=pl.col("click"),
    )
    return {
        "accounts": accounts,
        **system_tables(accounts, "The shop"),
        "touchpoints": shown,
        "responses": responses,
        "decisions": decisions,
        "outcomes": clicks,
    }


def playbook(items: list[str], campaign: str) -> str:
    """A playbook in which showing an item is a treatment and a click is worth 1000."""
    parts = [_HEAD.format(campaign=campaign)]
    parts += [_ITEM.format(item=item, number=int(item.rpartition("_")[2])) for item in items]
    return "\n".join(parts)


_HEAD = """\
# Items of a fashion shop at three places of a page: the campaign {campaign!r} of the Open Bandit Dataset.
# Written by `nextbest import obd`. A click is worth 1000: amounts are clicks per 1,000 items shown.

id = "obd_{campaign}"
currency = "XXX" # none
languages = ["en"]
default_timezone = "UTC"
horizon_days = 0.001 # a click is recorded with the item that was shown
priority = "value"
places = 1
per_person_per_day = 100000
web_behaviour_needs_consent = false
title.en = "Shop: items on a page"

[outcomes]
click = 1000

[attributes]
position = ["place 1", "place 2", "place 3"]

[channels.page]
name.en = "Page of the shop"
automated = true

[roles.system]
name.en = "Automatic"
side = "both"
sees = []
system = true

[issues.items]
groups = ["shown"]
"""
_ITEM = """\
[treatments.{item}]
channel = "page"
role = "system"
issue = "items"
group = "shown"
action = "show_{item}"
value = 1000
starting_uplift = 0.004
text.en = "Show {{name}} item {number}."
"""
