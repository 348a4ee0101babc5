"""Recordings: what a lambda of the op table computes, recorded once to be appended many times."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from gradcompile.ir.builder import Builder, Ref, operand_of
from gradcompile.ir.program import Const, Instruction, Operand, Var
from gradcompile.ops.op import Op


class Recording(NamedTuple):
    """Recorded instructions; each value has an index: operands, then constants, then results.

    Attributes:
        constants: the numbers that the instructions and the outputs read, one for each reading.
        steps: operations, and the indices of their operands.
        outputs: the indices of what comes out.
    """

    constants: tuple[float, ...]
    steps: tuple[tuple[Op, tuple[int, ...]], ...]
    outputs: tuple[int, ...]

    def append(self, builder: Builder, operands: tuple[Operand, ...]) -> list[Operand]:
        """Append the instructions to a program and give their outputs."""
        values = [*operands, *map(Const, self.constants)]
        value_at = values.__getitem__
        for op, indices in self.steps:
            values.append(builder.apply(op, tuple(map(value_at, indices))))
        return list(map(value_at, self.outputs))


def record(function: Callable[..., tuple[Ref | float, ...]], arity: int) -> Recording:
    """Record the instructions that a function of so many references appends."""
    builder = Builder()
    inputs = [Var() for _ in range(arity)]
    outputs = tuple(map(operand_of, function(*map(builder.ref, inputs))))
    instructions = _needed(builder.instructions, outputs)
    reads = [operands for _, _, operands, _ in instructions]
    constants = [x for operands in (*reads, outputs) for x in operands if isinstance(x, Const)]
    results = [instruction.result for instruction in instructions]
    # By identity: a constant that is read twice stays two constants.
    index_of = {id(x): index for index, x in enumerate([*inputs, *constants, *results])}

    def indices(operands: tuple[Operand, ...]) -> tuple[int, ...]:
        return tuple(index_of[id(x)] for x in operands)

    steps = ((op, indices(operands)) for _, op, operands, _ in instructions)
    return Recording(tuple(x.value for x in constants), tuple(steps), indices(outputs))


def _needed(instructions: Sequence[Instruction], outputs: Sequence[Operand]) -> list[Instruction]:
    """Leave out what no output is computed from."""
    needed = set(outputs)
    kept = []
    for instruction in reversed(instructions):
        if instruction.result in needed:
            kept.append(instruction)
            needed.update(instruction.operands)
    return kept[::-1]
