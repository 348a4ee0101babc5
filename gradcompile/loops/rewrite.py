"""Loop nests with their places changed: what the passes over nests share."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod

from gradcompile.ir.nests import (
    Apply,
    Assign,
    Expression,
    Formula,
    Index,
    Loop,
    Nest,
    Place,
    Step,
    Subscript,
)

FAR = 1 << 20
"""How far apart elements are taken to be that are looked up."""


def strides(place: Place) -> dict[Index, int]:
    """How far apart the elements of a place lie along each index."""
    found: dict[Index, int] = {}
    for axis, subscript in enumerate(place.subscripts):
        width = prod(place.array.shape[axis + 1 :])
        for index, stride in subscript.terms:
            found[index] = found.get(index, 0) + stride * width
        if subscript.table is not None:
            found.update(dict.fromkeys(subscript.table.indices(), FAR))
    return found


def rewrite(steps: Sequence[Step], change: Callable[[Place], Place]) -> list[Step]:
    """The steps with every place changed."""
    rewritten: list[Step] = []
    for step in steps:
        if isinstance(step, Loop):
            rewritten.append(replace(step, body=rewrite(step.body, change)))
        else:
            rewritten.append(
                Assign(change(step.place), rewrite_expression(step.value, change), step.adds)
            )
    return rewritten


def rewrite_expression(expression: Expression, change: Callable[[Place], Place]) -> Expression:
    """The expression with every place changed."""
    if isinstance(expression, Place):
        return change(expression)
    if isinstance(expression, Apply):
        operands = tuple(rewrite_expression(x, change) for x in expression.operands)
        return Apply(expression.op, operands)
    return expression


def shifted(expression: Expression, index: Index, by: int, keep: bool = True) -> Expression:
    """The expression some rounds of an index later; or, if not `keep`, in that round."""

    def subscript(x: Subscript) -> Subscript:
        offset = x.offset + by * sum(stride for other, stride in x.terms if other is index)
        terms = tuple(term for term in x.terms if keep or term[0] is not index)
        return Subscript(offset, terms, x.table and place(x.table))

    def place(x: Place) -> Place:
        return Place(x.array, tuple(map(subscript, x.subscripts)))

    return rewrite_expression(expression, place)


def rewrite_nest(nest: Nest, change: Callable[[Place], Place]) -> None:
    """Change every place of a nest and its formulas."""
    nest.steps = rewrite(nest.steps, change)
    nest.formulas = [rewrite_formula(formula, change) for formula in nest.formulas]


def rewrite_formula(formula: Formula, change: Callable[[Place], Place]) -> Formula:
    """The formula with every place changed."""
    terms = tuple((sums, rewrite_expression(value, change)) for sums, value in formula.terms)
    return Formula(change(formula.place), terms)
