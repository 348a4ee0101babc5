"""The derivatives that a kernel computes: transformations of the program, one after the other."""

from collections.abc import Sequence
from dataclasses import replace

from gradcompile.autodiff.forward import forward
from gradcompile.autodiff.jacobian import jacobian
from gradcompile.autodiff.reverse import reverse
from gradcompile.compiler.matrices import gradient_structure, places
from gradcompile.compiler.request import Request
from gradcompile.graph.nested import NUMBER
from gradcompile.ir.program import Const, Operand, Program
from gradcompile.passes import run_passes
from gradcompile.support.timing import Stages

INSTEAD = {
    "gradient": "use jacobian, or vjp with cotangents",
    "hessian": "say of which sum by weights=",
}
"""What to do about several outputs."""


def differentiated(request: Request, program: Program, stages: Stages) -> Program:
    """Append the derivatives of a kernel to a program, whose flat outputs are then its results.

    Args:
        request: what is to be built.
        program: of the value.
        stages: time them.

    Raises:
        TypeError: the gradient or the Hessian of something else than one number is asked for.
    """
    kind, slots = request.kind, request.slots
    direction = [program.inputs[slot] for slot in request.direction_slots]
    if kind.derivative == "tangent":
        with stages("forward"):
            return forward(program, slots, direction)
    if kind.derivative == "jacobian":
        with stages("jacobian"):
            return _with_entries(request, program, program, list(program.flat_outputs))
    seeds = direction if kind.of_outputs else _one(request)
    with stages("reverse"):
        program = reverse(program, slots, kind.keeps_value, seeds)
    if not kind.derivative:
        return program
    program = run_passes(program, timed=stages)
    outputs = list(program.flat_outputs)
    kept = outputs if kind.has_gradient else []
    if kind.derivative == "product":
        with stages("forward"):
            return forward(program, slots, direction, keep_value=kind.has_gradient)
    gradient = replace(program, outputs=tuple(outputs[len(outputs) - len(slots) :]))
    with stages("hessian"):
        return _with_entries(request, program, gradient, kept)


def _one(request: Request) -> Sequence[Operand]:
    """The adjoint of the value: 1."""
    name, result, kind = request.traced.lowered.name, request.traced.result, request.kind
    if result != NUMBER:
        what = "hessian" if kind.is_second else "gradient"
        raise TypeError(
            f"{kind.name}: the {what} is that of one number, but {name} returns {result}; "
            f"{INSTEAD[what]}"
        )
    return [Const(1.0)]


def _with_entries(
    request: Request, program: Program, of: Program, kept: Sequence[Operand]
) -> Program:
    """Append entries of the Jacobian of a program, in the order of the kernel's results.

    Args:
        request: what is to be built.
        program: its instructions are those of `of`.
        of: the program whose outputs are differentiated.
        kept: what is returned before the entries.
    """
    kind = request.kind
    if kind.derivative == "diagonal":
        wanted = [(k, k) for k in range(len(request.slots))]
    else:
        by = gradient_structure({name: request.traced.arguments[name] for name in request.wrt})
        outer = request.traced.result if kind.derivative == "jacobian" else by
        rows, columns = places(outer, by)
        wanted = list(zip(rows.tolist(), columns.tolist(), strict=True))
    # The Hessian is symmetric: what is above the diagonal is what is below it.
    unique = [(max(x), min(x)) for x in wanted] if kind.derivative == "hessian" else wanted
    order = list(dict.fromkeys(unique))
    mode = "forward" if kind.is_second else request.options.mode
    made = jacobian(of, request.slots, order, mode)
    entry = dict(zip(order, made.flat_outputs, strict=True))
    return replace(made, outputs=(*kept, *(entry[place] for place in unique)))
