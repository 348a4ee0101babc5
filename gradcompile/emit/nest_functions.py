"""Loop nests → functions: what they take, which arrays they make, and what they return.

For a batch the function goes through blocks of rows, and everything it computes is inside of that
loop. In long text every part makes the arrays that it alone uses.
"""

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from gradcompile.emit.layout import (
    For,
    Function,
    Item,
    Line,
    lines_of,
    names_of,
    with_titles,
)
from gradcompile.emit.nest_arrays import memory, results, row_blocks, views
from gradcompile.emit.nest_names import (
    BLOCK_SIZE,
    DATA,
    START,
    TABLES,
    TOTAL_ROWS,
    WIDTH,
    NestNames,
    arrays_in,
)
from gradcompile.emit.nest_places import expression_tree
from gradcompile.emit.nest_trees import nest_items
from gradcompile.emit.parts import KEPT, crossing, cut_by_length, part_functions
from gradcompile.emit.trees import assign, call, float_tree, integer, tuple_tree
from gradcompile.ir.nests import BLOCK_ROWS, Array, Nest, Place, Rolled
from gradcompile.ir.program import Const
from gradcompile.ir.signature import Bundle

MAX_LINES = 150
"""The most lines of nests in one function."""

LINES_OF_A_PART = 80
"""About as many lines has each function where one is not enough."""


@dataclass(frozen=True)
class NestCode:
    """What loop nests say, before it is arranged in functions.

    Attributes:
        function: the name of its function.
        rolled: what it computes.
        nests: those of both sweeps, in order.
        names: of arrays and indices.
        mean: for a batch, is what is summed up divided by the number of rows?
        summary: what the function does, in a line.
    """

    function: str
    rolled: Rolled
    nests: tuple[Nest, ...]
    names: NestNames
    mean: bool
    summary: str = ""


@dataclass(frozen=True)
class _Written:
    """A nest, and its statements."""

    nest: Nest
    items: tuple[Item, ...]


def nest_functions(code: NestCode) -> list[Function]:
    """Arrange nests in one function, or in its parts and the one that calls them."""
    items = nest_items(code.nests, code.names)
    written = [_Written(*pair) for pair in zip(code.nests, items, strict=True)]
    lengths = [len(list(lines_of(nest.items))) for nest in written]
    if sum(lengths) > MAX_LINES:
        parts = cut_by_length(written, lengths, LINES_OF_A_PART)
        if len(parts) > 1:
            return _in_parts(code, parts)
    used = code.names.used
    return [_main(code, memory(used, code.names, code.nests), used, _titled(written))]


def _in_parts(code: NestCode, parts: Sequence[Sequence[_Written]]) -> list[Function]:
    """Make a function of each part, and one that calls them.

    What passes from one to another is allocated there: arrays, and `kept` for single numbers.
    """
    rolled, used = code.rolled, code.names.used
    uses = [set(arrays_in(written.nest for written in part)) for part in parts]
    returned = {x.array for x in rolled.outputs if isinstance(x, Place)}
    passed = crossing([*uses, returned], [array for array in used if not array.space])
    shared = [array for array in passed if array.shape]
    kept = {array: place for place, array in enumerate(a for a in passed if not a.shape)}
    names = replace(code.names, kept=kept)
    code = replace(code, names=names)
    bodies = []
    for part, arrays in zip(_rewritten(parts, names), uses, strict=True):
        own = [array for array in used if array in arrays]
        made = memory([array for array in own if array not in shared], names, code.nests)
        bodies.append([*made, *views(own, names, rolled), *_titled(part)])
    functions, calls = part_functions(bodies, code.function, _available(code, shared), names.fresh)
    allocations = memory(shared, names, code.nests)
    if kept:
        function = "zeros" if rolled.rows else "empty"
        allocations.append(Line(assign(names.own[KEPT], call(function, integer(len(kept))))))
    return [*functions, _main(code, allocations, (), calls)]


def _rewritten(parts: Sequence[Sequence[_Written]], names: NestNames) -> list[list[_Written]]:
    """Write again, with their places in `kept`, the nests that use single numbers."""

    def uses_numbers(written: _Written) -> bool:
        return any(not array.shape for array in arrays_in([written.nest]))

    changed = [w.nest for part in parts for w in part if uses_numbers(w)]
    items = iter(nest_items(changed, names))
    return [
        [replace(w, items=next(items)) if uses_numbers(w) else w for w in part] for part in parts
    ]


def _titled(part: Iterable[_Written]) -> list[Item]:
    steps = [(written.nest.sweep, written.items) for written in part]
    return list(with_titles(steps, "value_bar = 1.0"))


# --- what functions take, make and return --------------------------------------------------------


def _arguments(code: NestCode) -> tuple[str, ...]:
    """List what the function takes."""
    rolled = code.rolled
    assert rolled.signature is not None
    constants = {DATA: bool(rolled.data), TABLES: bool(len(rolled.tables))}
    given = [group.name for group in rolled.signature.parameters]
    return (*given, *(code.names.own[name] for name, is_given in constants.items() if is_given))


