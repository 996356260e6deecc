"""Cases that Spark makes are those that one machine makes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from data.spark import Spark
from data.spark_options import SparkOptions
from tests.training.builders import SMALL, stored
from training.cases import build_cases

pytestmark = pytest.mark.skipif("FULL" not in os.environ, reason="make test-all has a Spark")


def test_cases_are_identical_to_those_of_one_machine(spark_driver: None, tmp_path: Path) -> None:
    """A release must not depend on where its cases were made."""
    snapshot = stored(tmp_path)
    alone = build_cases(snapshot, SMALL)

    with Spark(SparkOptions("local[2, 4]"), tmp_path / "scratch") as spark:
        together = build_cases(snapshot, SMALL, spark=spark)

    assert_frame_equal(together.frame(), alone.frame(), check_exact=True)
    assert together.left_out == alone.left_out
    assert len(together) > 0
