"""Reverse mode: a program becomes one that also computes its gradient.

The transformation walks the instructions backwards. Each one passes to every active operand a
contribution: its own adjoint times its partial by that operand. When the walk reaches a value, all
its contributions are known; their sum is its adjoint, assigned once. A value is active if it
depends on an input of interest and the output depends on it.

The partials come from the op table. The result is an ordinary program: it can be printed,
simplified and differentiated again, by this mode or by the other.
"""

from collections.abc import Sequence
from dataclasses import replace

from gradcompile.autodiff.activity import ZERO, depends_on
from gradcompile.autodiff.adjoints import Adjoints
from gradcompile.autodiff.guards import OPEN
from gradcompile.ir.program import Const, Operand, Program


def reverse(
    program: Program,
    wrt: Sequence[int],
    keep_value: bool = True,
    seeds: Sequence[Operand] = (Const(1.0),),
    again: bool = False,
) -> Program:
    """Make the program that returns the values of `program` and the gradient of their sum.

    Args:
        program: what to differentiate; tuples among its outputs do not matter.
        wrt: the indices of the inputs to differentiate by.
        keep_value: return the flat outputs and the gradient; else the gradient alone.
        seeds: the weight of each flat output in the sum: a constant, or an input of `program`.
        again: is what comes out to be differentiated? Then what a gate blocks has guards against
            the derivatives of slopes too.

    Returns:
        A program whose last output is the tuple of adjoints of the inputs in `wrt`.
    """
    outputs = tuple(program.flat_outputs)
    sources = [program.inputs[index] for index in wrt]
    active = depends_on(program, sources)
    adjoints = Adjoints(program, active, again)
    for output, seed in zip(outputs, seeds, strict=True):
        if output in active and seed != ZERO:
            adjoints.contribute(output, seed, OPEN)
    for instruction in reversed(program.instructions):
        adjoints.differentiate(instruction)
    gradient = tuple([adjoints.accumulate(source)[0] for source in sources])
    return replace(
        program,
        instructions=tuple(adjoints.builder.instructions),
        outputs=(*outputs, gradient) if keep_value else (gradient,),
    )
