"""The op table over any algebra: what each operation means follows from its row."""

import operator
import re
from collections.abc import Callable, Container
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


def shared(base: Container[str]) -> list[str]:
    """List the functions that sympy and mpmath have under the names that rows have for them.

    They are those that texts of rows call, and that no text defines; the rest follows from them.

    Args:
        base: the functions that are made otherwise.
    """
    texts = {op.name: op.sympy or op.expression for op in table.TABLE.values()}
    called = {name for text in texts.values() for name in re.findall(r"(\w+)\(", text)}
    defined = {name for name, text in texts.items() if not text.startswith(f"{name}(")}
    return sorted(name for name in called - defined if name not in base)
