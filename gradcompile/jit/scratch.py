"""Scratch memory in machine code: on the stack, where it is small.

Memory from the heap has to be asked for and given back at every call, and each view of it counts
references, by instructions that lock the memory bus. Scratch memory never leaves the function that
asks for it, so it needs neither.
"""

from collections.abc import Sequence
from math import prod
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin
from numba.np.arrayobj import populate_array

from gradcompile import blocks

MAX_BYTES_ON_STACK = 2**17
"""Larger arrays lie on the heap: threads have stacks of 512 KiB or more."""

CACHE_LINE_BYTES = 8 * blocks.ROWS_PER_CACHE_LINE


def register_scratch() -> None:
    """Tell numba what `blocks.scratch` means."""
    infer_global(blocks.scratch)(_Scratch)
    lower_builtin(blocks.scratch, types.VarArg(types.IntegerLiteral))(_scratch)


class _Scratch(AbstractTemplate):
    prefer_literal = True

    def generic(self, args: Any, kws: Any) -> Any:
        """Infer the type of a call."""
        return signature(types.Array(types.float64, len(args), "C"), *args)


def _scratch(context: Any, builder: Any, sig: Any, args: Sequence[Any]) -> Any:
    """Lower a call of `scratch` with sizes that the text says."""
    shape = [size.literal_value for size in sig.args]
    size, word = prod(shape), ir.IntType(64)
    if 8 * size > MAX_BYTES_ON_STACK:
        tuple_type = types.UniTuple(types.intp, len(shape))
        extents = context.make_tuple(builder, tuple_type, [word(extent) for extent in shape])
        own = signature(sig.return_type, tuple_type)
        return context.compile_internal(builder, blocks.on_heap, own, [extents])
    double = ir.DoubleType()
    with builder.goto_entry_block():
        memory = builder.alloca(ir.ArrayType(double, size))
        memory.align = CACHE_LINE_BYTES
    array = context.make_array(sig.return_type)(context, builder)
    populate_array(
        array,
        data=builder.bitcast(memory, double.as_pointer()),
        shape=[word(extent) for extent in shape],
        strides=[word(8 * prod(shape[axis + 1 :])) for axis in range(len(shape))],
        itemsize=word(8),
        meminfo=None,  # nobody owns it
    )
    return array._getvalue()
