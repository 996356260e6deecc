"""One peer in a process of its own: `python -m benchmarks.quality.peers NAME FOLDER SECONDS`.

It writes FOLDER/choice.npy; whoever needs more processor time is ended by the system.
"""

from __future__ import annotations

import json
import resource
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.quality.peers import PEERS
from benchmarks.quality.peers.problem import Problem


def main() -> None:
    """Let a peer choose."""
    name, folder, seconds = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    peer = PEERS[name]
    choose = getattr(import_module(f"benchmarks.quality.peers.{peer.module}"), peer.function)
    np.save(folder / "choice.npy", choose(Problem.read(folder)).astype(np.int64))
    used = resource.getrusage(resource.RUSAGE_SELF)
    about = {
        "seconds": round(used.ru_utime + used.ru_stime, 2),
        "versions": {package: version(package) for package in peer.packages},
    }
    (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")


if __name__ == "__main__":
    main()
