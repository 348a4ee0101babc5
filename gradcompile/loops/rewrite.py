"""The rewriter: loop nests with other places and indices. It makes new ones; none is changed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod
from types import MappingProxyType

from gradcompile.ir.nests import (
    Apply,
    Array,
    Assign,
    Expression,
    Index,
    Loop,
    Nest,
    Place,
    Step,
    Subscript,
    assignments,
    loops,
    places,
)
from gradcompile.ops import table

STRIDE_OF_TABLE = 1 << 20
"""How far apart elements are taken to be that are looked up."""

Change = Callable[[Place], Place]
Indices = Mapping[Index, Index]


def rewrite(
    nest: Nest, change: Change | None = None, indices: Indices = MappingProxyType({})
) -> Nest:
    """Rewrite a nest and its formulas.

    Args:
        nest: is left as it is.
        change: makes of each place, its indices being the old ones, another one.
        indices: the new index for each of some old ones.
    """
    changed = change or (lambda place: place)
    renamed = _renamed(nest, changed, indices)

    def place_of(place: Place) -> Place:
        place = changed(place)
        return _with_indices(place, renamed) if renamed else place

    formulas = []
    for formula in nest.formulas:
        terms = [
            (tuple([renamed.get(index, index) for index in sums]), rewrite_expression(x, place_of))
            for sums, x in formula.terms
        ]
        formulas.append(replace(formula, place=place_of(formula.place), terms=tuple(terms)))
    return Nest(_rewritten(nest.steps, place_of, renamed), tuple(formulas), nest.sweep)


def rewrite_expression(expression: Expression, change: Change) -> Expression:
    """Make the expression in which every place is changed."""
    if isinstance(expression, Place):
        return change(expression)
    if isinstance(expression, Apply):
        operands = tuple([rewrite_expression(x, change) for x in expression.operands])
        return Apply(expression.op, operands)
    return expression


def _rewritten(steps: Sequence[Step], change: Change, indices: Indices) -> tuple[Step, ...]:
    rewritten: list[Step] = []
    for step in steps:
        if isinstance(step, Loop):
            index = indices.get(step.index, step.index)
            rewritten.append(Loop(index, _rewritten(step.body, change, indices), step.is_product))
        else:
            value = rewrite_expression(step.value, change)
            rewritten.append(Assign(change(step.place), value, step.adds))
    return tuple(rewritten)


def _renamed(nest: Nest, change: Change, indices: Indices) -> Indices:
    """The new index of each that changes: also where it begins may depend on others."""
    renamed = dict(indices)
    for loop in loops(nest.steps):  # outer ones come first
        index = renamed.get(loop.index, loop.index)
        if index.start is not None:
            start = _with_indices(change(index.start), renamed)
            if start != index.start:
                renamed[loop.index] = replace(index, start=start)
    return renamed


def _with_indices(place: Place, indices: Indices) -> Place:
    subscripts = []
    for subscript in place.subscripts:
        terms = tuple([(indices.get(index, index), stride) for index, stride in subscript.terms])
        looked_up = subscript.table and _with_indices(subscript.table, indices)
        subscripts.append(Subscript(subscript.offset, terms, looked_up))
    return Place(place.array, tuple(subscripts))


# --- arrays --------------------------------------------------------------------------------------


def arrays_of(nests: Sequence[Nest]) -> list[Array]:
    """List the arrays that nests write or read, each once."""
    found = {
        place.array: None
        for nest in nests
        for step in assignments(nest.steps)
        for place in (step.place, *places(step.value))
    }
    return list(found)


# --- expressions and their places ----------------------------------------------------------------


def strides(place: Place) -> dict[Index, int]:
    """Tell how far apart the elements of a place lie along each index."""
    found: dict[Index, int] = {}
    for axis, subscript in enumerate(place.subscripts):
        width = prod(place.array.shape[axis + 1 :])
        for index, stride in subscript.terms:
            found[index] = found.get(index, 0) + stride * width
        if subscript.table is not None:
            found.update(dict.fromkeys(subscript.table.indices(), STRIDE_OF_TABLE))
    return found


def shifted(expression: Expression, index: Index, by: int, keep: bool = True) -> Expression:
    """Make the expression of some rounds of an index later; or, if not `keep`, of that round."""

    def subscript(x: Subscript) -> Subscript:
        offset = x.offset + by * sum(stride for other, stride in x.terms if other is index)
        terms = tuple(term for term in x.terms if keep or term[0] is not index)
        return Subscript(offset, terms, x.table and place(x.table))

    def place(x: Place) -> Place:
        return Place(x.array, tuple(map(subscript, x.subscripts)))

    return rewrite_expression(expression, place)


def added(expressions: Sequence[Expression]) -> Expression:
    """Add expressions up, from the first to the last."""
    total = expressions[0]
    for expression in expressions[1:]:
        if isinstance(expression, Apply) and expression.op is table.neg:
            total = Apply(table.sub, (total, *expression.operands))
        else:
            total = Apply(table.add, (total, expression))
    return total
