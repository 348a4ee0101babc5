"""Machine code of emitted functions, shared by kernels whose text is the same."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from gradcompile.ir.signature import Signature
from gradcompile.support.arrays import FloatArray
from gradcompile.support.recent import Recent

MAX_KEPT_MACHINES = 64
"""Functions made of loops whose machine code is kept in memory when nobody uses it any more."""


class Machines(NamedTuple):
    """Machine code as functions of the bundles of arguments; what does not fit is a TypeError.

    Attributes:
        run: for any number of rows, and where there are none.
        of_few: the same with less between, for fewer than `few` rows.
        few: how many that are.
    """

    run: Callable[..., Any]
    of_few: Callable[..., Any]
    few: int = 0


@dataclass(frozen=True)
class Target:
    """An emitted function that is to become machine code.

    Attributes:
        function: as CPython runs it: of its parameters and the constants.
        source: the module that it is in.
        signature: what it takes and returns.
        constants: what it takes last: captured data, and tables.
        loops: is it made of loops?
        strict: keep the order of sums.
        use_cache: keep the machine code on disk.
    """

    function: Callable[..., Any]
    source: str
    signature: Signature
    constants: tuple[FloatArray, ...]
    loops: bool
    strict: bool
    use_cache: bool


_kept: Recent[tuple[Callable[..., Any], Signature, bool], Any] = Recent(MAX_KEPT_MACHINES)
"""Machine code of functions made of loops: graphs of one structure share it, one after another."""


def load() -> None:
    """Import numba, with all that it loads before it compiles; nothing the second time."""
    from gradcompile.jit import load_numba, register_numba  # numba loads on first use

    register_numba()
    load_numba()


def origin(dispatcher: Any) -> str:
    """Say how the machine code of a function came to be."""
    from gradcompile.jit import origin

    return origin(dispatcher)


def compiled(target: Target) -> Any:
    """The numba dispatcher of a function, compiled or found."""
    if not target.loops:
        return compiled_anew(target, target.use_cache)
    key = (target.function, target.signature, target.strict)
    found = _kept.get(key)
    if found is None:
        return _kept.put(key, compiled_anew(target, target.use_cache))
    return found


def compiled_anew(target: Target, use_cache: bool = False) -> Any:
    """The numba dispatcher of a function; without the cache it keeps the LLVM IR."""
    from gradcompile.jit import jit  # numba loads on first use

    return jit(
        target.function,
        target.signature,
        target.constants,
        source=target.source,
        loops=target.loops,
        strict=target.strict,
        use_cache=use_cache,
    )


def bound(target: Target, dispatcher: Any) -> Any:
    """The machine code as a numba dispatcher of the parameters alone."""
    from gradcompile.jit import bind

    if not target.constants:
        return dispatcher
    name = target.function.__name__
    return bind(dispatcher, name, target.signature, target.constants)


def flattened(target: Target, dispatcher: Any) -> Any:
    """The machine code as a numba dispatcher of flat arrays."""
    from gradcompile.jit import flatten

    return flatten(dispatcher, f"{target.function.__name__}_flat", target.signature)


def runner(target: Target, dispatcher: Any) -> Callable[..., Any]:
    """The machine code as a function of what comes before the constants.

    What it cannot take as it is, is a TypeError: a number that is no float, an array of another
    kind or shape.
    """
    from gradcompile.jit import entry

    return _with_constants(entry(dispatcher), target)


def _with_constants(machine: Callable[..., Any], target: Target) -> Callable[..., Any]:
    constants = target.constants
    return (lambda *given: machine(*given, *constants)) if constants else machine
