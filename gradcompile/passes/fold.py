"""Constant folding: an operation on numbers is computed now, by the table's own meaning."""

import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from gradcompile.ir import Builder, Const, Instruction, Operand, Program, Var
from gradcompile.ops import Op
from gradcompile.passes.rewrite import rewrite


def fold(program: Program) -> Program:
    """`program` without instructions on constants alone."""
    return rewrite(program, Builder(), _step)


def folded(op: Op, operands: tuple[Operand, ...], exactly: bool) -> Const | None:
    """The constant that `op operands` is; None if an operand is no constant.

    Args:
        op: the operation.
        operands: its operands.
        exactly: only if the result needs no rounding. So it is in the reverse sweep, where a slope
            like 1.0 / 3.0 stays as it is: it reads better, a product with it becomes a quotient,
            and the derivative can be proved.
    """
    numbers = []
    for operand in operands:
        if isinstance(operand, Var):
            return None
        numbers.append(operand.value)
    result = op.evaluate(*numbers)
    return Const(result) if not exactly or _is_exact(op, numbers, result) else None


_EXACT: dict[str, Callable[..., Any]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv,
    "neg": operator.neg, "copy": operator.pos, "where": lambda c, a, b: a if c else b,
    "greater": operator.gt, "greater_equal": operator.ge, "less": operator.lt,
    "less_equal": operator.le, "equal": operator.eq, "not_equal": operator.ne,
    "logical_not": operator.not_, "logical_and": lambda c, d: bool(c and d),
    "logical_or": lambda c, d: bool(c or d),
}  # fmt: skip
"""The operations on fractions that may need no rounding."""


_WHOLE = ("add", "sub", "mul", "neg", "copy")
"""The operations that make whole numbers of whole numbers."""


def _is_exact(op: Op, numbers: list[float], result: float) -> bool:
    if op.name in _WHOLE and all(x.is_integer() and abs(x) < 2**53 for x in (*numbers, result)):
        return True  # told without fractions, which take long
    if not all(map(math.isfinite, (*numbers, result))):
        return True  # what IEEE-754 says of inf and nan is no approximation
    return op.name in _EXACT and _EXACT[op.name](*map(Fraction, numbers)) == Fraction(result)


def _step(builder: Builder, instruction: Instruction) -> Operand:
    _, op, operands, origin = instruction
    return folded(op, operands, origin is not None) or builder.keep(instruction)
