"""Common subexpressions: what is computed twice is computed once."""

from collections import defaultdict

from gradcompile.ir.builder import Builder
from gradcompile.ir.program import Instruction, Operand, Program, Var
from gradcompile.ops.op import Op
from gradcompile.ops.table import copy
from gradcompile.passes.rewrite import rewrite


def cse(program: Program) -> Program:
    """Drop the instructions that repeat an earlier one, operands swapped or not."""
    seen: defaultdict[Op, dict[tuple[Operand, ...], Var]] = defaultdict(dict)

    def step(builder: Builder, instruction: Instruction) -> Var | None:
        result, op, operands, _ = instruction
        if op.commutative and hash(operands[0]) > hash(operands[1]):
            operands = operands[::-1]
        first = seen[op].setdefault(operands, result)
        return None if first is result or op is copy else first

    # Of what is settled, too, the reverse sweep may repeat something.
    return rewrite(program, Builder(), step, anew=True)
