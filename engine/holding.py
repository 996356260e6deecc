"""What compiled loops are handed again and again, unpacked once: a call costs a step for every array.

Compiled code hands it on as an address and reads a field where it is used. Handed on as tuples, every array
in them would be an argument of every function, which takes most of a minute to compile.
"""

# numba's way to add types is not annotated.
# mypy: disable-error-code="no-untyped-call, untyped-decorator, override"

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from numba import types
from numba.core import cgutils
from numba.core.imputils import impl_ret_borrowed
from numba.core.typing.templates import AttributeTemplate
from numba.experimental import structref
from numba.experimental.jitclass.base import imp_dtor
from numba.extending import infer_getattr, intrinsic, lower_getattr_generic, models, register_model

from engine.numerics import compiled


class _HeldType(types.StructRef):
    """By the fields of the tuple that is held."""


class _PartType(types.Type):
    """A named tuple within one that is held: its address, good as long as the whole is held."""

    def __init__(self, of: Any) -> None:
        self.of = of
        super().__init__(name=f"part({of})")


register_model(_HeldType)(models.StructRefModel)


@register_model(_PartType)
class _PartModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, manager[kind.of].get_value_type().as_pointer())


class Held(structref.StructRefProxy):
    """A named tuple of arrays; compiled loops read its fields, and those of tuples in it, by name.

    Arrays are lent to them: a loop must not return one.
    """

    given: Any

    if TYPE_CHECKING:  # only compiled code reads fields

        def __getattr__(self, field: str) -> Any: ...

    def __reduce__(self) -> tuple[Callable[[Any], Held], tuple[Any]]:
        return hold, (self.given,)


structref.define_boxing(_HeldType, Held)


def hold(value: Any) -> Held:
    """Hold a named tuple; nothing is copied. What is held goes to another process as the tuple would."""
    held = _hold(value)
    held.given = value
    return held


@compiled
def _hold(value: Any) -> Held:
    return _held(value)


def _lay_out(_: Any, value: Any) -> Any:
    kind = _HeldType(list(zip(value.fields, value.types, strict=True)))

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        context.nrt.incref(builder, value, given[0])
        payload = context.data_model_manager[kind.get_data_type()].get_value_type()
        size = context.get_constant(types.uintp, context.get_abi_sizeof(payload))
        held = context.make_helper(builder, kind)
        held.meminfo = context.nrt.meminfo_alloc_dtor(builder, size, imp_dtor(context, builder.module, kind))
        place = structref._Utils(context, builder, kind).get_data_pointer(held._getvalue())
        for field in range(len(value)):
            part = builder.extract_value(given[0], field)
            builder.store(part, cgutils.gep_inbounds(builder, place, 0, field))
        return held._getvalue()

    return kind(value), generate


_held = cast(Callable[[Any], Held], intrinsic(_lay_out))


def _read(kind: Any) -> Any:
    """What a field is to compiled code that reads it: a tuple in a tuple stays where it is."""
    return _PartType(kind) if isinstance(kind, types.BaseNamedTuple) else kind


def _load(context: Any, builder: Any, kind: Any, place: Any) -> Any:
    if isinstance(kind, types.BaseNamedTuple):
        return place
    if not isinstance(kind, types.Array):
        return impl_ret_borrowed(context, builder, kind, builder.load(place))
    # Lent, since the whole is held: to count who uses an array would take longer than to use it.
    lent = context.make_array(kind)(context, builder, value=builder.load(place))
    lent.meminfo, lent.parent = (cgutils.get_null_value(part.type) for part in (lent.meminfo, lent.parent))
    return lent._getvalue()


@infer_getattr
class _OfHeld(AttributeTemplate):
    key = _HeldType

    def generic_resolve(self, kind: Any, name: str) -> Any:
        return _read(kind.field_dict[name])


@infer_getattr
class _OfPart(AttributeTemplate):
    key = _PartType

    def generic_resolve(self, kind: Any, name: str) -> Any:
        return _read(kind.of.types[kind.of.fields.index(name)])


@lower_getattr_generic(_HeldType)
def _get_of_held(context: Any, builder: Any, kind: Any, held: Any, name: str) -> Any:
    place = structref._Utils(context, builder, kind).get_data_pointer(held)
    field = list(kind.field_dict).index(name)
    return _load(context, builder, kind.field_dict[name], cgutils.gep_inbounds(builder, place, 0, field))


@lower_getattr_generic(_PartType)
def _get_of_part(context: Any, builder: Any, kind: Any, part: Any, name: str) -> Any:
    field = kind.of.fields.index(name)
    return _load(context, builder, kind.of.types[field], cgutils.gep_inbounds(builder, part, 0, field))
