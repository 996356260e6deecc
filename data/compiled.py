"""Where numba keeps compiled kernels: a folder named by everything that their machine code depends on.

numba looks only at the file of the function it cached, so a caller whose callee changed in another file
would silently run old code. A new folder for every state of the engine's sources makes that impossible.
This module is imported before the engine is (`data/__init__.py`) and itself imports nothing that compiles.
"""

from __future__ import annotations

import hashlib
import os
import platform
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

RUN_ELSEWHERE = ("api", "data", "engine", "training")
"""Packages whose functions other machines run for us."""


@cache
def made_by() -> str:
    """What bits depend on - sources of the engine, numba, NumPy, Python, processor - as 16 hex digits."""
    return _digest(
        _sources("engine"), version("numba"), version("numpy"), platform.python_version(), _processor()
    )


@cache
def run_by() -> str:
    """Which sources this process runs, wherever they are installed, as 16 hex digits."""
    return _digest(*map(_sources, RUN_ELSEWHERE))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _sources(package: str) -> str:
    """Of a package's own folder, by name."""
    spec, digest = find_spec(package), hashlib.sha256()
    for folder in (spec.submodule_search_locations if spec else None) or []:
        for source in sorted(Path(folder).glob("*.py")):
            digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()


def cache_folder() -> Path:
    """The folder for the present sources of the engine, numba's version and this machine's processor."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "nextbest" / f"kernels-{made_by()}"


def use_cache_folder() -> None:
    """Point numba there, unless the operator has chosen a folder."""
    os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_folder()))


def _processor() -> str:
    """Model and flags of the processor where the system tells them: compiled code uses what it finds."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    wanted = ("model name", "flags", "Features", "CPU part")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))