def _available(code: NestCode, shared: Iterable[Array]) -> list[str]:
    """List what a part may take."""
    rolled, names = code.rolled, code.names
    rows = [names.own[name] for name in (BLOCK_SIZE, START, WIDTH)] if rolled.rows else []
    of_rows = [names.arrays[array] for array in names.used if array.space == "rows"]
    return [
        *_arguments(code),
        *rows,
        *of_rows,
        names.own[KEPT],
        *(names.arrays[array] for array in (*names.results, *shared)),
    ]


def _main(
    code: NestCode, allocations: Iterable[Item], arrays: Sequence[Array], body: Iterable[Item]
) -> Function:
    """Make the function itself: its signature, what it allocates, views and computes, its result.

    Args:
        code: what the nests say.
        allocations: what makes the arrays that are not returned.
        arrays: those that the body reads and writes.
        body: what is computed, for a batch in each block of rows.
    """
    rolled, names = code.rolled, code.names
    made = [*results(rolled, names), *allocations]
    if rolled.rows:
        items = [*_blocks(code, made, arrays, body)]
    else:
        items = [*made, *views(arrays, names, rolled), *body]
    returned = Line(ast.Return(_returned(code)), may_break=True)
    return Function(code.function, _arguments(code), (*items, returned), summary=code.summary)


def _returned(code: NestCode) -> ast.expr:
    """Write what is returned: the value, and derivatives."""
    signature = code.rolled.signature
    assert signature is not None
    pairs = zip(code.rolled.outputs, signature.results, strict=True)
    made = [_rows_first(_output(code, x), group) for x, group in pairs]
    returned: ast.expr = signature.nest(made, tuple_tree)
    return returned


def _rows_first(tree: ast.expr, group: Bundle) -> ast.expr:
    """Write an array whose last axis is that of the rows, which are computed side by side."""
    if not group.is_row or group.shape is None:
        return tree
    if len(group.shape) == 1:
        return ast.Attribute(tree, "T")
    axes = ast.Tuple([integer(len(group.shape)), *map(integer, range(len(group.shape)))])
    return ast.Call(ast.Attribute(tree, "transpose"), [axes], [])


def _blocks(
    code: NestCode, made: Iterable[Item], arrays: Sequence[Array], body: Iterable[Item]
) -> Iterator[Item]:
    """Loop over the blocks of a batch."""
    rolled, names = code.rolled, code.names
    assert rolled.signature is not None
    first = next(group.name for group in rolled.signature.parameters if group.is_row)
    yield Line(assign(names.own[TOTAL_ROWS], call("len", ast.Name(first))))
    for output in rolled.outputs:
        if isinstance(output, Place) and output.array not in names.kept:
            yield Line(assign(names.arrays[output.array], float_tree(0.0)))
    yield from made
    yield from views(arrays, names, rolled)
    used = [array for array in names.used if array.space == "rows"]
    of_rows = row_blocks(used, names, rolled)
    block = (*_block_of_rows(code, used, of_rows, list(body)),)
    starts = call("range", integer(0), _total_rows(names), integer(BLOCK_ROWS))
    yield For(names.own[START], starts, block)
    if code.mean:
        yield from (_mean(array, names, rolled.strict) for array in names.results)


def _block_of_rows(
    code: NestCode, used: Sequence[Array], of_rows: Iterable[Item], body: list[Item]
) -> Iterator[Item]:
    names = code.names
    left = ast.BinOp(_total_rows(names), ast.Sub(), ast.Name(names.own[START]))
    yield Line(assign(names.own[BLOCK_SIZE], call("min", integer(BLOCK_ROWS), left)))
    yield from of_rows
    if names.own[WIDTH] in names_of(body):
        rows = ast.Attribute(ast.Name(names.arrays[used[0]]), "shape")
        yield Line(assign(names.own[WIDTH], ast.Subscript(rows, integer(len(used[0].shape) - 1))))
    yield from body


def _mean(array: Array, names: NestNames, strict: bool) -> Line:
    """Divide a total by the number of rows; where it need not be exact, by one division."""
    total, count = ast.Name(names.arrays[array]), _total_rows(names)
    if strict:
        return Line(ast.AugAssign(total, ast.Div(), count))
    return Line(ast.Expr(call("divide", total, count)))


def _total_rows(names: NestNames) -> ast.Name:
    return ast.Name(names.own[TOTAL_ROWS])


def _output(code: NestCode, output: Place | Const | Array) -> ast.expr:
    if isinstance(output, Array):
        return ast.Name(code.names.arrays[output])
    tree = expression_tree(output, code.names, frozenset())
    return ast.BinOp(tree, ast.Div(), _total_rows(code.names)) if code.mean else tree
