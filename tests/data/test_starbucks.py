"""The Starbucks import: every row finds its place in the contract, and the known means come out."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data.datasets import DatasetError
from data.datasets.starbucks import BASE, convert
from data.playbooks import read_playbook
from tests.data.files import check_import

REAL = Path(__file__).parents[3] / "shared" / "data" / "starbucks"
ANNA, BEN = "a" * 32, "b" * 32
BOGO, INFO = "1" * 32, "2" * 32

PORTFOLIO: list[dict[str, Any]] = [
    {"id": BOGO, "offer_type": "bogo", "channels": ["web", "email"], "difficulty": 5,
     "duration": 7, "reward": 5},
    {"id": INFO, "offer_type": "informational", "channels": ["email", "mobile", "social"], "difficulty": 0,
     "duration": 3, "reward": 0},
]  # fmt: skip
PROFILE: list[dict[str, Any]] = [
    {"id": ANNA, "age": 55, "gender": "F", "income": 60000, "became_member_on": 20180501},
    {"id": BEN, "age": 118, "gender": None, "income": None, "became_member_on": 20170101},
]


def event(person: str, kind: str, time: int, **value: object) -> dict[str, Any]:
    """A line of the transcript in the publisher's own form."""
    return {"person": person, "event": kind, "time": time, "value": value}


TRANSCRIPT: list[dict[str, Any]] = [
    event(ANNA, "offer received", 0, **{"offer id": BOGO}),
    event(ANNA, "offer viewed", 6, **{"offer id": BOGO}),
    event(ANNA, "transaction", 10, amount=7.5),
    event(ANNA, "offer completed", 10, offer_id=BOGO, reward=5),
    event(ANNA, "offer received", 168, **{"offer id": BOGO}),
    event(ANNA, "offer viewed", 200, **{"offer id": BOGO}),
    event(BEN, "offer received", 168, **{"offer id": INFO}),
    event(BEN, "transaction", 168, amount=2.25),
]


