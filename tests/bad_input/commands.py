"""The command line as a person or a scheduler meets it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from api.cli import main


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line of what went wrong: the last of standard error, where progress is said too."""
        lines = [line for line in self.err.splitlines() if line.startswith("nextbest: ")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        return lines[0]


Run = Callable[..., Ended]


@contextmanager
def _environment(**changed: str) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(changed)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def runner(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """A function that runs `nextbest` with some arguments on a home."""

    def run(*arguments: str, **environment: str) -> Ended:
        places = {
            "NEXTBEST_HOME": str(home),
            "NEXTBEST_MODELS": str(home / "models"),
            "NEXTBEST_PROCESSES": "1",
        }
        before, sys.argv = sys.argv, ["nextbest", *arguments]
        capsys.readouterr()
        try:
            with _environment(**(places | environment)):
                main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            sys.argv = before
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return run
