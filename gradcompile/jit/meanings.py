"""Tell numba what the functions that emitted text imports mean.

Those of `ieee.py` are the C library's functions of the same name. Those of `vector.py` are
compiled from their text, once, and inlined wherever they are called; those of `products.py` are
built in `tiles.py`, and the scratch memory of `blocks.py` in `scratch.py`.
"""

import math
from collections.abc import Callable, Sequence
from types import FunctionType, ModuleType
from typing import Any

import numba
import numpy as np
from llvmlite import binding as llvm
from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.core.typing.templates import ConcreteTemplate, Signature, infer_global
from numba.extending import lower_builtin, overload

from gradcompile import blocks, ieee, vector
from gradcompile.jit.cache import FunctionCache
from gradcompile.jit.flags import SETTINGS
from gradcompile.jit.numpy_abi import register_new_array
from gradcompile.jit.rare_calls import rare_call
from gradcompile.jit.scratch import register_scratch
from gradcompile.jit.tiles import register_products

_UNKNOWN = {"cbrt": types.ExternalFunction("cbrt", numba.float64(numba.float64))}
"""Functions of the C library that numba does not know by their name in `math`."""

_compiled: dict[FunctionType, Any] = {}
"""The dispatchers of the functions that are compiled from their text."""


def register() -> None:
    """Tell numba what everything means that emitted text may call."""
    for name in ieee.MATH:
        _register(getattr(ieee, name), _calling(_UNKNOWN.get(name) or getattr(math, name)))
    for name in ieee.NUMPY:
        _register(getattr(ieee, name), _calling(getattr(np, name)))
    _register(ieee._copysign, _calling(math.copysign))
    register_scratch()
    overload(blocks.columns, strict=False)(
        lambda rows, start, count, memory: blocks.COLUMNS[min(rows.ndim, 3)]
    )
    # Where sums may be reordered, LLVM would turn the products into divisions again.
    overload(blocks.divide, strict=False, jit_options={"fastmath": False})(
        lambda totals, count: blocks.divide
    )
    for name in (*ieee.WRITTEN, *ieee.HELPERS):
        _register(getattr(ieee, name), getattr(ieee, name), name in ieee.EXACT)
    for name, (signature, build) in INSTRUCTIONS.items():
        _register_instruction(getattr(vector, name), signature, build)
    register_products()
    register_new_array()
    for function in _written(vector):
        _compiled[function] = _inlined(function)  # numba's type alone would not keep it
        infer_global(function, types.Dispatcher(_compiled[function]))


def primitive(function: Any) -> Any:
    """Find what numba is best asked for, to call a function of `ieee.py`; None for any other.

    It lowers those of `math` at once, and compiles the others from their text.
    """
    name = getattr(function, "__name__", "")
    if name not in ieee.FUNCTIONS or getattr(ieee, name) is not function:
        return None
    if name in ieee.MATH:
        return _UNKNOWN.get(name) or getattr(math, name)
    return getattr(np, name) if name in ieee.NUMPY else function


def _register(
    function: Callable[..., Any], meaning: Callable[..., Any], in_order: bool = False
) -> None:
    options: Any = {"fastmath": False} if in_order else {}
    overload(function, strict=False, jit_options=options)(lambda *operands: meaning)


def _calling(function: Callable[..., Any]) -> Callable[..., Any]:
    # numba overloads by functions, not by built-ins; it reads how many operands there are.
    return lambda *operands: function(*operands)  # noqa: PLW0108


def _rarely(name: str) -> Callable[..., Any]:
    """Return the builder of calls of a function of `vector.RARE` (`jit/rare_calls.py`)."""

    def build(context: Any, builder: Any, x: Any, y: Any) -> Any:
        dispatcher = _compiled[getattr(vector, vector.RARE[name])]
        dispatcher.compile((numba.float64,))
        called = dispatcher.overloads[(numba.float64,)]
        context.active_code_library.add_linking_library(called.library)
        symbol = f"gradcompile_{name}"
        text = rare_call(symbol, called.fndesc.llvm_func_name, vector.MAX_NEAR_ANGLE)
        context.active_code_library.add_llvm_module(llvm.parse_assembly(text))
        double = ir.DoubleType()
        signature = ir.FunctionType(double, [double, double])
        return builder.call(get_or_insert_function(builder.module, signature, symbol), [x, y])

    return build


INSTRUCTIONS: dict[str, tuple[Signature, Callable[..., Any]]] = {
    "bits": (
        numba.int64(numba.float64),
        lambda _, builder, x: builder.bitcast(x, ir.IntType(64)),
    ),
    "from_bits": (
        numba.float64(numba.int64),
        lambda _, builder, n: builder.bitcast(n, ir.DoubleType()),
    ),
    "where": (
        numba.float64(numba.boolean, numba.float64, numba.float64),
        lambda _, builder, c, a, b: builder.select(c, a, b),
    ),
    **{name: (numba.float64(numba.float64, numba.float64), _rarely(name)) for name in vector.RARE},
}
"""What machine code has for the functions `vector.INTRINSIC` and `vector.RARE`."""


def _register_instruction(
    function: Callable[..., Any], signature: Signature, build: Callable[..., Any]
) -> None:
    def lower(context: Any, builder: Any, _: Any, operands: Sequence[Any]) -> Any:
        return build(context, builder, *operands)

    infer_global(function)(type(function.__name__, (ConcreteTemplate,), {"cases": [signature]}))
    lower_builtin(function, *signature.args)(lower)


# --- functions with a text -----------------------------------------------------------------------


def _written(module: ModuleType) -> list[FunctionType]:
    """Return the functions of `vector.py` that are compiled from their text."""
    return [
        function
        for name, function in vars(module).items()
        if isinstance(function, FunctionType)
        and function.__module__ == module.__name__
        and name not in (*INSTRUCTIONS, "_public")
    ]


INTERNAL = {"nopython": True, "no_cpython_wrapper": True}
"""How everything is compiled that only machine code calls."""

INLINED: dict[str, Any] = {"fastmath": False, "forceinline": True, **INTERNAL, **SETTINGS}
"""How functions of `vector.py` are compiled."""


def _inlined(function: FunctionType) -> Any:
    """Make the dispatcher of a function of `vector.py`, part of whatever calls it.

    Fast-math flags belong to instructions, so without them it keeps its roundings also where it is
    inlined into loops that have them. They are denied in words, for numba compiles a function that
    says nothing as it compiles the one that calls it.
    """
    dispatcher = numba.jit(getattr(function, "__wrapped__", function), **INLINED)
    dispatcher._cache = FunctionCache(function.__name__)
    return dispatcher
