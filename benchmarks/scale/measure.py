"""Memory and disk of what is measured: proportional set size of a process and all that it started."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_EVERY_SECONDS = 0.25


@dataclass
class Peak:
    """The most that was seen.

    Attributes:
        memory: Bytes, proportional set size of this process and its children together.
        disk: Bytes below the watched folder.
        processor: Seconds of processor time of all of them, since the watching began.
    """

    memory: int = 0
    disk: int = 0
    processor: float = 0.0


def peak_megabytes() -> float:
    """The most that this process alone has held resident so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


@contextmanager
def watched(folder: Path | None) -> Iterator[Peak]:
    """Look at memory and, where one is given, at a folder four times a second while something runs."""
    peak, over = Peak(), threading.Event()
    begun = _processor(_family())
    spent: dict[int, float] = {}

    def look() -> None:
        family = _family()
        peak.memory = max(peak.memory, sum(map(_proportional, family)))
        peak.disk = max(peak.disk, size_of(folder) if folder else 0)
        spent.update(_processor(family))

    def watch() -> None:
        while not over.wait(_EVERY_SECONDS):
            look()

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield peak
    finally:
        over.set()
        watching.join()
        look()
        peak.processor = sum(spent.values()) - sum(begun.values())


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder; what disappears meanwhile counts nothing, links count once."""
    seen: dict[int, int] = {}
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                found = os.stat(Path(root) / name)
            except OSError:
                continue
            seen[found.st_ino] = found.st_blocks * 512
    return sum(seen.values())


def _family() -> list[int]:
    """This process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            parents.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [os.getpid()]
    while waiting:
        found.append(waiting.pop())
        waiting += parents.get(found[-1], [])
    return found


def _proportional(process: int) -> int:
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))


def _processor(processes: list[int]) -> dict[int, float]:
    """Seconds of processor time of each process that is there."""
    found = {}
    for process in processes:
        try:
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found[process] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found
