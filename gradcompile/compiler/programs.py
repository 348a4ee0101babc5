"""The program of a kernel: what was traced, simplified and differentiated."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from gradcompile.compiler.derivatives import differentiated
from gradcompile.compiler.request import Request
from gradcompile.ir.interpret import interpret, require_finite
from gradcompile.ir.packed import PackedProgram
from gradcompile.ir.program import Program
from gradcompile.ir.signature import Bundle, Signature
from gradcompile.passes import erase, run_passes
from gradcompile.support.timing import Stages


def derive(request: Request, lowered: PackedProgram, stages: Stages) -> Program:
    """The program of a kernel as it is emitted: `differentiable` without slopes of its own."""
    return erase(differentiable(request, lowered, stages))


def differentiable(
    request: Request, lowered: PackedProgram, stages: Stages, again: bool = False
) -> Program:
    """The program of a kernel after every pass, which may be differentiated once more.

    Args:
        request: what is to be built.
        lowered: the program it starts from, as it was traced or with its data as inputs.
        stages: time them.
        again: will it be differentiated once more?

    Raises:
        TypeError: the gradient or the Hessian of something else than one number is asked for.
    """
    with stages("lower"):
        program = lowered.program
    program = run_passes(program, timed=stages)
    kind = request.kind
    if not kind.differentiates:
        return _grouped(program, request.signature.value)
    program = differentiated(request, program, stages, again)
    return _grouped(run_passes(program, timed=stages), request.signature.results)


def _grouped(program: Program, groups: Sequence[Bundle]) -> Program:
    """The program with an output for each group of results."""
    supply = program.flat_outputs
    outputs = [
        next(supply) if group.shape is None else tuple(islice(supply, group.size))
        for group in groups
    ]
    return replace(program, outputs=tuple(outputs))


def interpreted(program: Program, signature: Signature, arguments: Sequence[Any]) -> Any:
    """Run a program by the interpreter, up to the first nan or inf; return what its text does.

    Args:
        program: what to run.
        signature: of the emitted function.
        arguments: those that it takes.

    Raises:
        FloatingPointError: an operation made nan or inf from finite operands.
    """
    outputs = interpret(program, signature.inputs(arguments).tolist(), require_finite(program))
    pairs = zip(signature.results, outputs, strict=True)
    shaped = [x if group.shape is None else np.reshape(x, group.shape) for group, x in pairs]
    return signature.nest(shaped)
