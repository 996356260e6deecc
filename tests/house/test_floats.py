"""Law 8: in the engine nothing adds floats up, and nothing takes exp or log, outside numerics.py."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ENGINE = Path(__file__).parents[2] / "engine"
SUMS = frozenset(
    "sum mean average nansum nanmean std var nanstd nanvar prod nanprod cumsum cumprod nancumsum dot vdot "
    "inner outer matmul tensordot einsum trapezoid convolve fsum sumprod cov reduceat accumulate".split()
)
TRANSCENDENTAL = frozenset(
    "exp exp2 expm1 log log1p log2 log10 logaddexp power float_power sinh cosh tanh sin cos tan pow".split()
)
COUNTS = "# counts"
"""On a line that adds up whole numbers or truth values only."""


def float_hazards(source: str) -> list[str]:
    """What in some source could give other bits with another batch, memory order or processor."""
    lines = source.splitlines()
    found = []
    for node in ast.walk(ast.parse(source)):
        name = ""
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            name = "@"
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            unsafe = [k.arg for k in node.keywords if k.arg in ("fastmath", "parallel") and _is_true(k.value)]
            name = unsafe[0] if unsafe else name
        elif isinstance(node, ast.Attribute) and node.attr == "linalg":
            name = "linalg"
        hazardous = name in SUMS | TRANSCENDENTAL | {"@", "linalg", "fastmath", "parallel"}
        if hazardous and not _own(node) and COUNTS not in lines[node.lineno - 1]:
            found.append(f"line {node.lineno}: {name}")
    return found


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and bool(node.value)


def _own(node: ast.AST) -> bool:
    """numerics.exp(...) is ours."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    return isinstance(node.func.value, ast.Name) and node.func.value.id == "numerics"


@pytest.mark.parametrize(
    "path", sorted(p for p in ENGINE.glob("*.py") if p.name != "numerics.py"), ids=lambda p: p.name
)
def test_the_engine_adds_floats_up_only_in_numerics(path: Path) -> None:
    """A NumPy sum depends on memory order: the night and a live event would disagree in the last bit."""
    assert float_hazards(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "total = sum(values)",
        "m = np.mean(x)",
        "y = x.sum()",
        "y = a @ b",
        "y = np.exp(x)",
        "k = njit(fastmath=True)(f)",
        "y = np.linalg.norm(x)",
        "y = frame.select(pl.col('value').sum())",
    ],
)
def test_the_check_sees_a_hazard(source: str) -> None:
    """A check that cannot fail protects nothing."""
    assert float_hazards(source)


@pytest.mark.parametrize(
    "source", ["n = flags.sum()  # counts", "y = a + b", "y = numerics.exp(x)", "y = njit(fastmath=False)(f)"]
)
def test_the_check_lets_safe_code_pass(source: str) -> None:
    """Counting whole numbers is exact in any order."""
    assert float_hazards(source) == []
