"""Emitted source → machine code, by numba; this package alone imports it.

numba compiles the emitted function itself.

    flags.py         how everything is compiled: numba's options and LLVM's flags
    meanings.py      what the functions that emitted text imports mean to numba
    tiles.py         machine code for products of matrices, tile by tile
    scratch.py       scratch memory on the stack
    rare_calls.py    LLVM text for a rare call inside vector code
    instructions.py  expressions of straight-line text as LLVM instructions
    translate.py     straight-line text as LLVM text, by its syntax tree
    called.py        what translated text calls
    linked.py        translated text as a numba function
    pipelines.py     numba's passes, with our wrapper and for the widest vectors
    wrapper.py       what Python calls: it looks at its arguments, and borrows arrays
    boxing.py        results as Python's objects; small arrays are copied
    numpy_abi.py     numpy's arrays as C code sees them
    parts.py         functions that another one calls, as numba is given them
    entries.py       functions around a kernel: without its constants, and on flat arrays
    cache.py         machine code kept on disk, with a checksum
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import RLock
from typing import Any

import numba
from numba import types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target

from gradcompile.ir.signature import Bundle, Signature
from gradcompile.jit.cache import KernelCache, keeping
from gradcompile.jit.entries import on_flat_arrays, without_constants
from gradcompile.jit.flags import REASSOCIATION, SETTINGS
from gradcompile.jit.linked import StraightSource, register_linked
from gradcompile.jit.meanings import INTERNAL, register
from gradcompile.jit.parts import (
    VECTOR,
    Part,
    calls_opaque,
    loop_part,
    register_entries,
    with_parts,
)
from gradcompile.jit.pipelines import pipeline
from gradcompile.jit.wrapper import ROWS, Expected, expected
from gradcompile.support.arrays import AnyArray

MATRIX = types.Array(types.float64, 2, "A", readonly=True)
"""A matrix of rows may be a view of any kind, and is only read."""

_registered: list[bool] = []
_registration = RLock()  # numba may call this again inside of it


def register_numba() -> None:
    """Tell numba all that emitted text needs; numba calls this itself when it starts."""
    with _registration:
        if not _registered:
            _registered.append(True)
            register()
            register_entries()
            register_linked()


def jit(
    function: Callable[..., Any],
    signature: Signature,
    constants: Sequence[AnyArray] = (),
    *,
    source: str = "",
    loops: bool = False,
    strict: bool = False,
    use_cache: bool = True,
) -> Any:
    """Compile an emitted function for the parameters that its signature says.

    Args:
        function: from executing an emitted module.
        signature: what it takes and returns.
        constants: what it takes after its parameters; only their types matter.
        source: the module; without loops it is translated, where it is known.
        loops: is it made of loops? Then sums may be added in any order, as vector code needs it.
        strict: keep the order of sums nevertheless.
        use_cache: keep the machine code beside the function's source file.

    Returns:
        The numba dispatcher.
    """
    register_numba()
    settings = {**SETTINGS, "fastmath": set(REASSOCIATION) if loops and not strict else False}
    has_rows = any(group.is_row for group in signature.parameters)
    if has_rows:
        settings["nogil"] = True  # rows may be spread over threads
    part = loop_part if loops else Part
    whole = with_parts(function, lambda f: part(f, targetoptions={**INTERNAL, **settings}))
    known = expected(function.__name__, signature.parameters, constants)
    is_straight = not (loops or has_rows or constants)
    straight = StraightSource(function, source, signature.parameters) if is_straight else None
    dispatcher = numba.njit(whole, pipeline_class=pipeline(loops, known, straight), **settings)
    path = Path(function.__code__.co_filename)
    # The key of the cache is the text, which says of opaque functions nothing but their names.
    keeps = use_cache and path.is_file() and not calls_opaque(function)
    if keeps:
        dispatcher._cache = KernelCache(path, (strict, known))
    with keeping(keeps):
        dispatcher.compile((*map(type_of, signature.parameters), *map(numba.typeof, constants)))
    if has_rows:  # other kinds of arrays are read as what it was compiled for
        dispatcher.disable_compile()
    return dispatcher


def type_of(group: Bundle) -> Any:
    """The numba type of a parameter."""
    if group.is_row:
        return types.Array(types.float64, 1 + len(group.shape or ()), "A", readonly=True)
    if group.shape is None:
        return types.float64
    return types.Array(types.float64, len(group.shape), "C")


def entry(dispatcher: Any) -> Any:
    """Return the machine code that `jit` made, without the dispatcher and its look at all types.

    It takes floats, and float64 arrays of the shapes that were said, aligned, and contiguous unless
    they are rows. Anything else is a TypeError.
    """
    return next(iter(dispatcher.overloads.values())).entry_point


def load_numba() -> None:
    """Let numba load what it knows of Python and numpy, as it does before it compiles."""
    with global_compiler_lock:  # a thread may be compiling
        cpu_target.target_context.refresh()


def origin(dispatcher: Any) -> str:
    """Say how the machine code that `jit` made came to be."""
    made = next(iter(dispatcher.overloads.values()))  # njit code may have asked for others since
    if made.metadata is None:  # what is kept on disk has none
        return "read from the cache"
    return "translated to LLVM" if made.metadata["is_translated"] else "compiled by numba alone"


def bind(dispatcher: Any, name: str, signature: Signature, constants: Sequence[AnyArray]) -> Any:
    """Make the dispatcher without the constants that a kernel takes after its parameters."""
    function = without_constants(dispatcher, name, signature, constants)
    checked = pipeline(False, expected(name, signature.parameters, ()))
    bound = numba.njit(function, pipeline_class=checked, **SETTINGS)
    bound.compile(tuple(map(type_of, signature.parameters)))
    return bound


def flatten(dispatcher: Any, name: str, signature: Signature) -> Any:
    """Make the dispatcher of the flat inputs, and of a tuple of matrices of rows, if there are."""
    rows = sum(group.is_row for group in signature.parameters)
    # Of any length to the wrapper: the text says itself which one is right.
    checked = pipeline(False, Expected(((ROWS,),), f"{name}: expected a float64 array"))
    options: dict[str, Any] = {} if rows else {"pipeline_class": checked}
    flat = numba.njit(on_flat_arrays(dispatcher, name, signature), **options, **SETTINGS)
    flat.compile((VECTOR, types.UniTuple(MATRIX, rows)) if rows else (VECTOR,))
    return flat
