"""Machine code of emitted functions, shared by kernels whose text is the same."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gradcompile.support.arrays import FloatArray
from gradcompile.support.recent import Recent

MAX_KEPT_MACHINES = 64
"""Functions made of loops whose machine code is kept in memory when nobody uses it any more."""


@dataclass(frozen=True)
class Target:
    """An emitted function that is to become machine code.

    Attributes:
        function: as CPython runs it: of the inputs, the matrices of rows and the constants.
        constants: what it takes last: captured data, and tables.
        loops: is it made of loops?
        matrices: how many matrices of rows it takes.
        strict: keep the order of sums.
        use_cache: keep the machine code on disk.
    """

    function: Callable[..., Any]
    constants: tuple[FloatArray, ...]
    loops: bool
    matrices: int
    strict: bool
    use_cache: bool


_kept: Recent[tuple[Callable[..., Any], int, bool], Any] = Recent(MAX_KEPT_MACHINES)
"""Machine code of functions made of loops: graphs of one structure share it, one after another."""


def compiled(target: Target) -> Any:
    """Compile a function to a numba dispatcher, or find the one of before."""
    if not target.loops:
        return compiled_anew(target, target.use_cache)
    key = (target.function, target.matrices, target.strict)
    found = _kept.get(key)
    if found is None:
        return _kept.put(key, compiled_anew(target, target.use_cache))
    return found


def compiled_anew(target: Target, use_cache: bool = False) -> Any:
    """Compile a function to a numba dispatcher; without the cache that keeps the LLVM IR."""
    from gradcompile.jit import jit  # numba loads on first use

    return jit(
        target.function,
        target.constants,
        loops=target.loops,
        strict=target.strict,
        use_cache=use_cache,
        matrices=target.matrices,
    )


def bound(target: Target, dispatcher: Any) -> Any:
    """Make a numba dispatcher of what comes before the constants."""
    from gradcompile.jit import bind

    constants = target.constants
    return bind(dispatcher, constants, target.matrices) if constants else dispatcher


def runner(target: Target, dispatcher: Any) -> Callable[..., Any]:
    """Make the function of what comes before the constants: it looks at no types."""
    from gradcompile.jit import entry

    machine, constants = entry(dispatcher), target.constants
    return (lambda *given: machine(*given, *constants)) if constants else machine
