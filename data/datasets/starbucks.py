"""The Starbucks offer log as tables of the contract: six waves of offers to 17,000 people and their spend.

The publisher simulated the log. Offers were assigned by chance, so every decision carries a probability.
docs/howto/starbucks.md explains the choices.
"""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import polars as pl

from data.datasets import DatasetError
from data.datasets.files import SYSTEM, only_tables, system_tables, write_tables
from data.progress import Progress, quiet
from data.whole_folder import refuse_occupied, whole_folder
from engine.records import NO_CONTACT

BASE = datetime(2018, 8, 1, tzinfo=UTC)
"""The log counts hours; hour 0 is set to the first midnight after the last person had joined."""
OFFER_SHARE, NONE_SHARE = 0.75, 0.25
UNKNOWN_AGE = 118

_EVENTS = ("offer received", "offer viewed", "offer completed", "transaction")
_TRANSCRIPT = {"person", "event", "time", "offer_id", "amount", "reward"}
_PORTFOLIO = {"id", "offer_type", "channels", "difficulty", "duration", "reward"}
_PROFILE = {"id", "age", "gender", "income", "became_member_on"}


def convert(source: Path, out: Path, progress: Progress = quiet) -> None:
    """Map the publisher's three files to a folder of the contract.

    Args:
        source: Folder with transcript (.parquet, .json or .json.gz), portfolio and profile (.json, .json.gz).
        out: Folder for the tables; made where it does not exist.
        progress: Called with (stage, done, of).

    Raises:
        OccupiedFolderError: `out` holds something else.
        DatasetError: A file is missing, unreadable or not of this data set, or `out` cannot be written.
    """
    refuse_occupied(out, is_ours=only_tables, what="a folder of the contract's tables")
    progress("reading", 0, 3)
    offers = _offers(_read(source, "portfolio", _PORTFOLIO))
    profile = _read(source, "profile", _PROFILE)
    events = _events(_transcript(source), offers, profile)
    progress("mapping", 1, 3)
    tables = _tables(offers, profile, events)
    progress("writing", 2, 3)
    _write(tables, out)
    progress("writing", 3, 3)


def _read(source: Path, name: str, columns: set[str]) -> pl.DataFrame:
    """One of the files, as lines of JSON or as Parquet, with the columns that must be there."""
    if not source.is_dir():
        raise DatasetError(
            f"There is no folder {source}; give the one with transcript, portfolio and profile."
        )
    for ending in (".parquet", ".json", ".json.gz"):
        path = source / f"{name}{ending}"
        if path.is_file():
            return _checked(path, columns)
    raise DatasetError(f"There is no {name}.json, {name}.json.gz or {name}.parquet in {source}.")


