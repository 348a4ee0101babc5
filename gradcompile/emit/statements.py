"""The statements of a straight-line program, before they are lines of text."""

import ast
from dataclasses import dataclass

from gradcompile.ir.sweeps import FORWARD_SWEEP, Sweep


@dataclass(frozen=True, eq=False)
class Statement:
    """An assignment to a name, to entries of arrays, or to both.

    Attributes:
        name: what is assigned; "" if only entries are.
        value: what it is assigned.
        sweep: that it belongs to.
        differentiates: the names of the forward statements that it is an adjoint of.
        entries: the entries of arrays.
        primal: for an adjoint, what the value is called that it is the adjoint of.
    """

    name: str
    value: ast.expr
    sweep: Sweep = FORWARD_SWEEP
    differentiates: tuple[str, ...] = ()
    entries: tuple[ast.expr, ...] = ()
    primal: str = ""
