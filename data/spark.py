"""Buckets worked on by Spark: the same functions as on one machine, on files wherever Spark can read.

A bucket is a task: what is repeated after a failure, or run twice because a machine is slow, is one bucket.
Executors see no file of ours: Spark's own readers bring a bucket's files to a folder of the task, and what
the task made goes back as a row that Spark's writer commits once, whichever attempt ended first.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from data.compiled import run_by
from data.snapshot import bucket_name
from data.spark_options import SparkError, SparkOptions

R = TypeVar("R")
Work = Callable[[Path, int], R]
"""Called on an executor with a folder that holds the shared files and the bucket's, and with its number."""
WAVE_PER_CORE = 4
"""Buckets of one Spark job per core: what a driver that dies has to do again, and the grain of progress."""
_ENVIRONMENT = "environment"
_RESULT = "bucket INT, names ARRAY<STRING>, contents ARRAY<BINARY>"


@dataclass(frozen=True)
class Input:
    """Files that a bucket's work reads.

    Attributes:
        folder: Where they are, on this machine.
        pattern: Below it, with {bucket} for the folder's or file's name.
        to: Where the task finds them, below its folder.
    """

    folder: Path
    pattern: str
    to: str

    def below(self, folder: str, bucket: int) -> str:
        """The files of a bucket, below another folder."""
        return f"{folder}/{self.pattern.format(bucket=bucket_name(bucket))}"


class Spark:
    """A session for some work on buckets; a context manager.

    Args:
        scratch: Local folder for what is exchanged where no other is given.

    Raises:
        SparkError: pyspark or a Java runtime is missing, or the cluster cannot be reached.
    """

    def __init__(self, options: SparkOptions, scratch: Path) -> None:
        self._options = options
        self._exchange = options.exchange or scratch.absolute().as_uri()
        self._session = _session(options)

    def __enter__(self) -> Spark:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._options.exchange is None:
            self._remove(self._exchange)
        self._session.stop()

    def files(
        self, name: str, work: Work[Mapping[str, bytes]], buckets: Sequence[int], inputs: Sequence[Input],
        shared: Mapping[str, bytes],
    ) -> Iterator[tuple[int, Mapping[str, bytes]]]:  # fmt: skip
        """What the work makes of each bucket, as named contents, some buckets at a time.

        Args:
            name: Of the work, in paths.
            shared: Relative path -> content, for all buckets.
        """
        with _in_one_line():
            yield from self._files(name, self._waves(work, buckets, inputs, shared))

    def _files(
        self, name: str, waves: Iterable[tuple[Sequence[int], Any]]
    ) -> Iterator[tuple[int, Mapping[str, bytes]]]:
        for number, (wave, made) in enumerate(waves):
            rows = made.map(lambda one: (one[0], list(one[1]), [bytearray(c) for c in one[1].values()]))
            target = f"{self._exchange}/{name}/wave-{number:05d}"
            self._session.createDataFrame(rows, _RESULT).write.mode("overwrite").parquet(target)
            found = set()
            for row in self._session.read.schema(_RESULT).parquet(target).toLocalIterator():
                if row.bucket in found:
                    raise SparkError(
                        f"Bucket {row.bucket} was committed twice to {target}; remove it and run again."
                    )
                found.add(row.bucket)
                yield row.bucket, dict(zip(row.names, map(bytes, row.contents), strict=True))
            if found != set(wave):
                raise SparkError(
                    f"{len(wave) - len(found)} of {len(wave)} buckets are missing in {target}; run again."
                )
            self._remove(target)

    def values(
        self, work: Work[R], buckets: Sequence[int], inputs: Sequence[Input], shared: Mapping[str, bytes]
    ) -> Iterator[R]:
        """What the work returns for each bucket, in their order, for results that fit the driver."""
        with _in_one_line():
            for _, made in self._waves(work, buckets, inputs, shared):
                yield from (value for _, value in sorted(made.collect(), key=lambda one: one[0]))

    def _waves(
        self, work: Work[R], buckets: Sequence[int], inputs: Sequence[Input], shared: Mapping[str, bytes]
    ) -> Iterator[tuple[Sequence[int], Any]]:
        context = self._session.sparkContext
        task = _Task(work, context.broadcast(_zipped(shared)), run_by())
        size = max(1, WAVE_PER_CORE * context.defaultParallelism)
        for start in range(0, len(buckets), size):
            wave = buckets[start : start + size]
            place = {bucket: number for number, bucket in enumerate(wave)}
            parts = [self._read(given, wave) for given in inputs]
            grouped = context.union(parts).groupByKey(len(wave), place.__getitem__)
            yield wave, grouped.mapPartitions(task, preservesPartitioning=True)

    def _read(self, given: Input, wave: Sequence[int]) -> Any:
        """(bucket, (path below the task's folder, content)) of an input's files."""
        folder = self._offered(given, wave)
        paths = [given.below(folder, bucket) for bucket in wave]
        files = self._session.read.format("binaryFile").load(paths).select("path", "content")
        return files.rdd.map(_Placed(given.to))

    def _offered(self, given: Input, wave: Sequence[int]) -> str:
        """Where executors find an input: as it is, or in the exchange, where what is there is left."""
        if self._options.exchange is None:
            return given.folder.absolute().as_uri()
        target = f"{self._exchange}/{given.folder.name}"
        for bucket in wave:
            for file in sorted(given.folder.glob(given.below("", bucket).lstrip("/"))):
                self._copy(file, f"{target}/{file.relative_to(given.folder).as_posix()}")
        return target

    def _copy(self, file: Path, target: str) -> None:
        system, path = self._hadoop(target)
        if not system.exists(path) or system.getFileStatus(path).getLen() != file.stat().st_size:
            system.copyFromLocalFile(False, True, self._hadoop(file.absolute().as_uri())[1], path)

    def _remove(self, target: str) -> None:
        system, path = self._hadoop(target)
        system.delete(path, True)

    def _hadoop(self, url: str) -> tuple[Any, Any]:
        """Hadoop's file system and path of a URL, on the driver."""
        context: Any = self._session.sparkContext
        path = context._jvm.org.apache.hadoop.fs.Path(url)
        return path.getFileSystem(context._jsc.hadoopConfiguration()), path


