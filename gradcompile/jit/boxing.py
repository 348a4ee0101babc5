"""Results of machine code as Python's objects.

numba gives an array to Python as a view of its own memory, whose owner is one more object: that
takes half a microsecond, more than the work of a small kernel. A small array is copied into one
that numpy makes, in a third of the time.
"""

from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils

MAX_COPIED = 1024
"""How many numbers an array has at most that is copied, 8 KiB; longer ones take longer to copy."""


class Boxing:
    """Writes the LLVM code that boxes a result.

    Args:
        context: numba's, of the target.
        unboxing: numba's API of Python, where arrays are unboxed without counting references.
        builder: where the code goes.
        environment: keeps numpy's function for the machine code.
    """

    def __init__(self, context: Any, unboxing: Any, builder: Any, environment: Any) -> None:
        self.context, self.builder, self.environment = context, builder, environment
        self.api = context.get_python_api(builder)
        self.unboxing = unboxing

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
        api, builder = self.api, self.builder
        empty = self.environment.read_const(self.environment.add_const(np.empty))
        extents = cgutils.unpack_tuple(builder, array.shape, kind.ndim)
        shape = api.tuple_new(kind.ndim)
        for axis, extent in enumerate(extents):
            api.tuple_setitem(shape, axis, api.long_from_ssize_t(extent))
        made = api.call_function_objargs(empty, (shape,))
        api.decref(shape)
        with builder.if_then(cgutils.is_not_null(builder, made), likely=True):
            copy = self.context.make_array(kind)(
                self.context, builder, self.unboxing.to_native_value(kind, made).value
            )
            cgutils.raw_memcpy(builder, copy.data, array.data, array.nitems, array.itemsize)
        return made
