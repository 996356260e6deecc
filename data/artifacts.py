"""Releases: folders of text, arrays and JSON below NEXTBEST_MODELS, verified by hash before anything is read.

<models>/<release>/{manifest.json, *.forest.txt, arrays.npz, card.md, report.html}. The manifest lists
every file with its SHA-256; the ledger holds the manifest's hash of the release in use. Nothing is unpickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.home import DataError


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
    """Write a release completely or not at all (temporary folder, then rename); adds the file hashes."""
    raise NotImplementedError


def read_release(models: Path, release_id: str, *, manifest_hash: str | None = None) -> Release:
    """Read and verify. Raises CorruptReleaseError naming the file that is wrong and what to do."""
    raise NotImplementedError


def list_releases(models: Path) -> list[Release]:
    """All readable releases, oldest first; damaged ones are left out."""
    raise NotImplementedError
