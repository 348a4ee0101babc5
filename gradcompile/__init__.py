"""gradcompile: a compiler for scalar expression graphs.

    >>> import gradcompile as gdc
    >>> f = gdc.compile(lambda a, b, c: a * b + c)
    >>> f.value_and_grad(2.0, -3.0, 10.0)
    (4.0, Gradient(a=-3.0, b=2.0, c=1.0))

Every operation of the op table is a function here (`gdc.tanh`, `gdc.where`, ...), for numbers,
`Value`s and arrays of either.
"""

from typing import Any

from gradcompile.compiler import CompiledFunction, compile
from gradcompile.ops import TABLE as _TABLE
from gradcompile.value import TraceError, Value

__version__ = "0.1.0"

__all__ = ["CompiledFunction", "TraceError", "Value", "compile", "draw"]
__all__ += list(_TABLE)

globals().update(_TABLE)


def draw(target: Any, **options: Any) -> Any:
    """The picture of a `Value`'s graph or of a compiled function; see `gradcompile.draw.draw`."""
    from gradcompile import draw as module  # graphviz loads on first use

    return (
        target.draw(**options)
        if isinstance(target, CompiledFunction)
        else module.draw(target, **options)
    )
