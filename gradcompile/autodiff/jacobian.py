"""Jacobians: the derivatives of every output by every input, as values of one program.

There are two ways. *Forward, by columns*: each value carries its derivatives by those inputs that
it depends on, and by no others. *Reverse, by rows*: for each output the sweep goes back over what
that output is computed from, and over nothing else. Both give the same entries; `choose_mode`
tells which of them takes less work.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gradcompile.autodiff.activity import (
    ZERO,
    depends_on,
    needed_by,
    varying,
)
from gradcompile.autodiff.adjoints import Adjoints
from gradcompile.autodiff.guards import OPEN
from gradcompile.autodiff.modes import FORWARD, REVERSE, choose_mode
from gradcompile.autodiff.tangents import Tangent, Tangents
from gradcompile.ir.builder import Builder
from gradcompile.ir.program import BY, Const, Instruction, Operand, Program, Var, by

ONE = Const(1.0)
"""The derivative of an input by itself."""


def jacobian(
    program: Program,
    wrt: Sequence[int],
    places: Iterable[tuple[int, int]] | None = None,
    mode: str | None = None,
    keep_value: bool = False,
) -> Program:
    """Make the program that returns entries of the Jacobian of `program`.

    Args:
        program: what to differentiate; tuples among its outputs do not matter.
        wrt: the indices of the inputs to differentiate by: the columns.
        places: the row and the column of each entry, a row being a flat output; all, row by row,
            if there are none.
        mode: "forward" or "reverse"; None for the one that takes less work.
        keep_value: return the flat outputs before the entries.

    Returns:
        A program whose outputs are the entries, in the order of `places`; what is zero whatever the
        inputs are is the constant 0.0.

    Raises:
        ValueError: there is no such mode.
    """
    if mode not in (None, FORWARD, REVERSE):
        raise ValueError(f"mode: expected {FORWARD!r}, {REVERSE!r} or None, got {mode!r}")
    outputs = tuple(program.flat_outputs)
    if places is None:
        places = [(row, column) for row in range(len(outputs)) for column in range(len(wrt))]
    else:
        places = list(places)
    rows = sorted({row for row, _ in places})
    if (mode or choose_mode(program, wrt).mode) == FORWARD:
        builder, entries = _by_columns(program, wrt, rows)
    else:
        builder, entries = _by_rows(program, wrt, rows)
    found = tuple([entries[row].get(column, ZERO) for row, column in places])
    return replace(
        program,
        instructions=tuple(builder.instructions),
        outputs=(*outputs, *found) if keep_value else found,
    )


Entries = dict[int, dict[int, Operand]]
"""For each row its entries by their columns; what is left out is zero."""


def _by_columns(
    program: Program, wrt: Sequence[int], rows: Sequence[int]
) -> tuple[Builder, Entries]:
    """Append the derivatives of every value by every input that it depends on."""
    outputs = tuple(program.flat_outputs)
    needed = needed_by(program, [outputs[row] for row in rows])
    sources = [program.inputs[index] for index in wrt]
    suffixes = [by(source.name) or f"{BY}{column}" for column, source in enumerate(sources)]
    tangents = Tangents(program, suffixes)
    tangents.of.update({x: {column: Tangent(ONE)} for column, x in enumerate(sources)})
    for instruction in program.instructions:
        if instruction.result in needed:
            tangents.differentiate(instruction)
    entries = {row: tangents.of.get(outputs[row], {}) for row in rows}
    return tangents.builder, {
        row: {column: tangent.value for column, tangent in found.items()}
        for row, found in entries.items()
    }


def _by_rows(program: Program, wrt: Sequence[int], rows: Sequence[int]) -> tuple[Builder, Entries]:
    """Append for each output the adjoints of what it is computed from."""
    outputs = tuple(program.flat_outputs)
    sources = [program.inputs[index] for index in wrt]
    active = depends_on(program, sources)
    adjoints = Adjoints(program, active)
    position_of = {x.result: place for place, x in enumerate(program.instructions)}
    column_of = {source: column for column, source in enumerate(sources)}
    entries: Entries = {}
    for row in rows:
        output = outputs[row]
        if output not in active or not isinstance(output, Var):
            entries[row] = {}
            continue
        adjoints.of = output
        adjoints.builder.origin = None
        adjoints.contribute(output, ONE, OPEN)
        places, reached = _way_back(output, program.instructions, position_of, active)
        for place in places:
            adjoints.differentiate(program.instructions[place])
        found = [source for source in reached if source in column_of]
        entries[row] = {column_of[x]: adjoints.accumulate(x)[0] for x in found}
    return adjoints.builder, entries


def _way_back(
    output: Var,
    instructions: Sequence[Instruction],
    position_of: dict[Var, int],
    active: set[Operand],
) -> tuple[list[int], list[Var]]:
    """Find the instructions that an output is computed by, the last first, and the inputs."""
    reached: dict[Operand, None] = {output: None}
    places: list[int] = []
    inputs: list[Var] = []
    waiting: list[Operand] = [output]
    while waiting:
        value = waiting.pop()
        assert isinstance(value, Var)
        place = position_of.get(value)
        if place is None:
            inputs.append(value)
            continue
        places.append(place)
        for operand in varying(instructions[place]):
            if operand in active and operand not in reached:
                reached[operand] = None
                waiting.append(operand)
    return sorted(places, reverse=True), inputs
