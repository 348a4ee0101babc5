"""A program applied to Values, so that what was derived becomes a part of another graph."""

from collections.abc import Sequence
from itertools import chain

from gradcompile.graph.value import Value
from gradcompile.ir.program import Const, Operand, Program, Var


def replay(program: Program, values: Sequence[Value | float]) -> list[Value | float]:
    """Apply each operation of a program to Values, eager or traced ones, and numbers.

    What is computed of numbers alone stays a number.

    Args:
        program: whose operations are applied; its data are numbers.
        values: one an input that is given.

    Returns:
        The flat outputs.

    Raises:
        ValueError: the number of values is not that of the inputs.

    Example:
        >>> from gradcompile.graph.trace import trace_graph
        >>> x = Value(2.0, label="x")
        >>> replay(trace_graph(x * x, [x], "f").program, [Value(3.0)])
        [Value(data=9.0, grad=0.0)]
    """
    known: dict[Var, Value | float] = dict(
        zip(program.inputs, chain(values, program.data), strict=True)
    )

    def read(operand: Operand) -> Value | float:
        return operand.value if isinstance(operand, Const) else known[operand]

    for result, op, operands, _ in program.instructions:
        known[result] = op(*map(read, operands))
    return list(map(read, program.flat_outputs))
