"""Eight numbers that compiled code handles as one: `load`, `store`, `splat`, + - * /.

`load_some` and `store_some` touch no more than the first `count` of them in memory.

A compiler makes such code of a loop over eight points only where it can tell that the
arrays in it do not overlap. Here it need not: a register of numbers is a type of
Numba's, on any processor, and takes the compiler less time than the loop.
"""

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

LANES = 8
"""Numbers of a register."""

_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_INDEX, _ALIGNED = ir.IntType(32), ir.Constant(ir.IntType(32), 8)
_FLAGS = "contract", "reassoc", "nsz", "arcp"


class Register(types.Type):
    """Type of eight float64."""

    def __init__(self) -> None:
        super().__init__("Register")


REGISTER = Register()


@register_model(Register)
class _RegisterModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


def _broadcast(builder: Any, number: Any) -> Any:
    """A register of one number."""
    empty = ir.Constant(ir.VectorType(number.type, LANES), ir.Undefined)
    one = builder.insert_element(empty, number, ir.Constant(_INDEX, 0))
    mask = ir.Constant(ir.VectorType(_INDEX, LANES), [0] * LANES)
    return builder.shuffle_vector(one, empty, mask)


def _first(builder: Any, count: Any) -> Any:
    """Which lanes are the first `count`."""
    counts = _broadcast(builder, count)
    lanes = ir.Constant(counts.type, list(range(LANES)))
    return builder.icmp_unsigned("<", lanes, counts)


def _masked(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    """Call an instruction of LLVM's that leaves lanes out."""
    kind = ir.FunctionType(result, [own.type for own in arguments])
    name = f"llvm.masked.{name}.v{LANES}f64.p0v{LANES}f64"
    return builder.call(builder.module.declare_intrinsic(name, fnty=kind), arguments)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """Where the register is that begins at an index of a contiguous array."""
    if kind.layout != "C" or kind.dtype != types.float64:
        raise TypeError(f"{kind} is no contiguous array of float64")
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _VECTOR.as_pointer())


def _splat(typing: Any, number: Any) -> Any:
    """A register of one number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _broadcast(builder, arguments[0])

    return REGISTER(types.float64), generate


def _load(typing: Any, array: Any, index: Any) -> Any:
    """Eight numbers of a flat contiguous array, from an index on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], *arguments)
        made = builder.load(pointer)
        made.align = 8
        return made

    return REGISTER(array, types.uint64), generate


def _store(typing: Any, array: Any, index: Any, register: Any) -> Any:
    """Write eight numbers into a flat contiguous array, from an index on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, index, value = arguments
        pointer = _pointer(context, builder, signature.args[0], array, index)
        builder.store(value, pointer, align=8)
        return context.get_dummy_value()

    return types.void(array, types.uint64, register), generate


def _load_some(typing: Any, array: Any, index: Any, count: Any) -> Any:
    """The first `count` of eight numbers from an index on; zeros for the others."""
    del typing

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, index, count = arguments
        pointer = _pointer(context, builder, signature.args[0], array, index)
        zeros = ir.Constant(_VECTOR, [0.0] * LANES)
        own = [pointer, _ALIGNED, _first(builder, count), zeros]
        return _masked(builder, "load", _VECTOR, own)

    return REGISTER(array, types.uint64, types.uint64), generate


def _store_some(typing: Any, array: Any, index: Any, register: Any, count: Any) -> Any:
    """Write the first `count` of eight numbers into an array, from an index on."""
    del typing

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, index, value, count = arguments
        pointer = _pointer(context, builder, signature.args[0], array, index)
        own = [value, pointer, _ALIGNED, _first(builder, count)]
        _masked(builder, "store", ir.VoidType(), own)
        return context.get_dummy_value()

    return types.void(array, types.uint64, register, types.uint64), generate


splat: Any = intrinsic(_splat)
load: Any = intrinsic(_load)
store: Any = intrinsic(_store)
load_some: Any = intrinsic(_load_some)
store_some: Any = intrinsic(_store_some)


def _arithmetic(function: Any, name: str) -> None:
    """Let compiled code use an operator of two registers, or of one and a number."""

    @infer_global(function)  # pyright: ignore[reportOptionalCall]
    class _Template(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            kinds = [kind for kind in args if isinstance(kind, Register)]
            if len(args) != 2 or not kinds:
                return None
            a, b = (k if isinstance(k, Register) else types.float64 for k in args)
            return signature(REGISTER, a, b)

    def lower(*kinds: Any) -> Callable[..., Any]:
        @lower_builtin(function, *kinds)
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            a, b = (
                own if isinstance(kind, Register) else _broadcast(builder, own)
                for own, kind in zip(arguments, signature.args, strict=True)
            )
            return getattr(builder, name)(a, b, flags=_FLAGS)

        return generate

    for kinds in (
        (Register, Register),
        (Register, types.Float),
        (types.Float, Register),
    ):
        lower(*kinds)


for _function, _name in (
    (operator.add, "fadd"),
    (operator.iadd, "fadd"),
    (operator.sub, "fsub"),
    (operator.isub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _arithmetic(_function, _name)
