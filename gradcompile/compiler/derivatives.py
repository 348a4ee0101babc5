"""The derivatives that a kernel computes: transformations of the program, one after the other."""

from collections.abc import Sequence
from dataclasses import replace

from gradcompile.autodiff.forward import forward
from gradcompile.autodiff.jacobian import jacobian
from gradcompile.autodiff.modes import FORWARD, choose_mode
from gradcompile.autodiff.reverse import reverse
from gradcompile.autodiff.structure import structure
from gradcompile.compiler.request import Request
from gradcompile.graph.nested import NUMBER
from gradcompile.ir.program import Const, Operand, Program
from gradcompile.passes import run_passes
from gradcompile.support.memory import present_memory
from gradcompile.support.timing import Stages

INSTEAD = {
    "": "use jacobian, or vjp with cotangents",
    "hessian": "say of which sum by weights=, or take the kernel weighted",
    "product": "use hessian with weights=, or return their sum",
    "diagonal": "use hessian with weights=, or return their sum",
}
"""What to do about several outputs, by what is computed beside the gradient."""

BYTES_A_ZERO = 300
"""About as much memory takes an entry that is zero, while a dense matrix is compiled."""

BYTES_AN_ENTRY = 8_000
"""About as much takes another one."""


def differentiated(
    request: Request, program: Program, stages: Stages, again: bool = False
) -> Program:
    """Append the derivatives of a kernel to a program, whose flat outputs are then its results.

    Args:
        request: what is to be built.
        program: of the value.
        stages: time them.
        again: will what comes out be differentiated once more?

    Raises:
        TypeError: the gradient or the Hessian of something else than one number is asked for.
    """
    kind, slots = request.kind, request.slots
    direction = [program.inputs[slot] for slot in request.direction_slots]
    if kind.derivative == "tangent":
        with stages("forward"):
            return forward(program, slots, direction)
    if kind.derivative == "jacobian":
        kept = list(program.flat_outputs) if kind.keeps_value else []
        with stages("jacobian"):
            return _with_entries(request, program, kept)
    with stages("reverse"):
        program = _reversed(request, program, kind.keeps_value, kind.is_second or again)
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
        return _with_entries(request, gradient, kept)


def located(request: Request) -> Request:
    """Find where a Jacobian or a Hessian has entries that are returned.

    Raises:
        MemoryError: they are those of a dense matrix that this machine has not the memory for.
        ValueError: they are the nonzeros of a matrix by rows, which are reduced.
    """
    if request.kind.entries:
        _require_one_matrix(request)
        return _with_nonzeros(request)
    rows, columns = request.matrix_shape
    entries, present = rows * columns, present_memory()
    if entries * BYTES_AN_ENTRY <= present:
        return request
    zeros, needed = "", entries * BYTES_A_ZERO
    if needed <= present:  # it may be mostly zeros
        kind = replace(request.kind, entries="full")
        found = _with_nonzeros(replace(request, kind=kind)).nonzeros
        assert found is not None
        nonzeros = len(found[0])
        zeros = f" ({nonzeros:,} are not zero)"
        needed = nonzeros * BYTES_AN_ENTRY + (entries - nonzeros) * BYTES_A_ZERO
        if needed <= present:
            return request
    raise MemoryError(
        f"{request.kind.name}: the matrix of {request.traced.lowered.name} has {rows:,} × "
        f"{columns:,} entries{zeros}; compiling it takes about {needed / 1e9:,.1f} GB, and this "
        f"machine has {present / 1e9:,.1f} GB; use {request.kind.derivative}.sparse, which has the "
        "nonzeros alone, or products with vectors"
    )


def _require_one_matrix(request: Request) -> None:
    """Raise an error if a sum over rows is differentiated by these: it has a block for each."""
    options, name = request.options, request.traced.lowered.name
    rows = [name for name in request.wrt if name in options.batched]
    if rows and options.reduce is not None:
        kind = request.kind.derivative
        raise ValueError(
            f"sparse: {name} is differentiated by its rows, {rows}, and the {options.reduce} is "
            f"taken over them; use {kind}, or reduce=None for the nonzeros of each row"
        )


def _with_nonzeros(request: Request) -> Request:
    """Find the entries that are not zero, by the program alone."""
    program = run_passes(request.traced.program)
    if request.kind.is_second:
        program = run_passes(_reversed(request, program, keep_value=False, again=True))
    rows, columns = structure(program, request.slots)
    if request.kind.entries == "full":
        return replace(request, nonzeros=(rows, columns))
    is_inside = columns <= rows if request.kind.entries == "lower" else columns >= rows
    return replace(request, nonzeros=(rows[is_inside], columns[is_inside]))


def _reversed(request: Request, program: Program, keep_value: bool, again: bool) -> Program:
    """The program and its gradient, or that of a weighted sum of its outputs."""
    is_weighted = request.kind.of_outputs
    direction = [program.inputs[slot] for slot in request.direction_slots]
    seeds = direction if is_weighted else _one(request)
    return reverse(program, request.slots, keep_value, seeds, again)


def _one(request: Request) -> Sequence[Operand]:
    """The adjoint of the value: 1."""
    name, result, kind = request.traced.lowered.name, request.traced.result, request.kind
    if result != NUMBER:
        what = "Hessian" if kind.is_second else "gradient"
        raise TypeError(
            f"{kind.name}: the {what} is that of one number, but {name} returns {result}; "
            f"{INSTEAD[kind.derivative]}"
        )
    return [Const(1.0)]


def _with_entries(request: Request, program: Program, kept: Sequence[Operand]) -> Program:
    """Append entries of the Jacobian of a program, in the order of the kernel's results.

    Args:
        request: what is to be built.
        program: its outputs are differentiated.
        kept: what is returned before the entries.
    """
    kind = request.kind
    if kind.derivative == "diagonal":
        wanted = [(k, k) for k in range(len(request.slots))]
    else:
        rows, columns = request.places
        wanted = list(zip(rows.tolist(), columns.tolist(), strict=True))
    # The Hessian is symmetric: what is above the diagonal is what is below it.
    unique = [(max(x), min(x)) for x in wanted] if kind.derivative == "hessian" else wanted
    order = list(dict.fromkeys(unique))
    mode, why = _mode(request, program)
    made = jacobian(program, request.slots, order, mode)
    entry = dict(zip(order, made.flat_outputs, strict=True))
    outputs = (*kept, *(entry[place] for place in unique))
    return replace(made, outputs=outputs, notes=(*made.notes, why))


def _mode(request: Request, program: Program) -> tuple[str, str]:
    """The mode of a Jacobian, and why."""
    if request.kind.is_second:
        return FORWARD, "forward mode over the reverse sweep: a Hessian has as many rows as columns"
    wanted = request.options.mode
    if wanted is not None:
        return wanted, f"{wanted} mode: as mode= says"
    choice = choose_mode(program, request.slots)
    return choice.mode, choice.why
