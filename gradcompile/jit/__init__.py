"""Emitted source → machine code, by numba; this package alone imports it.

numba compiles the emitted function itself.

    flags.py         how everything is compiled: numba's options and LLVM's flags
    meanings.py      what the functions that emitted text imports mean to numba
    tiles.py         machine code for products of matrices, tile by tile
    rare_calls.py    LLVM text for a rare call inside vector code
    wide_vectors.py  numba's compiler, but for the widest vectors
    cache.py         machine code kept on disk, with a checksum
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from threading import RLock
from types import FunctionType
from typing import Any

import numba
from numba import types
from numba.core.compiler import Compiler
from numba.core.datamodel.models import PointerModel
from numba.core.registry import CPUDispatcher
from numba.core.typeconv.castgraph import Conversion
from numba.extending import lower_cast, register_model

from gradcompile.jit.cache import KernelCache, keeping
from gradcompile.jit.flags import REASSOCIATION, SETTINGS
from gradcompile.jit.meanings import INTERNAL, register
from gradcompile.jit.wide_vectors import WidestVectors
from gradcompile.support.arrays import AnyArray

SIGNATURE = (numba.float64[::1],)
"""A kernel takes one contiguous float64 array."""

MATRIX_OF_ROWS = types.Array(types.float64, 2, "A", readonly=True)
"""A matrix of rows may be a view of any kind, and is only read."""

_registered: list[bool] = []
_registration = RLock()  # numba may call this again inside of it


def register_numba() -> None:
    """Tell numba all that emitted text needs; numba calls this itself when it starts."""
    with _registration:
        if not _registered:
            _registered.append(True)
            register()
            register_model(Entries)(PointerModel)
            lower_cast(types.Array, Entries)(_entries_of)


def jit(
    function: Callable[..., Any],
    constants: Sequence[AnyArray] = (),
    *,
    loops: bool = False,
    strict: bool = False,
    use_cache: bool = True,
    matrices: int = 0,
) -> Any:
    """Compile an emitted function for flat arrays; returns the numba dispatcher.

    Args:
        function: from executing an emitted module.
        constants: what it takes after the inputs; only their types matter.
        loops: is it made of loops? Then sums may be added in any order, as vector code needs it.
        strict: keep the order of sums nevertheless.
        use_cache: keep the machine code beside the function's source file.
        matrices: how many matrices of rows it takes, as a tuple between inputs and constants.
    """
    register_numba()
    settings = {**SETTINGS, "fastmath": set(REASSOCIATION) if loops and not strict else False}
    if matrices:
        settings["nogil"] = True  # rows may be spread over threads
    part = _loop_part if loops else Part
    with_parts = _with_parts(function, lambda f: part(f, targetoptions={**INTERNAL, **settings}))
    rows = (types.UniTuple(MATRIX_OF_ROWS, matrices),) if matrices else ()
    pipeline = WidestVectors if loops else Compiler
    dispatcher = numba.njit(with_parts, pipeline_class=pipeline, **settings)
    path = Path(function.__code__.co_filename)
    keeps = use_cache and path.is_file()
    if keeps:
        dispatcher._cache = KernelCache(path, strict)
    with keeping(keeps):
        dispatcher.compile((*SIGNATURE, *rows, *map(numba.typeof, constants)))
    if matrices:  # other kinds of arrays are read as what it was compiled for
        dispatcher.disable_compile()
    return dispatcher


def entry(dispatcher: Any) -> Any:
    """Return the machine code that `jit` made, without the dispatcher and its look at all types.

    It is for arguments that are known to be float64 arrays of the right dimensions, aligned, and
    contiguous where that was said; only their dimensions are looked at.
    """
    return next(iter(dispatcher.overloads.values())).entry_point


class Entries(types.CPointer):
    """The entries of an array, as the parts of a split text are given them.

    A part does nothing with its arrays but read and write entries, thousands of them, and numba
    compiles that three times as fast through a pointer.
    """

    def can_convert_from(self, typingctx: Any, other: Any) -> Conversion | None:
        """Allow an array where its entries are asked for."""
        return Conversion.safe if other == SIGNATURE[0] else None


ENTRIES = Entries(numba.float64)


def _entries_of(context: Any, builder: Any, array: Any, _: Any, value: Any) -> Any:
    """Cast an array to its entries, in LLVM IR."""
    return context.make_array(array)(context, builder, value).data


_loop_part = partial(CPUDispatcher, pipeline_class=WidestVectors)
"""The dispatcher of a part that is made of loops: it makes matrices of its arrays."""


class Part(CPUDispatcher):
    """The dispatcher of a part: compiled when the function that calls it is."""

    def get_call_template(self, args: Any, kws: Any) -> Any:
        """Read a call with arrays as one with their entries."""
        return super().get_call_template((ENTRIES,) * len(args), kws)


def _with_parts(
    function: Callable[..., Any], dispatcher: Callable[[Callable[..., Any]], Any]
) -> Callable[..., Any]:
    """Return the function as numba is to see it: the parts that it calls are dispatchers.

    They go into a copy of its globals, so that under CPython it goes on calling plain functions.
    """
    parts = {
        name: dispatcher(_with_parts(part, dispatcher))
        for name in function.__code__.co_names
        if isinstance(part := function.__globals__.get(name), FunctionType)
        and part.__code__.co_filename == function.__code__.co_filename
    }
    names = {**function.__globals__, **parts}
    return FunctionType(function.__code__, names, function.__name__) if parts else function


def bind(dispatcher: Any, constants: Sequence[AnyArray], matrices: int = 0) -> Any:
    """Make a dispatcher without the constants that another takes after the rest.

    What comes before the constants is written out, as numba does not hand on a varying number of
    arguments.
    """
    constants = tuple(constants)

    def of_inputs(inputs: Any) -> Any:
        return dispatcher(inputs, *constants)

    def of_rows(inputs: Any, rows: Any) -> Any:
        return dispatcher(inputs, rows, *constants)

    wrapped = numba.njit(of_rows if matrices else of_inputs, **SETTINGS)
    matrices_of_rows = (types.UniTuple(MATRIX_OF_ROWS, matrices),) if matrices else ()
    wrapped.compile((*SIGNATURE, *matrices_of_rows))
    return wrapped
