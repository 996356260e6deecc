"""A folder of files that is written completely or not at all, and never over somebody's other files."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from data.home import DataError


class OccupiedFolderError(DataError):
    """The folder holds something else; nothing was written."""

    exit_code = 2


def refuse_occupied(folder: Path, *, is_ours: Callable[[Path], bool], what: str) -> None:
    """Say before any work that a folder is not to be replaced.

    Args:
        folder: May be absent, empty, or one that was written before.
        is_ours: Whether a folder with something in it was written by the same command.
        what: What the folder would hold, such as "a world".

    Raises:
        OccupiedFolderError: It is a file, or holds something else.
    """
    if folder.is_dir():
        if any(folder.iterdir()) and not is_ours(folder):
            raise OccupiedFolderError(
                f"{folder} is not empty and not {what}: nothing was written. Give another folder."
            )
    elif folder.exists() or folder.is_symlink():
        raise OccupiedFolderError(f"{folder} is not a folder: nothing was written. Give another name.")


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder beside it to write into, which takes its name at the end; after an error nothing has changed.

    Raises OSError.
    """
    folder = folder.resolve()
    building, old = (folder.with_name(f".{folder.name}.{state}") for state in ("building", "old"))
    for leftover in (building, old):
        shutil.rmtree(leftover, ignore_errors=True)
    building.mkdir(parents=True)
    try:
        yield building
        if folder.is_dir():
            folder.rename(old)
        building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
