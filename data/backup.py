"""Ledger, history, nights, twins and releases as one file, and back into an empty place.

A tar file that any tool opens: ledger/TABLE.parquet, history/, nights/, twins/, marker.key, models/RELEASE/,
and last manifest.json with the hash of each. While it is written no load and no night runs; the service goes
on.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO, Any

from data.history import HistoryStore
from data.home import DataError, Home
from data.ledger.ledger import Ledger
from data.progress import Progress, quiet
from data.times import to_iso

FORMAT = 1
_MANIFEST = "manifest.json"
_MARKER_KEY = "marker.key"
_PIECE = 1 << 20


class BackupError(DataError):
    """A backup cannot be read, or there is no room for it; nothing was changed."""

    exit_code = 2


@dataclass(frozen=True)
class Contents:
    """What a backup holds.

    Attributes:
        made_at: Microseconds UTC.
        version: Of the ledger.
        rows: Table of the ledger -> rows.
        files: Name -> SHA-256.
        bytes: Of all files together.
    """

    made_at: int
    version: str
    rows: dict[str, int]
    files: dict[str, str]
    bytes: int


def write_backup(home: Home, out: Path, *, now: int, progress: Progress = quiet) -> Contents:
    """Write all of a home to one file, or nothing.

    Raises:
        BackupError: There is something at `out` already.
        AlreadyRunningError, LoadRunningError: A night or a load is running.
    """
    if out.exists():
        raise BackupError(f"There is {out} already; give another name.")
    building = out.with_name(f".{out.name}.building")
    try:
        with _quiet_home(home) as ledger, TemporaryDirectory(dir=out.parent) as folder:
            # The ledger first: every release that it names is on disk by then.
            version, rows = ledger.dump(Path(folder), progress=progress)
            with tarfile.open(building, "w") as tar:
                found = [*_below(Path(folder), "ledger"), *_files_of(home)]
                hashes: dict[str, str] = {}
                size = 0
                for done, (name, path) in enumerate(found):
                    progress("files", done, len(found))
                    hashes[name], added = _add(tar, name, path, hashes)
                    size += added
                progress("files", len(found), len(found))
                contents = Contents(now, version, rows, hashes, size)
                _add_manifest(tar, contents)
        building.rename(out)
    finally:
        building.unlink(missing_ok=True)
    return contents


def restore_backup(home: Home, backup: Path, *, progress: Progress = quiet) -> Contents:
    """Put a backup into an empty home and ledger, every hash checked before anything is put in place.

    Raises:
        BackupError: It cannot be read or is damaged, or there is a history or one of its releases already.
        OccupiedLedgerError: There is a ledger already.
    """
    try:
        with tarfile.open(backup) as tar:
            return _restore(home, tar, progress)
    except (tarfile.TarError, KeyError, ValueError, OSError) as error:
        if isinstance(error, OSError) and error.filename and Path(error.filename) != backup:
            raise
        raise BackupError(f"{backup} is no backup that can be read: {error}") from None


def _restore(home: Home, tar: tarfile.TarFile, progress: Progress) -> Contents:
    contents = _contents_of(tar)
    places = _places(home, contents)
    for place in places.values():
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise BackupError(f"There is {place} already: restore into an empty home. Nothing was changed.")
    home.root.mkdir(parents=True, exist_ok=True)
    home.models.mkdir(parents=True, exist_ok=True)
    put: list[Path] = []

    def put_in_place() -> None:
        for name, place in places.items():
            if place.is_dir():
                place.rmdir()
            shutil.move(folder / name, place)
            put.append(place)
        if home.marker_key in put:
            home.marker_key.chmod(0o600)

    with TemporaryDirectory(dir=home.root, prefix=".restoring-") as temporary:
        folder = Path(temporary)
        _extract(tar, contents, folder, progress)
        try:
            Ledger.load(
                home.ledger_url, folder / "ledger", version=contents.version, last=put_in_place,
                progress=progress,
            )  # fmt: skip
        except BaseException:
            for place in put:
                _remove(place)
            raise
    return contents


def _remove(place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)


@contextmanager
def _quiet_home(home: Home) -> Iterator[Ledger]:
    """Its ledger, while neither a night nor a load runs."""
    ledger = Ledger.open(home)
    try:
        with ledger.exclusive("nightly"), HistoryStore(home.history).exclusive():
            yield ledger
    finally:
        ledger.close()


def _files_of(home: Home) -> Iterator[tuple[str, Path]]:
    for name, folder in (("history", home.history), ("nights", home.nights), ("twins", home.twins)):
        yield from _below(folder, name)
    if home.marker_key.exists():
        yield _MARKER_KEY, home.marker_key
    releases = sorted(home.models.iterdir()) if home.models.is_dir() else []
    for release in releases:
        if release.is_dir() and not release.name.startswith("."):
            yield from _below(release, f"models/{release.name}")


def _below(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    """Name in the backup and path of every file, those that are being written left out."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") for part in parts) or path.name == "LOCK"
        if path.is_file() and not path.is_symlink() and not hidden:
            yield f"{name}/{'/'.join(parts)}", path


