"""Eight numbers side by side, worked on at once: for compiled loops that the compiler does not widen itself.

The processor does each operation with several lanes in one step; every lane has the bits that the same
operations would give it alone, whatever the processor's width.
"""

# numba's way to add types is not annotated.
# mypy: disable-error-code="no-untyped-call, untyped-decorator"

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from llvmlite import ir
from numba import types
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from engine.records import Floats

WIDTH = 8


class _LanesType(types.Type):
    def __init__(self) -> None:
        super().__init__(name=f"lanes({WIDTH})")


_LANES = _LanesType()
_EIGHT = ir.VectorType(ir.DoubleType(), WIDTH)
_FIRST = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _EIGHT)


class Lanes:
    """What compiled code takes eight numbers for; + - * / work on each two."""

    if TYPE_CHECKING:  # only compiled code has them

        def __add__(self, other: Lanes) -> Lanes: ...
        def __sub__(self, other: Lanes) -> Lanes: ...
        def __mul__(self, other: Lanes) -> Lanes: ...
        def __truediv__(self, other: Lanes) -> Lanes: ...


def _by_instruction(instruction: str) -> Callable[..., Any]:
    def lowered(_: Any, builder: Any, __: Any, both: Any) -> Any:
        return getattr(builder, instruction)(*both)

    return lowered


for _symbol, _instruction in (
    (operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul"), (operator.truediv, "fdiv"),
):  # fmt: skip
    _cases = {"cases": [signature(_LANES, _LANES, _LANES)]}
    infer_global(_symbol)(type(f"_{_instruction}", (ConcreteTemplate,), _cases))
    lower_builtin(_symbol, _LanesType, _LanesType)(_by_instruction(_instruction))


def _address(context: Any, builder: Any, kind: Any, array: Any, place: Any) -> Any:
    data = context.make_array(kind)(context, builder, value=array).data
    return builder.bitcast(builder.gep(data, [place]), _EIGHT.as_pointer())


def _load(_: Any, array: Any, place: Any) -> Any:
    def generate(context: Any, builder: Any, kinds: Any, given: Any) -> Any:
        eight = builder.load(_address(context, builder, kinds.args[0], *given))
        eight.align = 8
        return eight

    return _LANES(array, types.int64), generate


def _store(_: Any, array: Any, place: Any, eight: Any) -> Any:
    def generate(context: Any, builder: Any, kinds: Any, given: Any) -> Any:
        array, place, eight = given
        builder.store(eight, _address(context, builder, kinds.args[0], array, place)).align = 8
        return context.get_dummy_value()

    return types.void(array, types.int64, _LANES), generate


def _spread(_: Any, number: Any) -> Any:
    def generate(context: Any, builder: Any, _: Any, given: Any) -> Any:
        nothing = ir.Constant(_EIGHT, ir.Undefined)
        first = builder.insert_element(nothing, given[0], ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(first, nothing, _FIRST)

    return _LANES(types.float64), generate


def _choose(_: Any, condition: Any, if_so: Any, if_not: Any) -> Any:
    def generate(context: Any, builder: Any, _: Any, given: Any) -> Any:
        return builder.select(*given)

    return _LANES(types.boolean, _LANES, _LANES), generate


load = cast(Callable[[Floats, int], Lanes], intrinsic(_load))
"""load(array, place): eight numbers of a one-dimensional, contiguous array, from the place on."""
store = cast(Callable[[Floats, int, Lanes], None], intrinsic(_store))
"""store(array, place, eight): the other way round."""
spread = cast(Callable[[float], Lanes], intrinsic(_spread))
"""spread(number): the same number eight times."""
choose = cast(Callable[[bool, Lanes, Lanes], Lanes], intrinsic(_choose))
"""choose(condition, if_so, if_not): one of them, without a jump."""
