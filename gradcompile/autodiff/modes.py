"""Which mode a Jacobian is computed in: the one that takes less work, counted in the program.

Forward mode computes, for every value, its derivatives by all inputs that it depends on; reverse
mode, the derivatives by it of all outputs that vary with it. How many these are is counted for at
most `SAMPLES` inputs and outputs, and for more it is estimated from these: so a sum of a million
terms takes one walk over it, forward and back, and no set of inputs is made for any value.
"""

from collections.abc import Sequence
from typing import NamedTuple

from gradcompile.autodiff.activity import varying
from gradcompile.ir.program import Operand, Program

FORWARD = "forward"
REVERSE = "reverse"

SAMPLES = 64
"""So many inputs and outputs are followed, at even distances where there are more."""


class Choice(NamedTuple):
    """A mode, and what it was chosen by.

    Attributes:
        mode: "forward" or "reverse".
        forward_cost, reverse_cost: how many derivatives of or by single values each computes.
        why: in a sentence.
    """

    mode: str
    forward_cost: int
    reverse_cost: int
    why: str


def choose_mode(program: Program, wrt: Sequence[int]) -> Choice:
    """Choose the mode in which the Jacobian of a program takes less work.

    Args:
        program: what to differentiate.
        wrt: the indices of the inputs to differentiate by.
    """
    sources = [program.inputs[index] for index in wrt]
    outputs = list(program.flat_outputs)
    columns, column_weight = _marked(sources)
    rows, row_weight = _marked(outputs)
    for instruction in program.instructions:
        mark = 0
        for operand in varying(instruction):
            mark |= columns.get(operand, 0)
        if mark:
            columns[instruction.result] = mark
    forward_count = reverse_count = 0
    for instruction in reversed(program.instructions):
        result = instruction.result
        if result in rows and result in columns:
            mark = rows[result]
            forward_count += columns[result].bit_count() - 1
            reverse_count += mark.bit_count() - 1
            for operand in varying(instruction):
                rows[operand] = rows.get(operand, 0) | mark
    forward_cost = round(forward_count * column_weight)
    reverse_cost = round(reverse_count * row_weight)
    mode = FORWARD if forward_cost <= reverse_cost else REVERSE
    about = "about " if max(column_weight, row_weight) > 1.0 else ""
    why = (
        f"{mode} mode: {about}{forward_cost:,} derivatives of values by inputs, "
        f"{about}{reverse_cost:,} of outputs by values"
    )
    return Choice(mode, forward_cost, reverse_cost, why)


def _marked(values: Sequence[Operand]) -> tuple[dict[Operand, int], float]:
    """Give some of the values a bit of their own and all of them one; for how many each stands."""
    count = min(len(values), SAMPLES)
    marks: dict[Operand, int] = {}
    for value in values:
        marks[value] = 1
    for bit in range(count):
        value = values[bit * len(values) // count]
        marks[value] |= 2 << bit
    return marks, len(values) / count if count else 1.0
