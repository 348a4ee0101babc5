"""What Python calls: the C function around machine code, which knows what it must be given.

numba's own takes for granted that its dispatcher has looked at the types, and looks at no shape; it
takes a reference to each array, with memory to keep it in, and gives it back behind the call, with
the interpreter locked: some 150 ns an array. This one looks at everything itself, in a few
instructions for each argument, and borrows the arrays: whoever calls a function holds its arguments
until it returns. What does not fit is a TypeError.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.callwrapper import PyCallWrapper
from numba.core.lowering import Lower
from numba.np.arrayobj import populate_array

from gradcompile.ir.signature import Bundle
from gradcompile.jit.boxing import Boxing
from gradcompile.jit.numpy_abi import (
    ALIGNED,
    BYTE_ORDER,
    BYTES,
    CONTIGUOUS,
    DATA,
    DIMENSIONS,
    DTYPE,
    EXTENTS,
    FLAGS,
    KIND_OF_ENTRY,
    NATIVE,
    STRIDES,
    TYPE,
    field,
)
from gradcompile.support.arrays import AnyArray

ROWS = -1
"""Stands for the number of rows: what it is does not matter, but all arguments have as many."""

_NUMPY = {types.float64: np.float64, types.int64: np.int64}

WORD, INT = ir.IntType(64), ir.IntType(32)


class Expected(NamedTuple):
    """The arguments that a function must be given.

    Attributes:
        extents: for each argument: of an array, or None for a number.
        message: of the TypeError.
        constants: how many of them, the last ones, are constants of ours.
    """

    extents: tuple[tuple[int, ...] | None, ...]
    message: str
    constants: int = 0

    def fits(self, kinds: Sequence[Any]) -> bool:
        """Are these numba's types of such arguments? Integers would be computed with as such."""
        count = len(self.extents) - self.constants
        return len(kinds) == len(self.extents) and all(
            kind == types.float64
            if extents is None
            else isinstance(kind, types.Array)
            and (kind.dtype, kind.ndim) == (types.float64, len(extents))
            for kind, extents in zip(kinds[:count], self.extents, strict=False)
        )


def expected(name: str, parameters: Sequence[Bundle], constants: Sequence[AnyArray]) -> Expected:
    """Say what a function must be given, by its parameters and the constants behind them."""
    extents = [
        (ROWS, *(group.shape or ())) if group.is_row else group.shape for group in parameters
    ]
    kinds = [
        f"{group.name}, {_named(shape)}" for group, shape in zip(parameters, extents, strict=True)
    ]
    shapes = [constant.shape for constant in constants]
    return Expected((*extents, *shapes), f"{name}: expected {'; '.join(kinds)}", len(shapes))


def _named(shape: tuple[int, ...] | None) -> str:
    if shape is None:
        return "a float"
    inside = ", ".join("n" if extent == ROWS else str(extent) for extent in shape)
    return f"a float64 array of shape ({inside}{',' if len(shape) == 1 else ''})"


class LowerChecking(Lower):
    """numba's lowering to LLVM code, with another wrapper for Python."""

    def create_cpython_wrapper(self, release_gil: bool = False) -> None:
        """Add the wrapper to the library, as numba asks for it."""
        context, descriptor = self.context, self.fndesc
        module = context.create_module("wrapper")
        kind = context.call_conv.get_function_type(descriptor.restype, descriptor.argtypes)
        callee = cgutils.get_or_insert_function(module, kind, descriptor.llvm_func_name)
        parts = context, module, callee, descriptor, self.env, self.call_helper, release_gil
        wrapper = _Wrapper(*parts)
        wrapper.expected = self.metadata["expected"]
        wrapper.build()
        self.library.add_ir_module(module)


