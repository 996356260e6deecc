"""The only place where floats are added up: sequential numba without fastmath, and one own exp and log.

The same inputs give the same bits whatever the batch, the memory order or the vector unit.
"""

from __future__ import annotations

from engine.records import Floats


def total(values: Floats) -> float:
    """Sum in the order given; shape (n,). 0.0 for none."""
    raise NotImplementedError


def mean(values: Floats) -> float:
    """Sequential mean; shape (n,). NaN for none."""
    raise NotImplementedError


def exp(values: Floats) -> Floats:
    """e to the power, elementwise; within 1 ulp-ish of libm, same bits everywhere; any shape."""
    raise NotImplementedError


def log(values: Floats) -> Floats:
    """Natural logarithm, elementwise; same bits everywhere; any shape."""
    raise NotImplementedError


def sigmoid(raw: Floats) -> Floats:
    """1 / (1 + exp(-raw)), elementwise; any shape."""
    raise NotImplementedError


def uniform(seed: int, *labels: str | int) -> float:
    """A number in [0, 1) derived from the seed and labels alone (blake2b): order and parallelism cannot change it."""
    raise NotImplementedError
