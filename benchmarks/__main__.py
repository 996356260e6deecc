"""`make bench`: every comparison, one row each."""

from __future__ import annotations

import argparse

import duckdb
import numpy as np
import polars as pl

from benchmarks.harness import Comparison, compare
from benchmarks.material import AS_OF, Material, forest, world
from engine.forest import parse_forest
from engine.records import DAY_MICROS


def scoring(material: Material, *, trees: int = 300, leaves: int = 31) -> Comparison:
    """All accounts x treatments through one forest, against LightGBM on the cross product, two threads."""
    known = material.known()
    booster = forest(known, trees=trees, leaves=leaves)
    parsed = parse_forest(booster.model_to_string())
    n, t = len(known.moments), len(known.set.treatments)
    cross = np.concatenate([known.row_matrix(np.full(n, k)) for k in range(t)])
    return compare(
        f"scoring {n:,} accounts x {t} treatments, {trees} trees x {leaves} leaves",
        "LightGBM predict on the cross product",
        lambda: parsed.predict_pairs(known),
        lambda: booster.predict(cross, raw_score=True, num_threads=2).reshape(t, n).T,
        same=lambda a, b: bool(np.array_equal(a, b)),
    )


def counting(material: Material) -> Comparison:
    """All features of all accounts, against DuckDB counting outbound contacts by channel and window alone."""
    columns = [name for name in material.features.channel if name.startswith("outbound_")]
    places = [material.features.channel.index(name) for name in columns]
    days = [int(name.rsplit("_", 1)[1].removesuffix("d")) for name in columns]
    channels = material.features.channels
    base = duckdb.connect()
    base.register("t", material.history["touchpoints"].to_arrow())

    def since(window_days: int) -> int:
        return AS_OF - window_days * DAY_MICROS

    counts = ", ".join(
        f"count(*) filter (channel = '{channel}' and occurred_at >= make_timestamptz({since(d)}))"
        for channel in channels
        for d in days
    )
    ids = pl.DataFrame({"account_id": material.moments.account_ids})
    query = f"""select account_id, {counts} from t where status = 'done' and direction = 'outbound'
        and occurred_at < make_timestamptz({AS_OF}) and stored_at < make_timestamptz({AS_OF})
        and (superseded_at is null or make_timestamptz({AS_OF}) <= superseded_at)
        and deleted is not true group by account_id"""

    def theirs() -> np.ndarray:
        counted = ids.join(base.sql(query).pl(), on="account_id", how="left").fill_null(0)
        return counted.drop("account_id").to_numpy().astype(np.float64)

    return compare(
        f"features of {len(material.moments):,} accounts, all groups",
        "DuckDB, only outbound counts by channel",
        lambda: material.known().channel[:, :, places].reshape(len(material.moments), -1),
        theirs,
        same=lambda a, b: bool(np.array_equal(a, b)),
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--accounts", type=int, default=2_000, help="size of the simulated world")
    material = world(parser.parse_args().accounts)
    print("Processor time, medians of five interleaved pairs; ratio = peer / ours (extremes).\n")
    print("| what | against | ours | peer | ratio |\n|---|---|---|---|---|")
    for measure in (scoring, counting):
        print(measure(material).line(), flush=True)


if __name__ == "__main__":
    main()