@contextmanager
def connected(options: SparkOptions | None, scratch: Path) -> Iterator[Spark | None]:
    """A session as asked for; None where none was."""
    if options is None:
        yield None
        return
    with Spark(options, scratch) as spark:
        yield spark


def _session(options: SparkOptions) -> Any:
    try:
        from pyspark import SparkConf  # noqa: PLC0415 - whoever needs no cluster needs no Spark
        from pyspark.errors import PySparkException  # noqa: PLC0415
        from pyspark.sql import SparkSession  # noqa: PLC0415
    except ModuleNotFoundError:
        raise SparkError("Spark needs pyspark: install nextbest with its extra 'spark'.") from None
    try:
        builder = SparkSession.builder.appName("nextbest")
        master = options.master or SparkConf().get("spark.master") or "local[*, 4]"
        builder = builder.master(master).config("spark.ui.showConsoleProgress", "false")
        if options.packed is not None:
            builder = builder.config("spark.archives", f"{options.packed}#{_ENVIRONMENT}")
        with _python_of_executors(options):
            session = builder.getOrCreate()
    except (PySparkException, OSError) as error:
        raise SparkError(_why_not(error)) from None
    session.sparkContext.setLogLevel("ERROR")
    return session


@contextmanager
def _in_one_line() -> Iterator[None]:
    """What an executor or Spark itself says went wrong, without the stacks of three languages."""
    from py4j.protocol import Py4JError  # noqa: PLC0415
    from pyspark.errors import PySparkException  # noqa: PLC0415

    try:
        yield
    except (PySparkException, Py4JError) as error:
        java = getattr(error, "java_exception", None)
        raise SparkError(f"Spark gave up: {_cause(str(error if java is None else java))}") from None


def _cause(text: str) -> str:
    """The last line of the first Python traceback in a text, else the text's first line."""
    _, traceback, told = text.partition("Traceback (most recent call last):\n")
    if not traceback:
        return text.strip().partition("\n")[0]
    ended = next((line for line in told.splitlines() if line and not line[0].isspace()), "an executor failed")
    name, _, said = ended.partition(": ")
    return said if name.rpartition(".")[2] == SparkError.__name__ else ended


@contextmanager
def _python_of_executors(options: SparkOptions) -> Iterator[None]:
    """Spark reads it from the environment, once, as a session begins; the next one may want another."""
    before = os.environ.get("PYSPARK_PYTHON")
    own = before or sys.executable
    os.environ["PYSPARK_PYTHON"] = f"./{_ENVIRONMENT}/bin/python" if options.packed else own
    try:
        yield
    finally:
        os.environ.pop("PYSPARK_PYTHON")
        if before is not None:
            os.environ["PYSPARK_PYTHON"] = before


def _why_not(error: Exception) -> str:
    first = str(error).strip().partition("\n")[0]
    hint = " Install a Java runtime, 17 or newer, and set JAVA_HOME." if "JAVA_GATEWAY" in first else ""
    return f"Spark did not start: {first}{hint}"


@dataclass(frozen=True)
class _Placed:
    """Tells of a file which bucket it is of and where the task finds it."""

    to: str

    def __call__(self, row: Any) -> tuple[int, tuple[str, bytes]]:
        tail = row.path[row.path.rindex("/bucket_") + 1 :]
        number = tail.removeprefix("bucket_").partition("/")[0].partition(".")[0]
        return int(number), (f"{self.to}/{tail}", bytes(row.content))


@dataclass(frozen=True)
class _Task:
    """The work on the buckets of a partition, in a folder of the process."""

    work: Work[Any]
    shared: Any
    sources: str

    def __call__(self, rows: Iterable[tuple[int, Iterable[tuple[str, bytes]]]]) -> Iterator[tuple[int, Any]]:
        if run_by() != self.sources:
            raise SparkError(
                "executors have another version of nextbest than this machine; install the same there, or "
                "pack their environment again (make spark-environment)."
            )
        for bucket, files in rows:
            root = _root(self.shared.value)
            placed = [root / name for name, _ in files]
            for path, (_, content) in zip(placed, files, strict=True):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            try:
                yield bucket, self.work(root, bucket)
            finally:
                for path in placed:
                    path.unlink(missing_ok=True)


_roots: dict[bytes, Path] = {}
"""The folder of the shared files that this process works with."""


def _root(packed: bytes) -> Path:
    if packed not in _roots:
        for old in _roots.values():
            shutil.rmtree(old, ignore_errors=True)
        _roots.clear()
        folder = Path(tempfile.mkdtemp(prefix="nextbest-"))
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            archive.extractall(folder)
        _roots[packed] = folder
    return _roots[packed]


def _zipped(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name), content)
    return packed.getvalue()
