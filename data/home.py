"""Where things are kept: one state directory (NEXTBEST_HOME) and one for releases (NEXTBEST_MODELS)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


class DataError(RuntimeError):
    """Something that is kept, or was to be, is wrong; one line for the person who runs the command.

    `exit_code` is what a command ends with (docs/operations.md lists them).
    """

    exit_code = 1


@dataclass(frozen=True)
class Home:
    """The state directory.

    Attributes:
        root: NEXTBEST_HOME, default ./var.
        models: NEXTBEST_MODELS, default ./models.
        ledger_url: NEXTBEST_LEDGER_URL, default sqlite:///<root>/ledger.sqlite.
    """

    root: Path
    models: Path
    ledger_url: str

    @classmethod
    def at(cls, root: Path, *, models: Path | None = None, ledger_url: str | None = None) -> Home:
        """A home with defaults filled in; creates nothing."""
        return cls(
            root,
            models if models is not None else Path("models"),
            ledger_url or f"sqlite:///{root.absolute() / 'ledger.sqlite'}",
        )

    @cached_property
    def history(self) -> Path:
        """Folder of the history store."""
        return self.root / "history"

    @property
    def nights(self) -> Path:
        """Folder of the nights' full records."""
        return self.root / "nights"

    @property
    def twins(self) -> Path:
        """Folder of what nights found about twins."""
        return self.root / "twins"

    @property
    def marker_key(self) -> Path:
        """The key under which those who were erased are marked; made with the first of them."""
        return self.root / "marker.key"

    @property
    def rejects(self) -> Path:
        """Folder of rejected rows."""
        return self.root / "rejects"

    @property
    def mlflow_url(self) -> str:
        """SQLite store of MLflow."""
        return f"sqlite:///{self.root.absolute() / 'mlflow.sqlite'}"
