"""Rows of a model made some at a time: all of them together would be the largest thing in a training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.features import Features
from engine.records import Floats, Ints

AT_ONCE = 100_000


@dataclass(frozen=True)
class ModelRows:
    """One row for each of some occasions with a treatment; like a matrix of shape (n, columns).

    Attributes:
        features: What was known at all occasions.
        treatment: With which each occasion is seen; shape (of all occasions,).
        places: Which occasions; shape (n,).
    """

    features: Features
    treatment: Ints
    places: Ints

    @classmethod
    def of(cls, features: Features, treatment: Ints | int, places: Ints | None = None) -> ModelRows:
        """All occasions or some, each with its treatment or all with the same."""
        count = len(features.moments)
        given = np.broadcast_to(np.asarray(treatment, dtype=np.int64), (count,))
        return cls(features, given, np.arange(count) if places is None else places)

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, rows: slice | Ints) -> Floats:
        """Some of the rows; shape (rows, columns)."""
        places = self.places[rows]
        return self.features.row_matrix(self.treatment[places], places)
