"""Texts of derivatives of every kind, made of programs, and what each number in them claims to be.

A kind is a text that returns derivatives, and the text that they are derivatives of: the value's,
or the gradient's for second ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gradcompile.autodiff.reverse import reverse
from gradcompile.emit.straight import emit
from gradcompile.ir.builder import Builder, Ref
from gradcompile.ir.program import Const, Operand, Program, Var
from gradcompile.ir.signature import Bundle, Signature
from gradcompile.passes import run_passes
from gradcompile.verify import kinds
from gradcompile.verify.claims import Entry
from gradcompile.verify.entries import verify_entries
from gradcompile.verify.report import Report


@dataclass(frozen=True)
class Derived:
    """A text of derivatives, the text that they are derivatives of, and what they claim to be."""

    source: str
    base: str
    entries: tuple[Entry, ...]

    def verify(self) -> Report:
        return verify_entries(self.source, self.base, self.entries)


def jacobian(program: Program) -> Derived:
    """All first derivatives of all results, as a matrix."""
    program = run_passes(program)
    outputs, inputs = _outputs(program), _names(program)
    shape = (len(outputs), len(inputs))
    return Derived(
        _text(_differentiated(program), "jacobian", shape),
        _text(program, "values", shape[:1]),
        tuple(kinds.of_jacobian(outputs, inputs)),
    )


def hessian(program: Program) -> Derived:
    """All second derivatives of the first result."""
    return replace(jacobian(_gradient(program)), entries=tuple(kinds.of_hessian(_names(program))))


def hessian_diagonal(program: Program) -> Derived:
    """The second derivatives of the first result by the same input twice."""
    gradient, inputs = _gradient(program), _names(program)
    matrix = _differentiated(gradient)
    diagonal = tuple(matrix.flat_outputs)[:: len(inputs) + 1]
    return Derived(
        _text(replace(matrix, outputs=(diagonal,)), "diagonal", (len(inputs),)),
        _text(gradient, "gradient", (len(inputs),)),
        tuple(kinds.of_hessian_diagonal(inputs)),
    )


def jvp(program: Program) -> Derived:
    """The derivatives of the results along tangents that are parameters."""
    program = run_passes(program)
    outputs, inputs = _outputs(program), _names(program)
    tangents = [f"{name}_dot" for name in inputs]
    width = len(inputs)
    sums = [[(row * width + k, k) for k in range(width)] for row in range(len(outputs))]
    return Derived(
        _text(_weighted(program, tangents, sums), "dot", (len(outputs),)),
        _text(program, "values", (len(outputs),)),
        tuple(kinds.of_jvp(outputs, inputs, tangents)),
    )


def vjp(program: Program) -> Derived:
    """The sums of the derivatives by each input, with cotangents that are parameters."""
    program = run_passes(program)
    outputs, inputs = _outputs(program), _names(program)
    cotangents = [f"c{row}" for row in range(len(outputs))]
    width = len(inputs)
    sums = [[(row * width + k, row) for row in range(len(outputs))] for k in range(width)]
    return Derived(
        _text(_weighted(program, cotangents, sums), "bars", (width,)),
        _text(program, "values", (len(outputs),)),
        tuple(kinds.of_vjp(inputs, cotangents)),
    )


def hvp(program: Program) -> Derived:
    """The product of the Hessian of the first result and a vector."""
    inputs = _names(program)
    made = jvp(_gradient(program))
    vector = [f"{name}_dot" for name in inputs]
    return replace(made, entries=tuple(kinds.of_hvp(inputs, vector)))


KINDS: dict[str, Callable[[Program], Derived]] = {
    "jacobian": jacobian,
    "hessian": hessian,
    "hessian_diagonal": hessian_diagonal,
    "jvp": jvp,
    "vjp": vjp,
    "hvp": hvp,
}
"""What makes the texts of each kind."""


def _outputs(program: Program) -> list[str]:
    return [f"values[{k}]" for k, _ in enumerate(program.flat_outputs)]


def _names(program: Program) -> list[str]:
    return [x.name for x in program.inputs]


def _gradient(program: Program) -> Program:
    program = run_passes(program)
    first = next(program.flat_outputs)
    wrt = range(len(program.inputs))
    return run_passes(reverse(replace(program, outputs=(first,)), wrt, keep_value=False))


def _differentiated(program: Program) -> Program:
    """The derivatives of each result by each input, row by row."""
    instructions = list(program.instructions)
    entries: list[Operand] = []
    for output in program.flat_outputs:
        row = reverse(
            replace(program, outputs=(output,)), range(len(program.inputs)), keep_value=False
        )
        instructions.extend(row.instructions[len(program) :])
        entries.extend(row.flat_outputs)
    return run_passes(replace(program, instructions=tuple(instructions), outputs=(tuple(entries),)))


def _weighted(
    program: Program, weights: Sequence[str], sums: Sequence[Sequence[tuple[int, int]]]
) -> Program:
    """Sums of derivatives: of each its number, and that of the parameter it is multiplied with."""
    matrix = _differentiated(program)
    entries, given = list(matrix.flat_outputs), [Var(name) for name in weights]
    builder = Builder(list(matrix.instructions))
    # They belong to the reverse sweep.
    builder.origin = program.instructions[-1].result if program.instructions else None
    totals: list[Operand] = []
    for terms in sums:
        total: Operand = Const(0.0)
        for entry, weight in terms:
            product = builder.ref(entries[entry]) * builder.ref(given[weight])
            total = (Ref(builder, total) + product).operand
        totals.append(total)
    return run_passes(
        replace(
            matrix,
            inputs=(*matrix.inputs, *given),
            instructions=tuple(builder.instructions),
            outputs=(tuple(totals),),
        )
    )


def _text(program: Program, result: str, shape: tuple[int, ...]) -> str:
    parameters = tuple(Bundle(x.name, None, k) for k, x in enumerate(program.inputs))
    outputs = (tuple(program.flat_outputs),)
    signature = Signature(parameters, (Bundle(result, shape, 0),))
    return emit(replace(program, outputs=outputs), signature, "f")
