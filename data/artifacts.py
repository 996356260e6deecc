"""Releases: folders of text, arrays and JSON below NEXTBEST_MODELS, verified by hash before anything is read.

<models>/<release>/{manifest.json, *.forest.txt, arrays.npz, card.md, report.html}. The manifest lists
every file with its SHA-256; the ledger holds the manifest's hash of the release in use. Nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from data.home import DataError
from data.snapshot import sync

MANIFEST = "manifest.json"
_FILES = "files"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_WAY_OUT = "Promote another release or train anew."
_ELSEWHERE = "If releases are kept elsewhere, give that folder as --models or NEXTBEST_MODELS."


class CorruptReleaseError(DataError):
    """A release is damaged, incomplete or not the one that was promoted; it is not used."""

    exit_code = 5


@dataclass(frozen=True)
class Release:
    """A release as read, every file's hash checked.

    Attributes:
        id: Name of its folder.
        manifest: The manifest as written: learner, playbook version, feature set, metrics, times, files.
        manifest_hash: SHA-256 of manifest.json.
        texts: File name -> text, for the forests.
        arrays: File name (without .npz) -> arrays by name.
    """

    id: str
    manifest: Mapping[str, Any]
    manifest_hash: str
    texts: Mapping[str, str]
    arrays: Mapping[str, Mapping[str, Any]]


def write_release(
    models: Path, release_id: str, files: Mapping[str, bytes], manifest: Mapping[str, Any]
) -> Release:
    """Write a release completely or not at all (temporary folder, then rename); adds the file hashes.

    Args:
        files: File name (no folders) -> content: forests *.txt in UTF-8, arrays *.npz, documents.
        manifest: What JSON can say; its key "files" is set here.

    Returns:
        The release as read back. The same release written twice is the same.

    Raises:
        DataError: A name is not a plain file name, or another release has that id.
        OSError: It cannot be written, for want of space or else; nothing of it is left.
    """
    for name in (release_id, *files):
        if not _is_plain(name) or name == MANIFEST:
            raise DataError(f"{name!r} cannot be a name in a release: use letters, digits, '.', '_' and '-'.")
    hashes = {name: _sha256(content) for name, content in sorted(files.items())}
    text = json.dumps(
        {**manifest, _FILES: hashes}, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False
    )
    folder = models / release_id
    if folder.exists():
        return _written_before(models, release_id, _sha256(text.encode()))
    building = models / f".{release_id}.building"
    if building.exists():
        shutil.rmtree(building)
    building.mkdir(parents=True)
    try:
        for name, content in {**files, MANIFEST: text.encode()}.items():
            (building / name).write_bytes(content)
            sync(building / name)
        sync(building)
        building.rename(folder)
    except OSError as error:
        shutil.rmtree(building, ignore_errors=True)  # on a full disk it would only be in the way
        raise OSError(error.errno, error.strerror, str(folder)) from error
    sync(models)
    return read_release(models, release_id)


def read_release(models: Path, release_id: str, *, manifest_hash: str | None = None) -> Release:
    """Read and verify. Raises CorruptReleaseError naming the file that is wrong and what to do."""
    if not _is_plain(release_id):
        raise CorruptReleaseError(f"{release_id!r} is not the name of a release.")
    folder = models / release_id
    if not folder.is_dir():
        raise CorruptReleaseError(
            f"There is no release {release_id!r} in {models}.{_near(models, release_id)}"
        )
    content = _read(folder, MANIFEST, release_id)
    if manifest_hash is not None and _sha256(content) != manifest_hash:
        raise CorruptReleaseError(f"Release {release_id} is not the one that was promoted. {_WAY_OUT}")
    manifest = _manifest_of(content, release_id)
    verified = {n: _verified(folder, n, expected, release_id) for n, expected in manifest[_FILES].items()}
    packed = [n for n in verified if n.endswith(".npz")]
    return Release(
        id=release_id,
        manifest=manifest,
        manifest_hash=_sha256(content),
        texts={n: _text_of(c, n, release_id) for n, c in verified.items() if n.endswith(".txt")},
        arrays={n.removesuffix(".npz"): _arrays_of(verified[n], n, release_id) for n in packed},
    )


def survey(
    models: Path, promoted: Mapping[str, str] = MappingProxyType({})
) -> tuple[list[Release], dict[str, CorruptReleaseError]]:
    """All readable releases, and what is wrong with each of the others; oldest first.

    Args:
        models: The folder of releases.
        promoted: Release -> hash of its manifest when it was put in use.
    """
    found: list[Release] = []
    damaged: dict[str, CorruptReleaseError] = {}
    for path in sorted(models.iterdir()) if models.is_dir() else []:
        if path.is_dir() and _is_plain(path.name):
            try:
                found.append(read_release(models, path.name, manifest_hash=promoted.get(path.name)))
            except CorruptReleaseError as error:
                damaged[path.name] = error
    return found, damaged


def list_manifests(models: Path) -> dict[str, dict[str, Any]]:
    """Release -> its manifest, without reading the other files; damaged ones are left out."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(models.iterdir()) if models.is_dir() else []:
        if path.is_dir() and _is_plain(path.name):
            with suppress(CorruptReleaseError):
                found[path.name] = _manifest_of(_read(path, MANIFEST, path.name), path.name)
    return found