class _Wrapper(PyCallWrapper):
    expected: Expected

    def build_wrapper(self, api: Any, builder: Any, closure: Any, args: Any, kws: Any) -> None:
        """Write the body: read the arguments, call, and box the result."""
        convention, descriptor = self.context.call_conv, self.fndesc
        failed = api.get_null_object()
        objects = [api.alloca_obj() for _ in descriptor.argtypes]
        count = len(objects)
        parsed = api.unpack_tuple(args, descriptor.qualname, count, count, *objects)
        with cgutils.if_unlikely(builder, cgutils.is_null(builder, parsed)):
            builder.ret(failed)
        environment = self.get_env(api, builder)
        refused = builder.append_basic_block("refused")
        with builder.goto_block(refused):
            api.err_set_string("PyExc_TypeError", self.expected.message)
            builder.ret(failed)
        reader = _Reader(self.context, builder, environment, refused)
        given = list(reader.read(self.expected, descriptor.argtypes, objects))
        thread = api.save_thread() if self.release_gil else None
        status, result = convention.call_function(
            builder, self.func, descriptor.restype, descriptor.argtypes, given, attrs=("noinline",)
        )
        if thread is not None:
            api.restore_thread(thread)
        with builder.if_then(status.is_ok, likely=True):
            boxing = Boxing(self.context, builder, environment)
            builder.ret(boxing.boxed(descriptor.restype, result))
        convention.raise_error(builder, api, status)
        builder.ret(failed)


class _Reader:
    """Writes the LLVM code that reads the arguments of a call.

    Args:
        context: numba's, of the target.
        builder: where the code goes.
        environment: keeps Python's objects for the machine code.
        refused: where to go if an argument is not what is expected.
    """

    def __init__(self, context: Any, builder: Any, environment: Any, refused: Any) -> None:
        self.context, self.builder, self.environment = context, builder, environment
        self.refused = refused
        self.rows: Any = None
        self.known: dict[type, Any] = {}
        self.api = context.get_python_api(builder)

    def read(self, known: Expected, kinds: Sequence[Any], objects: Sequence[Any]) -> Iterator[Any]:
        """Read each argument."""
        for extents, kind, place in zip(known.extents, kinds, objects, strict=True):
            found = self.builder.load(place)
            if extents is not None:
                yield self._array(kind, found, extents)
            else:
                yield self._number(found)

    def _number(self, found: Any) -> Any:
        """Read a float, or a number from an array of float64."""
        kind = field(self.builder, found, TYPE, BYTES)
        is_float, is_float64 = (self._is(kind, thing) for thing in (float, np.float64))
        self._require(self.builder.or_(is_float, is_float64))
        return self.api.float_as_double(found)

    def _array(self, kind: Any, found: Any, extents: Sequence[int]) -> Any:
        builder, wanted = self.builder, ALIGNED | (CONTIGUOUS if kind.layout == "C" else 0)
        self._require(self._is(field(self.builder, found, TYPE, BYTES), np.ndarray))
        entry = field(self.builder, found, DTYPE, BYTES)
        self._require(
            self._is(field(self.builder, entry, KIND_OF_ENTRY, BYTES), _NUMPY[kind.dtype])
        )
        order = field(self.builder, entry, BYTE_ORDER, ir.IntType(8))
        self._require(builder.icmp_signed("==", order, order.type(NATIVE)))
        count = field(self.builder, found, DIMENSIONS, INT)
        self._require(builder.icmp_signed("==", count, INT(kind.ndim)))
        flags = builder.and_(field(self.builder, found, FLAGS, INT), INT(wanted))
        self._require(builder.icmp_signed("==", flags, INT(wanted)))
        shape = self._words(found, EXTENTS, kind.ndim)
        for extent, known in zip(shape, extents, strict=True):
            if known == ROWS:
                self.rows = self.rows or extent
            self._require(
                builder.icmp_signed("==", extent, self.rows if known == ROWS else WORD(known))
            )
        array = self.context.make_array(kind)(self.context, builder)
        populate_array(
            array,
            data=builder.bitcast(field(self.builder, found, DATA, BYTES), array.data.type),
            shape=shape,
            strides=self._words(found, STRIDES, kind.ndim),
            itemsize=WORD(kind.dtype.bitwidth // 8),
            meminfo=None,  # it is borrowed
            parent=builder.bitcast(found, array.parent.type),
        )
        return array._getvalue()

    def _words(self, found: Any, offset: int, count: int) -> list[Any]:
        first = field(self.builder, found, offset, WORD.as_pointer())
        return [self.builder.load(self.builder.gep(first, [WORD(k)])) for k in range(count)]

    def _is(self, pointer: Any, thing: type) -> Any:
        """Is it a certain type of Python's?"""
        if thing not in self.known:
            known = self.environment.read_const(self.environment.add_const(thing))
            self.known[thing] = self.builder.bitcast(known, BYTES)
        return self.builder.icmp_unsigned("==", pointer, self.known[thing])

    def _require(self, condition: Any) -> None:
        with cgutils.if_unlikely(self.builder, self.builder.not_(condition)):
            self.builder.branch(self.refused)
