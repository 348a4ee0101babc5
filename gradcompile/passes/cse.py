"""Common subexpressions: what is computed twice is computed once."""

from gradcompile.ir import Builder, Instruction, Operand, Program, Var
from gradcompile.ops import Op, copy
from gradcompile.passes.rewrite import rewrite


def cse(program: Program) -> Program:
    """`program` without instructions that repeat an earlier one, operands swapped or not."""
    seen: dict[tuple[Op, tuple[Operand, ...]], Var] = {}

    def step(builder: Builder, instruction: Instruction) -> Operand:
        result, op, operands, _ = instruction
        key = (op, tuple(sorted(operands, key=hash)) if op.commutative else operands)
        if op is copy or key not in seen:
            seen[key] = result
            return builder.apply(op, operands, result)
        return seen[key]

    return rewrite(program, step)
