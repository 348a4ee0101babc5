"""Results of machine code as Python's objects.

numba gives an array to Python as a view of its own memory, whose owner is one more object: that
takes half a microsecond, more than the work of a small kernel. A small array is copied into one
that numpy makes, in a third of the time.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from gradcompile.jit.numpy_abi import BYTES, DATA, NEW_ARRAY, field

MAX_COPIED = 1024
"""How many numbers an array has at most that is copied, 8 KiB; longer ones take longer to copy."""


class Boxing:
    """Writes the LLVM code that boxes a result.

    Args:
        context: numba's, of the target.
        builder: where the code goes.
        environment: keeps Python's objects for the machine code.
    """

    def __init__(self, context: Any, builder: Any, environment: Any) -> None:
        self.context, self.builder, self.environment = context, builder, environment
        self.api = context.get_python_api(builder)

    def boxed(self, kind: Any, value: Any) -> Any:
        """Box a number, an array, or a tuple of such, nested or not."""
        parts: Any = kind
        if isinstance(kind, types.BaseTuple):
            whole = self.api.tuple_new(len(parts))
            for k, part in enumerate(parts):
                item = self.boxed(part, self.builder.extract_value(value, k))
                self.api.tuple_setitem(whole, k, item)
            return whole
        if isinstance(kind, types.Array) and (kind.dtype, kind.layout) == (types.float64, "C"):
            return self._array(kind, value)
        return self.api.from_native_value(kind, value, self.environment)

    def _array(self, kind: Any, value: Any) -> Any:
        builder = self.builder
        array = self.context.make_array(kind)(self.context, builder, value)
        result = cgutils.alloca_once(builder, self.api.pyobj)
        small = builder.icmp_signed("<=", array.nitems, array.nitems.type(MAX_COPIED))
        with builder.if_else(small, likely=True) as (then, otherwise):
            with then:
                builder.store(self._copied(kind, array), result)
                self.context.nrt.decref(builder, kind, value)
            with otherwise:
                builder.store(self.api.from_native_value(kind, value, self.environment), result)
        return builder.load(result)

    def _copied(self, kind: Any, array: Any) -> Any:
        """Copy an array into one of numpy's; NULL if there is no memory for it."""
        builder, place = self.builder, cgutils.alloca_once_value(self.builder, array.shape)
        pointer, word, number = BYTES, array.nitems.type, ir.IntType(32)
        dimensions = builder.bitcast(place, word.as_pointer())
        types_ = [
            pointer,
            number,
            dimensions.type,
            number,
            pointer,
            pointer,
            number,
            number,
            pointer,
        ]
        new = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(self.api.pyobj, types_), NEW_ARRAY
        )
        known = self.environment.read_const(self.environment.add_const(np.ndarray))
        nothing = ir.Constant(pointer, None)
        made = builder.call(new, [
            builder.bitcast(known, pointer), number(kind.ndim), dimensions,
            number(np.dtype(np.float64).num), nothing, nothing, number(0), number(0), nothing,
        ])  # fmt: skip
        with builder.if_then(cgutils.is_not_null(builder, made), likely=True):
            data = field(builder, made, DATA, BYTES)
            target = builder.bitcast(data, array.data.type)
            cgutils.raw_memcpy(builder, target, array.data, array.nitems, array.itemsize)
        return made
