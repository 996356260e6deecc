"""The only place where floats are added up: sequential numba without fastmath, and one own exp and log.

The same inputs give the same bits whatever the batch, the memory order or the vector unit. `exp` and `log`
use + - * / and exact scaling by powers of two only, so no library's version or processor changes a bit.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit

from engine.records import Floats

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile with numba: sequential, no fastmath, cached between processes."""
    return cast(Function, njit(cache=True)(function))


_LN2_HIGH = float.fromhex("0x1.62e42fefap-1")
"""The leading bits of ln 2: times any exponent of a float64 it is still exact."""
_LN2_LOW = float.fromhex("0x1.cf79abc9e3b3ap-40")
_PER_LN2 = 1.0 / math.log(2.0)
_NORMAL_PEAK = 1.0 / math.sqrt(2.0 * math.pi)
_HALF_ROOT = math.sqrt(0.5)
_EXP_LARGEST = 709.782712893384
_EXP_SMALLEST = -745.1332191019412
_EXP_TERMS = tuple(1.0 / math.factorial(k) for k in range(14, 1, -1))
_LOG_TERMS = tuple(2.0 / (2 * k + 1) for k in range(12, 0, -1))


@compiled
def _total(values: Floats) -> float:
    added = 0.0
    for value in values:
        added += value
    return added


@compiled
def exp_one(x: float) -> float:
    """e to the power x, for use inside compiled loops."""
    if math.isnan(x):
        return x
    if x > _EXP_LARGEST:
        return math.inf
    if x < _EXP_SMALLEST:
        return 0.0
    halves = math.floor(x * _PER_LN2 + 0.5)
    high = x - halves * _LN2_HIGH
    low = halves * _LN2_LOW
    rest = high - low
    series = 0.0
    for term in _EXP_TERMS:
        series = series * rest + term
    lost = (high - rest) - low
    return math.ldexp(1.0 + (rest + (rest * rest * series + lost)), int(halves))


@compiled
def log_one(x: float) -> float:
    """Natural logarithm of x, for use inside compiled loops."""
    if math.isnan(x) or x < 0.0:
        return math.nan
    if x == 0.0:
        return -math.inf
    if math.isinf(x):
        return x
    part, power = math.frexp(x)
    if part < _HALF_ROOT:
        part *= 2.0
        power -= 1
    over = part - 1.0
    ratio = over / (2.0 + over)
    square = ratio * ratio
    series = 0.0
    for term in _LOG_TERMS:
        series = (series + term) * square
    return power * _LN2_HIGH - ((ratio * (over - series) - power * _LN2_LOW) - over)


@compiled
def normal_tail_one(z: float) -> float:
    """P(a standard normal number > z), for use inside compiled loops; relative error below 1e-12 or so.

    Source:
        Abramowitz and Stegun (1964), 26.2.11 (series) near 0 and 26.2.14 (continued fraction) in the tail.
    """
    if math.isnan(z):
        return z
    if z < 0.0:
        return 1.0 - normal_tail_one(-z)
    density = exp_one(-0.5 * z * z) * _NORMAL_PEAK
    if z > 3.0:
        fraction = z
        for k in range(120, 0, -1):
            fraction = z + k / fraction
        return density / fraction
    term, series = z, z
    for k in range(1, 60):
        term *= z * z / (2 * k + 1)
        series += term
    return 0.5 - density * series


@compiled
def _exp_all(values: Floats, out: Floats) -> None:
    for i in range(values.size):
        out[i] = exp_one(values[i])


@compiled
def _log_all(values: Floats, out: Floats) -> None:
    for i in range(values.size):
        out[i] = log_one(values[i])


@compiled
def _sigmoid_all(values: Floats, out: Floats) -> None:
    for i in range(values.size):
        out[i] = 1.0 / (1.0 + exp_one(-values[i]))


@compiled
def _mixed(key: np.uint64, number: np.uint64) -> np.uint64:
    """The number-th output of the generator SplitMix64 with that key."""
    state = key + (number + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


@compiled
def normal_one(key: np.uint64, number: np.uint64) -> float:
    """The number-th standard normal number of a key (`bits`), for use inside compiled loops.

    Source:
        Steele, Lea and Flood (2014), Fast Splittable Pseudorandom Number Generators, for the bits; Marsaglia
        and Bray (1964), A Convenient Method for Generating Normal Variables, for the polar method.
    """
    own = _mixed(key, number)
    tried = np.uint64(0)
    while True:
        x = 2.0 * (float(_mixed(own, tried) >> np.uint64(11)) / 9007199254740992.0) - 1.0
        y = 2.0 * (float(_mixed(own, tried + np.uint64(1)) >> np.uint64(11)) / 9007199254740992.0) - 1.0
        square = x * x + y * y
        if 0.0 < square < 1.0:
            return x * math.sqrt(-2.0 * log_one(square) / square)
        tried += np.uint64(2)


def _elementwise(kernel: Callable[[Floats, Floats], None], values: Floats) -> Floats:
    flat = np.asarray(values, dtype=np.float64).ravel()
    out = np.empty_like(flat)
    kernel(flat, out)
    return out.reshape(np.shape(values))


def total(values: Floats) -> float:
    """Sum in the order given; shape (n,). 0.0 for none."""
    return float(_total(np.asarray(values, dtype=np.float64)))


def added(values: Iterable[float]) -> float:
    """Sum of a few numbers in the order given, without the cost of an array. 0.0 for none."""
    found = 0.0
    for value in values:
        found = found + value
    return found


def mean(values: Floats) -> float:
    """Sequential mean; shape (n,). NaN for none."""
    return total(values) / len(values) if len(values) else math.nan


def exp(values: Floats) -> Floats:
    """e to the power, elementwise; within 1 ulp or so of libm, same bits everywhere; any shape.

    Source:
        Reduction to x = k ln 2 + r, |r| <= ln 2 / 2, and the Taylor series of e^r.
    """
    return _elementwise(_exp_all, values)


def log(values: Floats) -> Floats:
    """Natural logarithm, elementwise; same bits everywhere; any shape. log(0) = -inf, of negatives NaN.

    Source:
        x = 2^k m with m in [sqrt(1/2), sqrt(2)) and the series of 2 artanh(s), s = (m - 1) / (m + 1).
    """
    return _elementwise(_log_all, values)


def sigmoid(raw: Floats) -> Floats:
    """1 / (1 + exp(-raw)), elementwise; any shape."""
    return _elementwise(_sigmoid_all, raw)


def uniform(seed: int, *labels: str | int) -> float:
    """A number in [0, 1) derived from the seed and labels alone (blake2b), whatever the order or batch.

    Labels of different types or borders give different draws: ("a", "b") is not ("ab",), 1 is not "1".
    """
    return (bits(seed, *labels) >> 11) / 2.0**53


def bits(seed: int, *labels: str | int) -> int:
    """A whole number in [0, 2^64) derived from the seed and labels alone, as `uniform` is."""
    message = repr((int(seed), *labels)).encode()
    return int.from_bytes(hashlib.blake2b(message, digest_size=8).digest(), "big")
