"""Snippets: what a lambda of the op table computes, recorded once to be appended many times."""

from collections.abc import Callable
from typing import NamedTuple

from gradcompile.ir.program import Builder, Const, Operand, Ref, Var, operand_of
from gradcompile.ops.op import Op


class Snippet(NamedTuple):
    """Some instructions over numbered values: first the operands, then constants, then results.

    Attributes:
        constants: the numbers that the instructions and the outputs read, each for one of them.
        steps: operations, and the numbers of their operands.
        outputs: the numbers of what comes out.
    """

    constants: tuple[float, ...]
    steps: tuple[tuple[Op, tuple[int, ...]], ...]
    outputs: tuple[int, ...]

    def append(self, builder: Builder, operands: tuple[Operand, ...]) -> list[Operand]:
        """Append the instructions to a program; what comes out."""
        values = [*operands, *map(Const, self.constants)]
        read = values.__getitem__
        for op, places in self.steps:
            values.append(builder.apply(op, tuple(map(read, places))))
        return list(map(read, self.outputs))


def record(function: Callable[..., tuple[Ref | float, ...]], arity: int) -> Snippet:
    """The snippet that `function` of so many references appends."""
    builder = Builder()
    inputs = [Var() for _ in range(arity)]
    outputs = tuple(map(operand_of, function(*map(builder.ref, inputs))))
    reads = [operands for _, _, operands, _ in builder.instructions]
    constants = [x for operands in (*reads, outputs) for x in operands if isinstance(x, Const)]
    results = [instruction.result for instruction in builder.instructions]
    # By identity: a constant that is read twice stays two constants.
    places = {id(x): place for place, x in enumerate([*inputs, *constants, *results])}

    def numbered(operands: tuple[Operand, ...]) -> tuple[int, ...]:
        return tuple(places[id(x)] for x in operands)

    steps = ((op, numbered(operands)) for _, op, operands, _ in builder.instructions)
    return Snippet(tuple(x.value for x in constants), tuple(steps), numbered(outputs))
