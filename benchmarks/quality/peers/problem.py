"""What a peer is given, as arrays in a folder, and the shapes in which tools like to have it.

Rows are cases; T treatments, number 0 being no contact. `context` is the same for all treatments of a row:
the account's facts and those of every channel, topic and message, side by side.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

LEAST_CASES = 50
"""A treatment with fewer cases is not learned, as in the product."""
GROUPS = ("account", "channel", "topic", "message")


@dataclass(frozen=True)
class Part:
    """Rows to learn from or to decide on.

    Attributes:
        known: Group -> facts: account (n, A), channel (n, C, F), topic (n, P, F), message (n, T, F).
        eligible: Shape (n, T).
    """

    known: dict[str, Array]
    eligible: Array

    def __len__(self) -> int:
        return len(self.eligible)

    @cached_property
    def context(self) -> Array:
        """All that is known of a row, whatever the treatment; float32, NaN = not known; shape (n, D)."""
        return np.concatenate([self.known[name].reshape(len(self), -1) for name in GROUPS], axis=1)


@dataclass(frozen=True)
class Problem:
    """Cases, and moments at which to choose.

    Attributes:
        own, asked: To learn from, and to choose for.
        action: Index of the treatment; shape (n,).
        probability: With which it was chosen, as logged or as the product estimates it; shape (n,).
        reward: Net of cost, in currency; shape (n,).
        facts: cost, channel_of, topic_of by treatment; `codes` = number of levels of the account's
            columns that are codes (0 = a number); seed.
    """

    own: Part
    asked: Part
    action: Array
    probability: Array
    reward: Array
    facts: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Problem:
        """Read a folder that `write` of the bench has made."""
        facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        own, asked = (_part(folder, name) for name in ("own", "asked"))
        columns = (np.load(folder / f"{name}.npy") for name in ("action", "probability", "reward"))
        return cls(own, asked, *columns, facts)

    @property
    def seed(self) -> int:
        """Of whatever the peer draws."""
        return int(self.facts["seed"])

    @cached_property
    def learned(self) -> list[int]:
        """Treatments with enough cases."""
        counts = np.bincount(self.action, minlength=self.own.eligible.shape[1])
        return [int(index) for index in np.flatnonzero(counts >= LEAST_CASES)]

    @cached_property
    def usable(self) -> Array:
        """Rows whose treatment is learned."""
        return np.flatnonzero(np.isin(self.action, self.learned))

    def tree_contexts(self) -> tuple[Array, Array]:
        """Contexts for trees: codes as numbers, NaN left in, constant columns dropped; (n, D), (m, D)."""
        own, asked = self.own.context, self.asked.context
        varying = np.nanmin(_filled(own, np.inf), axis=0) < np.nanmax(_filled(own, -np.inf), axis=0)
        return own[:, varying], asked[:, varying]

    def linear_contexts(self, most_levels: int = 30) -> tuple[Array, Array]:
        """Contexts for linear models: codes as indicators, counts as logarithms, standardised, known or 0.

        Columns with more levels than `most_levels` are left out.
        """
        own, asked = self.own.context, self.asked.context
        codes = self.facts["codes"] + [0] * (own.shape[1] - len(self.facts["codes"]))
        numbers = [place for place, levels in enumerate(codes) if not levels]
        indicators = [
            (p, v) for p, levels in enumerate(codes) if 0 < levels <= most_levels for v in range(levels)
        ]
        parts = []
        for context in (own, asked):
            plain = np.sign(context[:, numbers]) * np.log1p(np.abs(context[:, numbers]))
            flags = [(context[:, p] == v).astype(np.float32)[:, None] for p, v in indicators]
            parts.append(np.concatenate([plain, *flags], axis=1))
        mean, spread = np.nanmean(_silent(parts[0]), axis=0), np.nanstd(_silent(parts[0]), axis=0)
        kept = spread > 1e-6
        scaled = [np.nan_to_num((part[:, kept] - mean[kept]) / spread[kept]) for part in parts]
        return scaled[0].astype(np.float64), scaled[1].astype(np.float64)

    def greedy(self, values: Array) -> Array:
        """The eligible learned treatment with the highest value; `values` (m, len(learned)); shape (m,)."""
        full = np.full(self.asked.eligible.shape, -np.inf)
        full[:, self.learned] = np.nan_to_num(values, nan=-np.inf)
        return np.where(self.asked.eligible, full, -np.inf).argmax(axis=1)


def _part(folder: Path, name: str) -> Part:
    known = {group: np.load(folder / f"{name}_{group}.npy") for group in GROUPS}
    return Part(known, np.load(folder / f"{name}_eligible.npy"))


def _filled(values: Array, fill: float) -> Array:
    return np.where(np.isnan(values), fill, values)


def _silent(values: Array) -> Array:
    """Columns without any known value become 0, which numpy would warn of."""
    return np.where(np.isnan(values).all(axis=0), 0.0, values)
