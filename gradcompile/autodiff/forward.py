"""Forward mode: a program becomes one that also computes how its outputs vary along a direction.

The transformation walks the instructions in their order. The tangent of each result is the sum,
over the active operands, of the tangent of the operand times the partial by it. A value is active
if it depends on an input that has a tangent, and an output varies with it.

The partials come from the op table, as those of reverse mode do. The result is an ordinary program.
Applied to what reverse mode made, it computes second derivatives.
"""

from collections.abc import Sequence
from dataclasses import replace

from gradcompile.autodiff.activity import ZERO, needed_by
from gradcompile.autodiff.tangents import Tangent, Tangents
from gradcompile.ir.program import TANGENT, Operand, Program


def forward(
    program: Program, wrt: Sequence[int], tangents: Sequence[Operand], keep_value: bool = True
) -> Program:
    """Make the program that returns the values of `program` and their tangents.

    Args:
        program: what to differentiate; tuples among its outputs do not matter.
        wrt: the indices of the inputs that have tangents.
        tangents: those tangents: constants, or inputs of `program`.
        keep_value: return the flat outputs and their tangents; else the tangents alone.

    Returns:
        A program whose last outputs are the tangents of the flat outputs of `program`.
    """
    outputs = tuple(program.flat_outputs)
    needed = needed_by(program, outputs)
    appended = Tangents(program, [TANGENT])
    for index, tangent in zip(wrt, tangents, strict=True):
        if tangent != ZERO:
            appended.of[program.inputs[index]] = {0: Tangent(tangent)}
    for instruction in program.instructions:
        if instruction.result in needed:
            appended.differentiate(instruction)
    dots = [appended.of[x][0].value if x in appended.of else ZERO for x in outputs]
    return replace(
        program,
        instructions=tuple(appended.builder.instructions),
        outputs=(*outputs, *dots) if keep_value else tuple(dots),
    )
