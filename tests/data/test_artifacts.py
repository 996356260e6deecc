"""Releases: nothing is used that is not exactly what was written."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.artifacts import CorruptReleaseError, Release, read_release, survey, write_release
from data.home import DataError
from tests.full_disk import longest_file


def npz(**arrays: Any) -> bytes:
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    return packed.getvalue()


def written(models: Path, release_id: str = "20260101T000000-abcd", **files: bytes) -> Release:
    content = {"value.forest.txt": b"tree\n", "values.npz": npz(value=np.array([1.5, 2.5]))} | files
    return write_release(models, release_id, content, {"learner": "t_learner", "playbook": "v1"})


def test_a_release_is_read_as_it_was_written(tmp_path: Path) -> None:
    """What was measured in training is what decides."""
    release = written(tmp_path)

    again = read_release(tmp_path, release.id, manifest_hash=release.manifest_hash)

    assert again.texts == {"value.forest.txt": "tree\n"}
    assert again.arrays["values"]["value"].tolist() == [1.5, 2.5]
    assert again.manifest["learner"] == "t_learner"
    assert set(again.manifest["files"]) == {"value.forest.txt", "values.npz"}
    assert again.manifest_hash == release.manifest_hash


def test_writing_the_same_release_twice_is_the_same_and_another_one_is_refused(tmp_path: Path) -> None:
    """A release is a fact: it is never overwritten."""
    first = written(tmp_path)

    assert written(tmp_path).manifest_hash == first.manifest_hash
    with pytest.raises(DataError, match="never overwritten"):
        write_release(tmp_path, first.id, {}, {"learner": "other"})


def test_what_a_killed_writer_left_is_neither_listed_nor_in_the_way(tmp_path: Path) -> None:
    """Training may be killed in the middle."""
    half = tmp_path / ".20260101T000000-abcd.building"
    half.mkdir()
    (half / "value.forest.txt").write_text("half", encoding="utf-8")

    assert survey(tmp_path)[0] == []
    release = written(tmp_path)

    assert [found.id for found in survey(tmp_path)[0]] == [release.id]
    assert not half.exists()


def test_of_a_release_for_which_the_disk_is_too_small_nothing_is_left(tmp_path: Path) -> None:
    """The folder is said, and what was begun does not fill the disk further."""
    with longest_file(10_000), pytest.raises(OSError, match="File too large") as found:
        written(tmp_path, **{"report.html": b"x" * 20_000})

    assert found.value.filename == str(tmp_path / "20260101T000000-abcd")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["value.forest.txt", "values.npz"])
def test_a_changed_file_is_named_before_anything_is_parsed(tmp_path: Path, name: str) -> None:
    """A damaged model must not decide quietly."""
    release = written(tmp_path)
    path = tmp_path / release.id / name
    path.write_bytes(path.read_bytes() + b" ")

    with pytest.raises(
        CorruptReleaseError, match=rf"damaged: {name} was changed\. Promote another release"
    ) as raised:
        read_release(tmp_path, release.id)

    assert raised.value.exit_code == 5


def test_a_missing_file_and_a_missing_release_are_named(tmp_path: Path) -> None:
    """The way out is in the message."""
    release = written(tmp_path)
    (tmp_path / release.id / "values.npz").unlink()

    with pytest.raises(CorruptReleaseError, match=r"values.npz is missing"):
        read_release(tmp_path, release.id)
    with pytest.raises(CorruptReleaseError, match=r"no release 'none' in .* Promote another release"):
        read_release(tmp_path, "none")
    with pytest.raises(CorruptReleaseError, match=f"Did you mean '{release.id}'"):
        read_release(tmp_path, release.id[:-1] + "x")


def test_a_manifest_other_than_the_promoted_one_is_refused(tmp_path: Path) -> None:
    """Whoever can write to the folder cannot exchange the model in use."""
    release = written(tmp_path)
    path = tmp_path / release.id / "manifest.json"
    path.write_text(json.dumps({**release.manifest, "learner": "s_learner"}), encoding="utf-8")

    with pytest.raises(CorruptReleaseError, match="not the one that was promoted"):
        read_release(tmp_path, release.id, manifest_hash=release.manifest_hash)


@pytest.mark.parametrize("manifest", ["{", "[]", "{}", '{"files": {"a.txt": 1}}'])
def test_a_manifest_that_makes_no_sense_is_refused(tmp_path: Path, manifest: str) -> None:
    """Half a file after a full disk, for instance."""
    release = written(tmp_path)
    (tmp_path / release.id / "manifest.json").write_text(manifest, encoding="utf-8")

    with pytest.raises(CorruptReleaseError, match=r"manifest.json cannot be read"):
        read_release(tmp_path, release.id)


@pytest.mark.parametrize("name", ["../outside.txt", "/etc/passwd", "..", "a/b.txt", ""])
def test_no_name_leads_out_of_the_release(tmp_path: Path, name: str) -> None:
    """A manifest is input like any other."""
    release = written(tmp_path)
    path = tmp_path / release.id / "manifest.json"
    path.write_text(json.dumps({"files": {name: "0" * 64}}), encoding="utf-8")

    with pytest.raises(CorruptReleaseError, match="not a file of it"):
        read_release(tmp_path, release.id)
    with pytest.raises(CorruptReleaseError, match="not the name of a release"):
        read_release(tmp_path, name)
    with pytest.raises(DataError, match="cannot be a name"):
        write_release(tmp_path, "20260101T000000-efgh", {name: b""}, {})


def test_a_symbolic_link_in_a_release_is_not_followed(tmp_path: Path) -> None:
    """It could point anywhere."""
    release = written(tmp_path)
    path = tmp_path / release.id / "value.forest.txt"
    outside = tmp_path / "outside.txt"
    outside.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(outside)

    with pytest.raises(CorruptReleaseError, match="is missing"):
        read_release(tmp_path, release.id)


def test_an_array_of_objects_is_refused(tmp_path: Path) -> None:
    """It would have to be unpickled, and unpickling runs code."""
    objects = npz(value=np.array([{"a": 1}], dtype=object))

    with pytest.raises(CorruptReleaseError, match=r"values.npz cannot be read"):
        written(tmp_path, **{"values.npz": objects})


def test_releases_are_listed_oldest_first_without_damaged_ones(tmp_path: Path) -> None:
    """The list is for choosing; a damaged release is no choice."""
    for release_id in ("20260103T000000-c", "20260101T000000-a", "20260102T000000-b"):
        written(tmp_path, release_id)
    (tmp_path / "20260102T000000-b" / "values.npz").unlink()
    (tmp_path / "README.md").write_text("models", encoding="utf-8")

    assert [found.id for found in survey(tmp_path)[0]] == ["20260101T000000-a", "20260103T000000-c"]
    assert survey(tmp_path / "nowhere")[0] == []
