"""Statements of a straight-line program → functions: what they take, load, allocate and return.

Inputs are loaded from the array `inputs` before the sweeps, and only those that are read. In long
text every part loads what it reads, from `inputs` or from `kept`.
"""

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gradcompile.emit.layout import (
    FORWARD_SWEEP,
    INPUTS,
    MAX_LINE,
    REVERSE_SWEEP,
    Comment,
    Function,
    Item,
    Line,
    expression_text,
    names_in,
    names_of,
)
from gradcompile.emit.parts import KEPT, crossing, cut, part_functions
from gradcompile.emit.trees import assign, call, element, integer, one_or_tuple

MAX_NAMES_OF_A_PART = 3
"""The most names on a line of a part: for more, numba builds tuples, which takes it long."""


@dataclass(frozen=True, eq=False)
class Statement:
    """An assignment to a name, to entries of arrays, or to both.

    Attributes:
        name: what is assigned; "" if only entries are.
        value: what it is assigned.
        reverse: does it belong to the reverse sweep?
        differentiates: the names of the forward statements that it is an adjoint of.
        entries: the entries of arrays.
    """

    name: str
    value: ast.expr
    reverse: bool = False
    differentiates: tuple[str, ...] = ()
    entries: tuple[ast.expr, ...] = ()


@dataclass(frozen=True)
class StraightCode:
    """What a straight-line program says, before it is arranged in functions.

    Attributes:
        function: the name of its function.
        inputs: the names of the inputs, in order.
        statements: those of both sweeps, in the order of the program.
        fills: what fills the entries of long arrays that no statement of a sweep fills.
        sizes: the length of each array that is filled.
        results: the expressions that are returned.
        fresh: gives a name that nothing else has.
    """

    function: str
    inputs: list[str]
    statements: list[Statement]
    fills: list[Statement]
    sizes: dict[str, int]
    results: list[ast.expr]
    fresh: Callable[[str], str]


def straight_functions(code: StraightCode, limit: int) -> list[Function]:
    """Arrange a program in one function, or in its parts and the one that calls them.

    Args:
        code: what it says.
        limit: the most statements of one function.
    """
    sources = {name: element(INPUTS, index) for index, name in enumerate(code.inputs)}
    sweeps = _sweeps(code)
    if len(code.statements) + len(code.fills) > limit:
        parts = [(title, part) for title, sweep in sweeps for part in cut(sweep, limit)]
        return _in_parts(code, parts, sources)
    lines = _lines(code, {})
    body = [item for title, sweep in sweeps for item in _titled(title, sweep, lines)]
    read = names_of(body).union(names_in(code.results))
    return [_main(code, [*_loads(read, sources), *_allocations(code.sizes), *body])]


def _in_parts(
    code: StraightCode,
    parts: Sequence[tuple[str, Sequence[Statement]]],
    inputs: Mapping[str, ast.Subscript],
) -> list[Function]:
    assigned = [[s.name for s in part if s.name] for _, part in parts]
    read = [names_in(s.value for s in part) for _, part in parts]
    results = names_in(code.results)
    used = [*map(set.union, read, assigned), results]
    passed = crossing(used, [name for names in assigned for name in names])
    kept = {name: element(KEPT, place) for place, name in enumerate(passed)}
    sizes = {KEPT: len(kept), **code.sizes} if kept else code.sizes
    lines, sources = _lines(code, kept), {**inputs, **kept}
    bodies = [
        [*_loads(reads.difference(own), sources, MAX_NAMES_OF_A_PART), *_titled(*part, lines)]
        for part, reads, own in zip(parts, read, assigned, strict=True)
    ]
    functions, calls = part_functions(bodies, code.function, (INPUTS, *sizes), code.fresh)
    commented = [
        replace(function, comment=f"part {place} of {len(functions)}")
        for place, function in enumerate(functions, 1)
    ]
    return [*commented, _main(code, [*_allocations(sizes), *calls, *_loads(results, sources)])]


def _main(code: StraightCode, body: Iterable[Item]) -> Function:
    """Make the function itself: its signature, and what it returns."""
    returned = Line(ast.Return(one_or_tuple(code.results)))
    return Function(code.function, (INPUTS,), (*body, returned))


def _sweeps(code: StraightCode) -> list[tuple[str, list[Statement]]]:
    """List what stands under one title, each with it; what fills arrays has none."""
    sweeps = [
        (FORWARD_SWEEP, [s for s in code.statements if not s.reverse]),
        (REVERSE_SWEEP, [s for s in code.statements if s.reverse]),
        ("", code.fills),
    ]
    return [(title, statements) for title, statements in sweeps if statements]


def _titled(
    title: str, statements: Iterable[Statement], lines: Mapping[Statement, Line]
) -> list[Item]:
    head = [Comment(title)] if title else []
    return [*head, *(lines[statement] for statement in statements)]


def _lines(code: StraightCode, kept: Mapping[str, ast.Subscript]) -> dict[Statement, Line]:
    """Write each statement as a line; it assigns what is kept to its place as well."""
    lines: dict[Statement, Line] = {}
    forward: dict[str, Line] = {}
    for s in (*code.statements, *code.fills):
        name = [ast.Name(s.name)] if s.name else []
        place = [kept[s.name]] if s.name in kept else []
        tree = ast.Assign([*name, *place, *s.entries], s.value)
        lines[s] = Line(tree, tuple(forward[name] for name in s.differentiates))
        if not s.reverse:
            forward[s.name] = lines[s]
    return lines


def _loads(
    read: Iterable[str], sources: Mapping[str, ast.Subscript], limit: int = MAX_LINE
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


def _allocations(sizes: Mapping[str, int]) -> list[Line]:
    return [Line(assign(name, call("empty", integer(size)))) for name, size in sizes.items()]