def _places(home: Home, contents: Contents) -> dict[str, Path]:
    """What is put where: folder of the backup -> folder of the home."""
    kept = {"history": home.history, "nights": home.nights, "twins": home.twins, _MARKER_KEY: home.marker_key}
    names = [PurePosixPath(name).parts for name in contents.files]
    found = {parts[0]: kept[parts[0]] for parts in names if parts[0] in kept}
    return found | {f"models/{p[1]}": home.models / p[1] for p in names if p[0] == "models"}


def _add(tar: tarfile.TarFile, name: str, path: Path, before: dict[str, str]) -> tuple[str, int]:
    """Its hash and the bytes added: none for what snapshots of the history share."""
    entry = tar.gettarinfo(path, name)
    if entry.islnk():
        tar.addfile(entry)
        return before[entry.linkname], 0
    with path.open("rb") as file:
        hashed = _Hashed(file)
        tar.addfile(entry, hashed)
    return hashed.digest.hexdigest(), entry.size


def _add_manifest(tar: tarfile.TarFile, contents: Contents) -> None:
    said = {"format": FORMAT, **vars(contents), "made": to_iso(contents.made_at)}
    text = json.dumps(said, indent=1, sort_keys=True).encode()
    entry = tarfile.TarInfo(_MANIFEST)
    entry.size = len(text)
    tar.addfile(entry, io.BytesIO(text))


def _contents_of(tar: tarfile.TarFile) -> Contents:
    file = tar.extractfile(_MANIFEST)
    said: dict[str, Any] = json.loads(file.read()) if file is not None else {}
    if said.get("format") != FORMAT:
        raise BackupError(f"The backup has format {said.get('format')!r}; this nextbest reads {FORMAT}.")
    return Contents(**{name: said[name] for name in ("made_at", "version", "rows", "files", "bytes")})


def _extract(tar: tarfile.TarFile, contents: Contents, folder: Path, progress: Progress) -> None:
    """Every file of the manifest, its hash checked; nothing else."""
    (folder / "ledger").mkdir()
    for done, (name, expected) in enumerate(contents.files.items()):
        progress("files", done, len(contents.files))
        file = tar.extractfile(name)
        parts = PurePosixPath(name).parts
        if file is None or ".." in parts or name.startswith("/"):
            raise BackupError(f"The backup has no file {name!r}.")
        path = folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        hashed = _Hashed(file)
        with path.open("wb") as written:
            shutil.copyfileobj(hashed, written, _PIECE)
        if hashed.digest.hexdigest() != expected:
            raise BackupError(f"The backup is damaged: {name} is not what was written. Nothing was changed.")
    progress("files", len(contents.files), len(contents.files))


class _Hashed(io.RawIOBase):
    """A file that is hashed as it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file, self.digest = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        piece = self._file.read(size)
        self.digest.update(piece)
        return piece
