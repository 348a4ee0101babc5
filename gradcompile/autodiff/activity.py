"""Activity: which values a derivative has anything to do with."""

from collections.abc import Iterable

from gradcompile.ir.program import Const, Operand, Program

ZERO = Const(0.0)
"""The derivative of what does not vary."""


def depends_on(program: Program, sources: Iterable[Operand]) -> set[Operand]:
    """Find the values of `program` that are computed from one of `sources`, and these."""
    active: set[Operand] = set(sources)
    for result, _, operands, _ in program.instructions:
        if not active.isdisjoint(operands):
            active.add(result)
    return active
