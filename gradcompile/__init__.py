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

from gradcompile.compiler import CompiledFunction, compile
from gradcompile.functions import (
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
from gradcompile.ops import TABLE as _TABLE
from gradcompile.value import TraceError, Value

if TYPE_CHECKING:
    from gradcompile import nn, optim
    from gradcompile.check import GradCheck
    from gradcompile.drawing import Picture

__version__ = "0.1.0"

__all__ = [
    "CompiledFunction",
    "TraceError",
    "Value",
    "check_grad",
    "compile",
    "cross_entropy",
    "dot",
    "draw",
    "log_softmax",
    "logsumexp",
    "matmul",
    "mean",
    "nn",
    "norm",
    "optim",
    "prod",
    "softmax",
    "sum",
]
__all__ += list(_TABLE)

globals().update(_TABLE)


def __getattr__(name: str) -> Any:
    """The modules that load on first use."""
    if name in ("nn", "optim"):
        return importlib.import_module(f"gradcompile.{name}")
    raise AttributeError(f"module 'gradcompile' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def draw(target: Any, **options: Any) -> "Picture":
    """The picture of a `Value`'s graph, of a program or of a compiled function.

    Args:
        target: what to draw.
        options: `rankdir`, where the graph grows to: "LR" (the default), "TB", "RL" or "BT".

    Returns:
        A picture: `.save(path)`, `.svg()`, `.png()`, `.source`; notebooks show it.

    Raises:
        TypeError: the target is none of these.
    """
    from gradcompile import drawing  # graphviz loads on first use

    graph = target.value.program if isinstance(target, CompiledFunction) else target
    return drawing.draw(graph, **options)


def check_grad(function: CompiledFunction, *args: Any, **options: Any) -> "GradCheck":
    """Compare the gradient of a compiled function with numerical slopes.

    See `gradcompile.check.check_grad` for the options and the report.
    """
    from gradcompile import check  # loads on first use

    return check.check_grad(function, *args, **options)
