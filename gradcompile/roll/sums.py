"""The loops of a formula: their order, and where sums are accumulated."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gradcompile.ir.nests import (
    Assign,
    Expression,
    Formula,
    Index,
    Loop,
    Place,
    Step,
    Total,
    places,
)
from gradcompile.ir.program import Const
from gradcompile.loops.rewrite import added, strides
from gradcompile.roll.matrix_products import product
from gradcompile.roll.terms import places_read

MIN_INNERMOST_ROUNDS = 4
"""A loop of fewer rounds is a bad innermost one."""

MAX_TERMS_TOGETHER = 4
"""The most terms that are added in one expression."""

_COSTS = {0: 0, 1: 1, -1: 2}
"""What reading a next element costs, by how far away it is; anything else costs 4."""


def steps_of(formula: Formula, around: list[Index], strict: bool, adds: bool = False) -> list[Step]:
    """The loops of a formula; `adds` to what the place holds, if it sums up the rows of a batch."""
    if strict:
        return _loops_of_sums(formula, around, strict, adds)
    rest, products = [], []
    for sums, expression in formula.terms:
        found = product(formula.place, around, sums, expression)
        if found is None:
            rest.append((sums, expression))
        else:
            products += _product(formula.place, [*around, *sums], found, expression)
    if products and not rest:
        rest = [] if adds else [((), Const(0.0))]
    others = Formula(formula.place, tuple(rest))
    return [*(_loops_of_sums(others, around, strict, adds) if rest else []), *products]


def _product(
    place: Place, indices: Sequence[Index], inside: Sequence[Index], expression: Expression
) -> list[Step]:
    """The loops of a product of matrices, inside of all others."""
    outside = [index for index in indices if index not in inside]
    assign: Step = Assign(place, expression, adds=True)
    (loop,) = _loops(inside, [assign])
    assert isinstance(loop, Loop)
    return _loops(outside, [replace(loop, is_product=True)])


def _loops_of_sums(formula: Formula, around: list[Index], strict: bool, adds: bool) -> list[Step]:
    if len(formula.terms) <= MAX_TERMS_TOGETHER and not any(sums for sums, _ in formula.terms):
        value = added([expression for _, expression in formula.terms])
        order = _ordered(around, [formula.place, *places_read(formula)])
        return _loops(order, [Assign(formula.place, value, adds)])
    if adds:
        return _sums_innermost(formula, around, strict, adds)
    sums = [index for indices, _ in formula.terms for index in indices]
    order = _ordered([*around, *sums], [formula.place, *places_read(formula)])
    innermost = order[-1] if order else None
    if around and around[-1].is_row:
        return _rows_innermost(formula, around, around[-1], strict)
    if innermost in around and not any(index.start for index in sums):
        return _rows_innermost(formula, around, innermost, strict)
    return _sums_innermost(formula, around, strict, adds)


def _sums_innermost(formula: Formula, around: list[Index], strict: bool, adds: bool) -> list[Step]:
    """Each member in turn: its sum is accumulated in a variable."""
    is_number = not formula.place.array.shape
    total = formula.place if is_number and not adds else Place(Total((), label="total"))
    body = _accumulate(formula, total, [], strict)
    if total is not formula.place:
        body.append(Assign(formula.place, total, adds))
    return _loops(_ordered(around, [formula.place]), body)


def _rows_innermost(
    formula: Formula, around: list[Index], innermost: Index, strict: bool
) -> list[Step]:
    """All members along one index at a time: their sums are accumulated where they are kept."""
    outer = [index for index in around if index is not innermost]
    body = _accumulate(formula, formula.place, [innermost], strict)
    return _loops(_ordered(outer, [formula.place]), body)


def _accumulate(formula: Formula, total: Place, inside: list[Index], strict: bool) -> list[Step]:
    """Set the total to the terms that need no loop, then add the others."""
    terms = list(formula.terms)
    first: list[Expression] = []
    if strict:
        while terms and not terms[0][0]:
            first.append(terms.pop(0)[1])
    else:
        first = [expression for sums, expression in terms if not sums]
        terms = [(sums, expression) for sums, expression in terms if sums]
    # -0.0 + x is x for every x; 0.0 + -0.0 is not.
    value = added(first[:MAX_TERMS_TOGETHER]) if first else Const(-0.0 if strict else 0.0)
    steps = _loops(inside, [Assign(total, value)])
    for sums, expression in [*(((), x) for x in first[MAX_TERMS_TOGETHER:]), *terms]:
        order = list(sums) if strict else _ordered(sums, list(places(expression)))
        steps += _loops([*order, *inside], [Assign(total, expression, adds=True)])
    return steps


def _loops(indices: Iterable[Index], body: list[Step]) -> list[Step]:
    for index in reversed(list(indices)):
        body = [Loop(index, body)]
    return body


def _ordered(indices: Sequence[Index], used: Sequence[Place]) -> list[Index]:
    """The order of loops in which neighbouring elements are read one after the other."""
    if indices and indices[-1].is_row:
        return list(indices)
    reads = [strides(place) for place in used]

    def cost(index: Index) -> tuple[int, int]:
        total = sum(_COSTS.get(found.get(index, 0), 4) for found in reads)
        return total + 4 * (index.extent < MIN_INNERMOST_ROUNDS), -index.extent

    costs = [cost(index) for index in indices]
    if not indices:
        return []
    # Only the innermost loop matters for speed; the others keep the order of the program.
    best = min(range(len(indices)), key=lambda k: (costs[k][0], -k))
    return [index for k, index in enumerate(indices) if k != best] + [indices[best]]