def read_document(models: Path, release_id: str, name: str) -> str:
    """A text of a release, its hash checked. Raises CorruptReleaseError: it has none of that name."""
    if not _is_plain(release_id):
        raise CorruptReleaseError(f"{release_id!r} is not the name of a release.")
    folder = models / release_id
    files = _manifest_of(_read(folder, MANIFEST, release_id), release_id)[_FILES]
    if name not in files:
        raise CorruptReleaseError(f"Release {release_id} has no {name}.")
    return _text_of(_verified(folder, name, files[name], release_id), name, release_id)


def _near(models: Path, release_id: str) -> str:
    """Which release may be meant, or how to get one."""
    there = sorted(p.name for p in models.iterdir() if _is_plain(p.name)) if models.is_dir() else []
    close = get_close_matches(release_id, there, n=1)
    return f" Did you mean {close[0]!r}?" if close else f" {_ELSEWHERE} {_WAY_OUT}"


def _written_before(models: Path, release_id: str, expected: str) -> Release:
    """The release that is there already, if it is the same."""
    release = read_release(models, release_id)
    if release.manifest_hash != expected:
        raise DataError(f"There is another release {release_id} in {models}; a release is never overwritten.")
    return release


def _is_plain(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read(folder: Path, name: str, release_id: str) -> bytes:
    """The bytes of a file; they are hashed and parsed from memory, so nobody can exchange it in between."""
    path = folder / name
    if path.is_symlink() or not path.is_file():
        raise CorruptReleaseError(f"Release {release_id} is incomplete: {path} is missing. {_WAY_OUT}")
    return path.read_bytes()


def _manifest_of(content: bytes, release_id: str) -> dict[str, Any]:
    try:
        manifest = json.loads(content)
    except ValueError as error:
        raise _unreadable(release_id, MANIFEST) from error
    files = manifest.get(_FILES) if isinstance(manifest, dict) else None
    if not isinstance(files, dict) or not all(isinstance(h, str) for h in files.values()):
        raise _unreadable(release_id, MANIFEST)
    for name in files:
        if not _is_plain(name):
            raise CorruptReleaseError(
                f"The manifest of release {release_id} names {name!r}: not a file of it."
            )
    return dict(manifest)


def _verified(folder: Path, name: str, expected: str, release_id: str) -> bytes:
    content = _read(folder, name, release_id)
    if _sha256(content) != expected:
        raise CorruptReleaseError(f"Release {release_id} is damaged: {name} was changed. {_WAY_OUT}")
    return content


def _text_of(content: bytes, name: str, release_id: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _unreadable(release_id, name) from error


def _arrays_of(content: bytes, name: str, release_id: str) -> dict[str, Any]:
    """Arrays by name; an array of objects would be unpickled, so it is refused."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}
    except (ValueError, OSError, AttributeError, zipfile.BadZipFile) as error:
        raise _unreadable(release_id, name) from error


def _unreadable(release_id: str, name: str) -> CorruptReleaseError:
    return CorruptReleaseError(f"Release {release_id} is damaged: {name} cannot be read. {_WAY_OUT}")
