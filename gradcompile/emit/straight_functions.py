"""Statements of a straight-line program → functions: what they take, load, allocate and return.

Elements of arrays that the user has named are loaded before the sweeps, and only those that are
read. In long text every part loads what it reads, from the parameters or from `kept`.
"""

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gradcompile.emit.derivations import derivation, gathered
from gradcompile.emit.layout import (
    MAX_LINE,
    Comment,
    Function,
    Item,
    Line,
    names_in,
    names_of,
)
from gradcompile.emit.parts import KEPT, crossing, cut, part_functions
from gradcompile.emit.statements import Statement
from gradcompile.emit.trees import assign, call, element, integer, one_or_tuple
from gradcompile.emit.wrapping import expression_text
from gradcompile.ir.sweeps import FORWARD_SWEEP, Sweep, full_title

MAX_NAMES_OF_A_PART = 3
"""The most names on a line of a part: for more, numba builds tuples, which takes it long."""


@dataclass(frozen=True)
class StraightCode:
    """What a straight-line program says, before it is arranged in functions.

    Attributes:
        function: the name of its function.
        parameters: the names that it takes, in order.
        sources: the elements of parameters that have a name, by that name.
        statements: those of both sweeps, in the order of the program.
        fills: what fills the entries of long arrays that no statement of a sweep fills.
        shapes: of the arrays that are filled; those that start with zeros are in `zeros`.
        zeros: see there.
        results: the expressions that are returned.
        fresh: gives a name that nothing else has.
        seed: what the reverse sweep begins with: the adjoint of the value; "" for several.
        summary: what the function does, in a line.
    """

    function: str
    parameters: tuple[str, ...]
    sources: dict[str, ast.expr]
    statements: list[Statement]
    fills: list[Statement]
    shapes: dict[str, tuple[int, ...]]
    zeros: set[str]
    results: ast.expr
    fresh: Callable[[str], str]
    seed: str
    summary: str


def straight_functions(code: StraightCode, limit: int) -> list[Function]:
    """Arrange a program in one function, or in its parts and the one that calls them.

    Args:
        code: what it says.
        limit: the most statements of one function.
    """
    sweeps = [sweep for sweep in _sweeps(code) if sweep]
    if len(code.statements) + len(code.fills) > limit:
        return _in_parts(code, [part for sweep in sweeps for part in cut(sweep, limit)])
    lines = _lines(code, {})
    body = [item for sweep in sweeps for item in _titled(code, sweep, lines)]
    read = names_of(body).union(names_in([code.results]))
    return [_main(code, [*_loads(read, code.sources), *_allocations(code), *body])]


def _in_parts(
    code: StraightCode,
    parts: Sequence[Sequence[Statement]],
) -> list[Function]:
    assigned = [[s.name for s in part if s.name] for part in parts]
    read = [names_in(s.value for s in part) for part in parts]
    results = names_in([code.results])
    used = [*map(set.union, read, assigned), results]
    passed = crossing(used, [name for names in assigned for name in names])
    kept = {name: element(KEPT, place) for place, name in enumerate(passed)}
    if kept:
        code = replace(code, shapes={KEPT: (len(kept),), **code.shapes})
    lines, sources = _lines(code, kept), {**code.sources, **kept}
    bodies = [
        [*_loads(reads.difference(own), sources, MAX_NAMES_OF_A_PART), *_titled(code, part, lines)]
        for part, reads, own in zip(parts, read, assigned, strict=True)
    ]
    available = (*code.parameters, *code.shapes)
    functions, calls = part_functions(bodies, code.function, available, code.fresh)
    commented = [
        replace(function, comment=f"part {place} of {len(functions)}")
        for place, function in enumerate(functions, 1)
    ]
    return [*commented, _main(code, [*_allocations(code), *calls, *_loads(results, sources)])]


def _main(code: StraightCode, body: Iterable[Item]) -> Function:
    """Make the function itself: its signature, and what it returns."""
    returned = Line(ast.Return(code.results), may_break=True)
    return Function(code.function, code.parameters, (*body, returned), summary=code.summary)


def _sweeps(code: StraightCode) -> list[list[Statement]]:
    """The statements of the forward sweep, those of each other sweep, and what fills arrays."""
    found: dict[Sweep, list[Statement]] = {FORWARD_SWEEP: []}
    for statement in code.statements:
        found.setdefault(statement.sweep, []).append(statement)
    forward, *sweeps = (found[sweep] for sweep in sorted(found))
    return [forward, *map(gathered, sweeps), code.fills]


def _titled(
    code: StraightCode, statements: Sequence[Statement], lines: Mapping[Statement, Line]
) -> list[Item]:
    """Write some statements of one sweep; all but the forward sweep under their headings."""
    sweep = statements[0].sweep
    if sweep != FORWARD_SWEEP:
        return [Comment(full_title(sweep.title, code.seed)), *derivation(statements, lines)]
    return [lines[statement] for statement in statements]


def _lines(code: StraightCode, kept: Mapping[str, ast.expr]) -> dict[Statement, Line]:
    """Write each statement as a line; it assigns what is kept to its place as well."""
    lines: dict[Statement, Line] = {}
    line_of: dict[str, Line] = {}
    for s in (*code.statements, *code.fills):
        name = [ast.Name(s.name)] if s.name else []
        place = [kept[s.name]] if s.name in kept else []
        tree = ast.Assign([*name, *place, *s.entries], s.value)
        lines[s] = Line(tree, tuple(line_of[name] for name in s.differentiates), may_break=True)
        if s.name:
            line_of[s.name] = lines[s]
    return lines


def _loads(
    read: Iterable[str], sources: Mapping[str, ast.expr], limit: int = MAX_LINE
) -> list[Line]:
    """Assign what is read from arrays, in the order of `sources`.

    Args:
        read: names; those without a source are left out.
        sources: the entry of an array for each name.
        limit: the most names on a line.
    """
    lines: list[list[str]] = []
    width = MAX_LINE
    wanted = set(read)
    for name in (name for name in sources if name in wanted):
        entry = expression_text(sources[name])
        width += len(f"{name}, {entry}, ")
        if width > MAX_LINE or len(lines[-1]) == limit:
            lines.append([])
            width = len(f"    {name} = {entry}")
        lines[-1].append(name)
    return [
        Line(
            assign(one_or_tuple([*map(ast.Name, names)]), one_or_tuple([sources[x] for x in names]))
        )
        for names in lines
    ]


def _allocations(code: StraightCode) -> list[Line]:
    lines = []
    for name, shape in code.shapes.items():
        function = "zeros" if name in code.zeros else "empty"
        lines.append(Line(assign(name, call(function, one_or_tuple([*map(integer, shape)])))))
    return lines