def _checked(path: Path, columns: set[str]) -> pl.DataFrame:
    try:
        if path.suffix == ".parquet":
            rows = pl.read_parquet(path)
        else:
            raw = path.read_bytes()
            text = gzip.decompress(raw) if path.suffix == ".gz" else raw
            rows = pl.read_ndjson(BytesIO(text), infer_schema_length=None)
    except (OSError, EOFError, pl.exceptions.PolarsError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DatasetError(f"{path} cannot be read: {what}") from None
    if "value" in rows.columns:
        rows = _flat(rows)
    missing = sorted(columns - set(rows.columns))
    if missing:
        raise DatasetError(f"{path} has no column {missing[0]!r}; is it the Starbucks data set?")
    return rows


def _transcript(source: Path) -> pl.DataFrame:
    return _read(source, "transcript", _TRANSCRIPT)


def _flat(rows: pl.DataFrame) -> pl.DataFrame:
    """The publisher's own form keeps offer, amount and reward in one object named value."""
    spread = rows.unnest("value")
    names = [name for name in ("offer id", "offer_id") if name in spread.columns]
    absent = [
        pl.lit(None, pl.Float64).alias(name) for name in ("amount", "reward") if name not in spread.columns
    ]
    offer = pl.coalesce(names) if names else pl.lit(None, pl.String)
    return spread.with_columns(offer.alias("offer_id"), *absent)


def _offers(portfolio: pl.DataFrame) -> pl.DataFrame:
    """offer_id, treatment, topic, channel; treatments are named by what they promise."""
    amount, spend = pl.col("reward").cast(pl.Int64), pl.col("difficulty").cast(pl.Int64)
    days = pl.col("duration").cast(pl.Int64)
    promise = pl.when(amount > 0).then(pl.format("_{}_for_{}", amount, spend)).otherwise(pl.lit(""))
    offers = portfolio.select(
        offer_id=pl.col("id"),
        treatment=pl.format("offer_{}{}_{}d", pl.col("offer_type"), promise, days),
        topic=pl.col("offer_type"),
        channel=pl.col("channels").list.sort().list.join("_"),
    ).sort("treatment")
    if offers["treatment"].is_duplicated().any() or NO_CONTACT in offers["treatment"]:
        raise DatasetError("Two offers of the portfolio promise the same; is it the Starbucks data set?")
    return offers


def _events(transcript: pl.DataFrame, offers: pl.DataFrame, profile: pl.DataFrame) -> pl.DataFrame:
    """The log with times instead of hours and treatments instead of offers."""
    strange = transcript.filter(~pl.col("event").is_in(_EVENTS))
    if len(strange):
        raise DatasetError(f"The transcript has the unknown event {strange['event'][0]!r}.")
    unknown = transcript.join(profile, left_on="person", right_on="id", how="anti")
    if len(unknown):
        raise DatasetError(f"The transcript names a person without a profile: {unknown['person'][0]!r}.")
    at = pl.lit(BASE).dt.cast_time_unit("us") + pl.duration(hours=pl.col("time"))
    events = transcript.join(offers, on="offer_id", how="left", maintain_order="left").with_columns(at=at)
    lost = events.filter((pl.col("event") != "transaction") & pl.col("treatment").is_null())
    if len(lost):
        raise DatasetError(
            f"The transcript names an offer that the portfolio lacks: {lost['offer_id'][0]!r}."
        )
    if not (events["event"] == "offer received").any():
        raise DatasetError("Nobody received an offer in the transcript; is it the Starbucks data set?")
    return events


def _tables(offers: pl.DataFrame, profile: pl.DataFrame, events: pl.DataFrame) -> dict[str, pl.DataFrame]:
    accounts, touchpoints = _accounts(profile), _touchpoints(events)
    return {
        "accounts": accounts,
        **system_tables(accounts, "Automatic offers"),
        "touchpoints": touchpoints,
        "responses": _responses(events, touchpoints),
        "outcomes": _outcomes(events),
        "decisions": _decisions(accounts, touchpoints, offers),
    }


def _accounts(profile: pl.DataFrame) -> pl.DataFrame:
    joined = pl.col("became_member_on").cast(pl.String).str.to_date("%Y%m%d", strict=False)
    age = pl.col("age").cast(pl.Int64)
    return profile.select(
        account_id="id",
        name=pl.col("id").str.slice(0, 8),
        language=pl.lit("en"),
        automated=pl.lit(True),
        gender=pl.col("gender"),
        age=pl.when(age != UNKNOWN_AGE).then(age),
        income=pl.col("income").cast(pl.Float64),
        member_days=(pl.lit(BASE.date()) - joined).dt.total_days(),
        stored_at=pl.lit(BASE - timedelta(days=1)),
    ).sort("account_id")


def _touchpoints(events: pl.DataFrame) -> pl.DataFrame:
    """One per offer received; the offer stands in the hour in which its wave was decided."""
    received = events.filter(pl.col("event") == "offer received")
    if received.select("person", "time").is_duplicated().any():
        raise DatasetError("The transcript gives a person two offers at once; is it the Starbucks data set?")
    return received.select(
        touchpoint_id=_joined("t", pl.col("time"), pl.col("person")),
        account_id="person",
        occurred_at="at",
        direction=pl.lit("outbound"),
        channel="channel",
        treatment="treatment",
        topic="topic",
        role=pl.lit(SYSTEM),
        user_id=pl.lit(SYSTEM),
        status=pl.lit("done"),
        decision_id=_joined("d", pl.col("time"), pl.col("person")),
    ).sort("touchpoint_id")


def _joined(letter: str, hour: pl.Expr, person: pl.Expr) -> pl.Expr:
    return pl.format("{}{}-{}", pl.lit(letter), hour.cast(pl.String).str.zfill(4), person)


def _responses(events: pl.DataFrame, touchpoints: pl.DataFrame) -> pl.DataFrame:
    """Viewed and completed offers, each tied to the last time the person received that offer."""
    names = {"offer viewed": "viewed", "offer completed": "accepted"}
    answers = events.filter(pl.col("event").is_in(names)).select(
        "at", "treatment", account_id="person", response=pl.col("event").replace_strict(names)
    )
    received = touchpoints.select("touchpoint_id", "account_id", "treatment", at="occurred_at")
    tied = answers.sort("at").join_asof(
        received.sort("at"), on="at", by=["account_id", "treatment"], check_sortedness=False
    )
    return (
        tied.drop_nulls("touchpoint_id")
        .select("touchpoint_id", responded_at="at", response="response")
        .unique()
        .sort("touchpoint_id", "responded_at", "response")
    )


def _outcomes(events: pl.DataFrame) -> pl.DataFrame:
    """What was spent, and as a kind of its own, below zero, what was given back as reward."""
    kinds = {"transaction": "purchase", "offer completed": "reward"}
    value = pl.when(pl.col("event") == "transaction").then(pl.col("amount")).otherwise(-pl.col("reward"))
    rows = events.filter(pl.col("event").is_in(kinds)).sort(
        "person", "at", "event", "offer_id", maintain_order=True
    )
    return rows.with_row_index("number", offset=1).select(
        outcome_id=pl.lit("o") + pl.col("number").cast(pl.String).str.zfill(9),
        account_id="person",
        occurred_at="at",
        kind=pl.col("event").replace_strict(kinds),
        value=value.cast(pl.Float64),
    )


def _decisions(accounts: pl.DataFrame, touchpoints: pl.DataFrame, offers: pl.DataFrame) -> pl.DataFrame:
    """A decision per person and wave: one of the offers, or none; all of them could have been chosen."""
    waves = touchpoints.select(decided_at="occurred_at").unique()
    given = touchpoints.select("account_id", "treatment", decided_at="occurred_at")
    hour = (pl.col("decided_at") - pl.lit(BASE)).dt.total_hours()
    chosen = pl.col("treatment").fill_null(NO_CONTACT)
    all_pairs = accounts.select("account_id").join(waves, how="cross")
    return (
        all_pairs.join(given, on=["account_id", "decided_at"], how="left")
        .select(
            decision_id=_joined("d", hour, pl.col("account_id")),
            account_id="account_id",
            decided_at="decided_at",
            treatment=chosen,
            place=pl.lit(1, pl.Int64),
            probability=pl.when(chosen == NO_CONTACT).then(NONE_SHARE).otherwise(OFFER_SHARE / len(offers)),
            eligible=pl.lit("|".join([NO_CONTACT, *offers["treatment"]])),
            policy=pl.lit("logged"),
            followed=pl.lit(True),
        )
        .sort("decision_id")
    )


def _write(tables: dict[str, pl.DataFrame], out: Path) -> None:
    try:
        with whole_folder(out) as building:
            write_tables(tables, building)
    except OSError as error:
        raise DatasetError(f"The tables cannot be written to {out}: {error.strerror}.") from error
