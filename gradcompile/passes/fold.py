"""Constant folding: an operation on numbers is computed now, by the table's own meaning."""

from gradcompile.ir import Builder, Const, Instruction, Operand, Program
from gradcompile.ops import Op
from gradcompile.passes.rewrite import rewrite


def fold(program: Program) -> Program:
    """`program` without instructions on constants alone."""
    return rewrite(program, _step)


def folded(op: Op, operands: tuple[Operand, ...]) -> Const | None:
    """The constant that `op operands` is; None if an operand is no constant."""
    numbers = [operand.value for operand in operands if isinstance(operand, Const)]
    return Const(op.evaluate(*numbers)) if len(numbers) == len(operands) else None


def _step(builder: Builder, instruction: Instruction) -> Operand:
    result, op, operands, _ = instruction
    return folded(op, operands) or builder.apply(op, operands, result)
