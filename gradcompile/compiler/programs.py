"""The program of a kernel: what was traced, simplified and differentiated."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradcompile.autodiff.reverse import reverse
from gradcompile.compiler.request import Request
from gradcompile.graph.nested import NUMBER
from gradcompile.ir.interpret import interpret, require_finite
from gradcompile.ir.packed import PackedProgram
from gradcompile.ir.program import Program
from gradcompile.passes import run_passes
from gradcompile.support.timing import Stages


def derive(request: Request, lowered: PackedProgram, stages: Stages) -> Program:
    """Make the program of a kernel after every pass, before loops are found in it.

    Args:
        request: what is to be built.
        lowered: the program it starts from, as it was traced or with its data as inputs.
        stages: time them.

    Raises:
        TypeError: the gradient of something else than one number is asked for.
    """
    with stages("lower"):
        program = lowered.program
    program = run_passes(program, timed=stages)
    mode, result = request.mode, request.traced.result
    if not mode.differentiates:
        if result != NUMBER:
            return replace(program, outputs=(tuple(program.flat_outputs),))
        return program
    if result != NUMBER:
        name = request.traced.lowered.name
        raise TypeError(
            f"{mode.name}: the gradient is that of one number, but {name} returns {result}"
        )
    with stages("reverse"):
        program = reverse(program, request.slots, mode.keeps_value)
    return run_passes(program, timed=stages)


def interpreted(program: Program, inputs: Sequence[float]) -> Any:
    """Interpret a program to its flat result; an error at the first nan or inf.

    Raises:
        FloatingPointError: an operation made nan or inf from finite operands.
    """
    outputs = interpret(program, inputs, require_finite)
    flat = [np.array(x) if isinstance(x, list) else x for x in outputs]
    return flat[0] if len(flat) == 1 else tuple(flat)
