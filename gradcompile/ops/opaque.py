"""Operations that are functions of the user's own, of which only the numbers are known."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gradcompile import blocks, ieee, opaque, products, vector
from gradcompile.ops.op import Op
from gradcompile.support.names import RESERVED, identifier

_RESERVED = RESERVED.union(*map(vars, (ieee, vector, products, blocks, opaque)))


@dataclass(frozen=True, eq=False, repr=False)
class OpaqueOp(Op):
    """An operation whose text is a call of the user's function; derivatives take it for a constant.

    Attributes:
        function: computes it, and can be compiled by numba.
        remade: how a pickle makes it again, where it cannot hold the function: what to call with
            what.
    """

    function: Callable[..., float] = float
    remade: tuple[Any, ...] | None = None
    is_opaque = True

    def evaluate(self, *operands: float) -> float:
        """Call the function with floats."""
        return float(self.function(*operands))

    def __reduce__(self) -> tuple[Any, ...]:
        return self.remade or (opaque_op, (self.function, self.name))

    def __copy__(self) -> "OpaqueOp":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "OpaqueOp":
        return self


def opaque_op(
    function: Callable[..., float], wanted: str = "", remade: tuple[Any, ...] | None = None
) -> OpaqueOp:
    """Make the operation of a function of numbers: one that numba has compiled, or that it can.

    Args:
        function: of floats, given by position.
        wanted: what emitted text is to call it, if that is free; its own name, if not given.
        remade: what a pickle holds instead of the function.
    """
    written = getattr(function, "py_func", function)
    operands = list(inspect.signature(written).parameters)
    wanted = identifier(wanted or written.__name__) or "function"
    name = opaque.register(function, wanted, _RESERVED)
    call = f"float64({name}({', '.join(operands)}))"
    partials = (None,) * len(operands)
    return OpaqueOp(
        name, " ".join(operands), call, partials, domain="False", function=function, remade=remade
    )
