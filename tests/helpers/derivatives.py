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
    rows = len(list(program.flat_outputs))
    return Derived(
        _text(_differentiated(program), "jacobian", (rows, len(program.inputs))),
        _text(program, "values", (rows,)),
        tuple(
            Entry(f"d values[{row}]/d{name}", {row: None}, {name: None})
            for row in range(rows)
            for name in _names(program)
        ),
    )


def hessian(program: Program) -> Derived:
    """All second derivatives of the first result."""
    made = jacobian(_gradient(program))
    names = _names(program)
    pairs = [(a, b) for a in names for b in names]
    entries = [
        replace(entry, name=f"d²/d{a} d{b}")
        for entry, (a, b) in zip(made.entries, pairs, strict=True)
    ]
    return replace(made, entries=tuple(entries))


def hessian_diagonal(program: Program) -> Derived:
    """The second derivatives of the first result by the same input twice."""
    gradient = _gradient(program)
    width = len(program.inputs)
    places = [k * (width + 1) for k in range(width)]
    every = hessian(program)
    matrix = _differentiated(gradient)
    outputs = tuple(matrix.flat_outputs)
    chosen = replace(matrix, outputs=(tuple(outputs[k] for k in places),))
    entries = tuple(every.entries[k] for k in places)
    return Derived(_text(chosen, "diagonal", (width,)), every.base, entries)


def jvp(program: Program) -> Derived:
    """The derivatives of the results along tangents that are parameters."""
    tangents = [f"{name}_dot" for name in _names(program)]
    made = jacobian(program)
    rows, width = len(list(program.flat_outputs)), len(program.inputs)
    sums = [[(row * width + k, k) for k in range(width)] for row in range(rows)]
    entries = tuple(
        Entry(f"values[{row}]_dot", {row: None}, dict(zip(_names(program), tangents, strict=True)))
        for row in range(rows)
    )
    return Derived(_text(_weighted(program, tangents, sums), "dot", (rows,)), made.base, entries)


def vjp(program: Program) -> Derived:
    """The sums of the derivatives by each input, with cotangents that are parameters."""
    made = jacobian(program)
    rows, width = len(list(program.flat_outputs)), len(program.inputs)
    cotangents = [f"c{row}" for row in range(rows)]
    sums = [[(row * width + k, row) for row in range(rows)] for k in range(width)]
    outputs = dict(enumerate(cotangents))
    entries = tuple(Entry(f"{name}_bar", outputs, {name: None}) for name in _names(program))
    return Derived(
        _text(_weighted(program, cotangents, sums), "bars", (width,)), made.base, entries
    )


def hvp(program: Program) -> Derived:
    """The product of the Hessian of the first result and a vector."""
    return jvp(_gradient(program))


KINDS: dict[str, Callable[[Program], Derived]] = {
    "jacobian": jacobian,
    "hessian": hessian,
    "hessian_diagonal": hessian_diagonal,
    "jvp": jvp,
    "vjp": vjp,
    "hvp": hvp,
}
"""What makes the texts of each kind."""


def _names(program: Program) -> list[str]:
    return [x.name for x in program.inputs]


def _gradient(program: Program) -> Program:
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
