"""Scratch memory in machine code: on the stack, where it is small.

Memory from the heap has to be asked for and given back at every call, and each view of it counts
references, by instructions that lock the memory bus. Scratch memory never leaves the function that
asks for it, so it needs neither.
"""

from collections.abc import Sequence
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
    lower_builtin(blocks.scratch, types.IntegerLiteral, types.IntegerLiteral)(_scratch)


class _Scratch(AbstractTemplate):
    prefer_literal = True

    def generic(self, args: Any, kws: Any) -> Any:
        """Infer the type of a call."""
        return signature(types.Array(types.float64, 2, "C"), *args)


def _scratch(context: Any, builder: Any, sig: Any, args: Sequence[Any]) -> Any:
    """Lower a call of `scratch` with two sizes that the text says."""
    rows, width = (size.literal_value for size in sig.args)
    if 8 * rows * width > MAX_BYTES_ON_STACK:
        return context.compile_internal(builder, blocks.scratch, sig, args)
    double, word = ir.DoubleType(), ir.IntType(64)
    with builder.goto_entry_block():
        memory = builder.alloca(ir.ArrayType(double, rows * width))
        memory.align = CACHE_LINE_BYTES
    array = context.make_array(sig.return_type)(context, builder)
    populate_array(
        array,
        data=builder.bitcast(memory, double.as_pointer()),
        shape=[word(rows), word(width)],
        strides=[word(8 * width), word(8)],
        itemsize=word(8),
        meminfo=None,  # nobody owns it
    )
    return array._getvalue()
