"""What this machine has: processors and memory, within its container's limits."""

from __future__ import annotations

import os
from pathlib import Path

PROCESS_BYTES = 1_000_000_000
"""What a process of the night takes at most: one bucket, its pairs and the release (docs/scale.md)."""
_LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def free_bytes() -> int:
    """Memory that is free on this machine, within its container's limit; what cannot be read is no limit."""
    found = [2**62]
    for line in _read("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            found.append(int(line.split()[1]) * 1024)
    for limit, used in _LIMITS:
        if _read(limit).strip().isdigit():
            found.append(int(_read(limit)) - int(_read(used).strip() or 0))
    return max(0, min(found))


def processes_that_fit(*, processors: int | None = None, free: int | None = None) -> int:
    """One for each processor that this process may use, as far as memory goes; at least one.

    Args:
        processors: None = look.
        free: Bytes; None = look.
    """
    own = len(os.sched_getaffinity(0)) if processors is None else processors
    return max(1, min(own, (free_bytes() if free is None else free) // PROCESS_BYTES))


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
