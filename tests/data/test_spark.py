"""Work on buckets by a real Spark: every bucket once, whatever fails on the way."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

import data.spark
from data.spark import Input, Spark, _cause, connected
from data.spark_options import SparkError, SparkOptions, spark_options

full = pytest.mark.skipif("FULL" not in os.environ, reason="make test-all has a Spark")
BUCKETS = list(range(9))
MASTER = "local[2, 4]"


@dataclass(frozen=True)
class Repeated:
    """Says what it was given; its first attempt at some buckets fails after the work is done."""

    marks: str
    fails: frozenset[int] = frozenset()

    def __call__(self, root: Path, bucket: int) -> Mapping[str, bytes]:
        given = {
            path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
        }
        mark = Path(self.marks) / f"{bucket}"
        if bucket in self.fails and not mark.exists():
            mark.touch()
            raise OSError("the machine went away")
        return {"seen": repr(sorted(given.items())).encode(), f"own-{bucket}": b"\x00" * bucket}


@pytest.fixture
def spark(spark_driver: None, tmp_path: Path) -> Iterator[Spark]:
    with Spark(SparkOptions(MASTER), tmp_path / "scratch") as session:
        yield session


@pytest.fixture
def given(tmp_path: Path) -> Input:
    """A file of each bucket."""
    for bucket in BUCKETS:
        folder = tmp_path / "history" / f"bucket_{bucket:04d}"
        folder.mkdir(parents=True)
        (folder / "facts.parquet").write_bytes(b"facts %d" % bucket)
    return Input(tmp_path / "history", "{bucket}/*.parquet", "in")


def expected(bucket: int) -> dict[str, bytes]:
    seen = [(f"in/bucket_{bucket:04d}/facts.parquet", b"facts %d" % bucket), ("shared/playbook", b"text")]
    return {"seen": repr(seen).encode(), f"own-{bucket}": b"\x00" * bucket}


@full
def test_a_task_sees_its_bucket_and_what_is_shared_and_nothing_else(
    spark: Spark, given: Input, tmp_path: Path
) -> None:
    """A rest of the bucket before would end up in this one's rows."""
    work = Repeated(str(tmp_path))

    found = dict(spark.files("work", work, BUCKETS, [given], {"shared/playbook": b"text"}))

    assert found == {bucket: expected(bucket) for bucket in BUCKETS}


@full
def test_attempts_that_fail_leave_no_duplicates(spark: Spark, given: Input, tmp_path: Path) -> None:
    """Spark repeats a task; rows of an attempt that did not end well must not be seen."""
    work = Repeated(str(tmp_path), fails=frozenset({0, 3, 8}))

    rows = list(spark.files("work", work, BUCKETS, [given], {"shared/playbook": b"text"}))

    assert sorted(bucket for bucket, _ in rows) == BUCKETS
    assert dict(rows) == {bucket: expected(bucket) for bucket in BUCKETS}
    assert {path.name for path in tmp_path.iterdir() if path.name.isdigit()} == {"0", "3", "8"}


@dataclass(frozen=True)
class Broken:
    """Fails at every attempt."""

    def __call__(self, root: Path, bucket: int) -> Mapping[str, bytes]:
        raise OSError(f"no room for bucket {bucket}")


@full
def test_what_an_executor_could_not_do_is_said_in_one_line(spark: Spark, given: Input) -> None:
    """Else it stands somewhere in the stacks of three languages."""
    with pytest.raises(SparkError) as error:
        list(spark.files("work", Broken(), BUCKETS[:1], [given], {"shared/playbook": b"text"}))

    assert str(error.value) == "Spark gave up: OSError: no room for bucket 0"


@full
def test_executors_with_another_version_are_refused(
    spark: Spark, given: Input, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive that was packed last month would make last month's rows, and nobody would know."""
    monkeypatch.setattr(data.spark, "run_by", lambda: "another")

    with pytest.raises(SparkError, match=r"^Spark gave up: executors have another version of next") as error:
        list(spark.values(Repeated(str(tmp_path)), BUCKETS[:1], [given], {"shared/playbook": b"text"}))

    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("X\nTraceback (most recent call last):\n  File\n    f()\nOSError: full\n\n\tat x", "OSError: full"),
        ("Traceback (most recent call last):\n  File\ndata.spark_options.SparkError: old.\n", "old."),
        ("java.io.IOException: No such file\n\tat java.base", "java.io.IOException: No such file"),
    ],
)  # fmt: skip
def test_the_cause_is_found_among_stacks(text: str, cause: str) -> None:
    """Python's own last line, or Java's first."""
    assert _cause(text) == cause


@full
def test_files_go_by_an_exchange_that_only_spark_reads(
    spark_driver: None, given: Input, tmp_path: Path
) -> None:
    """On a cluster executors do not see the driver's disk; what was copied once is not copied again."""
    exchange = tmp_path / "exchange"
    with Spark(SparkOptions(MASTER, exchange=exchange.as_uri()), tmp_path / "scratch") as spark:
        found = dict(
            spark.files("work", Repeated(str(tmp_path)), BUCKETS[:2], [given], {"shared/playbook": b"text"})
        )

    copied = sorted(p.relative_to(exchange).as_posix() for p in exchange.rglob("*.parquet") if p.is_file())
    assert found == {bucket: expected(bucket) for bucket in BUCKETS[:2]}
    assert copied == ["history/bucket_0000/facts.parquet", "history/bucket_0001/facts.parquet"]


def test_without_the_option_nothing_of_spark_is_touched(tmp_path: Path) -> None:
    """Most companies have no cluster."""
    with connected(None, tmp_path / "scratch") as session:
        assert session is None
    assert not (tmp_path / "scratch").exists()


def test_options_of_spark_without_spark_are_refused() -> None:
    """Somebody who names a cluster must not wait for one machine."""
    with pytest.raises(SparkError, match="Got --master yarn without Spark: add --engine spark"):
        spark_options("local", "yarn", None, None)
    assert spark_options("local", None, None, None) is None
    assert spark_options("spark", "yarn", "s3a://b/x", None) == SparkOptions("yarn", "s3a://b/x")