def publish(folder: Path, **files: list[dict[str, Any]]) -> Path:
    """A copy of the data set with some files replaced, as lines of JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (
        {"portfolio": PORTFOLIO, "profile": PROFILE, "transcript": TRANSCRIPT} | files
    ).items():
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.json").write_text(lines, encoding="utf-8")
    return folder


def converted(folder: Path, **files: list[dict[str, Any]]) -> dict[str, pl.DataFrame]:
    """The tables that come of it."""
    convert(publish(folder / "source", **files), folder / "out")
    return {path.stem: pl.read_parquet(path) for path in (folder / "out").glob("*.parquet")}


def test_every_table_passes_the_contract(tmp_path: Path) -> None:
    """The import goes through the same loader as any export."""
    converted(tmp_path)

    check_import(tmp_path / "out")


def test_the_age_of_118_means_that_nothing_was_said(tmp_path: Path) -> None:
    """Taken literally it would be the strongest feature of all."""
    accounts = converted(tmp_path)["accounts"].sort("account_id")

    assert accounts["age"].to_list() == [55, None]
    assert accounts["income"].to_list() == [60000.0, None]
    assert accounts["member_days"].to_list() == [92, 577]
    assert accounts["stored_at"].max() < BASE  # type: ignore[operator]


def test_each_person_is_decided_about_in_each_wave(tmp_path: Path) -> None:
    """Who got nothing was decided about too; leaving that out would hide what offers cause."""
    decisions = converted(tmp_path)["decisions"].sort("account_id", "decided_at")

    assert decisions["treatment"].to_list() == ["offer_bogo_5_for_5_7d"] * 2 + [
        "none",
        "offer_informational_3d",
    ]
    assert decisions["probability"].to_list() == [0.375, 0.375, 0.25, 0.375]
    assert set(decisions["eligible"]) == {"none|offer_bogo_5_for_5_7d|offer_informational_3d"}
    assert decisions["decided_at"].to_list()[:2] == [BASE, BASE + timedelta(hours=168)]


def test_responses_belong_to_the_last_time_the_offer_was_received(tmp_path: Path) -> None:
    """The same offer comes twice; a view of the second must not count for the first."""
    tables = converted(tmp_path)
    tied = tables["responses"].join(tables["touchpoints"], on="touchpoint_id").sort("responded_at")

    waits = (tied["responded_at"] - tied["occurred_at"]).dt.total_hours().to_list()

    assert tied["response"].to_list() == ["viewed", "accepted", "viewed"]
    assert waits == [6, 10, 32]


def test_spend_and_rewards_are_kept_apart(tmp_path: Path) -> None:
    """Whether a reward counts against spend is a decision of the playbook."""
    outcomes = converted(tmp_path)["outcomes"].sort("account_id", "kind")

    assert outcomes.select("kind", "value").rows() == [
        ("purchase", 7.5),
        ("reward", -5.0),
        ("purchase", 2.25),
    ]


def test_channels_go_out_together_as_one(tmp_path: Path) -> None:
    """An offer is sent through all of its channels at once: the set is the channel."""
    touchpoints = converted(tmp_path)["touchpoints"]

    assert set(touchpoints["channel"]) == {"email_web", "email_mobile_social"}


def test_zipped_files_and_parquet_are_read_alike(tmp_path: Path) -> None:
    """Copies of the set go round in both forms."""
    plain = converted(tmp_path / "plain")
    source = publish(tmp_path / "zipped" / "source")
    for name in ("portfolio", "profile"):
        text = (source / f"{name}.json").read_bytes()
        (source / f"{name}.json").unlink()
        (source / f"{name}.json.gz").write_bytes(gzip.compress(text))
    flat = [
        {
            "person": line["person"],
            "event": line["event"],
            "time": line["time"],
            "offer_id": line["value"].get("offer id", line["value"].get("offer_id")),
            "amount": line["value"].get("amount"),
            "reward": line["value"].get("reward"),
        }
        for line in TRANSCRIPT
    ]
    (source / "transcript.json").unlink()
    pl.DataFrame(flat).write_parquet(source / "transcript.parquet")

    convert(source, tmp_path / "zipped" / "out")

    for name, rows in plain.items():
        assert rows.equals(pl.read_parquet(tmp_path / "zipped" / "out" / f"{name}.parquet")), name


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"portfolio": [{"id": BOGO}]}, "portfolio.json has no column 'channels'"),
        ({"profile": PROFILE[:1]}, "a person without a profile: 'bbbb"),
        ({"portfolio": PORTFOLIO[:1]}, "an offer that the portfolio lacks: '2222"),
        ({"transcript": [*TRANSCRIPT, event(BEN, "offer lost", 9)]}, "unknown event 'offer lost'"),
        ({"transcript": [*TRANSCRIPT, TRANSCRIPT[0]]}, "two offers at once"),
        ({"transcript": TRANSCRIPT[2:4]}, "Nobody received an offer"),
    ],
)
def test_another_data_set_is_refused_in_one_line(
    tmp_path: Path, files: dict[str, list[dict[str, Any]]], complaint: str
) -> None:
    """A wrong file must not become wrong figures."""
    with pytest.raises(DatasetError, match=complaint) as caught:
        converted(tmp_path, **files)

    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    """The path is what the user can put right."""
    with pytest.raises(DatasetError, match="There is no folder"):
        convert(tmp_path / "nowhere", tmp_path / "out")

    source = publish(tmp_path / "source")
    (source / "profile.json").write_text("{not json", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"profile\.json cannot be read"):
        convert(source, tmp_path / "out")

    (source / "profile.json").unlink()
    with pytest.raises(
        DatasetError, match=r"There is no profile\.json, profile\.json\.gz or profile\.parquet"
    ):
        convert(source, tmp_path / "out")


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the Starbucks data are not in {REAL}")
def test_the_real_log_gives_the_known_means_and_fits_the_playbook(tmp_path: Path) -> None:
    """Spend within 72 hours, waves 2 to 6: none 8.2, as logged 12, the best fixed offer 15.6 to 15.9."""
    convert(REAL, tmp_path)
    decisions = pl.read_parquet(tmp_path / "decisions.parquet")
    outcomes = pl.read_parquet(tmp_path / "outcomes.parquet").filter(kind="purchase")
    spend = decisions.join(outcomes.select("account_id", "occurred_at", "value"), on="account_id", how="left")
    inside = pl.col("occurred_at").is_between(
        "decided_at", pl.col("decided_at") + timedelta(hours=72), closed="left"
    )

    waves = spend.group_by("decision_id", "treatment", "decided_at").agg(pl.col("value").filter(inside).sum())
    waves = waves.filter(pl.col("decided_at") > BASE)
    means = dict(waves.group_by("treatment").agg(pl.col("value").mean()).rows())

    assert len(decisions) == 102_000
    assert set(means) == {treatment.id for treatment in read_playbook("starbucks").treatments}
    assert means["none"] == pytest.approx(8.18, abs=0.2)
    assert waves["value"].mean() == pytest.approx(11.98, abs=0.2)
    assert max(means.values()) == pytest.approx(15.75, abs=0.4)
