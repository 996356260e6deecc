"""A master and two workers: executors that share nothing with the driver but an exchange and what is sent."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from api.nightly import run_night
from data.spark import Input, Spark
from data.spark_options import SparkOptions
from tests.api.company import NOW, Clock, load, settings_of, tables_of
from tests.api.test_night_spark import ACCOUNTS, parts, shown
from tests.data.test_spark import BUCKETS, given

__all__ = ["given"]
full = pytest.mark.skipif("FULL" not in os.environ, reason="make test-all has a Spark")
SLOW = 4
EAGER = (
    "spark.speculation=true", "spark.speculation.quantile=0.5", "spark.speculation.multiplier=1.5",
    "spark.speculation.interval=100ms", "spark.speculation.minTaskRuntime=500ms",
)  # fmt: skip
PACKED = Path(__file__).parents[2] / "nextbest-spark.tar.gz"
"""What `make spark-environment` writes."""


@dataclass(frozen=True)
class Straggler:
    """Tells which attempt it is; the first at one bucket takes as long as all others together."""

    marks: str

    def __call__(self, root: Path, bucket: int) -> Mapping[str, bytes]:
        attempt = 0
        while True:
            try:
                (Path(self.marks) / f"{bucket}-{attempt}").touch(exist_ok=False)
                break
            except FileExistsError:
                attempt += 1
        if bucket == SLOW and attempt == 0:
            time.sleep(60)
        return {"attempt": b"%d" % attempt}


@full
def test_a_bucket_that_is_tried_twice_at_once_is_taken_over_once(
    spark_cluster: str, given: Input, tmp_path: Path
) -> None:
    """Speculation runs a slow task again beside the first: two attempts, one row."""
    from tests.data.gateways import spark_driver

    (tmp_path / "marks").mkdir()
    (tmp_path / "driver").mkdir()
    work = Straggler(str(tmp_path / "marks"))
    with (
        spark_driver(tmp_path / "driver", settings=EAGER),
        Spark(SparkOptions(spark_cluster), tmp_path / "scratch") as spark,
    ):
        rows = list(spark.files("work", work, BUCKETS, [given], {"playbook": b"text"}))

    assert sorted(bucket for bucket, _ in rows) == BUCKETS
    assert {path.name for path in (tmp_path / "marks").glob(f"{SLOW}-*")} == {f"{SLOW}-0", f"{SLOW}-1"}
    assert dict(rows)[SLOW] == {"attempt": b"1"}


@full
@pytest.mark.skipif(not PACKED.exists(), reason="make spark-environment has not been run")
def test_executors_that_have_the_packed_environment_alone_make_the_same_night(
    spark_cluster: str, tmp_path: Path
) -> None:
    """A cluster has neither our packages nor our sources: code reaches it as an archive."""
    from tests.data.gateways import spark_driver

    load(tmp_path / "home", tables_of(ACCOUNTS))
    other = Path(shutil.copytree(tmp_path / "home", tmp_path / "other"))
    alone = run_night(settings_of(tmp_path / "home"), as_of=NOW, clock=Clock(NOW))
    (tmp_path / "driver").mkdir()

    options = SparkOptions(spark_cluster, (tmp_path / "exchange").as_uri(), str(PACKED))
    with spark_driver(tmp_path / "driver", sources=False):
        together = run_night(settings_of(other), as_of=NOW, clock=Clock(NOW), spark=options)

    mine, theirs = parts(tmp_path / "home", alone.run_id), parts(other, together.run_id)
    assert mine.keys() == theirs.keys()
    for key, frame in mine.items():
        assert_frame_equal(frame, theirs[key], check_exact=True)
    assert shown(other) == shown(tmp_path / "home")
