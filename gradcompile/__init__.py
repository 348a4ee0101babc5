"""gradcompile: a compiler for scalar expression graphs.

    >>> import gradcompile as gdc
    >>> f = gdc.compile(lambda a, b, c: a * b + c)
    >>> f.value_and_grad(2.0, -3.0, 10.0)
    (4.0, Gradient(a=-3.0, b=2.0, c=1.0))

Every operation of the op table is a function here (`gdc.tanh`, `gdc.where`, ...), for numbers,
`Value`s and arrays of either.
"""

import importlib
from typing import TYPE_CHECKING, Any

from gradcompile.api import check_grad, compile, draw, from_sympy, to_sympy
from gradcompile.compiler.function import CompiledFunction
from gradcompile.graph.users import TraceError
from gradcompile.graph.value import Value
from gradcompile.ops.functions import (
    cross_entropy,
    dot,
    log_softmax,
    logsumexp,
    matmul,
    mean,
    norm,
    prod,
    softmax,
    sum,
)
from gradcompile.ops.table import TABLE as _TABLE

if TYPE_CHECKING:
    from gradcompile import linalg, nn, optim
    from gradcompile.own.custom import custom
    from gradcompile.own.implicit import implicit
    from gradcompile.own.interpolate import interpolate
    from gradcompile.problems.nlp import nlp

__version__ = "0.1.0"

__all__ = [
    "CompiledFunction",
    "TraceError",
    "Value",
    "check_grad",
    "compile",
    "cross_entropy",
    "custom",
    "dot",
    "draw",
    "from_sympy",
    "implicit",
    "interpolate",
    "linalg",
    "log_softmax",
    "logsumexp",
    "matmul",
    "mean",
    "nlp",
    "nn",
    "norm",
    "optim",
    "prod",
    "softmax",
    "sum",
    "to_sympy",
]
__all__ += list(_TABLE)

globals().update(_TABLE)


# Functions that load on first use, with their modules: they need the passes.
_LATER = {
    "custom": "gradcompile.own.custom",
    "implicit": "gradcompile.own.implicit",
    "interpolate": "gradcompile.own.interpolate",
    "nlp": "gradcompile.problems.nlp",
}


def __getattr__(name: str) -> Any:
    """The modules and functions that load on first use."""
    if name in ("linalg", "nn", "optim"):
        return importlib.import_module(f"gradcompile.{name}")
    if name in _LATER:
        return getattr(importlib.import_module(_LATER[name]), name)
    raise AttributeError(f"module 'gradcompile' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
