"""What translated text calls: what numba would call, lowered by numba itself, once a module.

LLVM inlines these functions wherever they are called.
"""

from collections.abc import Sequence
from types import BuiltinFunctionType
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function

from gradcompile.jit.instructions import Callee

DOUBLE = ir.DoubleType()


def add_called(context: Any, module: Any, call: Callee, function: Any) -> None:
    """Add the function that translated text knows by the symbol of a call.

    Args:
        context: numba's, of the target.
        module: where it goes.
        call: by what the text calls it.
        function: what numba is to call.
    """
    plain = _inlined(module, ir.FunctionType(DOUBLE, [DOUBLE] * call.arity), call.symbol)
    builder = ir.IRBuilder(plain.append_basic_block("entry"))
    if isinstance(function, types.ExternalFunction):
        builder.ret(
            builder.call(get_or_insert_function(module, plain.ftype, function.symbol), plain.args)
        )
    elif isinstance(function, BuiltinFunctionType):
        builder.ret(_lowered(context, builder, function, plain.args))
    else:
        builder.ret(_through_numba(context, builder, function, plain.args))


def _inlined(module: Any, kind: Any, name: str) -> Any:
    function = ir.Function(module, kind, name)
    function.linkage = "internal"
    function.attributes.add("alwaysinline")
    return function


def _lowered(context: Any, builder: Any, function: Any, operands: Sequence[Any]) -> Any:
    """Write a call as numba does."""
    typing = context.typing_context
    known = typing.resolve_value_type(function)
    sig = typing.resolve_function_type(known, [types.float64] * len(operands), {})
    return context.get_function(known, sig)(builder, operands)


def _through_numba(context: Any, builder: Any, function: Any, operands: Sequence[Any]) -> Any:
    """Write a call of a function with a text, or of numpy's, in a function of numba's kind.

    Where such a text raises, numba leaves the function that calls it. None of ours does.
    """
    convention, kinds = context.call_conv, [types.float64] * len(operands)
    kind = convention.get_function_type(types.float64, kinds)
    inner = _inlined(builder.module, kind, f"{builder.function.name}.")
    inside = ir.IRBuilder(inner.append_basic_block("entry"))
    given = convention.get_arguments(inner)
    convention.return_value(inside, _lowered(context, inside, function, given))
    return convention.call_function(builder, inner, types.float64, kinds, operands)[1]
