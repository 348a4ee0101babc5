"""Constant folding: an operation on numbers is computed now, by the table's own meaning."""

import math
from fractions import Fraction

from gradcompile.ir.builder import Builder
from gradcompile.ir.program import Const, Instruction, Operand, Program, Var
from gradcompile.ops.op import Op
from gradcompile.passes.rewrite import rewrite

FIRST_INEXACT_INTEGER = 2**53
"""Below it every integer is a float, and the next one is not."""


def fold(program: Program) -> Program:
    """Compute the instructions on constants alone."""
    return rewrite(program, Builder(), _step)


def folded(op: Op, operands: tuple[Operand, ...], exactly: bool) -> Const | None:
    """Compute the constant that `op operands` is; None if an operand is no constant.

    Args:
        op: the operation.
        operands: its operands.
        exactly: only if the result needs no rounding. So it is in the reverse sweep, where a slope
            like 1.0 / 3.0 stays as it is: it reads better, a product with it becomes a quotient,
            and the derivative can be proved.
    """
    numbers: list[float] = []
    for operand in operands:
        if isinstance(operand, Var):
            return None
        numbers.append(operand.value)
    result = op.evaluate(*numbers)
    return Const(result) if not exactly or _is_exact(op, numbers, result) else None


def _is_exact(op: Op, numbers: list[float], result: float) -> bool:
    if not all(map(math.isfinite, (*numbers, result))):
        return True  # what IEEE-754 says of inf and nan is no approximation
    if op.on_fractions is None:
        return False
    if all(x.is_integer() and abs(x) < FIRST_INEXACT_INTEGER for x in (*numbers, result)):
        return True  # arithmetic that rounds does not end at so small a whole number
    return bool(op.on_fractions(*map(Fraction, numbers)) == Fraction(result))


def _step(builder: Builder, instruction: Instruction) -> Const | None:
    _, op, operands, origin = instruction
    return folded(op, operands, origin is not None)
