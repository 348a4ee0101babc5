"""Common subexpressions: what is computed twice is computed once."""

from gradcompile.ir import Builder, Instruction, Operand, Program, Var
from gradcompile.ops import Op, copy
from gradcompile.passes.rewrite import rewrite


def cse(program: Program) -> Program:
    """`program` without instructions that repeat an earlier one, operands swapped or not."""
    seen: dict[tuple[Op, tuple[Operand, ...]], Var] = {}
    first = seen.setdefault

    def step(builder: Builder, instruction: Instruction) -> Operand:
        result, op, operands, _ = instruction
        if op.commutative and hash(operands[0]) > hash(operands[1]):
            operands = operands[::-1]
        if op is copy or first((op, operands), result) is result:
            return builder.keep(instruction)
        return seen[op, operands]

    return rewrite(program, Builder(), step)
