"""Activity: which values a derivative has anything to do with."""

from collections.abc import Iterable
from functools import cache

from gradcompile.autodiff.partials import record
from gradcompile.ir.program import Const, Instruction, Operand, Program
from gradcompile.ops.op import Op

ZERO = Const(0.0)
"""The derivative of what does not vary."""


def depends_on(program: Program, sources: Iterable[Operand]) -> set[Operand]:
    """Find the values of `program` that are computed from one of `sources`, and these."""
    active: set[Operand] = set(sources)
    for result, _, operands, _ in program.instructions:
        if not active.isdisjoint(operands):
            active.add(result)
    return active


def needed_by(program: Program, outputs: Iterable[Operand]) -> set[Operand]:
    """Find the values of `program` with which one of `outputs` varies, and these."""
    needed: set[Operand] = set(outputs)
    for instruction in reversed(program.instructions):
        if instruction.result in needed:
            needed.update(varying(instruction))
    return needed


def varying(instruction: Instruction) -> list[Operand]:
    """List the operands with which the result of an instruction varies."""
    return [instruction.operands[index] for index in varying_indices(instruction.op)]


@cache
def varying_indices(op: Op) -> tuple[int, ...]:
    """List the operands that an operation varies with: those whose partial is not zero."""
    return tuple(index for index in range(op.arity) if _varies(op, index))


def _varies(op: Op, index: int) -> bool:
    partial = op.partials[index]
    if partial is None:
        return False
    recorded = record(lambda *values: (partial(*values),), op.arity + 1)
    (slope,) = recorded.outputs
    place = slope - op.arity - 1
    return not (0 <= place < len(recorded.constants) and recorded.constants[place] == 0.0)
