"""The night's work on buckets by Spark: what `night_bucket` does, on executors without any of our files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from api.night_bucket import Night, judge_bucket
from data.home import Home
from data.nights import NightFolder
from data.playbooks import playbook_text
from data.snapshot import bucket_name
from data.spark import Input, Spark
from data.twins import found_before

BucketWork = Callable[[Night, int], int]
_PLAYBOOK, _HISTORY, _HOME, _MODELS = "playbook.toml", "history", "home", "models"
_PRICES = ("plan.json", "given.parquet")


def each_on_spark(spark: Spark, work: BucketWork, night: Night, buckets: Sequence[int]) -> Iterator[int]:
    """The buckets, each as soon as the work on it is done and its files are in the night's folder."""
    judging = work is judge_bucket
    done = [b for b in buckets if (night.folder.judged(b) if judging else night.folder.has(b))]
    yield from done
    left = [bucket for bucket in buckets if bucket not in set(done)]
    inputs = [Input(night.snapshot.path, "{bucket}/*.parquet", _HISTORY)]
    if not judging and night.folder.prices() is not None:
        inputs.append(Input(night.folder.path, "{bucket}.scores.parquet", _folder_of(night)))
    name = f"nights/{night.run_id}/{work.__name__}"
    for bucket, files in spark.files(
        name, _OnExecutor(work, _without_places(night)), left, inputs, _shared(night)
    ):
        night.folder.take(bucket, files)
        yield bucket


@dataclass(frozen=True)
class _OnExecutor:
    """The work with the places of the executor put in; returns the files that it made."""

    work: BucketWork
    night: Night

    def __call__(self, root: Path, bucket: int) -> Mapping[str, bytes]:
        home = Home.at(root / _HOME, models=root / _MODELS)
        night = replace(
            self.night,
            home=home,
            playbook=str(root / _PLAYBOOK),
            snapshot=replace(self.night.snapshot, path=root / _HISTORY),
            folder=NightFolder(root / _folder_of(self.night)),
        )
        given = set(_files(night.folder, bucket))
        self.work(night, bucket)
        made = [path for path in _files(night.folder, bucket) if path not in given]
        contents = {path.name: path.read_bytes() for path in made}
        for path in made:
            path.unlink()
        return contents


def _without_places(night: Night) -> Night:
    """What may leave this machine: no path, and no address of the ledger with its password."""
    nowhere = Path()
    return replace(
        night, home=Home(nowhere, nowhere, ""), playbook="", snapshot=replace(night.snapshot, path=nowhere),
        folder=NightFolder(nowhere),
    )  # fmt: skip


def _shared(night: Night) -> dict[str, bytes]:
    """What every bucket needs: playbook, release, tables without accounts, twins, prices."""
    shared = {_PLAYBOOK: playbook_text(night.playbook).encode()}
    if night.release is not None:
        release = night.home.models / night.release.release_id
        shared |= _contents(release, f"{_MODELS}/{release.name}")
    shared |= _contents(night.snapshot.path / "common", f"{_HISTORY}/common")
    twins = found_before(night.home, night.as_of)
    if twins is not None:
        found = _contents(twins.path, f"{_HOME}/twins/{twins.id}")
        shared |= {name: content for name, content in found.items() if "/episodes_" not in name}
    prices = _contents(night.folder.path, _folder_of(night), _PRICES)
    return shared | prices


def _contents(folder: Path, to: str, names: Sequence[str] | None = None) -> dict[str, bytes]:
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    wanted = [path for path in paths if path.is_file() and (names is None or path.name in names)]
    return {f"{to}/{path.name}": path.read_bytes() for path in wanted}


def _folder_of(night: Night) -> str:
    return f"{_HOME}/nights/{night.run_id}"


def _files(folder: NightFolder, bucket: int) -> list[Path]:
    return sorted(folder.path.glob(f"{bucket_name(bucket)}.*"))
