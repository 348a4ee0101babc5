"""The op table over any algebra: what each operation means follows from its row."""

import operator
from collections.abc import Callable
from typing import Any

from gradcompile.ops import table
from gradcompile.ops.op import Op
from gradcompile.ops.syntax import evaluate, parse

Functions = dict[str, Callable[..., Any]]

Number = Callable[[float], Any]
"""Makes a member of an algebra from a float."""


def lifted(base: Functions, number: Number) -> Functions:
    """Make the functions of the table over an algebra, from those it has."""
    functions = dict(base)

    def lift(op: Op) -> Callable[..., Any]:
        tree = parse(op.sympy or op.expression)
        return lambda *operands: evaluate(
            tree, dict(zip(op.operand_names, operands, strict=True)), functions, number
        )

    for op in table.TABLE.values():
        if op.name not in functions:
            functions[op.name] = lift(op)
    return functions


ARITHMETIC: Functions = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv,
    "pow": operator.pow, "neg": operator.neg, "copy": lambda x: x,
}  # fmt: skip


SHARED = (
    "exp", "log", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "atan2",
    "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "loggamma",
)  # fmt: skip
"""Functions of the same name and meaning in both; the table defines the rest by them."""
